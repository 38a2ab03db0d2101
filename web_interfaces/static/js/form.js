// A form whose fields go to the API as one JSON object; and the form of a job, with its dry run.

import { post, withKey } from "./api.js";
import { whileBusy } from "./busy.js";
import { clearErrors, problemsOf, readFields, showErrors } from "./form_fields.js";
import { startChecking } from "./form_checking.js";
import { planOf } from "./form_plan.js";
import { startPickers } from "./picker.js";

const place = (name) => document.getElementById(`form-${name}`);

/** Take away what an earlier answer left. */
export function clear(form) {
  clearErrors(form);
  for (const name of ["error", "answer"]) place(name).hidden = true;
}

function fail(message) {
  place("error").textContent = message;
  place("error").hidden = false;
}

/** The fields' values, or null after showing which is not JSON. */
export function parametersOf(form) {
  const problems = problemsOf(form);
  if (problems.length === 0) return readFields(form);
  showErrors(form, problems, { focus: true });
  return null;
}

/** Show a problem+json, each of its errors beside its field. */
export function showProblem(form, problem) {
  const errors = problem.errors ?? [];
  const elsewhere = showErrors(form, errors, { focus: true });
  if (elsewhere.length === 0 && errors.length > 0) return;
  fail([problem.detail, ...elsewhere.map(({ loc, msg }) => [...loc, msg].join(": "))].join(" "));
}

function answerWith(...nodes) {
  place("answer").replaceChildren(...nodes);
  place("answer").hidden = false;
  place("answer").scrollIntoView({ block: "nearest" });
}

function paragraph(text) {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}

function showExisting(job, again) {
  const link = document.createElement("a");
  link.href = withKey(`/api/interface/jobs/${job.job_id}`);
  link.textContent = "Open that job";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = "Run it again";
  button.addEventListener("click", () => again(button));
  const actions = document.createElement("p");
  actions.className = "actions";
  actions.append(button, link);
  const status = job.status.replaceAll("_", " ");
  answerWith(paragraph(`A job with these parameters exists: it is ${status}.`), actions);
}

async function send(form, query) {
  clear(form);
  const parameters = parametersOf(form);
  if (parameters === null) return;
  const answer = await post(form.dataset.url + query, parameters);
  if (!answer.ok) showProblem(form, answer.body);
  else if (answer.body.plan) answerWith(...planOf(answer.body));
  else if (answer.body.created) location.assign(withKey(`/api/interface/jobs/${answer.body.job_id}`));
  else showExisting(answer.body, (button) => whileBusy(form, button, () => send(form, "?rerun=true")));
}

export function startForm() {
  const form = document.getElementById("submit-job");
  if (!form) return;
  startPickers(form);
  startChecking(form, form.dataset.check);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = event.submitter?.value === "dry_run" ? "?dry_run=true" : "";
    whileBusy(form, event.submitter, () => send(form, query));
  });
}
