// The settings of the pipeline: what it is called, its inputs, its schedule, the order of steps.

/* global Sortable */

import { withKey } from "../api.js";
import * as doc from "./document.js";
import { byId, fragment, h } from "./dom.js";
import { areaField, checkField, focusPlace, showPlaced, textField } from "./fields.js";
import { InputsEditor } from "./inputs_editor.js";

const NAME_LENGTH = 63;
const PAUSE_MS = 300;
const NAME_STAYS = "It stays as it is; a copy can have another.";

export class PipelinePanel {
  constructor(store, canvas) {
    this.store = store;
    this.canvas = canvas;
    const { document } = store;
    this.inputs = new InputsEditor(store);
    this.element = h("div", { class: "form" },
      h("h2", {}, "Settings"),
      textField({ id: "pipeline-title", label: "Title", value: document.title, place: "title", maxlength: 200, set: (title) => this.retitle(title) }),
      textField({ id: "pipeline-name", label: "Name in addresses", value: store.name || document.name, help: store.version ? NAME_STAYS : "Small letters, digits and _", place: "name", maxlength: NAME_LENGTH, spellcheck: "false", readonly: store.version > 0, set: (name) => this.set({ name }, "name") }),
      areaField({ id: "pipeline-description", label: "What it is for", value: document.description, place: "description", maxlength: 4000, set: (description) => this.set({ description: description || undefined }, "description") }),
      h("fieldset", { class: "form-group" }, h("legend", {}, "Inputs"), h("p", { class: "field-help" }, "What a run is given. Expressions call them inputs.NAME."), this.inputs.element),
      this.schedule(),
      this.order());
  }

  /** Another panel takes its place. */
  leave() {
    clearTimeout(this.timer);
    this.sortable.destroy();
  }

  /** Once it is kept, the name is that of its address. */
  nameStays() {
    const name = this.element.querySelector("#pipeline-name");
    name.readOnly = true;
    name.value = this.store.name;
    byId("pipeline-name-help")?.replaceChildren(NAME_STAYS);
  }

  set(fields, name) {
    const merged = Object.entries({ ...this.store.document, ...fields });
    const next = Object.fromEntries(merged.filter(([, value]) => value !== undefined));
    this.store.change(next, "change the settings", { key: `pipeline ${name}`, from: "panel" });
  }

  retitle(title) {
    const { document, version } = this.store;
    const follows = version === 0 && document.name === doc.nameFrom(document.title ?? "", NAME_LENGTH);
    if (follows) byId("pipeline-name").value = doc.nameFrom(title, NAME_LENGTH);
    this.set(follows ? { title, name: doc.nameFrom(title, NAME_LENGTH) } : { title }, "title");
  }

  schedule() {
    const { schedule } = this.store.document;
    // What the fields show, also while there is no cron and so no schedule in the document.
    let shown = { ...schedule };
    this.means = h("div", { class: "schedule-means", role: "status", hidden: true });
    const change = (fields) => {
      shown = { ...shown, ...fields };
      this.set({ schedule: shown.cron?.trim() ? shown : undefined }, "schedule");
      this.explain();
    };
    this.explain(0);
    return h("fieldset", { class: "form-group" }, h("legend", {}, "Schedule"),
      textField({ id: "pipeline-cron", label: "Runs by itself at", value: schedule?.cron, help: "Five fields: minute, hour, day, month, day of the week, in UTC. Empty: by hand only", placeholder: "0 2 * * *", place: "schedule.cron", spellcheck: "false", set: (cron) => change({ cron }) }),
      h("p", { class: "field-examples" }, "For example ", [["0 2 * * *", "nightly"], ["0 6 * * mon", "on Mondays"], ["0 3 1 * *", "monthly"]].map(([cron, text]) => [h("button", { type: "button", class: "example", onclick: () => {
        byId("pipeline-cron").value = cron;
        change({ cron });
      } }, text), " "])),
      this.means,
      checkField({ id: "pipeline-schedule-enabled", label: "The schedule is on", value: schedule?.enabled ?? true, place: "schedule.enabled", set: (enabled) => change({ enabled: enabled ? undefined : false }) }),
      areaField({ id: "pipeline-schedule-inputs", label: "Inputs of these runs", help: "As JSON, where there is an input without a default", value: schedule?.inputs ? JSON.stringify(schedule.inputs, null, 1) : "", place: "schedule.inputs", set: (text) => {
        const inputs = parsed(text);
        const line = byId("pipeline-schedule-inputs-error");
        line.textContent = inputs === null ? "This is not a JSON object yet." : "";
        line.hidden = inputs !== null;
        if (inputs !== null) change({ inputs });
      } }));
  }

  /** Say what the schedule means, in a moment. */
  explain(pause = PAUSE_MS) {
    clearTimeout(this.timer);
    const cron = this.store.document.schedule?.cron;
    this.explained = cron;
    this.means.hidden = !cron;
    if (!cron) return;
    this.timer = setTimeout(async () => {
      let nodes;
      try {
        nodes = await fragment(withKey(`/api/interface/pipelines/parts/schedule?${new URLSearchParams({ cron })}`));
      } catch (error) {
        nodes = [error.message];
      }
      // Another time was written while this was on its way.
      if (this.explained === cron) this.means.replaceChildren(...nodes);
    }, pause);
  }

  order() {
    const { steps } = this.store.document;
    const list = h("ol", { class: "order-list" }, steps.map((step) => h("li", { "data-step": step.id },
      h("span", { class: "order-grip", "aria-hidden": "true" }, "⠿"),
      h("button", { type: "button", class: "order-name", onclick: () => this.store.select(step.id, "panel") }, doc.titleOf(step)),
      h("button", { type: "button", class: "button button-small", "aria-label": `Move ${doc.titleOf(step)} up`, onclick: () => this.move(step.id, -1) }, "↑"),
      h("button", { type: "button", class: "button button-small", "aria-label": `Move ${doc.titleOf(step)} down`, onclick: () => this.move(step.id, 1) }, "↓"))));
    this.sortable = Sortable.create(list, { handle: ".order-grip", forceFallback: true, onEnd: ({ item, newIndex }) => {
      const next = doc.moveStep(this.store.document, item.dataset.step, newIndex);
      this.store.change(next, "reorder the steps");
    } });
    return h("fieldset", { class: "form-group" }, h("legend", {}, "Order of the steps"),
      steps.length ? list : h("p", { class: "quiet" }, "There are no steps yet."));
  }

  move(id, by) {
    const label = by < 0 ? "up" : "down";
    const title = doc.titleOf(doc.stepOf(this.store.document, id));
    this.canvas.reorder(id, by);
    document.querySelector(`.order-list [aria-label="${CSS.escape(`Move ${title} ${label}`)}"]`)?.focus();
  }

  showErrors() {
    const errors = this.store.check.errors.filter(({ loc }) => loc[0] !== "steps");
    showPlaced(this.element, errors.map(({ loc, msg }) => ({ place: loc.join("."), msg })));
  }

  focus(place) {
    if (!place.length || !focusPlace(this.element, place.join("."))) byId("pipeline-title").focus();
  }
}

/** The object in a text; undefined where it is empty, null where it holds something else. */
function parsed(text) {
  if (!text.trim()) return undefined;
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
