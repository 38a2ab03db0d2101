// The pages of pipelines and their runs: import, copy, run.

import { call, post, withKey } from "../api.js";
import { nameFrom } from "./document.js";
import { byId } from "./dom.js";
import { startRunning } from "./running.js";

function say(place, message) {
  place.textContent = message;
  place.hidden = !message;
}

/** A file becomes a pipeline, as a draft where it has problems. */
function startImport() {
  const input = byId("import-file");
  input?.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    let document;
    try {
      document = JSON.parse(await file.text());
    } catch (error) {
      say(byId("import-error"), `${file.name} is not JSON: ${error.message}`);
      input.value = "";
      return;
    }
    const answer = await call("POST", "/api/pipelines/import?draft=true", document);
    input.value = "";
    if (answer.ok) {
      location.assign(withKey(`/api/interface/pipelines/${answer.body.name}`));
      return;
    }
    const errors = (answer.body.errors ?? []).map(({ loc, msg }) => `${loc.join(" › ")}: ${msg}`);
    say(byId("import-error"), [`${file.name} was not imported.`, answer.body.detail, ...errors].join(" "));
  });
}

function startClone() {
  const dialog = byId("clone-dialog");
  if (!dialog) return;
  let original = "";
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-clone]");
    if (!button) return;
    original = button.dataset.clone;
    byId("clone-title").value = `${button.dataset.title} (copy)`.slice(0, 200);
    byId("clone-name").value = nameFrom(`${original}_copy`, 63);
    say(byId("clone-error"), "");
    dialog.showModal();
  });
  byId("clone-close").addEventListener("click", () => dialog.close());
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await post(`/api/pipelines/${original}/clone`, { name: byId("clone-name").value, title: byId("clone-title").value || null });
    if (answer.ok) location.assign(withKey(`/api/interface/pipelines/${answer.body.name}/edit`));
    else say(byId("clone-error"), [answer.body.detail, ...(answer.body.errors ?? []).map(({ msg }) => msg)].join(" "));
  });
}

startImport();
startClone();
startRunning();
