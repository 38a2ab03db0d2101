// The features of vector tiles at a place, and a mark around the one that is read.

import { withKey } from "../api.js";
import { made, values } from "./elements.js";

// Around a click, in pixels: lines and points are thin.
const REACH = 4;

/** The features that some layers draw at a point of the screen, each once. */
export function featuresAt(map, { x, y }, layers) {
  const box = [[x - REACH, y - REACH], [x + REACH, y + REACH]];
  const seen = new Map();
  for (const feature of map.queryRenderedFeatures(box, { layers })) {
    // One that is drawn by two layers, or lies in two tiles, is still one.
    const key = `${feature.source} ${feature.id}`;
    if (!seen.has(key)) seen.set(key, feature);
  }
  return [...seen.values()];
}

/** A feature's attributes, and where all of it is. */
export function attributesOf(feature, features) {
  const nodes = [values(Object.entries(feature.properties))];
  if (features) {
    const link = made("a", "All of it, as GeoJSON");
    link.href = withKey(`${features}/${encodeURIComponent(feature.id)}`);
    nodes.push(link);
  }
  return nodes;
}

/** The layers that mark one feature of a tiled source, above what is on the map by now. */
export class Selection {
  constructor(map, prefix, { source, "source-layer": layer }, color) {
    this.map = map;
    this.ids = [`${prefix}line`, `${prefix}point`];
    const base = { source, "source-layer": layer, filter: ["==", ["id"], -1] };
    map.addLayer({
      ...base, id: this.ids[0], type: "line", paint: { "line-color": color, "line-width": 3 },
    });
    map.addLayer({
      ...base, id: this.ids[1], type: "circle",
      paint: {
        "circle-radius": 9, "circle-opacity": 0,
        "circle-stroke-color": color, "circle-stroke-width": 3,
      },
    });
  }

  /** Mark this feature, or none. */
  mark(feature) {
    const is = ["==", ["id"], feature?.id ?? -1];
    const [line, point] = this.ids;
    if (!this.map.getLayer(line)) return;
    this.map.setFilter(line, is);
    this.map.setFilter(point, ["all", is, ["==", ["geometry-type"], "Point"]]);
  }
}
