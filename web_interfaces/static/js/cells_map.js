// The map of H3 statistics: the cells in view, as large as there is room for, by their colours.
//
// The server renders all of it but the map itself: without WebGL the drawing of the extent and
// the legend that came with the page stay.

import { get } from "./api.js";
import { boxOf, MOST_CELLS, outline, resolutionFor } from "./cells_view.js";
import { NoMap, openMap } from "./map.js";

const CELLS = "cells";
const OUTLINES = "outlines";
const SELECTED = "selected";
const STATS = "/api/h3/stats";
const SVG = "http://www.w3.org/2000/svg";
const NOTHING = { type: "FeatureCollection", features: [] };
// Between a move of the map and what it asks for, in milliseconds.
const PATIENCE = 150;
// Of neighbouring numbers of classes these hues are far apart.
const GOLDEN_ANGLE = 137.508;

/** Begin the map of cells of the page, if it has one. */
export function startCellsMap() {
  const figure = document.querySelector("[data-cells-map]");
  if (figure) new CellsMap(figure).start();
}

class CellsMap {
  constructor(figure) {
    const { bounds, layers, range, ramp, titles } = figure.dataset;
    this.figure = figure;
    this.bounds = JSON.parse(bounds);
    this.layers = JSON.parse(layers);
    this.range = JSON.parse(range);
    this.ramp = JSON.parse(ramp);
    this.titles = JSON.parse(titles);
    this.statistic = figure.dataset.statistic;
    this.rollsUp = "rollsUp" in figure.dataset;
    this.isOfClasses = "classes" in figure.dataset;
    this.isAdded = "added" in figure.dataset;
    this.turns = 0;
    this.readings = 0;
  }

  part(name) {
    return this.figure.querySelector(`[data-part="${name}"]`);
  }

  async start() {
    const { land, worker } = this.figure.dataset;
    this.part("canvas").hidden = false;
    try {
      this.map = openMap(this.part("canvas"), { land, worker, bounds: this.bounds });
    } catch (error) {
      if (!(error instanceof NoMap)) throw error;
      this.part("canvas").hidden = true;
      this.part("hint").hidden = true;
      this.part("span")?.closest("label").remove();
      this.say(`There can be no map: ${error.message}. This is only where the cells are.`);
      this.figure.dataset.state = "none";
      return;
    }
    this.figure.classList.add("map-drawn");
    // For whoever works with the page in the browser's console.
    this.figure.map = this.map;
    this.map.on("error", ({ error }) => this.trouble(error));
    this.map.on("click", ({ point }) => this.read(point));
    this.map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.read(this.map.project(this.map.getCenter()));
      else if (event.key === "Escape") this.letGo();
    });
    this.part("span")?.addEventListener("change", () => this.colour());
    await this.map.once("load");
    this.addLayers();
    this.map.on("moveend", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), PATIENCE);
    });
    await this.refresh();
  }

  addLayers() {
    const colour = getComputedStyle(this.figure).getPropertyValue("--map-selected").trim();
    for (const name of [CELLS, OUTLINES, SELECTED]) {
      this.map.addSource(name, { type: "geojson", data: NOTHING });
    }
    this.map.addLayer({
      id: CELLS, type: "fill", source: CELLS,
      paint: { "fill-opacity": 0.8, "fill-antialias": false },
    });
    this.map.addLayer({
      id: OUTLINES, type: "line", source: OUTLINES,
      paint: { "line-color": "#000000", "line-opacity": 0.2, "line-width": 0.75 },
    });
    this.map.addLayer({
      id: SELECTED, type: "line", source: SELECTED,
      paint: { "line-color": colour, "line-width": 3 },
    });
    this.map.on("mousemove", CELLS, () => this.cursor("pointer"));
    this.map.on("mouseleave", CELLS, () => this.cursor(""));
  }

  cursor(kind) {
    this.map.getCanvas().style.cursor = kind;
  }

  /** Ask for the cells in view, and draw them. */
  async refresh() {
    const turn = ++this.turns;
    this.figure.dataset.state = "loading";
    this.say("Loading the cells…");
    const answer = await this.ask();
    // The map was moved on while they were on their way.
    if (turn !== this.turns) return;
    const { ok, body, tooMany } = answer;
    if (tooMany || !ok) {
      this.show(NOTHING);
      this.say(tooMany
        ? "Too many cells to draw: zoom in to see them. This statistic cannot be rolled up to larger ones."
        : `The cells could not be loaded. ${body.detail}`);
      this.figure.dataset.state = tooMany ? "ready" : "failed";
      return;
    }
    delete this.figure.dataset.trouble;
    this.show(body);
    await this.map.once("idle");
    if (turn !== this.turns) return;
    if (!this.figure.dataset.trouble) this.say("");
    this.figure.dataset.state = "ready";
  }

  /** The finest cells that there is room for; there may be more of them than was expected. */
  async ask() {
    const bounds = this.map.getBounds();
    const view = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const { layers, rollsUp } = this;
    const { clientWidth, clientHeight } = this.map.getCanvas();
    const pixels = clientWidth * clientHeight;
    let coarserThan;
    for (;;) {
      const resolution = resolutionFor({
        layers, rollsUp, bounds: this.bounds, view, pixels, coarserThan,
      });
      if (resolution === undefined) return { tooMany: true };
      const answer = await get(this.address({
        resolution,
        stat: this.statistic,
        bbox: boxOf(view, resolution).map((degrees) => Number(degrees.toFixed(4))),
        format: "geojson",
        limit: MOST_CELLS,
      }));
      if (!answer.ok || answer.body.next === null) return answer;
      coarserThan = resolution;
    }
  }

  address(query) {
    const { dataset, band } = this.figure.dataset;
    return `${STATS}?${new URLSearchParams({ dataset, band, ...query })}`;
  }

  show(collection) {
    this.shown = collection;
    this.map.getSource(CELLS).setData(collection);
    this.map.getSource(OUTLINES).setData(outlined(collection.features));
    this.letGo();
    this.colour();
    const { numberReturned: count, resolution, rolled_up_from: from } = collection;
    const cells = count === 1 ? "cell" : "cells";
    this.part("shown").textContent = collection === NOTHING || count === undefined
      ? ""
      : `${count.toLocaleString("en")} ${cells} of resolution ${resolution}` +
        `${from === null ? "" : `, rolled up from ${from}`} in view.`;
  }

  /** Colour the cells, and say what the colours mean. */
  colour() {
    const values = this.shown.features
      .map(({ properties }) => properties[this.statistic])
      .filter((value) => value !== null);
    this.map.setPaintProperty(
      CELLS, "fill-color", this.isOfClasses ? this.byClass(values) : this.byValue(values),
    );
  }

  byClass(values) {
    const classes = [...new Set(values)].sort((one, other) => one - other);
    this.part("classes").replaceChildren(...classes.map(entry));
    // MapLibre's match takes integers and text, and a class may be neither.
    const colours = classes.flatMap((value) => [String(value), colourOf(value)]);
    const value = ["to-string", ["get", this.statistic]];
    return classes.length ? ["match", value, ...colours, "transparent"] : "transparent";
  }

  byValue(values) {
    const [low, high] = this.spanned(values);
    this.part("low").textContent = figure(low);
    this.part("high").textContent = figure(high);
    const step = (high - low) / (this.ramp.length - 1);
    const places = this.ramp.map((_, i) => low + i * step);
    // Of values that are one, or too close for numbers in between.
    if (places.some((place, i) => i > 0 && !(place > places[i - 1]))) {
      return this.ramp[Math.floor(this.ramp.length / 2)];
    }
    const stops = this.ramp.flatMap((colour, i) => [places[i], colour]);
    const value = ["get", this.statistic];
    return [
      "case", ["==", value, null], "transparent", ["interpolate", ["linear"], value, ...stops],
    ];
  }

  /** The values at the ends of the colours. Sums of larger cells are in no range that is known. */
  spanned(values) {
    const isRolledUp = (this.shown.rolled_up_from ?? null) !== null;
    const byView = this.part("span").value === "view" || (this.isAdded && isRolledUp);
    if (!byView || !values.length) return this.range;
    return [
      values.reduce((least, value) => Math.min(least, value)),
      values.reduce((most, value) => Math.max(most, value)),
    ];
  }

  /** Read all statistics of the cell at a point of the map. */
  async read(point) {
    const [feature] = this.map.queryRenderedFeatures(point, { layers: [CELLS] });
    if (!feature) {
      this.letGo();
      return;
    }
    const { h3 } = feature.properties;
    const cell = this.shown.features.find(({ id }) => id === h3);
    this.map.getSource(SELECTED).setData(outlined([cell]));
    const title = made("h3", `Cell ${h3}`);
    const reading = this.tell(title, made("p", "Reading…"));
    const answer = await get(this.address({ cell: h3, stat: this.figure.dataset.told }));
    // Another cell was chosen, or none any more, while this one was on its way.
    if (reading === this.readings) this.tell(title, ...this.told(answer));
  }

  letGo() {
    this.map.getSource(SELECTED).setData(NOTHING);
    this.tell();
  }

  /** Show this, or nothing, beside the map. Returns the number of the reading. */
  tell(...parts) {
    this.part("values").replaceChildren(...parts);
    return ++this.readings;
  }

  told({ ok, body }) {
    if (!ok) return [made("p", body.detail)];
    const [cell] = body.cells;
    const rows = body.statistics.map((name) => [
      this.titles[name] ?? name, figure(cell[name]),
    ]);
    rows.push(["Pixels with data", figure(cell.pixel_count)]);
    rows.push(["Pixels without data", figure(cell.nodata_count)]);
    const list = made("dl", "", "values");
    for (const [name, value] of rows) {
      const row = document.createElement("div");
      row.append(made("dt", name), made("dd", value));
      list.append(row);
    }
    const from = body.rolled_up_from === null ? "" : `, rolled up from ${body.rolled_up_from}`;
    return [made("p", `Resolution ${body.resolution}${from}`, "quiet"), list];
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
}

const colourOf = (value) => `hsl(${(Math.abs(value) * GOLDEN_ANGLE) % 360}, 60%, 50%)`;

const figure = (value) => (value === null ? "no data" : String(Number(value.toPrecision(6))));

const outlined = (features) => ({
  type: "FeatureCollection",
  features: features.map(({ geometry }) => ({
    type: "Feature", properties: {}, geometry: outline(geometry),
  })),
});

function made(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** A class in the legend. */
function entry(value) {
  const swatch = document.createElementNS(SVG, "svg");
  swatch.setAttribute("viewBox", "0 0 20 14");
  swatch.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "rect");
  const sizes = { x: 1, y: 1, width: 18, height: 12, rx: 2, fill: colourOf(value) };
  for (const [name, size] of Object.entries(sizes)) shape.setAttribute(name, size);
  swatch.append(shape);
  const item = document.createElement("li");
  item.append(swatch, made("span", figure(value)));
  return item;
}
