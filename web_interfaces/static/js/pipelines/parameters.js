// The parameters of a step: the fields of its job type's form, each a value or an expression.

import { fieldsOf, readFields, showErrors, clearErrors, writeField } from "../form_fields.js";
import { withKey } from "../api.js";
import { startPickers } from "../picker.js";
import { updateStep, stepOf } from "./document.js";
import { fragment, h } from "./dom.js";
import { expressionInput } from "./expressions.js";
import { holdsExpressions, isExpression } from "./references.js";

// The form of a job type, as the server draws it: asked for once.
const forms = new Map();

function formOf(job) {
  if (!forms.has(job)) {
    const asked = fragment(withKey(`/api/interface/jobs/fields/${encodeURIComponent(job)}?prefix=parameter-`));
    asked.catch(() => forms.delete(job));
    forms.set(job, asked);
  }
  return forms.get(job);
}

const controlsOf = (field) => [...field.querySelectorAll("[data-value]")];
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export class Parameters {
  constructor(store, id) {
    this.store = store;
    this.id = id;
    // The fields that hold no plain value: {name: {read, input}}.
    this.others = new Map();
    this.container = h("div", { class: "form parameters" });
    this.isFilling = false;
    this.isReady = false;
    this.ready = this.build().then(() => { this.isReady = true; });
  }

  get step() {
    return stepOf(this.store.document, this.id);
  }

  async build() {
    this.container.append(h("p", { class: "quiet" }, "Loading the form …"));
    let nodes;
    try {
      nodes = await formOf(this.step.job);
    } catch (error) {
      this.container.replaceChildren(h("p", { class: "notice notice-error" }, error.message));
      return;
    }
    // Another step may have been chosen meanwhile.
    if (!this.step || !this.container.isConnected) return;
    this.container.replaceChildren(...nodes.map((node) => document.importNode(node, true)));
    startPickers(this.container);
    this.isFilling = true;
    for (const field of fieldsOf(this.container)) this.prepare(field);
    this.isFilling = false;
    this.container.addEventListener("input", () => this.read());
    this.container.addEventListener("change", () => this.read());
  }

  /** Fill a field in, and give it the switch between a value and an expression. */
  prepare(field) {
    const { field: name } = field.dataset;
    const value = this.step.parameters?.[name];
    const toggle = h("button", { type: "button", class: "switch", "data-for": name });
    toggle.addEventListener("click", () => {
      this.others.has(name) ? this.showValue(field) : this.showExpression(field, "");
      this.read();
      const first = this.others.get(name)?.input ?? controlsOf(field)[0];
      first?.focus();
    });
    const label = field.querySelector(":scope > label, :scope > legend");
    label.after(toggle);
    if (isExpression(value)) this.showExpression(field, value.$expr);
    else if (holdsExpressions(value)) this.showJson(field, value);
    else {
      if (value !== undefined) writeField(field, value);
      this.name(field, false);
    }
  }

  labelOf(field) {
    const label = field.querySelector(":scope > label, :scope > legend");
    return label.firstChild.textContent.trim();
  }

  name(field, isOther) {
    const toggle = field.querySelector(`:scope > .switch`);
    toggle.textContent = isOther ? "value" : "{ }";
    const label = isOther ? `Give ${this.labelOf(field)} a value` : `Use an expression for ${this.labelOf(field)}`;
    toggle.setAttribute("aria-label", label);
    toggle.title = label;
  }

  /** Put another input in the place of a field's own. */
  replace(field, elements, other) {
    this.restore(field);
    const own = [...field.children].filter((each) => each.matches("[data-value], .checks, .parts, .field-examples, .picker-options, .picker-add"));
    for (const each of own) each.dataset.replaced = "";
    for (const each of own) each.hidden = true;
    for (const control of controlsOf(field)) control.disabled = true;
    const box = h("div", { class: "other" }, elements);
    field.querySelector(":scope > .switch").after(box);
    field.classList.add("field-other");
    this.others.set(field.dataset.field, other);
    this.name(field, true);
  }

  restore(field) {
    field.querySelector(":scope > .other")?.remove();
    for (const each of field.querySelectorAll(":scope > [data-replaced]")) {
      delete each.dataset.replaced;
      each.hidden = each.matches(".picker-options");
    }
    for (const control of controlsOf(field)) control.disabled = false;
    field.classList.remove("field-other");
    this.others.delete(field.dataset.field);
  }

  showValue(field) {
    this.restore(field);
    this.name(field, false);
  }

  showExpression(field, text) {
    const name = field.dataset.field;
    const elements = expressionInput(this.store, this.id, {
      id: `parameter-expression-${name}`, label: `${this.labelOf(field)}, an expression`, value: text,
      placeholder: "steps.load.outputs.…", describedBy: `parameter-field-${name}-error`, set: () => this.read(),
    });
    const [input] = elements;
    this.replace(field, elements, { input, read: () => ({ $expr: input.value }) });
  }

  /** A list or object with expressions inside has no fields: it is written as JSON. */
  showJson(field, value) {
    const name = field.dataset.field;
    const area = h("textarea", { id: `parameter-json-${name}`, rows: 5, spellcheck: "false", "aria-label": `${this.labelOf(field)}, as JSON`, "aria-describedby": `parameter-field-${name}-error` });
    area.value = JSON.stringify(value, null, 1);
    let last = value;
    this.replace(field, [area], { input: area, read: () => {
      try {
        last = JSON.parse(area.value);
        area.removeAttribute("aria-invalid");
      } catch {
        // What is not JSON yet stays in the input, and the last that was is kept.
        area.setAttribute("aria-invalid", "true");
      }
      return last;
    } });
  }

  /** The form's values into the document. */
  read() {
    if (this.isFilling || !this.step) return;
    const before = this.step.parameters ?? {};
    const values = readFields(this.container);
    const parameters = {};
    for (const field of fieldsOf(this.container)) {
      const { field: name, default: text, kind } = field.dataset;
      const value = this.others.get(name)?.read() ?? values[name];
      const byDefault = text === undefined ? (kind === "boolean" ? false : undefined) : JSON.parse(text);
      // What is as it is by default is not written down, unless somebody has written it before.
      if (value === undefined || (same(value, byDefault) && !(name in before))) continue;
      parameters[name] = value;
    }
    for (const name of Object.keys(before)) {
      if (!this.container.querySelector(`[data-field="${CSS.escape(name)}"]`)) parameters[name] = before[name];
    }
    if (same(parameters, before)) return;
    this.store.change(updateStep(this.store.document, this.id, { parameters }), `change ${this.step.title || this.id}`, {
      key: `parameters ${this.id} ${document.activeElement?.id ?? ""}`, from: "panel",
    });
  }

  /** Show what the server says of the parameters; returns what has no field. */
  showErrors() {
    // What is wrong may be about fields that are still to come.
    if (!this.container.isConnected || !this.isReady) return [];
    clearErrors(this.container);
    const errors = this.store.errorsOf(this.id).filter(({ loc }) => loc[2] === "parameters");
    const left = showErrors(this.container, errors.map(({ loc, msg }) => ({ loc: loc.slice(3), msg })));
    for (const [name, { input }] of this.others) {
      const isWrong = errors.some(({ loc }) => loc[3] === name);
      input.toggleAttribute("aria-invalid", false);
      if (isWrong) input.setAttribute("aria-invalid", "true");
    }
    return left;
  }

  /** Go to the field of a parameter. */
  async focus(name) {
    await this.ready;
    const field = this.container.querySelector(`[data-field="${CSS.escape(name)}"]`);
    for (let fold = field?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    const control = this.others.get(name)?.input ?? (field && controlsOf(field)[0]);
    control?.focus();
    control?.scrollIntoView({ block: "center" });
  }
}
