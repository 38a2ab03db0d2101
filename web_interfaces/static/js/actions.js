// What a button of a page does: ask first, then call the API.
//
//   <button data-action="rollback" data-url="/api/..." data-body='{"version": 2}'
//           data-about="geo.parks, version 2 of 1,203 rows.">
//
// What is filled in within a `data-said` around the button goes along in the body. `data-then` is
// where the browser goes when it is done, in place of the page itself; there a toast says what has
// been done. What `destroys` has a button in the colour of that.

import { call, withKey } from "./api.js";
import { toastOnNextPage } from "./toasts.js";

const WORDS = {
  cancel: {
    title: "Cancel this job?",
    text: "Tasks that have not begun will not run, and running ones are asked to stop. "
      + "The job can be resumed later.",
    yes: "Cancel the job",
    done: "The job was asked to stop.",
    destroys: true,
  },
  resume: {
    title: "Resume this job?",
    text: "Tasks that failed, were cancelled or were lost run again. What is completed stays.",
    yes: "Resume the job",
    done: "The job goes on.",
  },
  rollback: {
    title: "Bring this version back?",
    text: "Readers see it at once, as a new version. The present one is kept, and can be brought "
      + "back in the same way.",
    yes: "Bring it back",
    done: "The version is back, as a new one.",
  },
  enable: {
    title: "Let the scheduler update this dataset?",
    text: "",
    yes: "Enable",
    done: "The dataset is updated by schedule.",
  },
  disable: {
    title: "Stop updating this dataset by schedule?",
    text: "What is published stays, an update under way goes on, and it can still be updated by "
      + "hand.",
    yes: "Disable",
    done: "The dataset is not updated by schedule any more.",
  },
  publish: {
    title: "Publish this version although it failed a gate?",
    text: "Readers see it at once. The version that they see now is kept, and can be brought back.",
    yes: "Publish it",
    done: "The version is being published.",
  },
  discard: {
    title: "Discard this version?",
    text: "Its rows are deleted. What is published stays as it is, and the next update fetches the "
      + "source again.",
    yes: "Discard it",
    done: "The version is discarded.",
    destroys: true,
  },
  restore: {
    title: "Roll back to this version?",
    text: "Readers see it at once, as a new version. The version of the source that is published "
      + "now is not fetched again by schedule; a newer one is.",
    yes: "Roll back",
    done: "Rolled back.",
  },
  remove: {
    title: "Take this dataset out of the registry?",
    text: "It is not updated any more. Its published table stays, with its versions; the log of its "
      + "updates stays too.",
    yes: "Take it out",
    done: "The dataset is out of the registry.",
    destroys: true,
  },
  cancel_run: {
    title: "Cancel this run?",
    text: "Steps that have not begun will not run, and running jobs are cancelled. What is "
      + "published stays. The run can be resumed later.",
    yes: "Cancel the run",
    done: "The run is being cancelled.",
    destroys: true,
  },
  resume_run: {
    title: "Resume this run?",
    text: "It goes on from the steps that failed, were cancelled or were not reached. What is "
      + "completed stays.",
    yes: "Resume the run",
    done: "The run goes on.",
  },
  approve_step: {
    title: "Approve this step?",
    text: "The run goes on with what comes after it.",
    yes: "Approve",
    done: "The step is approved.",
  },
  reject_step: {
    title: "Reject this step?",
    text: "What comes after it does not run. The run can be resumed later, and asks again.",
    yes: "Reject",
    done: "The step is rejected.",
    destroys: true,
  },
  delete_pipeline: {
    title: "Delete this pipeline?",
    text: "It cannot be run any more, by hand or by schedule. Its runs, and what they have "
      + "published, stay.",
    yes: "Delete it",
    done: "The pipeline is deleted.",
    destroys: true,
  },
  bring_back: {
    title: "Bring this version back?",
    text: "What it says becomes the newest version. The versions between stay, and can be brought "
      + "back in the same way.",
    yes: "Bring it back",
    done: "The version is back.",
  },
};

const element = (id) => document.getElementById(id);

/** What a button sends: its own body, and what is filled in around it. */
function bodyOf(button) {
  const fields = button.closest("[data-said]")?.querySelectorAll("[name]") ?? [];
  const said = [...fields].map(({ name, value }) => [name, value.trim()]);
  return {
    ...JSON.parse(button.dataset.body ?? "{}"),
    ...Object.fromEntries(said.filter(([, value]) => value)),
  };
}

export function startActions() {
  const dialog = element("confirm");
  if (!dialog) return;
  let chosen = null;

  // On the document: the buttons are in the live part, which changes.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (!button) return;
    const words = WORDS[button.dataset.action];
    const { about = "", url, method = "POST", then } = button.dataset;
    chosen = { url, method, then, body: bodyOf(button), done: words.done };
    element("confirm-title").textContent = words.title;
    element("confirm-text").textContent = `${about} ${words.text}`.trim();
    element("confirm-yes").textContent = words.yes;
    element("confirm-yes").classList.toggle("button-destroy", Boolean(words.destroys));
    element("confirm-error").hidden = true;
    dialog.showModal();
  });

  element("confirm-yes").addEventListener("click", async (event) => {
    const { url, method, body, then, done } = chosen;
    const button = event.currentTarget;
    if (button.getAttribute("aria-busy")) return;
    // Not disabled, which would take the focus from it.
    button.setAttribute("aria-busy", "true");
    const answer = await call(method, url, method === "DELETE" ? undefined : body);
    button.removeAttribute("aria-busy");
    if (answer.ok) {
      toastOnNextPage(done);
      // Anew rather than live: a page whose job had ended does not ask any more.
      if (then) location.assign(withKey(then));
      else location.reload();
      return;
    }
    element("confirm-error").textContent = answer.body.detail;
    element("confirm-error").hidden = false;
  });
}
