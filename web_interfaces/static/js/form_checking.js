// Errors beside the fields while a person writes: the API checks, the form only shows.

import { post } from "./api.js";
import { clearErrors, placeOf, problemsOf, readFields, showErrors } from "./form_fields.js";

const PAUSE_MS = 400;

/** Check the fields of a form by `POST url` after each pause in writing. */
export function startChecking(form, url) {
  // Fields that somebody has written in: what is still to come is not wrong yet.
  const touched = new Set();
  let timer;
  let asked = 0;

  const isDue = ({ loc }) => {
    const name = String(loc[0]);
    const { field } = placeOf(form, loc.map(String));
    return field === undefined ? false : touched.has(name) || touched.has(field.dataset.field);
  };

  async function check() {
    asked += 1;
    const mine = asked;
    const local = problemsOf(form);
    const unreadable = new Set(local.map(({ loc }) => loc[0]));
    const answer = await post(url, readFields(form));
    // A later keystroke asks again; where the check itself fails, sending the form tells.
    if (mine !== asked || !answer.ok) return;
    clearErrors(form);
    const told = answer.body.errors.filter((error) => !unreadable.has(error.loc[0]));
    showErrors(form, [...local, ...told].filter(isDue));
  }

  form.addEventListener("input", (event) => {
    const field = event.target.closest("[data-field]");
    for (let each = field; each; each = each.parentElement.closest("[data-field]")) {
      touched.add(each.dataset.field);
    }
    asked += 1;
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE_MS);
  });
  // What was begun before the form is sent must not write over its answer.
  form.addEventListener("submit", () => {
    asked += 1;
    clearTimeout(timer);
  });
}
