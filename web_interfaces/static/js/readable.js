// Any JSON value, so that a person can read it: as templates/parts.html has it for pages.

const MOST = 50;
const DEEPEST = 4;

/** completed_with_errors -> "completed with errors" */
export const words = (name) => name.replaceAll("_", " ");

/** An element with a text and a class, where there are some. */
export function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function object(value, depth) {
  const list = element("dl", undefined, "values");
  for (const [name, each] of Object.entries(value)) {
    const pair = element("div");
    const held = element("dd");
    held.append(readable(each, depth + 1));
    pair.append(element("dt", words(name)), held);
    list.append(pair);
  }
  return list;
}

function array(value, depth) {
  const plain = value.every((each) => each === null || typeof each !== "object");
  const rest = value.length > MOST ? ` and ${(value.length - MOST).toLocaleString("en")} more` : "";
  if (plain) return element("span", value.slice(0, MOST).map(brief).join(", ") + rest, "text");
  const list = element("ul", undefined, "plain");
  for (const each of value.slice(0, MOST)) {
    const item = element("li");
    item.append(readable(each, depth + 1));
    list.append(item);
  }
  if (rest) list.append(element("li", rest, "quiet"));
  return list;
}

function brief(value) {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 6 }) : String(value);
}

/** The element that shows a value. */
export function readable(value, depth = 0) {
  if (value === null || typeof value !== "object") return element("span", brief(value), value === null ? "quiet" : "text");
  const size = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (size === 0) return element("span", "none", "quiet");
  if (depth > DEEPEST) return element("code", JSON.stringify(value));
  return Array.isArray(value) ? array(value, depth) : object(value, depth);
}
