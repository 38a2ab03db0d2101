// The server's check of the document, as it is written; and the list of problems.

import { call } from "../api.js";
import { stepOf, titleOf } from "./document.js";
import { byId, h } from "./dom.js";

const PAUSE_MS = 400;
// What stands for a name that nobody has given yet: asked for when it is saved.
const NAMELESS = "draft";

export class Checking {
  constructor(store, goTo) {
    this.store = store;
    this.goTo = goTo;
    this.asked = 0;
    store.addEventListener("document", () => this.later());
    store.addEventListener("check", () => this.render());
  }

  later() {
    clearTimeout(this.timer);
    // An answer that is still on its way is about another document.
    this.asked += 1;
    this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  /** Ask now; the check, or null where the server does not answer. */
  async ask() {
    clearTimeout(this.timer);
    this.asked += 1;
    const mine = this.asked;
    const { document } = this.store;
    const answer = await call("POST", "/api/pipelines/validate", { ...document, name: document.name || NAMELESS });
    if (mine !== this.asked) return null;
    byId("builder-error").hidden = answer.ok;
    if (!answer.ok) {
      byId("builder-error").textContent = `The pipeline could not be checked: ${answer.body.detail}`;
      return null;
    }
    this.store.checked(answer.body);
    return answer.body;
  }

  render() {
    const { errors, warnings = [] } = this.store.check;
    const count = errors.length + warnings.length;
    byId("problems").hidden = count === 0;
    const said = [counted(errors.length, "problem"), counted(warnings.length, "warning")].filter(Boolean).join(", ");
    byId("problems-summary").textContent = said;
    byId("problems").classList.toggle("problems-warnings", errors.length === 0);
    const row = ({ loc, msg }) => h("li", {}, h("button", { type: "button", onclick: () => this.goTo(loc) }, h("strong", {}, placeOf(this.store.document, loc)), ` ${msg}`));
    byId("problems-list").replaceChildren(...errors.map(row), ...warnings.map(row));
  }
}

const counted = (number, noun) => (number ? `${number} ${noun}${number === 1 ? "" : "s"}` : "");

/** Where a problem is, for people. */
export function placeOf(document, loc) {
  if (loc[0] !== "steps" || loc.length < 2) return `${loc.join(" › ").replaceAll("_", " ")}:`;
  const step = stepOf(document, loc[1]);
  const at = loc.slice(2).filter((each) => each !== "parameters").join(" › ").replaceAll("_", " ");
  return `${step ? titleOf(step) : loc[1]}${at ? `, ${at}` : ""}:`;
}
