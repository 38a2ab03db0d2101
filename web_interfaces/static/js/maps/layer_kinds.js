// The kinds of layers that the map of layers has, each by the same few methods:
//
//   await layer.show()     put it on the map; what becomes of it goes to `tell({state, text})`
//   layer.remove()         take it off again
//   layer.ids              its layers on the map, from the bottom to the top
//   layer.at(place)        what it draws at {point, lngLat}: things as popup.js tells them
//   layer.fade(share)      of those that have an opacity
//   layer.recount()        of those whose legend is of what is in view: say it again on its card

import { get } from "../api.js";
import { CellsLayer } from "./cells_layer.js";
import { FootprintsLayer } from "./footprints_layer.js";
import { own } from "./map.js";
import { placeName, tilesOf, valuesAt } from "./raster_map.js";
import { attributesOf, featuresAt, Selection } from "./selection.js";

/** The layer of a card: `facts` are what the server says of it, `host` is where it is drawn. */
export function layerOf(facts, host) {
  const Layer = { vector: Vector, items: FootprintsLayer, raster: Raster, cells: Cells }[facts.kind];
  return new Layer(facts, host);
}

/** A published table in one of its styles. */
class Vector {
  constructor(facts, host) {
    Object.assign(this, { facts, host, ids: [], drawn: [] });
  }

  async show() {
    const { map, tell, selected } = this.host;
    const { ref } = this.facts;
    tell({ state: "loading", text: "Loading the data…" });
    const { ok, body } = await get(this.facts.style);
    if (this.isGone) return;
    if (!ok) {
      tell({ state: "failed", text: `The style could not be loaded. ${body.detail}` });
      return;
    }
    for (const [name, source] of Object.entries(body.sources)) {
      map.addSource(`${ref}/${name}`, own(source));
    }
    this.sources = Object.keys(body.sources).map((name) => `${ref}/${name}`);
    const layers = body.layers.map((each) => ({
      ...each, id: `${ref}/${each.id}`, ...(each.source && { source: `${ref}/${each.source}` }),
    }));
    for (const layer of layers) map.addLayer(layer);
    this.drawn = layers.map(({ id }) => id);
    const tiled = layers.find((layer) => layer["source-layer"]);
    this.selection = new Selection(map, `${ref}/selected-`, tiled, selected);
    this.ids = [...this.drawn, ...this.selection.ids];
    await map.once("idle");
    if (!this.isGone) tell({ state: "ready", text: "" });
  }

  remove() {
    this.isGone = true;
    for (const id of this.ids) this.host.map.removeLayer(id);
    for (const name of this.sources ?? []) this.host.map.removeSource(name);
    this.ids = [];
  }

  at({ point }) {
    return featuresAt(this.host.map, point, this.drawn).map((feature) => ({
      kind: this.facts.title,
      title: nameOf(feature) ?? `Feature ${feature.id}`,
      nodes: async () => attributesOf(feature, this.facts.features),
      choose: () => this.selection.mark(feature),
      release: () => this.selection.mark(),
    }));
  }
}

/** What people call a feature, where it says so. */
function nameOf({ properties }) {
  const name = ["name_en", "name", "title", "label"].map((key) => properties[key]).find(Boolean);
  return name === undefined ? undefined : String(name);
}

/** The tiles of a raster. */
class Raster {
  constructor(facts, host) {
    Object.assign(this, { facts, host, ids: [facts.ref] });
  }

  async show() {
    const { map, tell } = this.host;
    const { ref, address, query, tileBounds: bounds, zooms, resampling } = this.facts;
    tell({ state: "loading", text: "Drawing the raster…" });
    map.addSource(ref, tilesOf({ address, query, bounds, zooms }));
    map.addLayer({
      id: ref, type: "raster", source: ref,
      paint: { "raster-resampling": resampling, "raster-fade-duration": 0 },
    });
    await map.once("idle");
    if (!this.isGone) tell({ state: "ready", text: "" });
  }

  remove() {
    this.isGone = true;
    this.host.map.removeLayer(this.facts.ref);
    this.host.map.removeSource(this.facts.ref);
  }

  fade(share) {
    this.host.map.setPaintProperty(this.facts.ref, "raster-opacity", share);
  }

  at({ lngLat }) {
    const place = lngLat.wrap();
    const [west, south, east, north] = this.facts.bounds;
    const isBeside = ![-360, 0, 360].some((turn) => place.lng + turn >= west && place.lng + turn <= east);
    if (isBeside || place.lat < south || place.lat > north) return [];
    return [{
      kind: this.facts.title,
      title: placeName(place),
      nodes: async () => [await valuesAt(this.facts, place)],
    }];
  }
}

/** The statistics of a dataset by the cells in view. */
class Cells {
  constructor(facts, { map, tell, legend, selected }) {
    this.facts = facts;
    this.cells = new CellsLayer(map, facts, {
      tell: ({ state, text, shown }) => tell({ state, text: text || shown || "" }),
      legend, selected, prefix: `${facts.ref}/`,
    });
    this.ids = this.cells.ids;
  }

  show() {
    return this.cells.show();
  }

  remove() {
    this.cells.remove();
  }

  fade(share) {
    this.cells.fade(share);
  }

  recount() {
    this.cells.colour();
  }

  at({ point }) {
    const cell = this.cells.at(point);
    if (!cell) return [];
    return [{
      kind: this.facts.title,
      title: `Cell ${cell.id}`,
      nodes: () => this.cells.told(cell),
      choose: () => this.cells.choose(cell),
      release: () => this.cells.choose(),
    }];
  }
}
