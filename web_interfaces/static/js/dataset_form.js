// The form of a curated dataset: registers it, or puts a new definition in place of the old one.

import { call, withKey } from "./api.js";
import { clear, parametersOf, showProblem } from "./form.js";

async function send(form) {
  clear(form);
  const definition = parametersOf(form);
  if (definition === null) return;
  const { url, method, etag } = form.dataset;
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  const answer = await call(method, url, definition, etag ? { "If-Match": etag } : {});
  for (const button of buttons) button.disabled = false;
  if (!answer.ok) showProblem(form, answer.body);
  else location.assign(withKey(`/api/interface/curated/${answer.body.dataset_id}`));
}

export function startDatasetForm() {
  const form = document.getElementById("dataset-form");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
