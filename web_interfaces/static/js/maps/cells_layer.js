// H3 statistics on a map: the cells in view, as large as there is room for, by their colours.

import { get } from "../api.js";
import { boxOf, MOST_CELLS, outline, resolutionFor } from "./cells_view.js";
import { legendEntry, made, values } from "./elements.js";

const STATS = "/api/h3/stats";
const NOTHING = { type: "FeatureCollection", features: [] };
// Between a move of the map and what it asks for, in milliseconds.
const PATIENCE = 150;
// Of neighbouring numbers of classes these hues are far apart.
const GOLDEN_ANGLE = 137.508;

/** The cells have this opacity where nobody says otherwise. */
export const USUAL_OPACITY = 0.8;

/**
 * The layers of a dataset's cells.
 *
 * `facts` are as the server tells them (`CellsMap.script`). `tell` is told what becomes of them:
 * {state: "loading" | "ready" | "failed", text, shown}. `legend` has the parts "low", "high" and
 * "classes" of the legend, where there are some.
 */
export class CellsLayer {
  constructor(map, facts, { tell, legend, selected, prefix = "" }) {
    Object.assign(this, { map, facts, tell, legend, selected });
    const [cells, outlines, mark] = ["cells", "outlines", "selected"].map((id) => prefix + id);
    Object.assign(this, { cells, outlines, mark, ids: [cells, outlines, mark] });
    this.turns = 0;
    this.byView = false;
    this.shown = NOTHING;
  }

  /** Put the cells in view on the map, and keep them in view. */
  async show() {
    for (const name of this.ids) this.map.addSource(name, { type: "geojson", data: NOTHING });
    this.map.addLayer({
      id: this.cells, type: "fill", source: this.cells,
      paint: { "fill-opacity": USUAL_OPACITY, "fill-antialias": false },
    });
    this.map.addLayer({
      id: this.outlines, type: "line", source: this.outlines,
      paint: { "line-color": "#000000", "line-opacity": 0.2, "line-width": 0.75 },
    });
    this.map.addLayer({
      id: this.mark, type: "line", source: this.mark,
      paint: { "line-color": this.selected, "line-width": 3 },
    });
    this.moved = this.map.on("moveend", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), PATIENCE);
    });
    await this.refresh();
  }

  remove() {
    this.turns += 1;
    clearTimeout(this.timer);
    this.moved?.unsubscribe();
    for (const name of this.ids) {
      this.map.removeLayer(name);
      this.map.removeSource(name);
    }
  }

  /** Draw the cells with this share of their usual opacity. */
  fade(share) {
    this.map.setPaintProperty(this.cells, "fill-opacity", USUAL_OPACITY * share);
    this.map.setPaintProperty(this.outlines, "line-opacity", 0.2 * share);
  }

  /** Let the colours span the cells in view, or the whole dataset. */
  span(byView) {
    this.byView = byView;
    this.colour();
  }

  /** Ask for the cells in view, and draw them. */
  async refresh() {
    const turn = ++this.turns;
    this.tell({ state: "loading", text: "Loading the cells…" });
    const { ok, body, tooMany } = await this.ask();
    // The map was moved on, or the layer taken away, while they were on their way.
    if (turn !== this.turns) return;
    if (tooMany || !ok) {
      this.draw(NOTHING);
      const text = tooMany
        ? "Too many cells to draw: zoom in to see them. This statistic cannot be rolled up to larger ones."
        : `The cells could not be loaded. ${body.detail}`;
      this.tell({ state: tooMany ? "ready" : "failed", text, shown: "" });
      return;
    }
    this.draw(body);
    await this.map.once("idle");
    if (turn === this.turns) this.tell({ state: "ready", text: "", shown: counted(body) });
  }

  /** The finest cells that there is room for; there may be more of them than was expected. */
  async ask() {
    const bounds = this.map.getBounds();
    const view = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const { layers, rollsUp, statistic } = this.facts;
    const { clientWidth, clientHeight } = this.map.getCanvas();
    const pixels = clientWidth * clientHeight;
    let coarserThan;
    for (;;) {
      const resolution = resolutionFor({
        layers, rollsUp, bounds: this.facts.bounds, view, pixels, coarserThan,
      });
      if (resolution === undefined) return { tooMany: true };
      const answer = await get(this.address({
        resolution,
        stat: statistic,
        bbox: boxOf(view, resolution).map((degrees) => Number(degrees.toFixed(4))),
        format: "geojson",
        limit: MOST_CELLS,
      }));
      if (!answer.ok || answer.body.next === null) return answer;
      coarserThan = resolution;
    }
  }

  address(query) {
    const { dataset, band } = this.facts;
    return `${STATS}?${new URLSearchParams({ dataset, band, ...query })}`;
  }

  draw(collection) {
    this.shown = collection;
    this.map.getSource(this.cells).setData(collection);
    this.map.getSource(this.outlines).setData(outlined(collection.features));
    this.choose();
    this.colour();
  }

  /** Colour the cells, and say what the colours mean. */
  colour() {
    const found = this.shown.features
      .map(({ properties }) => properties[this.facts.statistic])
      .filter((value) => value !== null);
    const colours = this.facts.isOfClasses ? this.byClass(found) : this.byValue(found);
    this.map.setPaintProperty(this.cells, "fill-color", colours);
  }

  byClass(found) {
    const classes = [...new Set(found)].sort((one, other) => one - other);
    this.legend("classes")?.replaceChildren(...classes.map(
      (value) => legendEntry({ label: figure(value), color: colourOf(value), kind: "fill" }),
    ));
    // MapLibre's match takes integers and text, and a class may be neither.
    const colours = classes.flatMap((value) => [String(value), colourOf(value)]);
    const value = ["to-string", ["get", this.facts.statistic]];
    return classes.length ? ["match", value, ...colours, "transparent"] : "transparent";
  }

  byValue(found) {
    const { ramp, statistic } = this.facts;
    const [low, high] = this.spanned(found);
    for (const [name, value] of [["low", low], ["high", high]]) {
      const place = this.legend(name);
      if (place) place.textContent = figure(value);
    }
    const step = (high - low) / (ramp.length - 1);
    const places = ramp.map((_, i) => low + i * step);
    // Of values that are one, or too close for numbers in between.
    if (places.some((place, i) => i > 0 && !(place > places[i - 1]))) {
      return ramp[Math.floor(ramp.length / 2)];
    }
    const stops = ramp.flatMap((colour, i) => [places[i], colour]);
    const value = ["get", statistic];
    return [
      "case", ["==", value, null], "transparent", ["interpolate", ["linear"], value, ...stops],
    ];
  }

  /** The values at the ends of the colours. Sums of larger cells are in no range that is known. */
  spanned(found) {
    const isRolledUp = (this.shown.rolled_up_from ?? null) !== null;
    const byView = this.byView || (this.facts.isAdded && isRolledUp);
    if (!byView || !found.length) return this.facts.range;
    return [
      found.reduce((least, value) => Math.min(least, value)),
      found.reduce((most, value) => Math.max(most, value)),
    ];
  }

  /** The cell at a point of the screen, if any. */
  at(point) {
    const [feature] = this.map.queryRenderedFeatures(point, { layers: [this.cells] });
    return feature && this.shown.features.find(({ id }) => id === feature.properties.h3);
  }

  /** Mark this cell, or none. */
  choose(cell) {
    this.map.getSource(this.mark).setData(cell ? outlined([cell]) : NOTHING);
  }

  /** All statistics of a cell: elements that tell them. */
  async told(cell) {
    const { ok, body } = await get(this.address({ cell: cell.id, stat: this.facts.told }));
    if (!ok) return [made("p", body.detail)];
    const [row] = body.cells;
    const from = body.rolled_up_from === null ? "" : `, rolled up from ${body.rolled_up_from}`;
    return [
      made("p", `Resolution ${body.resolution}${from}`, "quiet"),
      values([
        ...body.statistics.map((name) => [this.facts.titles[name] ?? name, figure(row[name])]),
        ["Pixels with data", figure(row.pixel_count)],
        ["Pixels without data", figure(row.nodata_count)],
      ]),
    ];
  }
}

function counted({ numberReturned: count, resolution, rolled_up_from: from }) {
  const cells = count === 1 ? "cell" : "cells";
  const rolled = from === null ? "" : `, rolled up from ${from}`;
  return `${count.toLocaleString("en")} ${cells} of resolution ${resolution}${rolled} in view.`;
}

const colourOf = (value) => `hsl(${(Math.abs(value) * GOLDEN_ANGLE) % 360}, 60%, 50%)`;

const figure = (value) => (value === null ? "no data" : String(Number(value.toPrecision(6))));

const outlined = (features) => ({
  type: "FeatureCollection",
  features: features.map(({ geometry }) => ({
    type: "Feature", properties: {}, geometry: outline(geometry),
  })),
});
