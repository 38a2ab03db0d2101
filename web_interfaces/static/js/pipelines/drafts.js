// Changes that are not saved are kept in the browser, and offered when the builder is opened again.
//
// Each visit keeps its own: two windows do not write over each other, nor over a draft that is
// offered and not answered yet.

import { byId } from "./dom.js";

const PREFIX = "geoforge.pipeline:";
const PAUSE_MS = 500;
const MOST = 20;

const newKey = () => PREFIX + [...crypto.getRandomValues(new Uint32Array(2))].map((part) => part.toString(36)).join("");

/** All drafts that this browser keeps, the newest first. */
function kept() {
  const found = [];
  for (const key of Object.keys(localStorage)) {
    if (!key.startsWith(PREFIX)) continue;
    try {
      found.push({ key, ...JSON.parse(localStorage.getItem(key)) });
    } catch {
      localStorage.removeItem(key);
    }
  }
  return found.sort((a, b) => b.at - a.at);
}

export class Drafts {
  constructor(store) {
    this.store = store;
    this.key = newKey();
    store.addEventListener("document", ({ detail }) => {
      if (detail.from === "load") return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.keep(), PAUSE_MS);
    });
    window.addEventListener("pagehide", () => { if (store.isDirty) this.keep(); });
  }

  /** What a draft belongs to: a pipeline, an example to begin with, or a new one. */
  get place() {
    return this.store.name || `(new) ${byId("builder").dataset.begin}`;
  }

  keep() {
    const { document, version, isDirty } = this.store;
    if (!isDirty) {
      this.forget();
      return;
    }
    try {
      localStorage.setItem(this.key, JSON.stringify({ place: this.place, document, version, at: Date.now() }));
      for (const { key } of kept().slice(MOST)) localStorage.removeItem(key);
    } catch {
      // A browser that keeps nothing still asks before the page is left.
    }
  }

  forget() {
    clearTimeout(this.timer);
    try {
      localStorage.removeItem(this.key);
    } catch {
      // As above.
    }
  }

  /** The newest draft of this place that says something else than what is shown. */
  read() {
    try {
      const shown = JSON.stringify(this.store.document);
      return kept().find(({ place, document }) => place === this.place && JSON.stringify(document) !== shown);
    } catch {
      return undefined;
    }
  }

  /** Offer what was not saved, where there is something. */
  offer() {
    const draft = this.read();
    if (!draft) return;
    const when = new Date(draft.at).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
    const since = draft.version !== this.store.version ? ` They began with version ${draft.version}; it is at version ${this.store.version} now.` : "";
    byId("draft-offer-text").textContent = `There are changes from ${when} that were not saved.${since}`;
    byId("draft-offer").hidden = false;
    byId("draft-take").onclick = () => {
      byId("draft-offer").hidden = true;
      // From here on it is this visit's.
      this.forget();
      this.key = draft.key;
      this.store.change(draft.document, "go on with unsaved changes");
    };
    byId("draft-drop").onclick = () => {
      byId("draft-offer").hidden = true;
      localStorage.removeItem(draft.key);
    };
  }
}
