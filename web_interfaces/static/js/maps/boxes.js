// Boxes around geometries of GeoJSON: west, south, east, north in degrees.

/** The box around a geometry. */
export function boxOf(geometry) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const include = (place) => {
    if (typeof place[0] !== "number") {
      place.forEach(include);
      return;
    }
    const [x, y] = place;
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  };
  const within = ({ coordinates, geometries }) => {
    if (geometries) geometries.forEach(within);
    else include(coordinates);
  };
  within(geometry);
  return box;
}

/** The box around several geometries; null where there are none. */
export function boxAround(geometries) {
  const there = geometries.filter(Boolean);
  return there.length ? boxOf({ geometries: there }) : null;
}
