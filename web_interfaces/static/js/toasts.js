// Toasts: what has been done, told once. Screen readers hear them without losing their place.

const KEY = "geoforge-toast";
const SHOWN_FOR_MS = 8000;

/** Show a text for some seconds; longer while it is read, by pointer or by focus. */
export function toast(text) {
  const toast = document.createElement("div");
  toast.className = "toast";
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.setAttribute("aria-label", "Close this message");
  close.textContent = "×";
  close.addEventListener("click", () => toast.remove());
  toast.append(words, close);
  document.getElementById("toasts").append(toast);

  let timer = null;
  const start = () => { timer = setTimeout(() => toast.remove(), SHOWN_FOR_MS); };
  const stop = () => clearTimeout(timer);
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, stop);
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, () => { stop(); start(); });
  start();
}

/** Show a text on the page that comes next, as one that is loaded anew. */
export function toastOnNextPage(text) {
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // A browser that keeps nothing: what was done shows on the page itself.
  }
}

/** Show what the page before has left. */
export function startToasts() {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    if (text) toast(text);
  } catch {
    // As above.
  }
}
