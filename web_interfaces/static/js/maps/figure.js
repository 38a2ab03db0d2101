// A figure of a page with a map in it: what every map here does, whatever it draws.
//
// The server renders all of a figure but the map itself: without WebGL the drawing and the legend
// that came with the page stay. The parts of a figure are its elements with data-part.

import { NoMap, openMap } from "./map.js";

const started = new WeakSet();

/** Begin a map in each figure that the selector finds, once. */
export function startEach(selector, Figure) {
  for (const element of document.querySelectorAll(selector)) {
    if (started.has(element)) continue;
    started.add(element);
    new Figure(element).start();
  }
}

export class MapFigure {
  constructor(element) {
    this.figure = element;
    this.turns = 0;
  }

  part(name) {
    return this.figure.querySelector(`[data-part="${name}"]`);
  }

  /**
   * Open the map, or say that there can be none, and what is seen instead. `parts` are of use
   * with a map only. Returns whether there is one.
   */
  open({ instead, parts = [], ...options }) {
    const { land, worker, countries } = this.figure.dataset;
    this.part("canvas").hidden = false;
    try {
      this.map = openMap(this.part("canvas"), {
        land, worker, countries: countries && JSON.parse(countries), ...options,
      });
    } catch (error) {
      this.goWithout(error, { instead, parts });
      return false;
    }
    this.figure.classList.add("map-drawn");
    // For whoever works with the page in the browser's console.
    this.figure.map = this.map;
    // Before anything can fail: MapLibre says to the console what nobody listens to.
    this.map.on("error", ({ error, isMended }) => { if (!isMended) this.trouble(error); });
    return true;
  }

  /** Say that there can be no map; an error that is about something else goes on. */
  goWithout(error, { instead, parts = [] }) {
    if (!(error instanceof NoMap)) throw error;
    this.part("canvas").hidden = true;
    for (const name of ["hint", ...parts]) {
      const part = this.part(name);
      (part?.closest("label") ?? part)?.remove();
    }
    this.say(`There can be no map: ${error.message}. ${instead}`);
    this.figure.dataset.state = "none";
  }

  /**
   * Call `read({ point, lngLat })` with a place that is chosen by a click, or by Enter in the
   * middle of the map, and `letGo` at Escape.
   */
  onPlace(read, letGo) {
    this.map.on("click", read);
    this.map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        const lngLat = this.map.getCenter();
        read({ point: this.map.project(lngLat), lngLat });
      } else if (event.key === "Escape") letGo();
    });
  }

  say(text) {
    const place = this.part("status");
    place.textContent = text;
    place.hidden = !text;
  }

  trouble(error) {
    const why = error.status ? `the server answered ${error.status}` : error.message;
    this.say(`Something of the map could not be loaded: ${why}. What you see may be incomplete.`);
    this.figure.dataset.trouble = why;
  }

  /** Say that nothing is missing, unless something is. */
  settle(state) {
    if (!this.figure.dataset.trouble) this.say("");
    this.figure.dataset.state = state;
  }

  cursor(kind) {
    this.map.getCanvas().style.cursor = kind;
  }

  /** A colour of the stylesheet's. */
  colour(name) {
    return getComputedStyle(this.figure).getPropertyValue(name).trim();
  }
}
