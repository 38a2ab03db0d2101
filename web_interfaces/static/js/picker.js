// Pickers: what can be chosen for a field, as suggestions under it (the combobox pattern of ARIA).
//
// A field with data-picker="blob" and data-picker-of="container_name" asks
// GET /api/pickers/blob?q=TEXT&container_name=VALUE. What is not suggested can be written all the
// same, and where the server has nothing to suggest the field is a plain one.

import { get } from "./api.js";

const PAUSE_MS = 200;
const LIMIT = 20;
// What the server calls that on which a choice depends, whatever the form calls it.
const SCOPES = { blob: "container_name", stac_item: "collection" };

class Picker {
  /** `put` is what becomes of a value that was chosen in the control. */
  constructor(field, control, container, put) {
    this.field = field;
    this.control = control;
    this.container = container;
    this.put = put;
    this.options = [];
    this.active = -1;
    this.asked = 0;
    this.list = this.makeList();
    this.note = this.makeNote();
    control.setAttribute("role", "combobox");
    control.setAttribute("aria-autocomplete", "list");
    control.setAttribute("aria-expanded", "false");
    control.setAttribute("aria-controls", this.list.id);
    control.addEventListener("focus", () => this.later(0));
    control.addEventListener("click", () => this.later(0));
    control.addEventListener("input", (event) => { if (event.isTrusted) this.later(PAUSE_MS); });
    control.addEventListener("keydown", (event) => this.key(event));
    control.addEventListener("blur", () => this.close());
  }

  makeList() {
    const list = document.createElement("ul");
    list.className = "picker-options";
    list.id = `${this.control.id}-options`;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
    list.hidden = true;
    // On press, not on click: the control must not lose the focus.
    list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.choose(Number(option.dataset.index));
    });
    this.control.after(list);
    this.field.classList.add("field-picker");
    return list;
  }

  makeNote() {
    const note = document.createElement("span");
    note.className = "visually-hidden";
    note.setAttribute("role", "status");
    this.list.after(note);
    return note;
  }

  /** What the suggestions depend on, such as the container of a blob. */
  get scope() {
    const name = this.field.dataset.pickerOf;
    if (!name) return {};
    const other = this.container.querySelector(`[data-field="${CSS.escape(name)}"] [data-value]`);
    return other?.value.trim() ? { [SCOPES[this.field.dataset.picker] ?? name]: other.value.trim() } : {};
  }

  later(pause) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), pause);
  }

  async ask() {
    if (document.activeElement !== this.control) return;
    const query = { q: this.control.value.trim(), limit: LIMIT, ...this.scope };
    this.asked += 1;
    const mine = this.asked;
    const answer = await get(`/api/pickers/${this.field.dataset.picker}?${new URLSearchParams(query)}`);
    // An answer that a later one has overtaken, or that nobody waits for any more.
    if (mine !== this.asked || document.activeElement !== this.control) return;
    this.show(answer.ok ? answer.body.options : [], answer.ok && answer.body.more);
  }

  show(options, more) {
    this.options = options;
    this.active = -1;
    this.control.removeAttribute("aria-activedescendant");
    this.list.replaceChildren(...options.map((option, index) => this.row(option, index)));
    if (more) this.list.append(this.more());
    this.list.hidden = options.length === 0;
    this.control.setAttribute("aria-expanded", String(options.length > 0));
    this.note.textContent = options.length ? `${options.length}${more ? " and more" : ""} suggestions` : "";
  }

  row({ value, label, note }, index) {
    const row = document.createElement("li");
    row.id = `${this.list.id}-${index}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    row.dataset.index = index;
    const name = document.createElement("span");
    name.textContent = label || value;
    row.append(name);
    if (note) {
      const beside = document.createElement("span");
      beside.className = "quiet";
      beside.textContent = note;
      row.append(beside);
    }
    return row;
  }

  more() {
    const row = document.createElement("li");
    row.className = "quiet";
    row.setAttribute("role", "presentation");
    row.textContent = "There are more: write on to narrow it down";
    return row;
  }

  key(event) {
    const isOpen = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (isOpen) this.move(event.key === "ArrowDown" ? 1 : -1);
      else this.later(0);
    } else if (event.key === "Enter" && isOpen && this.active >= 0) {
      event.preventDefault();
      this.choose(this.active);
    } else if (event.key === "Escape" && isOpen) {
      // Not further: it would close a dialog around the form.
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
  }

  move(step) {
    const count = this.options.length;
    this.mark(false);
    this.active = this.active < 0 && step < 0 ? count - 1 : (this.active + step + count) % count;
    this.mark(true);
    const row = this.list.children[this.active];
    this.control.setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block: "nearest" });
  }

  mark(isActive) {
    this.list.children[this.active]?.setAttribute("aria-selected", String(isActive));
  }

  choose(index) {
    const { value } = this.options[index];
    this.close();
    this.put(value);
  }

  close() {
    clearTimeout(this.timer);
    this.asked += 1;
    this.show([], false);
  }
}

function changed(control) {
  control.dispatchEvent(new Event("input", { bubbles: true }));
  control.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Suggestions for a field of one value: what is chosen takes its place. */
function replacing(field, control, container) {
  new Picker(field, control, container, (value) => {
    control.value = value;
    changed(control);
  });
}

/** Suggestions for a list: an input of their own, whose choices become lines. */
function adding(field, area, container) {
  const control = document.createElement("input");
  control.type = "text";
  control.id = `${area.id}-add`;
  control.className = "picker-add";
  control.autocomplete = "off";
  control.placeholder = "Find one to add";
  control.setAttribute("aria-label", `Find one to add to ${field.querySelector("label").textContent.trim()}`);
  area.after(control);
  new Picker(field, control, container, (value) => {
    area.value = [...area.value.split("\n").filter((line) => line.trim()), value].join("\n");
    control.value = "";
    changed(area);
  });
}

/** Give the fields of a container that have something to choose from their suggestions. */
export function startPickers(container) {
  for (const field of container.querySelectorAll("[data-picker]:not(.field-picker)")) {
    const control = field.querySelector("[data-value]");
    if (control?.tagName === "TEXTAREA") adding(field, control, container);
    else if (control?.tagName === "INPUT") replacing(field, control, container);
  }
}
