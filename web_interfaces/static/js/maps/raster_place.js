// Where a raster is on the map, also where it lies over the antimeridian: its bounds then have a
// west that is greater than the east (RFC 7946, 5.2).

const EDGE = 180;

const isOver = ([west, , east]) => west > east;

/** The bounds with an east that is greater than the west, beyond 180 degrees if need be. */
export function unrolled(bounds) {
  const [west, south, east, north] = bounds;
  return isOver(bounds) ? [west, south, east + 360, north] : bounds;
}

/** The bounds in which tiles are asked for; MapLibre knows none beyond 180 degrees. */
export function tileBounds(bounds) {
  const [, south, , north] = bounds;
  return isOver(bounds) ? [-EDGE, south, EDGE, north] : bounds;
}

/**
 * The outlines of a footprint, as GeoJSON. Over the antimeridian they are in one piece: the
 * edges at which the footprint's parts were cut are left out.
 */
export function outlines(footprint, bounds) {
  if (!footprint || !isOver(bounds)) return footprint;
  const [west, , east] = bounds;
  // What lies on the other side is nearer to the east than to the west.
  const middle = (west + east) / 2;
  const place = ([x, y]) => [x < middle ? x + 360 : x, y];
  const lines = rings(footprint).flatMap((ring) => withoutCuts(ring.map(place)));
  return { type: "MultiLineString", coordinates: lines };
}

function rings({ type, coordinates }) {
  if (type === "Polygon") return coordinates;
  return type === "MultiPolygon" ? coordinates.flat() : [];
}

/** The pieces of a ring between the edges that run along the antimeridian. */
function withoutCuts(ring) {
  const pieces = [[ring[0]]];
  for (const [i, place] of ring.slice(1).entries()) {
    if (place[0] === EDGE && ring[i][0] === EDGE) pieces.push([place]);
    else pieces.at(-1).push(place);
  }
  return pieces.filter((piece) => piece.length > 1);
}
