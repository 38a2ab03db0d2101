// Fields of the builder's own: a label, an input, help, and a place for what is wrong.

import { h } from "./dom.js";

/** A field around an input or several elements; `place` is where in a document it stands. */
export function field({ id, label, help = "", place = "" }, ...controls) {
  return h("div", { class: "field", "data-place": place },
    h("label", { for: id }, label), ...controls,
    help && h("p", { class: "field-help", id: `${id}-help` }, help),
    h("p", { class: "field-error", id: `${id}-error`, hidden: true }));
}

const about = (id) => `${id}-help ${id}-error`;

export function textField({ id, label, value = "", help, place, set, ...more }) {
  return field({ id, label, help, place }, h("input", {
    type: "text", id, value, autocomplete: "off", "aria-describedby": about(id),
    oninput: ({ target }) => set(target.value), ...more,
  }));
}

export function areaField({ id, label, value = "", help, place, set, rows = 3, ...more }) {
  const area = h("textarea", { id, rows, "aria-describedby": about(id), class: "prose", oninput: ({ target }) => set(target.value), ...more });
  area.value = value;
  return field({ id, label, help, place }, area);
}

/** `choices` are [value, text]. */
export function choiceField({ id, label, value, choices, help, place, set }) {
  return field({ id, label, help, place }, h("select", { id, "aria-describedby": about(id), onchange: ({ target }) => set(target.value) },
    choices.map(([each, text]) => h("option", { value: each, selected: each === value }, text))));
}

/** A number, or undefined where nothing is written; what is no number goes as it is. */
export function numberField({ set, value, ...more }) {
  return textField({ ...more, value: value ?? "", inputmode: "decimal", set: (text) => {
    const number = Number(text);
    set(text.trim() === "" ? undefined : Number.isNaN(number) ? text : number);
  } });
}

export function checkField({ id, label, value, help, place, set }) {
  const box = h("input", { type: "checkbox", id, checked: value, "aria-describedby": about(id), onchange: ({ target }) => set(target.checked) });
  return h("div", { class: "field field-check", "data-place": place }, box, h("label", { for: id }, label),
    help && h("p", { class: "field-help", id: `${id}-help` }, help), h("p", { class: "field-error", id: `${id}-error`, hidden: true }));
}

/** Show errors, whose places are as the fields say theirs; returns those that have no field. */
export function showPlaced(container, errors) {
  const fields = [...container.querySelectorAll("[data-place]")];
  const left = [];
  const told = new Map();
  for (const { place, msg } of errors) {
    const known = fields.filter((each) => each.dataset.place && (place === each.dataset.place || place.startsWith(`${each.dataset.place}.`)));
    const nearest = known.sort((a, b) => b.dataset.place.length - a.dataset.place.length)[0];
    if (nearest) told.set(nearest, [...(told.get(nearest) ?? []), msg]);
    else left.push({ place, msg });
  }
  for (const each of fields) {
    const messages = told.get(each) ?? [];
    const line = each.querySelector(":scope > .field-error");
    if (!line) continue;
    line.textContent = messages.join(" ");
    line.hidden = messages.length === 0;
    const control = document.getElementById(line.id.replace(/-error$/, ""));
    if (messages.length) control?.setAttribute("aria-invalid", "true");
    else control?.removeAttribute("aria-invalid");
  }
  return left;
}

/** Go to the field of a place; whether there is one. */
export function focusPlace(container, place) {
  const fields = [...container.querySelectorAll("[data-place]")].filter((each) => each.dataset.place);
  const known = fields.filter((each) => place === each.dataset.place || place.startsWith(`${each.dataset.place}.`));
  const nearest = known.sort((a, b) => b.dataset.place.length - a.dataset.place.length)[0];
  const control = nearest?.querySelector("input, select, textarea");
  for (let fold = nearest?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  control?.focus();
  control?.scrollIntoView({ block: "center" });
  return Boolean(control);
}
