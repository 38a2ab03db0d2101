// The inputs of a pipeline: added, described, given defaults, removed.

import * as doc from "./document.js";
import { byId, h } from "./dom.js";
import { checkField, choiceField, textField } from "./fields.js";

const TYPES = [["string", "text"], ["integer", "whole number"], ["number", "number"], ["boolean", "yes or no"], ["list", "list"]];
const ITEMS = TYPES.slice(0, 4);

export class InputsEditor {
  constructor(store) {
    this.store = store;
    this.element = h("div", { class: "inputs-editor" });
    this.draw();
  }

  get inputs() {
    return this.store.document.inputs ?? {};
  }

  change(inputs, label, key = null) {
    const { inputs: _, ...rest } = this.store.document;
    const { format, name, title, description, ...others } = rest;
    const head = Object.fromEntries(Object.entries({ format, name, title, description }).filter(([, value]) => value !== undefined));
    const next = Object.keys(inputs).length ? { ...head, inputs, ...others } : rest;
    this.store.change(next, label, { key, from: "panel" });
  }

  set(name, fields, part) {
    const merged = Object.entries({ ...this.inputs[name], ...fields }).filter(([, value]) => value !== undefined);
    this.change({ ...this.inputs, [name]: Object.fromEntries(merged) }, `change the input ${name}`, `input ${name} ${part}`);
  }

  draw() {
    this.element.replaceChildren(...Object.entries(this.inputs).map(([name, input]) => this.row(name, input)),
      h("button", { type: "button", class: "button", id: "add-input", onclick: () => this.add() }, "Add an input"));
  }

  add() {
    let number = 1;
    while (`input_${number}` in this.inputs) number += 1;
    const name = `input_${number}`;
    this.change({ ...this.inputs, [name]: { type: "string" } }, `add the input ${name}`);
    this.draw();
    const row = this.element.querySelector(`[data-input="${name}"]`);
    row.open = true;
    byId(`input-${name}-name`).select();
  }

  remove(name) {
    const { [name]: _, ...rest } = this.inputs;
    this.change(rest, `remove the input ${name}`);
    this.draw();
    byId("add-input").focus();
  }

  rename(name, wanted) {
    const to = doc.nameFrom(wanted, 40);
    // Later: by then the focus is where the key or the click leads that has ended the writing.
    setTimeout(() => this.redrawInPlace());
    if (!to || to === name || to in this.inputs) return;
    const renamed = Object.fromEntries(Object.entries(this.inputs).map(([each, input]) => [each === name ? to : each, input]));
    this.change(renamed, `rename the input ${name}`);
  }

  /** Draw the same rows with other names: what is open stays so, and what has the focus keeps it. */
  redrawInPlace() {
    const controls = () => [...this.element.querySelectorAll("summary, input, select, button")];
    const rows = () => [...this.element.querySelectorAll("[data-input]")];
    const focused = controls().indexOf(document.activeElement);
    const open = rows().map((row) => row.open);
    this.draw();
    rows().forEach((row, at) => { row.open = open[at]; });
    controls()[focused]?.focus();
  }

  row(name, input) {
    const id = (part) => `input-${name}-${part}`;
    const place = (part) => `inputs.${name}.${part}`;
    const pickers = [["", "nothing"], ...[...byId("pickers").content.querySelectorAll("option")].map((option) => [option.value, option.textContent])];
    return h("details", { class: "input-row", "data-input": name, "data-place": `inputs.${name}` },
      h("summary", {}, h("code", {}, name), " ", h("span", { class: "quiet" }, TYPES.find(([type]) => type === input.type)?.[1] ?? input.type)),
      h("div", { class: "form" },
        textField({ id: id("name"), label: "Name", value: name, place: "", maxlength: 40, spellcheck: "false", set: () => {}, onchange: ({ target }) => this.rename(name, target.value) }),
        choiceField({ id: id("type"), label: "Type", value: input.type, choices: TYPES, place: place("type"), set: (type) => {
          this.set(name, { type, items: type === "list" ? "string" : undefined, default: undefined, choices: undefined }, "type");
          this.redraw(name);
        } }),
        input.type === "list" && choiceField({ id: id("items"), label: "Type of its values", value: input.items, choices: ITEMS, place: place("items"), set: (items) => this.set(name, { items }, "items") }),
        textField({ id: id("description"), label: "Help for who runs it", value: input.description, place: place("description"), maxlength: 500, set: (text) => this.set(name, { description: text || undefined }, "description") }),
        checkField({ id: id("required"), label: "Required", value: input.required ?? true, place: place("required"), set: (isRequired) => {
          this.set(name, isRequired ? { required: undefined, default: undefined } : { required: false }, "required");
          this.redraw(name);
        } }),
        input.required === false && this.valueField(name, input, id("default"), place("default")),
        ["string", "list"].includes(input.type) && choiceField({ id: id("picker"), label: "To choose from", value: input.picker ?? "", choices: pickers, place: place("picker"), set: (picker) => this.set(name, { picker: picker || undefined }, "picker") }),
        textField({ id: id("choices"), label: "Values that are allowed", help: "With commas between; empty: all", value: (input.choices ?? []).join(", "), place: place("choices"), set: (text) => {
          const choices = text.split(",").map((each) => each.trim()).filter(Boolean).map((each) => valueOf(each, input.items ?? input.type));
          this.set(name, { choices: choices.length ? choices : undefined }, "choices");
        } }),
        h("p", {}, h("button", { type: "button", class: "button button-danger", "aria-label": `Remove the input ${name}`, onclick: () => this.remove(name) }, "Remove"))),
      h("p", { class: "field-error", id: `input-${name}-error`, hidden: true }));
  }

  redraw(name) {
    const focused = document.activeElement?.id;
    this.draw();
    this.element.querySelector(`[data-input="${CSS.escape(name)}"]`).open = true;
    if (focused) byId(focused)?.focus();
  }

  valueField(name, input, id, place) {
    const text = input.default === undefined ? "" : Array.isArray(input.default) ? input.default.join(", ") : String(input.default);
    return textField({ id, label: "Default value", help: input.type === "list" ? "With commas between" : "Empty: nothing", value: text, place, set: (written) => {
      const value = written.trim() === "" ? undefined
        : input.type === "list" ? written.split(",").map((each) => each.trim()).filter(Boolean).map((each) => valueOf(each, input.items))
          : valueOf(written.trim(), input.type);
      this.set(name, { default: value }, "default");
    } });
  }
}

/** A text as a value of a type; as it is where it is none, which the server then says. */
function valueOf(text, type) {
  if (type === "boolean" && ["yes", "true"].includes(text)) return true;
  if (type === "boolean" && ["no", "false"].includes(text)) return false;
  const number = Number(text);
  return ["integer", "number"].includes(type) && !Number.isNaN(number) ? number : text;
}
