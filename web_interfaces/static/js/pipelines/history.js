// What was done, to be undone and done again. No DOM.

const MOST = 200;

/** A value with its past and its future. */
export class History {
  constructor(value) {
    this.reset(value);
  }

  /** Begin again with a value. */
  reset(value) {
    this.past = [];
    this.future = [];
    this.now = { value, label: "", key: null };
  }

  get value() {
    return this.now.value;
  }

  /**
   * Change to a value. Changes that follow each other under one key, such as letters written in
   * one field, are one; a key of null is always a change of its own.
   */
  change(value, label, key = null) {
    if (value === this.now.value) return;
    if (key !== null && key === this.now.key && this.past.length) {
      this.now = { value, label, key };
    } else {
      this.past.push(this.now);
      if (this.past.length > MOST) this.past.shift();
      this.now = { value, label, key };
    }
    this.future = [];
  }

  /** The next change is one of its own, whatever its key. */
  close() {
    this.now.key = null;
  }

  /** Go back; what was undone in words, or null where there is nothing to undo. */
  undo() {
    if (!this.past.length) return null;
    const { label } = this.now;
    this.future.push(this.now);
    this.now = { ...this.past.pop(), key: null };
    return label;
  }

  /** Go forth again; what was done again in words, or null. */
  redo() {
    if (!this.future.length) return null;
    this.past.push(this.now);
    this.now = { ...this.future.pop(), key: null };
    return this.now.label;
  }

  get canUndo() {
    return this.past.length > 0;
  }

  get canRedo() {
    return this.future.length > 0;
  }
}
