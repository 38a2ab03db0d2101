// A button with data-copy="ID" puts the text of the element with that id on the clipboard.

const SHOWN_MS = 2000;

// The buttons that say so now: what they say otherwise, and until when.
const saying = new Map();

/** Let a button say for a moment what has been done. Pressed again meanwhile it says that longer. */
export function sayOn(button, text) {
  const { before = button.textContent, timer } = saying.get(button) ?? {};
  clearTimeout(timer);
  button.textContent = text;
  saying.set(button, {
    before,
    timer: setTimeout(() => {
      saying.delete(button);
      button.textContent = before;
    }, SHOWN_MS),
  });
}

async function copy(button) {
  const text = document.getElementById(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
    sayOn(button, "Copied");
  } catch {
    // Only pages from https or from this machine may write there.
    sayOn(button, "This browser does not allow it");
  }
}

export function startCopying() {
  // On the document: the buttons are in the live part, which changes.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
}
