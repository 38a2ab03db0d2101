// Save: as it is, as a draft where there are problems, and against what others have saved.

import { call, get, withKey } from "../api.js";
import { announce, byId } from "./dom.js";

const etag = (version) => `"${version}"`;

export class Saving {
  constructor(store, checking, drafts, goTo) {
    this.store = store;
    this.checking = checking;
    this.drafts = drafts;
    this.goTo = goTo;
    // The save that is under way: who saves again meanwhile waits for that one.
    this.saving = null;
    byId("save-button").addEventListener("click", () => this.save());
    byId("conflict-mine").addEventListener("click", () => {
      byId("conflict-dialog").close();
      this.save({ over: this.theirs });
    });
    byId("conflict-theirs").addEventListener("click", () => this.takeTheirs());
    for (const event of ["document", "saved", "check"]) store.addEventListener(event, () => this.render());
    window.addEventListener("beforeunload", (event) => {
      if (store.isDirty) event.preventDefault();
    });
  }

  render() {
    const { store } = this;
    const isDraft = store.check.errors.length > 0;
    byId("save-button").textContent = isDraft ? "Save as a draft" : "Save";
    byId("builder-version").textContent = store.version ? `version ${store.version}` : "not saved yet";
    byId("builder-saved").textContent = store.isDirty ? "· unsaved changes" : store.version ? "· saved" : "";
    byId("builder-title").textContent = store.document.title || store.document.name || "New pipeline";
    byId("versions-button").hidden = store.version === 0;
    byId("run-button").disabled = isDraft || store.document.steps.length === 0;
  }

  /** Save it, over the version that it began with or another; whether it is kept now. */
  save({ over = this.store.version } = {}) {
    this.saving ??= this.#save(over).finally(() => { this.saving = null; });
    return this.saving;
  }

  async #save(over) {
    const { store } = this;
    if (!store.document.name) {
      this.goTo(["title"]);
      this.fail("Give the pipeline a title first.");
      return false;
    }
    byId("builder-error").hidden = true;
    const check = await this.checking.ask();
    const isDraft = (check ?? store.check).errors.length > 0;
    const { document } = store;
    const query = isDraft ? "?draft=true" : "";
    const button = byId("save-button");
    // Not disabled, which would take the focus from it.
    button.setAttribute("aria-busy", "true");
    const answer = store.version
      // Its name stays, whatever was written until it was kept, or is undone.
      ? await call("PUT", `/api/pipelines/${store.name}${query}`, { ...document, name: store.name }, { "If-Match": etag(over) })
      : await call("POST", `/api/pipelines${query}`, document);
    button.removeAttribute("aria-busy");
    if (answer.ok) {
      this.kept(answer.body, document);
      return true;
    }
    if (answer.status === 412) this.showConflict(answer.body);
    else this.fail(answer.body.detail, answer.body.errors);
    return false;
  }

  kept({ name, version }, document) {
    const isNew = this.store.version === 0;
    if (isNew) history.replaceState(null, "", withKey(`/api/interface/pipelines/${name}/edit`));
    this.drafts.forget();
    // What was written while it was sent is not kept yet.
    this.store.saved(name, version, document);
    announce(`Saved as version ${version}.`);
    this.render();
  }

  fail(message, errors = []) {
    const place = byId("builder-error");
    place.textContent = [message, ...errors.map(({ loc, msg }) => `${loc.join(" › ")}: ${msg}`)].join(" ");
    place.hidden = false;
    place.scrollIntoView({ block: "nearest" });
  }

  showConflict({ version }) {
    const { name, version: base } = this.store;
    this.theirs = version;
    byId("conflict-text").textContent = `It is at version ${version} now; your changes began with version ${base}.`;
    byId("conflict-compare").href = withKey(`/api/interface/pipelines/${name}/compare?from=${base}&to=${version}`);
    byId("conflict-dialog").showModal();
  }

  async takeTheirs() {
    const answer = await get(`/api/pipelines/${this.store.name}`);
    byId("conflict-dialog").close();
    if (!answer.ok) {
      this.fail(answer.body.detail);
      return;
    }
    const { version, document } = answer.body;
    this.store.change(document, `take version ${version}`);
    this.store.saved(this.store.name, version);
    this.drafts.forget();
    announce(`This is version ${version}. Undo brings yours back.`);
  }
}
