// Cancel, resume, roll back: ask first, then POST to the API.

import { post } from "./api.js";

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
};

const element = (id) => document.getElementById(id);

export function startActions() {
  const dialog = element("confirm");
  if (!dialog) return;
  let url = "";
  let body = {};

  // On the document: the buttons are in the live part, which changes.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (!button) return;
    const words = WORDS[button.dataset.action];
    const { about = "" } = button.dataset;
    url = button.dataset.url;
    body = JSON.parse(button.dataset.body ?? "{}");
    element("confirm-title").textContent = words.title;
    element("confirm-text").textContent = `${about} ${words.text}`.trim();
    element("confirm-yes").textContent = words.yes;
    element("confirm-error").hidden = true;
    dialog.showModal();
  });

  element("confirm-yes").addEventListener("click", async (event) => {
    event.target.disabled = true;
    const answer = await post(url, body);
    event.target.disabled = false;
    if (answer.ok) {
      // Anew rather than live: a page whose job had ended does not ask any more.
      location.reload();
      return;
    }
    element("confirm-error").textContent = answer.body.detail;
    element("confirm-error").hidden = false;
  });
}
