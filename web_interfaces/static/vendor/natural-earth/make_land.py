"""Makes land.svg and land.geojson out of npm's world-atlas.

    pip install antimeridian==0.4.9
    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python make_land.py svg package/land-110m.json > land.svg
    python make_land.py geojson package/land-50m.json > land.geojson

The coarse one lies under small drawings, the finer one under the maps. TopoJSON keeps each shared
line once, as steps between whole numbers: https://github.com/topojson/topojson-specification
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import antimeridian  # type: ignore[import-not-found]  # the app does not need it
import shapely
from shapely import Polygon

Point = tuple[float, float]

# Of a degree: a kilometre, which is what the outlines are good for.
_DECIMALS = 2
_TOLERANCE = 0.015


def arc_points(topology: dict[str, Any], index: int) -> list[Point]:
    """The points of an arc in degrees; the arc ~n is the arc n backwards."""
    (scale_x, scale_y), (shift_x, shift_y) = topology["transform"].values()
    steps = topology["arcs"][index if index >= 0 else ~index]
    placed = accumulate(steps, lambda at, step: [at[0] + step[0], at[1] + step[1]])
    points = [(x * scale_x + shift_x, y * scale_y + shift_y) for x, y in placed]
    return points if index >= 0 else points[::-1]


def ring(topology: dict[str, Any], arcs: list[int]) -> list[Point]:
    """The points of a ring; each arc begins where the one before it ends."""
    return [point for index in arcs for point in arc_points(topology, index)[1:]]


def parts(topology: dict[str, Any], rings: list[list[int]]) -> Iterator[Polygon]:
    """A polygon in as many parts as it has when it is cut at 180 degrees."""
    # D3 has the land on the right of its outline, and the Antarctic around its pole.
    shell, *holes = (ring(topology, arcs)[::-1] for arcs in rings)
    polygon = Polygon(shell, holes)
    if any(abs(x - next_x) > 180 for (x, _), (next_x, _) in pairwise(shell)):
        whole = antimeridian.fix_polygon(polygon, fix_winding=False)
    elif polygon.is_valid:
        whole = polygon
    else:
        # The rounding of the steps makes a few outlines cross themselves.
        whole = shapely.make_valid(polygon, method="structure")
    yield from shapely.get_parts(whole)


def as_svg(polygons: list[Polygon]) -> str:
    """One path in a map of the world: x is the longitude, y the latitude downwards."""
    path = ""
    for polygon in polygons:
        for line in shapely.get_rings(polygon):
            points = [f"{x:.{_DECIMALS}f} {-y:.{_DECIMALS}f}" for x, y in line.coords[:-1]]
            path += "M" + "L".join(points) + "Z"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -90 360 180">'
        f'<path id="land" vector-effect="non-scaling-stroke" d="{path}"/></svg>'
    )


def as_geojson(polygons: list[Polygon]) -> str:
    """A feature for each part. Its outlines run as RFC 7946 has them."""
    features = []
    for polygon in polygons:
        thinned = shapely.simplify(polygon, _TOLERANCE)
        rounded = shapely.set_precision(thinned, 10**-_DECIMALS)
        for part in shapely.get_parts(rounded):
            if part.geom_type == "Polygon" and not part.is_empty:
                geometry = shapely.geometry.mapping(shapely.orient_polygons(part))
                features.append({"type": "Feature", "properties": {}, "geometry": geometry})
    return json.dumps(
        {"type": "FeatureCollection", "features": features}, separators=(",", ":")
    )


def main() -> None:
    """Write the form that was asked for to stdout."""
    form, source = sys.argv[1:3]
    topology = json.loads(Path(source).read_text())
    (land,) = topology["objects"]["land"]["geometries"]
    polygons = [part for rings in land["arcs"] for part in parts(topology, rings)]
    print({"svg": as_svg, "geojson": as_geojson}[form](polygons))


if __name__ == "__main__":
    main()
