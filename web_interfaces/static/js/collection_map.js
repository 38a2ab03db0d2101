// The map of a collection: its styles to choose from, the legend, and what is at a place.
//
// The server renders all of it but the map itself: without WebGL the drawing and the legend that
// came with the page stay.

import { get, withKey } from "./api.js";
import { clear, drawn, fit, NoMap, openMap, showStyle } from "./map.js";

// Around a click, in pixels: lines and points are thin.
const REACH = 4;
const SELECTED = "selected-";
const SVG = "http://www.w3.org/2000/svg";

const started = new WeakSet();

/** Begin the maps of the page, also those that a live page brings in later. */
export function startMaps() {
  begin();
  document.addEventListener("htmx:afterSwap", begin);
}

function begin() {
  for (const figure of document.querySelectorAll("[data-map]")) {
    if (started.has(figure)) continue;
    started.add(figure);
    new CollectionMap(figure).start();
  }
}

class CollectionMap {
  constructor(figure) {
    this.figure = figure;
    const { land, worker, bounds } = figure.dataset;
    this.options = { land, worker, bounds: JSON.parse(bounds) };
    this.layers = [];
    this.found = [];
    this.turns = 0;
  }

  part(name) {
    return this.figure.querySelector(`[data-part="${name}"]`);
  }

  async start() {
    this.part("canvas").hidden = false;
    try {
      this.map = openMap(this.part("canvas"), this.options);
    } catch (error) {
      if (!(error instanceof NoMap)) throw error;
      this.part("canvas").hidden = true;
      this.part("hint").hidden = true;
      this.part("style").closest("label").remove();
      this.say(`There can be no map: ${error.message}. This is only where the data are.`);
      this.figure.dataset.state = "none";
      return;
    }
    this.figure.classList.add("map-drawn");
    // For whoever works with the page in the browser's console.
    this.figure.map = this.map;
    // Before anything can fail: MapLibre says to the console what nobody listens to.
    this.map.on("error", ({ error }) => this.trouble(error));
    this.map.on("click", ({ point }) => this.inspect(point));
    this.map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.inspect(this.map.project(this.map.getCenter()));
      else if (event.key === "Escape") this.forget();
    });
    this.part("style").addEventListener("change", () => this.restyle());
    this.part("feature").addEventListener("click", (event) => this.turn(event));
    // A live page says which version is published, and which styles it has; the map follows.
    document.addEventListener("htmx:afterSwap", () => this.follow());
    await this.map.once("load");
    await this.restyle();
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
    if (legend.ok) this.part("legend").replaceChildren(...legend.body.entries.map(entry));
    await drawn(this.map);
    if (turn !== this.turns) return;
    if (!this.figure.dataset.trouble) this.say("");
    this.figure.dataset.state = "ready";
  }

  /** Layers that draw what is selected, above all others; and a pointer over what can be. */
  point(layers) {
    const tiled = layers.find((layer) => layer["source-layer"]);
    if (!tiled) return;
    const base = {
      source: tiled.source, "source-layer": tiled["source-layer"], filter: ["==", ["id"], -1],
    };
    const color = getComputedStyle(this.figure).getPropertyValue("--map-selected").trim();
    this.map.addLayer({
      ...base, id: `${SELECTED}line`, type: "line",
      paint: { "line-color": color, "line-width": 3 },
    });
    this.map.addLayer({
      ...base, id: `${SELECTED}point`, type: "circle",
      paint: {
        "circle-radius": 9, "circle-opacity": 0,
        "circle-stroke-color": color, "circle-stroke-width": 3,
      },
    });
    this.hover?.unsubscribe();
    this.hover = this.map.on("mousemove", this.layers, () => this.cursor("pointer"));
    this.leave?.unsubscribe();
    this.leave = this.map.on("mouseleave", this.layers, () => this.cursor(""));
  }

  cursor(kind) {
    this.map.getCanvas().style.cursor = kind;
  }

  /** Show the attributes of what is drawn at a place. */
  inspect({ x, y }) {
    const box = [[x - REACH, y - REACH], [x + REACH, y + REACH]];
    const seen = new Map();
    for (const feature of this.map.queryRenderedFeatures(box, { layers: this.layers })) {
      // One that is drawn by two layers, or lies in two tiles, is still one.
      if (!seen.has(feature.id)) seen.set(feature.id, feature);
    }
    this.found = [...seen.values()];
    this.turnTo(0);
  }

  forget() {
    this.found = [];
    this.turnTo(0);
  }

  turn(event) {
    const step = Number(event.target.closest("[data-turn]")?.dataset.turn);
    if (!step) return;
    this.turnTo((this.at + step + this.found.length) % this.found.length);
    this.part("feature").querySelector(`[data-turn="${step}"]`).focus();
  }

  turnTo(index) {
    this.at = index;
    const feature = this.found[index];
    for (const kind of ["line", "point"]) {
      if (this.map.getLayer(SELECTED + kind)) {
        const ring = kind === "point" ? [["==", ["geometry-type"], "Point"]] : [];
        this.map.setFilter(SELECTED + kind, ["all", ["==", ["id"], feature?.id ?? -1], ...ring]);
      }
    }
    this.part("hint").hidden = Boolean(feature);
    const place = this.part("feature");
    place.hidden = !feature;
    if (feature) place.replaceChildren(...this.described(feature));
    else place.replaceChildren();
  }

  /** A feature's attributes. They come from the source: text, and never HTML. */
  described(feature) {
    const nodes = [made("h3", `Feature ${feature.id}`)];
    if (this.found.length > 1) {
      const turner = made("p", "", "map-turner");
      turner.append(
        button("Previous", -1),
        made("span", `${this.at + 1} of ${this.found.length} at this place`, "quiet"),
        button("Next", 1),
      );
      nodes.push(turner);
    }
    const list = made("dl", "", "values");
    for (const [name, value] of Object.entries(feature.properties)) {
      const row = document.createElement("div");
      row.append(made("dt", name), made("dd", String(value)));
      list.append(row);
    }
    nodes.push(list);
    const { features } = this.figure.dataset;
    if (features) {
      const link = made("a", "All of it, as GeoJSON");
      link.href = withKey(`${features}/${encodeURIComponent(feature.id)}`);
      nodes.push(link);
    }
    return nodes;
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

function made(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function button(text, turn) {
  const element = made("button", text, "button");
  element.type = "button";
  element.dataset.turn = turn;
  return element;
}

/** An entry of a legend, as the templates have it. */
function entry({ label, color, outline = color, kind, radius = 5, description }) {
  const swatch = document.createElementNS(SVG, "svg");
  swatch.setAttribute("viewBox", "0 0 20 14");
  swatch.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, { circle: "circle", line: "line" }[kind] ?? "rect");
  const sizes = {
    circle: { cx: 10, cy: 7, r: radius, fill: color, stroke: outline },
    line: { x1: 1, x2: 19, y1: 7, y2: 7, stroke: color, "stroke-width": 3 },
    fill: { x: 1, y: 1, width: 18, height: 12, rx: 2, fill: color, stroke: outline },
  };
  for (const [name, value] of Object.entries(sizes[kind] ?? sizes.fill)) {
    shape.setAttribute(name, value);
  }
  swatch.append(shape);
  const text = made("span", label);
  if (description) text.append(" ", made("span", description, "quiet"));
  const item = document.createElement("li");
  item.append(swatch, text);
  return item;
}
