// Elements in one line: h("button", { type: "button", class: "button", onclick }, "Save").

/** An element. Attributes that are false, null or undefined are left out; on… are listeners. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Say what has happened, in the line below the commands. */
export function announce(text) {
  const place = byId("announcer");
  // The same text again is said again.
  place.textContent = place.textContent === text ? `${text}\u00a0` : text;
}

/** The elements of a part of a page that the server draws; throws an Error in words. */
export async function fragment(path) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    throw new Error("The server does not answer. Try again.");
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new Error(page.querySelector("[data-error]")?.textContent.trim() || `The server answered ${answer.status}.`);
  return [...page.body.childNodes];
}
