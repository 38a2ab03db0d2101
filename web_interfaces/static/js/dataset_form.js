// The form of a curated dataset: registers it, or puts a new definition in place of the old one.

import { call, withKey } from "./api.js";
import { whileBusy } from "./busy.js";
import { clear, parametersOf, showProblem } from "./form.js";

async function send(form) {
  clear(form);
  const definition = parametersOf(form);
  if (definition === null) return;
  const { url, method, etag } = form.dataset;
  const answer = await call(method, url, definition, etag ? { "If-Match": etag } : {});
  if (!answer.ok) showProblem(form, answer.body);
  else location.assign(withKey(`/api/interface/curated/${answer.body.dataset_id}`));
}

/** The table's name follows the dataset's until somebody writes one. */
function follow(form) {
  const { dataset_id: id, target_table_name: table } = form.elements;
  if (!id) return;
  let isOurs = table.value === "";
  table.addEventListener("input", () => { isOurs = table.value === ""; });
  id.addEventListener("input", () => {
    if (isOurs) table.value = id.value ? `curated_${id.value}` : "";
  });
}

export function startDatasetForm() {
  const form = document.getElementById("dataset-form");
  if (!form) return;
  follow(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(form, event.submitter, () => send(form));
  });
}
