// The map of a raster: its tiles, how much of the land shows through, and the values of a place.
//
// The server renders all of it but the map itself: without WebGL the picture and the legend that
// came with the page stay.

import { get } from "./api.js";
import { NoMap, openMap } from "./map.js";
import { outlines, tileBounds, unrolled } from "./raster_place.js";

const SOURCE = "raster";
const FOOTPRINT = "footprint";
const TILE_PIXELS = 256;

/** Begin the raster's map of the page, if it has one. */
export function startRasterMap() {
  const figure = document.querySelector("[data-raster-map]");
  if (figure) new RasterMap(figure).start();
  for (const picture of document.querySelectorAll(".raster-items img")) replaceBroken(picture);
}

/** A picture that cannot be drawn says so. */
function replaceBroken(picture) {
  const replace = () => {
    const told = element("span", "cannot be drawn");
    told.className = "raster-none";
    picture.replaceWith(told);
  };
  if (picture.complete && picture.naturalWidth === 0 && picture.currentSrc) replace();
  else picture.addEventListener("error", replace);
}

class RasterMap {
  constructor(figure) {
    this.figure = figure;
    this.turns = 0;
  }

  part(name) {
    return this.figure.querySelector(`[data-part="${name}"]`);
  }

  async start() {
    const { land, worker, bounds } = this.figure.dataset;
    this.part("canvas").hidden = false;
    try {
      this.map = openMap(this.part("canvas"), {
        land, worker, bounds: unrolled(JSON.parse(bounds)),
      });
    } catch (error) {
      if (!(error instanceof NoMap)) throw error;
      this.part("canvas").hidden = true;
      this.part("hint").hidden = true;
      this.part("opacity").closest("label").remove();
      this.say(`There can be no map: ${error.message}. This is the raster alone.`);
      this.figure.dataset.state = "none";
      return;
    }
    this.figure.classList.add("map-drawn");
    // For whoever works with the page in the browser's console.
    this.figure.map = this.map;
    this.figure.dataset.state = "loading";
    this.say("Drawing the raster…");
    this.map.on("error", ({ error }) => this.trouble(error));
    this.map.on("click", ({ lngLat }) => this.read(lngLat));
    this.map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.read(this.map.getCenter());
      else if (event.key === "Escape") this.tell();
    });
    this.part("opacity").addEventListener("input", () => this.fade());
    await this.map.once("load");
    this.draw();
    await this.map.once("idle");
    if (!this.figure.dataset.trouble) this.say("");
    this.figure.dataset.state = "drawn";
  }

  draw() {
    const { address, query, zooms, resampling, footprint } = this.figure.dataset;
    const [minzoom, maxzoom] = JSON.parse(zooms);
    const bounds = JSON.parse(this.figure.dataset.bounds);
    const sharp = window.devicePixelRatio > 1 ? "@2x" : "";
    this.map.addSource(SOURCE, {
      type: "raster",
      tiles: [`${location.origin}${address}/tiles/{z}/{x}/{y}${sharp}.png?${query}`],
      tileSize: TILE_PIXELS,
      bounds: tileBounds(bounds),
      // Far out the raster is a few pixels, which still show where it is.
      minzoom: Math.max(0, Math.min(minzoom - 4, 4)),
      maxzoom,
    });
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

  /** Say the values of a place. */
  async read(place) {
    const { lng, lat } = place.wrap();
    const title = element("h3", `${lat.toFixed(5)}, ${lng.toFixed(5)}`);
    const turn = this.tell(title, element("p", "Reading…"));
    const { address, asset } = this.figure.dataset;
    const where = `${lng.toFixed(6)},${lat.toFixed(6)}`;
    const answer = await get(`${address}/point/${where}?${new URLSearchParams({ asset })}`);
    // Another place was chosen, or none any more, while this one was on its way.
    if (turn === this.turns) this.tell(title, told(answer));
  }

  /** Show this, or nothing, beside the map. Returns the number of its turn. */
  tell(...parts) {
    this.part("values").replaceChildren(...parts);
    return ++this.turns;
  }
}

function told({ ok, body }) {
  if (!ok) return element("p", body.detail);
  return body.inside ? listOf(body.bands) : element("p", "The raster does not reach here.");
}

const feature = (geometry) => ({ type: "Feature", properties: {}, geometry });

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function listOf(bands) {
  const list = element("dl", "");
  list.className = "values";
  for (const { band, description, value, unit, class: name } of bands) {
    const row = document.createElement("div");
    const number = value === null ? "no data" : String(Number(value.toPrecision(7)));
    const told = [name, unit && value !== null ? `${number} ${unit}` : number];
    const title = description ? `${band} · ${description}` : `Band ${band}`;
    row.append(element("dt", title), element("dd", told.filter(Boolean).join(" · ")));
    list.append(row);
  }
  return list;
}
