// What a button of a page does: ask first, then call the API.
//
//   <button data-action="rollback" data-url="/api/..." data-body='{"version": 2}'
//           data-about="geo.parks, version 2 of 1,203 rows.">
//
// `data-then` is where the browser goes when it is done, in place of the page itself.

import { call, withKey } from "./api.js";

const WORDS = {
  cancel: {
    title: "Cancel this job?",
    text: "Tasks that have not begun will not run, and running ones are asked to stop. "
      + "The job can be resumed later.",
    yes: "Cancel the job",
  },
  resume: {
    title: "Resume this job?",
    text: "Tasks that failed, were cancelled or were lost run again. What is completed stays.",
    yes: "Resume the job",
  },
  rollback: {
    title: "Bring this version back?",
    text: "Readers see it at once, as a new version. The present one is kept, and can be brought "
      + "back in the same way.",
    yes: "Bring it back",
  },
  enable: {
    title: "Let the scheduler update this dataset?",
    text: "",
    yes: "Enable",
  },
  disable: {
    title: "Stop updating this dataset by schedule?",
    text: "What is published stays, an update under way goes on, and it can still be updated by "
      + "hand.",
    yes: "Disable",
  },
  publish: {
    title: "Publish this version although it failed a gate?",
    text: "Readers see it at once. The version that they see now is kept, and can be brought back.",
    yes: "Publish it",
  },
  discard: {
    title: "Discard this version?",
    text: "Its rows are deleted. What is published stays as it is, and the next update fetches the "
      + "source again.",
    yes: "Discard it",
  },
  restore: {
    title: "Roll back to this version?",
    text: "Readers see it at once, as a new version. The version of the source that is published "
      + "now is not fetched again by schedule; a newer one is.",
    yes: "Roll back",
  },
  remove: {
    title: "Take this dataset out of the registry?",
    text: "It is not updated any more. Its published table stays, with its versions; the log of its "
      + "updates stays too.",
    yes: "Take it out",
  },
};

const element = (id) => document.getElementById(id);

export function startActions() {
  const dialog = element("confirm");
  if (!dialog) return;
  let chosen = null;

  // On the document: the buttons are in the live part, which changes.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (!button) return;
    const words = WORDS[button.dataset.action];
    const { about = "", url, body = "{}", method = "POST", then } = button.dataset;
    chosen = { url, method, then, body: JSON.parse(body) };
    element("confirm-title").textContent = words.title;
    element("confirm-text").textContent = `${about} ${words.text}`.trim();
    element("confirm-yes").textContent = words.yes;
    element("confirm-error").hidden = true;
    dialog.showModal();
  });

  element("confirm-yes").addEventListener("click", async (event) => {
    const { url, method, body, then } = chosen;
    event.target.disabled = true;
    const answer = await call(method, url, method === "DELETE" ? undefined : body);
    event.target.disabled = false;
    if (answer.ok) {
      // Anew rather than live: a page whose job had ended does not ask any more.
      if (then) location.assign(withKey(then));
      else location.reload();
      return;
    }
    element("confirm-error").textContent = answer.body.detail;
    element("confirm-error").hidden = false;
  });
}
