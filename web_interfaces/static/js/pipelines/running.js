// Asks for the inputs of a run, shows what would run, and runs it. A page with the dialog of
// templates/pipelines/parts.html calls `openRun`.

import { clearErrors, problemsOf, readFields, showErrors, writeFields } from "../form_fields.js";
import { post, withKey } from "../api.js";
import { whileBusy } from "../busy.js";
import { startPickers } from "../picker.js";
import { byId, fragment, h } from "./dom.js";

let asked = null;

/** Not by randomUUID, which is there only over HTTPS. */
function requestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Open the dialog for a pipeline: {name, version, title, inputs}. */
export async function openRun({ name, version, title, inputs }) {
  // Each opening is one run: it is not begun twice, however often the button is pressed.
  const mine = { name, version, request_id: requestId() };
  asked = mine;
  const fields = byId("run-dialog-fields");
  byId("run-dialog-title").textContent = `Run ${title}`;
  fields.replaceChildren(h("p", { class: "quiet" }, "Loading …"));
  show("run-dialog-plan");
  show("run-dialog-error");
  byId("run-dialog").showModal();
  let nodes = [];
  let trouble = "";
  try {
    const query = version ? `?version=${version}` : "";
    nodes = await fragment(withKey(`/api/interface/pipelines/${name}/inputs${query}`));
  } catch (error) {
    trouble = error.message;
  }
  // The dialog was opened for another one while they were on their way.
  if (asked !== mine) return;
  fields.replaceChildren(...nodes);
  if (trouble) {
    show("run-dialog-error", trouble);
    return;
  }
  startPickers(fields);
  if (inputs) writeFields(fields, inputs);
  (fields.querySelector("[data-value]") ?? byId("run-dialog-go")).focus();
}

function show(id, ...content) {
  const place = byId(id);
  place.replaceChildren(...content);
  place.hidden = content.length === 0;
}

async function send(isDry) {
  const fields = byId("run-dialog-fields");
  clearErrors(fields);
  show("run-dialog-plan");
  show("run-dialog-error");
  const problems = problemsOf(fields);
  if (problems.length) {
    showErrors(fields, problems, { focus: true });
    return;
  }
  const mine = asked;
  const { name, version, request_id } = mine;
  const body = { inputs: readFields(fields), ...(version ? { version: Number(version) } : {}), ...(isDry ? {} : { request_id }) };
  const answer = await post(`/api/pipelines/${name}/run${isDry ? "?dry_run=true" : ""}`, body);
  // As above.
  if (asked !== mine) return;
  if (!answer.ok) {
    const errors = (answer.body.errors ?? []).map(({ loc, msg }) => ({ loc: loc[0] === "inputs" ? loc.slice(1) : loc, msg }));
    const left = showErrors(fields, errors, { focus: true });
    if (left.length || !errors.length) show("run-dialog-error", [answer.body.detail, ...left.map(({ loc, msg }) => `${loc.join(" › ")}: ${msg}`)].join(" "));
  } else if (isDry) show("run-dialog-plan", ...planOf(answer.body));
  else location.assign(withKey(`/api/interface/pipelines/runs/${answer.body.run_id}`));
}

/** Send it once at a time; what was sent for another opening is waited for by nobody. */
const begin = (button, isDry) => whileBusy(asked, button, () => send(isDry));

function planOf({ layers, steps }) {
  const byName = new Map(steps.map((step) => [step.id, step]));
  const rows = layers.flat().filter((id) => byName.has(id)).map((id) => {
    const { title, kind, job_type: job, begins, jobs_total: jobs, depends_on: after } = byName.get(id);
    const facts = [
      kind === "gate" ? "an approval" : job.replaceAll("_", " "),
      begins === false ? "skipped: its condition is not met" : begins === null ? "if its condition is met" : "",
      jobs > 1 ? `${jobs} jobs` : "",
      after.length ? `after ${after.join(", ")}` : "first",
    ].filter(Boolean);
    return h("li", {}, h("strong", {}, title || id.replaceAll("_", " ")), ` ${facts.join(", ")}`);
  });
  return [h("p", {}, "The inputs are valid. Nothing was begun; this would run:"), h("ol", { class: "plan" }, rows)];
}

/** Make the dialog work, and the buttons with data-run that open it. */
export function startRunning() {
  byId("run-dialog").querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    begin(event.submitter, false);
  });
  byId("run-dialog-dry").addEventListener("click", ({ currentTarget }) => begin(currentTarget, true));
  byId("run-dialog-close").addEventListener("click", () => byId("run-dialog").close());
  // On the document: the buttons are in the live part, which changes.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-run]");
    if (!button) return;
    const { run: name, version, title, inputs } = button.dataset;
    openRun({ name, version, title, inputs: inputs && JSON.parse(inputs) });
  });
}
