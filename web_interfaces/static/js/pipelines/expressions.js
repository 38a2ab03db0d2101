// A field for an expression, with what it can use to choose from.

import { h } from "./dom.js";
import { sourcesOf } from "./outputs.js";

/**
 * An input for an expression of a step. `set` is given the text as it is written. Returns the
 * elements: input, what can be chosen.
 */
export function expressionInput(store, stepId, { id, label, value, placeholder = "", describedBy, set }) {
  const input = h("input", {
    type: "text", id, value, placeholder, class: "expression", autocomplete: "off", spellcheck: "false",
    maxlength: 500, "aria-label": label, "aria-describedby": describedBy,
    oninput: () => set(input.value),
  });
  const list = h("div", { class: "sources-list" });
  const sources = h("details", { class: "sources" }, h("summary", {}, "Choose an earlier value"), list);
  sources.addEventListener("toggle", () => {
    if (sources.open) list.replaceChildren(...groups(store, stepId, (path) => {
      put(input, path);
      sources.open = false;
      set(input.value);
    }));
  });
  return [input, sources];
}

function groups(store, stepId, choose) {
  return sourcesOf(store.document, store.check.outputs, stepId).map(({ title, parts }) =>
    h("section", {}, h("h3", {}, title), h("ul", {}, parts.map(({ path, type, help }) =>
      h("li", {}, h("button", { type: "button", title: help || null, onclick: () => choose(path) },
        h("code", {}, path), " ", h("span", { class: "quiet" }, type)))))));
}

/** Put a path where the cursor is, in place of what is marked there. */
function put(input, path) {
  const { selectionStart: start, selectionEnd: end, value } = input;
  // A cursor that was never set stands at the end: what is chosen then is all of it.
  const isWhole = value.trim() === "" || (start === value.length && end === value.length && /^[\w.[\]:]+$/.test(value));
  input.value = isWhole ? path : value.slice(0, start) + path + value.slice(end);
  input.focus();
}
