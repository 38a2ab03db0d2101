// Maps: the land on a plain sea, and on it whatever a page draws. No tiles, fonts or sprites
// of other hosts, so what is drawn has no labels; MapLibre runs its worker from our own files.
//
//   const map = openMap(element, { land, worker, bounds });   throws NoMap without WebGL
//   await drawn(map);
//   showStyle(map, style);      MapLibre style JSON of /api/styles
//   fit(map, [west, south, east, north]);

/* global maplibregl */

import { keyHeaders } from "../api.js";

// Where Mercator ends.
const NORTHERNMOST = 85;
const CLOSEST_FIT = 13;
// A single place, of this many degrees at most, is shown with the coasts around it.
const PLACE = 0.02;
const CLOSEST_FIT_OF_A_PLACE = 6;
const PADDING = 32;
const BASE = "geoforge-";
const LAND = `${BASE}land`;

const still = matchMedia("(prefers-reduced-motion: reduce)");

// What each map shows when all is to be seen.
const extents = new WeakMap();

/** That there can be no map here; the message says why. */
export class NoMap extends Error {}

/**
 * A map of the land in an element.
 *
 * `land` is the address of its GeoJSON, `worker` that of MapLibre's worker. `bounds` are west,
 * south, east and north in degrees. Where the `countries` are published as vector tiles
 * ({tiles, minzoom, maxzoom, layer}), these are drawn in place of the land. An `embedded` map
 * leaves the wheel and the finger to the page that it is part of; it moves with Ctrl held, or
 * two fingers. `look` is where to look, {center, zoom}, in place of the bounds.
 */
export function openMap(element, { land, worker, bounds, countries, look, embedded = true }) {
  if (!globalThis.maplibregl) throw new NoMap("the map's script could not be loaded");
  maplibregl.setWorkerUrl(worker);
  let map;
  try {
    map = new maplibregl.Map({
      container: element,
      style: baseStyle(element, land, countries),
      ...(look ?? { bounds: shown(bounds), fitBoundsOptions: fitOptions(bounds) }),
      // Said beside the map, as text: MapLibre would put it into the page as HTML.
      attributionControl: false,
      cooperativeGestures: embedded,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      fadeDuration: still.matches ? 0 : 200,
      transformRequest,
    });
  } catch (error) {
    throw new NoMap("WebGL is missing or switched off", { cause: error });
  }
  extents.set(map, bounds);
  // MapLibre draws nothing after a tile that failed: were that the last one on its way, it would
  // never become idle.
  map.on("error", () => map.triggerRepaint());
  if (countries) fallBack(map, element, land);
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new AllButton(), "top-right");
  map.addControl(new maplibregl.ScaleControl({ maxWidth: 120 }), "bottom-left");
  return map;
}

/** Wait until everything that the map shows now is there and drawn. */
export const drawn = (map) => new Promise((resolve) => { map.once("idle", resolve); });

/** Show the bounds, without a flight where there is no time for it or the reader wants no motion. */
export function fit(map, bounds, { atOnce = false } = {}) {
  extents.set(map, bounds);
  map.fitBounds(shown(bounds), { ...fitOptions(bounds), ...(atOnce && { duration: 0 }) });
}

/**
 * Put the sources and layers of a style on the map, in place of those of the one before.
 * Returns the ids of its layers.
 */
export function showStyle(map, style) {
  clear(map);
  for (const [name, source] of Object.entries(style.sources)) {
    map.addSource(name, own(source));
  }
  for (const layer of style.layers) map.addLayer(layer);
  return style.layers.map((layer) => layer.id);
}

/** Take away everything but the land. */
export function clear(map) {
  const { layers, sources } = map.getStyle();
  for (const { id } of layers) if (!id.startsWith(BASE)) map.removeLayer(id);
  for (const name of Object.keys(sources)) if (!name.startsWith(BASE)) map.removeSource(name);
}

/** A source whose addresses are on the host that the page came from, as the policy demands. */
export function own(source) {
  const { attribution, ...kept } = source;
  if (kept.tiles) kept.tiles = kept.tiles.map(onThisHost);
  return kept;
}

// Behind a gateway the API may know itself by another name than this page's. The braces of a
// tile's address must stay as they are, which a URL object would not let them.
const onThisHost = (address) => location.origin + address.replace(/^[a-z]+:\/\/[^/]*/i, "");

/** The page's function key goes to our own API, and nowhere else. */
function transformRequest(address) {
  const url = new URL(address, location.href);
  const isOurs = url.origin === location.origin && url.pathname.startsWith("/api/");
  return { url: url.href, headers: isOurs ? keyHeaders() : {} };
}

function shown([west, south, east, north]) {
  const within = (latitude) => Math.min(Math.max(latitude, -NORTHERNMOST), NORTHERNMOST);
  return [[west, within(south)], [east, within(north)]];
}

function fitOptions([west, south, east, north]) {
  const isPlace = east - west <= PLACE && north - south <= PLACE;
  return {
    padding: PADDING,
    maxZoom: isPlace ? CLOSEST_FIT_OF_A_PLACE : CLOSEST_FIT,
    duration: still.matches ? 0 : 600,
  };
}

const colour = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

function baseStyle(element, land, countries) {
  const { source, layers } = countries ? ofCountries(element, countries) : ofLand(element, land);
  return {
    version: 8,
    sources: { [LAND]: source },
    layers: [
      {
        id: `${BASE}sea`, type: "background",
        paint: { "background-color": colour(element, "--map-sea") },
      },
      ...layers,
    ],
  };
}

function ofLand(element, land) {
  const source = { type: "geojson", data: new URL(land, location.href).href, maxzoom: 10 };
  return { source, layers: layersOf(element, {}) };
}

function ofCountries(element, { tiles, minzoom, maxzoom, layer }) {
  const source = own({ type: "vector", tiles, minzoom, maxzoom });
  return { source, layers: layersOf(element, { "source-layer": layer }) };
}

function layersOf(element, more) {
  return [
    {
      id: LAND, type: "fill", source: LAND, ...more,
      paint: { "fill-color": colour(element, "--map-land") },
    },
    {
      id: `${BASE}coast`, type: "line", source: LAND, ...more,
      paint: { "line-color": colour(element, "--map-coast"), "line-width": 0.75 },
    },
  ];
}

/**
 * Draw the land that comes with the app where the tiles of the countries do not come. What is
 * mended so is marked as such for those who hear of errors later.
 */
function fallBack(map, element, land) {
  let isMended = false;
  map.on("error", (event) => {
    if (event.sourceId !== LAND || event.source?.type !== "vector") return;
    event.isMended = true;
    // Of one view several tiles may fail.
    if (isMended) return;
    isMended = true;
    const above = map.getStyle().layers.find(({ id }) => !id.startsWith(BASE))?.id;
    for (const id of [`${BASE}coast`, LAND]) map.removeLayer(id);
    map.removeSource(LAND);
    const { source, layers } = ofLand(element, land);
    map.addSource(LAND, source);
    for (const layer of layers) map.addLayer(layer, above);
  });
}

/** A button below those of the zoom that shows all of the data again. */
class AllButton {
  onAdd(map) {
    this.element = document.createElement("div");
    this.element.className = "maplibregl-ctrl maplibregl-ctrl-group";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "map-all";
    button.textContent = "All";
    button.title = "Show all of the data";
    button.addEventListener("click", () => fit(map, extents.get(map)));
    this.element.append(button);
    return this.element;
  }

  onRemove() {
    this.element.remove();
  }
}
