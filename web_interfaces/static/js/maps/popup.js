// What is at a place of the map, told there: one thing at a time, to turn over by buttons.
//
// A thing is {title, kind, nodes, choose, release}: `nodes()` are elements, or a promise of them.

/* global maplibregl */

import { button, made } from "./elements.js";

export class PlacePopup {
  constructor(map) {
    this.map = map;
    this.turns = 0;
  }

  /** Tell of the things that were found at a place; of none nothing is told. */
  open(lngLat, things) {
    this.close();
    if (!things.length) return;
    this.things = things;
    this.popup = new maplibregl.Popup({
      maxWidth: "20rem", className: "map-popup", closeOnClick: false, focusAfterOpen: false,
    });
    this.popup.on("close", () => this.closed());
    this.body = made("div", "", "map-popup-body");
    this.body.setAttribute("role", "group");
    this.body.setAttribute("aria-label", "What is here");
    this.body.tabIndex = -1;
    this.body.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
    this.popup.setLngLat(lngLat).setDOMContent(this.body).addTo(this.map);
    this.turnTo(0);
    this.body.focus({ preventScroll: true });
  }

  close() {
    this.popup?.remove();
  }

  closed() {
    this.turns += 1;
    this.things?.[this.at]?.release?.();
    // Who read it by keys goes on where the map is moved by them.
    const hadFocus = this.body.contains(document.activeElement) || document.activeElement === document.body;
    this.popup = undefined;
    this.things = undefined;
    if (hadFocus) this.map.getCanvas().focus({ preventScroll: true });
  }

  async turnTo(index, focused) {
    const turn = ++this.turns;
    this.things[this.at]?.release?.();
    this.at = index;
    const thing = this.things[index];
    thing.choose?.();
    const head = [made("p", thing.kind, "quiet map-popup-kind"), made("h3", thing.title)];
    if (this.things.length > 1) head.push(this.turner());
    const waiting = made("p", "Reading…");
    this.body.replaceChildren(...head, waiting);
    if (focused) this.body.querySelector(`[data-turn="${focused}"]`)?.focus();
    const nodes = await thing.nodes();
    // Another thing was chosen, or none any more, while this one was on its way.
    if (turn === this.turns) waiting.replaceWith(...nodes);
  }

  turner() {
    const count = this.things.length;
    const turner = made("div", "", "map-turner");
    for (const [text, step] of [["Previous", -1], ["Next", 1]]) {
      const each = button(text, () => this.turnTo((this.at + step + count) % count, String(step)));
      each.dataset.turn = step;
      turner.append(each);
    }
    turner.firstChild.after(made("span", `${this.at + 1} of ${count} here`, "quiet"));
    return turner;
  }
}
