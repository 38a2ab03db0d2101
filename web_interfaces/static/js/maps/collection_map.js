// The map of a collection: its styles to choose from, the legend, and what is at a place.
//
// The server renders all of it but the map itself: without WebGL the drawing and the legend that
// came with the page stay.

import { get } from "../api.js";
import { button, legendEntry, made } from "./elements.js";
import { MapFigure, startEach } from "./figure.js";
import { clear, drawn, fit, showStyle } from "./map.js";
import { attributesOf, featuresAt, Selection } from "./selection.js";

const SELECTED = "selected-";

/** Begin the maps of collections that the page has by now. */
export const start = () => startEach("[data-map]", CollectionMap);

class CollectionMap extends MapFigure {
  constructor(figure) {
    super(figure);
    this.layers = [];
    this.found = [];
  }

  async start() {
    const bounds = JSON.parse(this.figure.dataset.bounds);
    const instead = "This is only where the data are.";
    if (!this.open({ bounds, instead, parts: ["style"] })) return;
    this.onPlace(({ point }) => this.inspect(point), () => this.forget());
    this.part("style").addEventListener("change", () => this.restyle());
    // A live page says which version is published, and which styles it has; the map follows.
    document.addEventListener("htmx:afterSwap", () => this.follow());
    await this.map.once("load");
    await this.restyle();
  }

  /** Draw the data by the style that is chosen, and say what its colours mean. */
  async restyle() {
    const path = this.part("style").value;
    this.figure.dataset.state = "loading";
    this.say("Loading the data…");
    this.forget();
    const turn = ++this.turns;
    const [style, legend] = await Promise.all([get(path), get(`${path}/legend`)]);
    // Another style was chosen while this one was on its way.
    if (turn !== this.turns) return;
    if (!style.ok) {
      clear(this.map);
      this.layers = [];
      this.say(`The style could not be loaded. ${style.body.detail}`);
      this.figure.dataset.state = "failed";
      return;
    }
    delete this.figure.dataset.trouble;
    this.layers = showStyle(this.map, style.body);
    this.point(style.body.layers);
    if (legend.ok) this.part("legend").replaceChildren(...legend.body.entries.map(legendEntry));
    await drawn(this.map);
    if (turn === this.turns) this.settle("ready");
  }

  /** Layers that draw what is selected, above all others; and a pointer over what can be. */
  point(layers) {
    const tiled = layers.find((layer) => layer["source-layer"]);
    if (!tiled) return;
    this.selection = new Selection(this.map, SELECTED, tiled, this.colour("--map-selected"));
    this.hover?.unsubscribe();
    this.hover = this.map.on("mousemove", this.layers, () => this.cursor("pointer"));
    this.leave?.unsubscribe();
    this.leave = this.map.on("mouseleave", this.layers, () => this.cursor(""));
  }

  /** Show the attributes of what is drawn at a place. */
  inspect(point) {
    this.found = featuresAt(this.map, point, this.layers);
    this.turnTo(0);
  }

  forget() {
    this.found = [];
    this.turnTo(0);
  }

  /** Turn to the feature before or after, and leave the reader at the button. */
  turn(step, name) {
    this.turnTo((this.at + step + this.found.length) % this.found.length);
    for (const each of this.part("feature").querySelectorAll("button")) {
      if (each.textContent === name) each.focus();
    }
  }

  turnTo(index) {
    this.at = index;
    const feature = this.found[index];
    this.selection?.mark(feature);
    this.part("hint").hidden = Boolean(feature);
    const place = this.part("feature");
    place.hidden = !feature;
    place.replaceChildren(...(feature ? this.described(feature) : []));
  }

  described(feature) {
    const nodes = [made("h3", `Feature ${feature.id}`)];
    if (this.found.length > 1) {
      const turner = made("p", "", "map-turner");
      turner.append(
        button("Previous", () => this.turn(-1, "Previous")),
        made("span", `${this.at + 1} of ${this.found.length} at this place`, "quiet"),
        button("Next", () => this.turn(1, "Next")),
      );
      nodes.push(turner);
    }
    return [...nodes, ...attributesOf(feature, this.figure.dataset.features)];
  }

  /** Draw another version as soon as the page says that it is published, and offer its styles. */
  follow() {
    const said = document.querySelector("[data-published]")?.dataset;
    if (!said) return;
    const { version, styles } = this.figure.dataset;
    const isOther = said.published !== version;
    let isGone = false;
    if (said.styles !== styles) {
      this.figure.dataset.styles = said.styles;
      isGone = this.offer(JSON.parse(said.styles));
    }
    if (isOther) {
      this.figure.dataset.version = said.published;
      fit(this.map, JSON.parse(said.bounds));
    }
    if (isOther || isGone) this.restyle();
  }

  /** Let these styles be chosen from; whether the one that was chosen is not among them. */
  offer(styles) {
    const select = this.part("style");
    const chosen = select.value;
    select.replaceChildren(...styles.map(({ title, path }) => new Option(title, path)));
    select.closest("label").hidden = styles.length === 1;
    const isThere = styles.some(({ path }) => path === chosen);
    if (isThere) select.value = chosen;
    return !isThere;
  }
}
