// What the builder is about: the document with its history, the chosen step, what the server says.
//
// Events: "document" {from, selects}, "selection" {focus}, "check", "saved". After a "document" that
// `selects` there comes a "selection": who draws by both waits for that.

import { History } from "./history.js";
import { emptyDocument, stepOf } from "./document.js";
import { announce } from "./dom.js";

export class Store extends EventTarget {
  constructor() {
    super();
    this.history = new History(emptyDocument());
    this.selected = null;
    this.check = { errors: [], warnings: [], outputs: {} };
    // Name and version under which it is kept; version 0 for one that is not yet.
    this.name = "";
    this.version = 0;
    this.savedValue = this.history.value;
  }

  get document() {
    return this.history.value;
  }

  get isDirty() {
    return this.document !== this.savedValue;
  }

  tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Begin with a document: as it is kept, or with changes to what is. */
  load(document, { name = "", version = 0, isSaved = true } = {}) {
    this.history.reset(document);
    this.name = name;
    this.version = version;
    this.savedValue = isSaved ? document : null;
    this.selected = null;
    this.tell("document", { from: "load", selects: true });
    this.tell("selection", {});
  }

  /** Make a change, named as it is undone. `from` says whose it is, `key` what it goes on with. */
  change(document, label, { key = null, from = "", select, focus = "card" } = {}) {
    if (document === this.document) return;
    this.history.change(document, label, key);
    const isLost = select === undefined && !this.holdsSelected();
    if (select !== undefined) this.selected = select;
    else if (isLost) this.selected = null;
    this.tell("document", { from, selects: select !== undefined || isLost });
    if (select !== undefined) this.tell("selection", { focus });
    else if (isLost) this.tell("selection");
  }

  select(id, focus = "") {
    if (this.selected !== id) this.history.close();
    this.selected = id;
    this.tell("selection", { focus });
  }

  /** Whether the chosen step, if any is, is in the document. */
  holdsSelected() {
    return this.selected === null || Boolean(stepOf(this.document, this.selected));
  }

  undo() {
    this.travel(this.history.undo(), "Undone");
  }

  redo() {
    this.travel(this.history.redo(), "Done again");
  }

  travel(label, how) {
    if (label === null) {
      announce("There is nothing more.");
      return;
    }
    if (!this.holdsSelected()) this.selected = null;
    this.tell("document", { from: "history", selects: true });
    this.tell("selection", {});
    announce(`${how}: ${label}`);
  }

  /** The document was kept: as it is, or as it was when it was sent. */
  saved(name, version, document = this.document) {
    this.name = name;
    this.version = version;
    this.savedValue = document;
    this.history.close();
    this.tell("saved");
  }

  checked(check) {
    this.check = check;
    this.tell("check");
  }

  /** What is wrong with a step. */
  errorsOf(id) {
    return this.check.errors.filter(({ loc }) => loc[0] === "steps" && loc[1] === id);
  }
}
