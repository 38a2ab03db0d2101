// Which cells a view of the map asks for: how large they are, and where.

const EARTH_KM = 6371.007;
const TURN = 360;
const HALF = 180;
const POLE = 90;

/** How many cells are asked for at most, and about how many a view is made for. */
export const MOST_CELLS = 5000;
const GOOD_NUMBER = 3000;
// Smaller cells, in square pixels, are not told apart.
const LEAST_PIXELS = 16;

const radians = (degrees) => (degrees * Math.PI) / 180;

/** The area of an H3 cell in square kilometres, on average. */
const cellArea = (resolution) => (4 * Math.PI * EARTH_KM ** 2) / (2 + 120 * 7 ** resolution);

const area = ([west, south, east, north]) =>
  EARTH_KM ** 2 * radians(east - west) * (Math.sin(radians(north)) - Math.sin(radians(south)));

/** What of the data's bounds is in view, as a share of them. The map may be turns away from them. */
function shareInView(view, bounds) {
  let seen = 0;
  for (const turn of [-2, -1, 0, 1, 2]) {
    const west = Math.max(view[0], bounds[0] + turn * TURN);
    const east = Math.min(view[2], bounds[2] + turn * TURN);
    const south = Math.max(view[1], bounds[1]);
    const north = Math.min(view[3], bounds[3]);
    if (west < east && south < north) seen += area([west, south, east, north]);
  }
  return Math.min(1, seen / Math.max(area(bounds), cellArea(15)));
}

/**
 * The resolutions that there are for a view, the finest first, each {resolution, expected}: those
 * of the layers, and where cells can be rolled up, all that are coarser.
 */
function offered(layers, rollsUp, share) {
  const found = [];
  for (let resolution = layers.at(-1).resolution; resolution >= 0; resolution--) {
    // The coarsest layer that is fine enough, as the API takes it.
    const layer = layers.find((each) => each.resolution >= resolution);
    if (layer.resolution !== resolution && !rollsUp) continue;
    const cells = layer.cells / 7 ** (layer.resolution - resolution);
    found.push({ resolution, expected: Math.max(1, cells * share) });
  }
  return found;
}

/**
 * The resolution for a view: the finest of which not too many cells are in it, and they are not
 * too small to be seen if there are larger ones; coarser than `coarserThan` if that is given.
 * Undefined where even of the coarsest there are too many. `pixels` are those of the map.
 */
export function resolutionFor({ layers, rollsUp, bounds, view, pixels, coarserThan = Infinity }) {
  const fitting = offered(layers, rollsUp, shareInView(view, bounds))
    .filter((each) => each.resolution < coarserThan && each.expected <= GOOD_NUMBER);
  const least = (area(view) / pixels) * LEAST_PIXELS;
  const seen = fitting.find(({ resolution }) => cellArea(resolution) >= least);
  return (seen ?? fitting.at(-1))?.resolution;
}

/** The box in which cells are asked for: the view, and about a cell around it, for a cell is
 * where its centre is. None where all longitudes are in view. */
export function boxOf([west, south, east, north], resolution) {
  const around = (Math.sqrt(cellArea(resolution)) / EARTH_KM) * (HALF / Math.PI);
  const bottom = Math.max(south - around, -POLE);
  const top = Math.min(north + around, POLE);
  const nearest = Math.min(Math.max(Math.abs(bottom), Math.abs(top)), 85);
  const aside = around / Math.cos(radians(nearest));
  if (east - west + 2 * aside >= TURN) return [-HALF, bottom, HALF, top];
  const wrapped = (degrees) => ((((degrees + HALF) % TURN) + TURN) % TURN) - HALF;
  return [wrapped(west - aside), bottom, wrapped(east + aside), top];
}

/** The outline of a polygon of GeoJSON, without the edges at which it was cut at 180 degrees. */
export function outline({ type, coordinates }) {
  const rings = type === "Polygon" ? coordinates : coordinates.flat();
  return { type: "MultiLineString", coordinates: rings.flatMap(withoutCuts) };
}

const isAtEdge = ([longitude]) => Math.abs(longitude) === HALF;

function withoutCuts(ring) {
  const lines = [[ring[0]]];
  for (const [i, place] of ring.slice(1).entries()) {
    if (isAtEdge(place) && isAtEdge(ring[i])) lines.push([place]);
    else lines.at(-1).push(place);
  }
  return lines.filter((line) => line.length > 1);
}
