// The builder of pipelines: puts its parts together.

import { get } from "../api.js";
import { Canvas } from "./canvas.js";
import { Checking } from "./checking.js";
import * as doc from "./document.js";
import { byId } from "./dom.js";
import { Drafts } from "./drafts.js";
import { startJson } from "./json_view.js";
import { startPalette } from "./palette.js";
import { PipelinePanel } from "./pipeline_panel.js";
import { openRun, startRunning } from "./running.js";
import { Saving } from "./saving.js";
import { StepPanel } from "./step_panel.js";
import { Store } from "./store.js";
import { startVersions } from "./versions.js";

const store = new Store();
const canvas = new Canvas(store);
const drafts = new Drafts(store);
const checking = new Checking(store, goTo);
const saving = new Saving(store, checking, drafts, goTo);
let panel = null;

/** The form of the chosen step, or the settings. */
function showPanel() {
  const place = byId("panel");
  panel?.leave?.();
  panel = store.selected ? new StepPanel(store, canvas, store.selected) : new PipelinePanel(store, canvas);
  place.setAttribute("aria-label", store.selected ? `Form of ${doc.titleOf(doc.stepOf(store.document, store.selected))}` : "Settings");
  place.replaceChildren(panel.element);
  // Not before: fields are found by their ids in the page.
  panel.showErrors();
}

/** Go to what a place in the document is about. */
function goTo(loc) {
  const isStep = loc[0] === "steps" && doc.stepOf(store.document, loc[1]);
  store.select(isStep ? loc[1] : null);
  panel.focus(isStep ? loc.slice(2) : loc);
}

store.addEventListener("selection", ({ detail }) => {
  showPanel();
  if (detail.focus === "panel") panel.focus([]);
});
store.addEventListener("document", ({ detail }) => {
  // What is written in the panel itself is there already.
  if (detail.from !== "panel" && !detail.selects) showPanel();
  byId("undo-button").disabled = !store.history.canUndo;
  byId("redo-button").disabled = !store.history.canRedo;
});
store.addEventListener("check", () => panel?.showErrors());
store.addEventListener("saved", () => panel?.nameStays?.());

// Commands

byId("undo-button").addEventListener("click", () => store.undo());
byId("redo-button").addEventListener("click", () => store.redo());
byId("settings-button").addEventListener("click", () => {
  store.select(null);
  panel.focus([]);
});
byId("help-button").addEventListener("click", () => byId("help-dialog").showModal());
byId("run-button").addEventListener("click", async () => {
  // What runs is what is kept.
  if ((store.isDirty || store.version === 0) && !(await saving.save())) return;
  openRun({ name: store.name, version: store.version, title: store.document.title || store.name });
});

const isWriting = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const isCommand = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (isCommand && key === "s") saving.save();
  // In a field Ctrl and Z are the browser's own, until it is left.
  else if (isCommand && key === "z" && !isWriting(event.target)) event.shiftKey ? store.redo() : store.undo();
  else if (isCommand && key === "y" && !isWriting(event.target)) store.redo();
  else if (event.key === "Escape" && canvas.from) canvas.endConnecting(null);
  else if (event.key === "Escape" && event.target.closest("#panel") && store.selected) canvas.focus(store.selected);
  // Single keys act in the drawing alone: who speaks to the machine types them without meaning to.
  else if (isCommand || event.altKey || !event.target.closest("#canvas")) return;
  else if (event.key === "?") byId("help-dialog").showModal();
  else if (key === "a") {
    byId("palette").open = true;
    byId("palette-search").focus();
  } else return;
  event.preventDefault();
});

// Beginning

async function begin() {
  const { name, begin: example } = byId("builder").dataset;
  const answer = name ? await get(`/api/pipelines/${name}`) : example ? await get("/api/pipelines/examples") : null;
  if (answer && !answer.ok) {
    saving.fail(answer.body.detail);
    return;
  }
  if (name) store.load(answer.body.document, { name, version: answer.body.version });
  else if (example) {
    const found = answer.body.examples.find((each) => each.name === example);
    store.load(found ?? doc.emptyDocument());
  } else store.load(doc.emptyDocument());
  drafts.offer();
}

startPalette(store, canvas);
startJson(store);
startVersions(store);
startRunning();
await begin();
byId("builder").dataset.ready = "";
