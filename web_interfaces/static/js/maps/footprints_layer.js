// The outlines of a STAC collection's items in view; of an item its picture, and the way to it.

import { post, withKey } from "../api.js";
import { boxOf } from "./boxes.js";
import { made, replaceBroken } from "./elements.js";

const NOTHING = { type: "FeatureCollection", features: [] };
// Of one collection, in one view; and of one answer.
const MOST = 10_000;
const A_PAGE = 1_000;
// Between a move of the map and what it asks for, in milliseconds.
const PATIENCE = 200;
// How many are named while the pointer is over them.
const NAMED = 3;
// An outline that is smaller than this on the screen is a dot as well.
const LEAST_PIXELS = 10;
// The width of the world at zoom 0, and what no zoom reaches.
const WORLD_PIXELS = 512;
const DEEPEST = 25;
const TURN = 360;
const HALF = 180;
const FIELDS = {
  include: [
    "id", "geometry", "properties.title", "properties.datetime",
    "properties.start_datetime", "properties.end_datetime",
  ],
  exclude: ["links", "assets"],
};

export class FootprintsLayer {
  constructor(facts, host) {
    const { ref } = facts;
    this.fill = `${ref}/fill`;
    this.line = `${ref}/line`;
    this.dot = `${ref}/dot`;
    this.mark = `${ref}/mark`;
    this.seen = [this.fill, this.dot];
    const ids = [this.fill, this.line, this.dot, this.mark];
    Object.assign(this, { facts, host, ids, turns: 0 });
    this.shown = [];
  }

  async show() {
    const { map, selected } = this.host;
    const { ref } = this.facts;
    map.addSource(ref, { type: "geojson", data: NOTHING });
    const source = ref;
    map.addLayer({
      id: this.fill, type: "fill", source,
      paint: { "fill-color": "#8a3ffc", "fill-opacity": 0.12 },
    });
    map.addLayer({
      id: this.line, type: "line", source, paint: { "line-color": "#6929c4", "line-width": 1.5 },
    });
    map.addLayer({
      id: this.dot, type: "circle", source,
      filter: ["all", ["==", ["geometry-type"], "Point"], ["<", ["zoom"], ["get", "until"]]],
      paint: {
        "circle-radius": 4, "circle-color": "#8a3ffc",
        "circle-stroke-color": "#ffffff", "circle-stroke-width": 1,
      },
    });
    map.addLayer({
      id: this.mark, type: "line", source, filter: ["==", ["get", "at"], -1],
      paint: { "line-color": selected, "line-width": 3 },
    });
    const listening = [
      map.on("moveend", () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.refresh(), PATIENCE);
      }),
      map.on("mousemove", this.seen, ({ features }) => this.name(features)),
      map.on("mouseleave", this.seen, () => this.host.here("")),
    ];
    this.stop = () => { for (const each of listening) each.unsubscribe(); };
    await this.refresh();
  }

  remove() {
    const { map } = this.host;
    this.turns += 1;
    clearTimeout(this.timer);
    this.stop?.();
    this.host.here("");
    for (const id of this.ids) map.removeLayer(id);
    map.removeSource(this.facts.ref);
  }

  /** Ask for the items in view, page after page, and draw them as they come. */
  async refresh() {
    const turn = ++this.turns;
    const { tell } = this.host;
    tell({ state: "loading", text: "Loading the outlines…" });
    const found = [];
    const features = [];
    let search = {
      collections: [this.facts.collection], bbox: this.box(), limit: A_PAGE, fields: FIELDS,
    };
    while (search && found.length < MOST) {
      const { ok, body } = await post("/api/stac/search", search);
      // The map was moved on, or the layer taken away, while they were on their way.
      if (turn !== this.turns) return;
      if (!ok) {
        tell({ state: "failed", text: `The outlines could not be loaded. ${body.detail}` });
        return;
      }
      const items = body.features.filter(({ geometry }) => geometry);
      features.push(...items.flatMap((item, at) => featuresOf(item, found.length + at)));
      found.push(...items);
      this.draw(found, features);
      search = body.links?.find(({ rel }) => rel === "next")?.body;
      if (search) tell({ state: "loading", text: `${number(found.length)} outlines, and more to come…` });
    }
    await this.host.map.once("idle");
    if (turn !== this.turns) return;
    const text = search
      ? `The first ${number(found.length)} outlines in view: zoom in to see all of them.`
      : `${number(found.length)} ${found.length === 1 ? "item" : "items"} in view.`;
    tell({ state: "ready", text });
  }

  /** The view as STAC has boxes; west is greater than east over the antimeridian. */
  box() {
    const bounds = this.host.map.getBounds();
    const [west, south, east, north] = [
      bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth(),
    ];
    if (east - west >= TURN) return [-HALF, south, HALF, north];
    const wrapped = (degrees) => ((((degrees + HALF) % TURN) + TURN) % TURN) - HALF;
    return [wrapped(west), south, wrapped(east), north];
  }

  draw(items, features) {
    this.shown = items;
    this.host.map.getSource(this.facts.ref).setData({ type: "FeatureCollection", features });
  }

  /** Name what the pointer is over. */
  name(features) {
    const items = this.itemsOf(features);
    const names = items.slice(0, NAMED).map(titleOf).join(", ");
    const more = items.length - NAMED;
    this.host.here(more > 0 ? `${names} and ${number(more)} more` : names);
  }

  itemsOf(features) {
    const places = new Set(features.map(({ properties }) => properties.at));
    return [...places].map((at) => this.shown[at]).filter(Boolean);
  }

  at({ point }) {
    const { map } = this.host;
    const features = map.queryRenderedFeatures(point, { layers: this.seen });
    return this.itemsOf(features).map((item) => ({
      kind: this.facts.title,
      title: titleOf(item),
      nodes: async () => this.told(item),
      choose: () => this.outline(this.shown.indexOf(item)),
      release: () => this.outline(-1),
    }));
  }

  outline(at) {
    if (this.host.map.getLayer(this.mark)) {
      this.host.map.setFilter(this.mark, ["==", ["get", "at"], at]);
    }
  }

  /** An item: when it is of, its picture, and the ways to see more of it. */
  told(item) {
    const collection = encodeURIComponent(this.facts.collection);
    const id = encodeURIComponent(item.id);
    const picture = document.createElement("img");
    picture.className = "map-popup-picture";
    picture.alt = "";
    picture.width = 256;
    picture.height = 160;
    replaceBroken(picture);
    picture.src = withKey(`/api/raster/${collection}/${id}/preview.png?size=256`);
    const links = made("p", "", "inline-links");
    const layer = made("a", "Put its raster on the map");
    layer.href = this.host.adding(["raster", this.facts.collection, item.id]);
    layer.dataset.go = "";
    const page = made("a", "About the raster");
    page.href = withKey(`/api/interface/map?collection=${collection}&item=${id}`);
    links.append(layer, page);
    return [made("p", daysOf(item), "quiet"), picture, links];
  }
}

/** The outline of an item, which is found again by its number, and its dot. */
function featuresOf({ geometry }, at) {
  const { centre, until } = dotOf(geometry);
  return [
    { type: "Feature", properties: { at }, geometry },
    { type: "Feature", properties: { at, until }, geometry: centre },
  ];
}

/** Where the dot of an outline is, and until which zoom it is seen: then the outline is large. */
function dotOf(geometry) {
  const [west, south, east, north] = boxOf(geometry);
  const size = Math.max(east - west, north - south);
  return {
    centre: { type: "Point", coordinates: [(west + east) / 2, (south + north) / 2] },
    until: size > 0 ? Math.log2((LEAST_PIXELS * TURN) / (WORLD_PIXELS * size)) : DEEPEST,
  };
}

const number = (value) => value.toLocaleString("en");

const titleOf = ({ id, properties }) => properties?.title ?? id;

/** When an item is of: a day, or the first and the last. */
function daysOf({ properties: { datetime, start_datetime: start, end_datetime: end } }) {
  const days = (datetime ? [datetime] : [start, end]).filter(Boolean).map((each) => each.slice(0, 10));
  return [...new Set(days)].join(" to ");
}
