// The map of a raster: its tiles, how much of the land shows through, and the values of a place.
//
// The server renders all of it but the map itself: without WebGL the picture and the legend that
// came with the page stay.

import { get } from "../api.js";
import { made, replaceBroken, values } from "./elements.js";
import { MapFigure, startEach } from "./figure.js";
import { outlines, tileBounds, unrolled } from "./raster_place.js";

const SOURCE = "raster";
const FOOTPRINT = "footprint";
const TILE_PIXELS = 256;

/** Begin the raster's map of the page, if it has one. */
export function start() {
  startEach("[data-raster-map]", RasterMap);
  for (const picture of document.querySelectorAll(".raster-items img")) replaceBroken(picture);
}

/** The source of a raster's tiles. `bounds` are as GeoJSON has them. */
export function tilesOf({ address, query, bounds, zooms: [minzoom, maxzoom] }) {
  const sharp = window.devicePixelRatio > 1 ? "@2x" : "";
  return {
    type: "raster",
    tiles: [`${location.origin}${address}/tiles/{z}/{x}/{y}${sharp}.png?${query}`],
    tileSize: TILE_PIXELS,
    bounds: tileBounds(bounds),
    // Far out the raster is a few pixels, which still show where it is.
    minzoom: Math.max(0, Math.min(minzoom - 4, 4)),
    maxzoom,
  };
}

/** Where a place is, as people read it. */
export const placeName = ({ lng, lat }) => `${lat.toFixed(5)}, ${lng.toFixed(5)}`;

/** What a raster has at a place: an element that tells it. */
export async function valuesAt({ address, asset }, { lng, lat }) {
  const where = `${lng.toFixed(6)},${lat.toFixed(6)}`;
  const { ok, body } = await get(`${address}/point/${where}?${new URLSearchParams({ asset })}`);
  if (!ok) return made("p", body.detail);
  return body.inside ? listOf(body.bands) : made("p", "The raster does not reach here.");
}

class RasterMap extends MapFigure {
  async start() {
    const bounds = unrolled(JSON.parse(this.figure.dataset.bounds));
    const instead = "This is the raster alone.";
    if (!this.open({ bounds, instead, parts: ["opacity"] })) return;
    this.figure.dataset.state = "loading";
    this.say("Drawing the raster…");
    this.onPlace(({ lngLat }) => this.read(lngLat), () => this.tell());
    this.part("opacity").addEventListener("input", () => this.fade());
    await this.map.once("load");
    this.draw();
    await this.map.once("idle");
    this.settle("drawn");
  }

  draw() {
    const { address, query, zooms, resampling, footprint } = this.figure.dataset;
    const bounds = JSON.parse(this.figure.dataset.bounds);
    this.map.addSource(SOURCE, tilesOf({ address, query, bounds, zooms: JSON.parse(zooms) }));
    this.map.addLayer({
      id: SOURCE,
      type: "raster",
      source: SOURCE,
      paint: { "raster-resampling": resampling, "raster-fade-duration": 0 },
    });
    this.map.addSource(FOOTPRINT, {
      type: "geojson", data: feature(outlines(JSON.parse(footprint), bounds)),
    });
    this.map.addLayer({
      id: FOOTPRINT,
      type: "line",
      source: FOOTPRINT,
      paint: { "line-color": "#d0006f", "line-width": 1, "line-opacity": 0.7 },
    });
    this.fade();
  }

  fade() {
    if (!this.map.getLayer(SOURCE)) return;
    this.map.setPaintProperty(SOURCE, "raster-opacity", Number(this.part("opacity").value) / 100);
  }

  /** Say the values of a place. */
  async read(lngLat) {
    const place = lngLat.wrap();
    const title = made("h3", placeName(place));
    const turn = this.tell(title, made("p", "Reading…"));
    const found = await valuesAt(this.figure.dataset, place);
    // Another place was chosen, or none any more, while this one was on its way.
    if (turn === this.turns) this.tell(title, found);
  }

  /** Show this, or nothing, beside the map. Returns the number of its turn. */
  tell(...parts) {
    this.part("values").replaceChildren(...parts);
    return ++this.turns;
  }
}

const feature = (geometry) => ({ type: "Feature", properties: {}, geometry });

function listOf(bands) {
  return values(bands.map(({ band, description, value, unit, class: name }) => {
    const number = value === null ? "no data" : String(Number(value.toPrecision(7)));
    const told = [name, unit && value !== null ? `${number} ${unit}` : number];
    const title = description ? `${band} · ${description}` : `Band ${band}`;
    return [title, told.filter(Boolean).join(" · ")];
  }));
}
