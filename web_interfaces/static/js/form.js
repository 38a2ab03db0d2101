// Forms: fields to JSON, and errors beside their fields; the form of a job, with its dry run.

import { post, withKey } from "./api.js";

/** The JSON value of an input; undefined where it is empty and the job's default applies. */
function valueOf(input) {
  const { kind } = input.dataset;
  if (kind === "boolean") return input.checked;
  const text = input.value.trim();
  if (text === "") return undefined;
  if (kind === "json") return JSON.parse(text);
  if (kind === "list") return text.split(",").map((part) => part.trim()).filter(Boolean);
  // What is not a number goes as it is: the API says best what is wrong with it.
  if (kind === "integer" || kind === "number") return Number.isNaN(Number(text)) ? text : Number(text);
  return input.value;
}

function show(input, message) {
  const place = document.getElementById(`${input.id}-error`);
  place.textContent = message;
  place.hidden = !message;
  if (message) {
    input.setAttribute("aria-invalid", "true");
    // What is wrong is not hidden behind a fold.
    input.closest("details")?.setAttribute("open", "");
  } else {
    input.removeAttribute("aria-invalid");
  }
}

/** Take away what an earlier answer left. */
export function clear(form) {
  for (const input of form.querySelectorAll("[data-kind]")) show(input, "");
  for (const id of ["form-error", "form-answer"]) document.getElementById(id).hidden = true;
}

function fail(message) {
  const place = document.getElementById("form-error");
  place.textContent = message;
  place.hidden = false;
}

/** The fields' values, or null after showing which is not JSON. */
export function parametersOf(form) {
  const parameters = {};
  const inputs = [...form.querySelectorAll("[data-kind]")];
  // What is part of another field's object comes after that object.
  inputs.sort((a, b) => Number("into" in a.dataset) - Number("into" in b.dataset));
  for (const input of inputs) {
    try {
      const value = valueOf(input);
      if (value === undefined) continue;
      const { into } = input.dataset;
      if (into) parameters[into] = { ...parameters[into], [input.name]: value };
      else parameters[input.name] = value;
    } catch (error) {
      show(input, `This is not valid JSON: ${error.message}`);
      input.focus();
      return null;
    }
  }
  return parameters;
}

/** The input that an error is about, and where in its value. */
function inputOf(form, [name, part, ...rest]) {
  const named = (each) => `[data-kind][name="${CSS.escape(each)}"]`;
  const inner = part && form.querySelector(`${named(part)}[data-into="${CSS.escape(name)}"]`);
  if (inner) return { input: inner, rest };
  const input = name && form.querySelector(`${named(name)}:not([data-into])`);
  return { input, rest: part === undefined ? [] : [part, ...rest] };
}

/** Show a problem+json, each of its errors beside its field. */
export function showProblem(form, problem) {
  const elsewhere = [];
  let first = null;
  for (const { loc, msg } of problem.errors ?? []) {
    const { input, rest } = inputOf(form, loc.map(String));
    if (!input) {
      elsewhere.push([...loc, msg].join(": "));
      continue;
    }
    const where = rest.join(".");
    show(input, where ? `${where}: ${msg}` : msg);
    first ??= input;
  }
  if (elsewhere.length || !first) fail([problem.detail, ...elsewhere].join(" "));
  first?.focus();
}

function answerWith(...nodes) {
  const place = document.getElementById("form-answer");
  place.replaceChildren(...nodes);
  place.hidden = false;
}

function paragraph(text) {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}

function showPlan(plan) {
  const list = document.createElement("ol");
  list.className = "plan";
  for (const stage of plan.stages) {
    const known = stage.tasks_total !== null && stage.tasks_total !== undefined;
    const tasks = known ? `${stage.tasks_total.toLocaleString("en")} tasks` : "tasks not known yet";
    const item = document.createElement("li");
    item.textContent = `${stage.name}: ${tasks}`;
    list.append(item);
  }
  answerWith(paragraph("The parameters are valid. Nothing was written; this would run:"), list);
}

function showExisting(job, again) {
  const link = document.createElement("a");
  link.href = withKey(`/api/interface/jobs/${job.job_id}`);
  link.textContent = "Open that job";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = "Run it again";
  button.addEventListener("click", again);
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
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  const answer = await post(form.dataset.url + query, parameters);
  for (const button of buttons) button.disabled = false;
  if (!answer.ok) showProblem(form, answer.body);
  else if (answer.body.plan) showPlan(answer.body.plan);
  else if (answer.body.created) location.assign(withKey(`/api/interface/jobs/${answer.body.job_id}`));
  else showExisting(answer.body, () => send(form, "?rerun=true"));
}

export function startForm() {
  const form = document.getElementById("submit-job");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, event.submitter?.value === "dry_run" ? "?dry_run=true" : "");
  });
}
