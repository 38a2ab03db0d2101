// The form of a step: its title, its parameters, when it runs, and what becomes of failures.

import * as doc from "./document.js";
import { announce, byId, h } from "./dom.js";
import { expressionInput } from "./expressions.js";
import { areaField, choiceField, field, focusPlace, numberField, showPlaced, textField } from "./fields.js";
import { Parameters } from "./parameters.js";

const NEEDS = [["success", "run only if those before succeeded"], ["end", "run however they ended"]];
const ON_FAILURE = [["stop", "stop the run"], ["continue", "go on with what does not depend on it"]];

export class StepPanel {
  constructor(store, canvas, id) {
    this.store = store;
    this.canvas = canvas;
    this.id = id;
    const { step } = this;
    this.parameters = step.kind === "gate" ? null : new Parameters(store, id);
    this.general = h("p", { class: "notice notice-error", hidden: true });
    this.element = h("div", { class: "form" }, this.head(), this.general,
      step.kind === "gate" ? this.gateFields() : h("section", { "aria-label": "Parameters" }, this.parameters.container),
      this.order(), this.running(), this.commands());
    // The parameters have fields as soon as their form has come.
    this.parameters?.ready.then(() => this.showErrors());
  }

  get step() {
    return doc.stepOf(this.store.document, this.id);
  }

  set(fields, name) {
    const next = doc.updateStep(this.store.document, this.id, fields);
    this.store.change(next, `change ${doc.titleOf(this.step)}`, { key: `${name} ${this.id}`, from: "panel" });
  }

  head() {
    const { step } = this;
    const item = document.querySelector(`.palette-item[data-job="${CSS.escape(step.job ?? "")}"] button`);
    const heading = h("h2", {}, doc.titleOf(step));
    this.heading = heading;
    return h("div", { class: "form panel-head" },
      h("div", {}, heading, h("p", { class: "quiet" }, step.kind === "gate" ? "An approval: the run waits until somebody decides." : item?.title ?? `There is no job type ${step.job}.`)),
      textField({ id: "step-title", label: "Title", value: step.title, place: "title", maxlength: 200, placeholder: doc.heading(step.id), set: (text) => {
        this.set({ title: text || undefined }, "title");
        heading.textContent = doc.titleOf(this.step);
      } }),
      field({ id: "step-id", label: "Name in expressions", help: "Small letters, digits and _", place: "id" },
        h("input", { type: "text", id: "step-id", value: step.id, maxlength: 40, autocomplete: "off", spellcheck: "false", "aria-describedby": "step-id-help step-id-error", onblur: ({ target, relatedTarget }) => this.rename(target, relatedTarget),
          onkeydown: (event) => { if (event.key === "Enter") this.rename(event.target, event.target); } })));
  }

  /** Give the step another name; `next` is where the focus is on its way to. */
  rename(input, next) {
    const to = doc.nameFrom(input.value, 40);
    const taken = this.store.document.steps.some((step) => step.id === to && step.id !== this.id);
    const line = byId("step-id-error");
    line.textContent = taken ? `Another step is named ${to}.` : to ? "" : "A name begins with a letter.";
    line.hidden = !line.textContent;
    if (line.textContent || to === this.id) return;
    // Before the change, which takes this form away: that may make the field lose the focus again.
    const from = this.id;
    this.id = to;
    const renamed = doc.renameStep(this.store.document, from, to);
    this.store.change(renamed, `rename ${from} to ${to}`, { select: to, focus: "" });
    // Where it was on its way to is another form's field now.
    if (next?.id) setTimeout(() => byId(next.id)?.focus());
    announce(`It is named ${to}, also in the expressions of other steps.`);
  }

  gateFields() {
    const { step } = this;
    return h("div", { class: "form" },
      areaField({ id: "step-message", label: "What is to be decided", value: step.message, place: "message", maxlength: 2000, set: (text) => this.set({ message: text }, "message") }),
      numberField({ id: "step-timeout", label: "Rejected without a decision after", help: "Hours; empty: it waits for ever", value: step.timeout_hours, place: "timeout_hours", set: (hours) => this.set({ timeout_hours: hours }, "timeout") }));
  }

  /** What it waits for: steps that it uses are named, others can be chosen. */
  order() {
    const { document } = this.store;
    const { step } = this;
    const others = document.steps.filter((each) => each.id !== this.id);
    const list = others.map((each) => {
      const isUsed = doc.uses(document, each.id, this.id);
      const isSaid = step.after?.includes(each.id) ?? false;
      const why = isUsed || isSaid ? "" : doc.whyNotConnect(document, each.id, this.id);
      const id = `after-${each.id}`;
      return h("li", { class: "after" },
        h("input", { type: "checkbox", id, checked: isUsed || isSaid, disabled: isUsed || Boolean(why), onchange: ({ target }) => {
          const next = target.checked ? doc.connect(this.store.document, each.id, this.id) : doc.disconnect(this.store.document, each.id, this.id);
          this.store.change(next, `change what ${doc.titleOf(this.step)} waits for`, { from: "panel" });
        } }),
        h("label", { for: id }, doc.titleOf(each), isUsed ? h("span", { class: "quiet" }, " it uses what that gives") : why ? h("span", { class: "quiet" }, " waits for this one") : null));
    });
    return h("fieldset", { class: "form-group", "data-place": "after" }, h("legend", {}, "Runs after"),
      list.length ? h("ul", { class: "after-list" }, list) : h("p", { class: "quiet" }, "There is no other step."),
      h("p", { class: "field-error", id: "after-error", hidden: true }));
  }

  running() {
    const { step } = this;
    const isJob = step.kind !== "gate";
    const expression = (name, label, help, placeholder) => {
      const id = `step-${name.replaceAll("_", "-")}`;
      return field({ id, label, help, place: name }, ...expressionInput(this.store, this.id, {
        id, label, value: step[name] ?? "", placeholder, describedBy: `${id}-help ${id}-error`, set: (text) => {
          const had = Boolean(this.step[name]);
          this.set({ [name]: text.trim() ? text : undefined }, name);
          if (name === "for_each" && had !== Boolean(text.trim())) this.showFanOut();
        },
      }));
    };
    this.fanOut = h("div", { class: "form", hidden: !step.for_each },
      numberField({ id: "step-parallel", label: "Jobs at the same time", help: "1 to 64; 4 where nothing is said", value: step.max_parallel, place: "max_parallel", set: (number) => this.set({ max_parallel: number }, "parallel") }),
      numberField({ id: "step-share", label: "Share that may fail", help: "0 to 1; 0 where nothing is said", value: step.max_failed_share, place: "max_failed_share", set: (share) => this.set({ max_failed_share: share }, "share") }));
    const isSpecial = step.when || step.for_each || step.needs || step.on_failure;
    return h("details", { class: "form-more", open: Boolean(isSpecial) }, h("summary", {}, "When and how often it runs"), h("div", { class: "form-group form" },
      expression("when", "Only if", "A condition; empty: always", "length(inputs.files) > 0"),
      isJob && expression("for_each", "One job for each of", "A list; each value is named item", "inputs.files"),
      isJob && this.fanOut,
      choiceField({ id: "step-needs", label: "Where a step before did not succeed", value: step.needs ?? "success", choices: NEEDS, place: "needs", set: (value) => this.set({ needs: value === "success" ? undefined : value }, "needs") }),
      choiceField({ id: "step-failure", label: isJob ? "If it fails" : "If it is rejected", value: step.on_failure ?? "stop", choices: ON_FAILURE, place: "on_failure", set: (value) => this.set({ on_failure: value === "stop" ? undefined : value }, "failure") })));
  }

  showFanOut() {
    this.fanOut.hidden = !this.step.for_each;
  }

  commands() {
    return h("div", { class: "actions panel-commands" },
      h("button", { type: "button", class: "button", onclick: () => this.canvas.duplicate(this.id) }, "Duplicate"),
      h("button", { type: "button", class: "button", id: "step-earlier", onclick: () => this.move(-1, "step-earlier") }, "Earlier"),
      h("button", { type: "button", class: "button", id: "step-later", onclick: () => this.move(1, "step-later") }, "Later"),
      h("button", { type: "button", class: "button button-danger", onclick: () => this.canvas.remove(this.id) }, "Remove"));
  }

  /** Move it in the order, and stay at the button, which is another panel's then. */
  move(by, button) {
    this.canvas.reorder(this.id, by);
    byId(button).focus();
  }

  showErrors() {
    if (!this.element.isConnected) return;
    const errors = this.store.errorsOf(this.id);
    const own = errors.filter(({ loc }) => loc[2] !== "parameters").map(({ loc, msg }) => ({ place: loc.slice(2).join("."), msg }));
    const left = showPlaced(this.element, own).concat(this.parameters?.showErrors() ?? []);
    const texts = left.map(({ place, loc, msg }) => [place || loc?.join("."), msg].filter(Boolean).join(": "));
    this.general.textContent = texts.join(" ");
    this.general.hidden = texts.length === 0;
  }

  /** Go to what a place in the step is about. */
  focus(place) {
    if (place[0] === "parameters" && place.length > 1 && this.parameters) this.parameters.focus(String(place[1]));
    else if (!place.length || !focusPlace(this.element, place.join("."))) this.element.querySelector("input").focus();
  }
}
