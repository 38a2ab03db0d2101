"""Makes land.svg out of land-110m.json of npm's world-atlas.

    pip install antimeridian==0.4.9
    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python make_land.py package/land-110m.json > land.svg

TopoJSON keeps each shared line once, as steps between whole numbers:
https://github.com/topojson/topojson-specification
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import antimeridian  # type: ignore[import-not-found]  # the app does not need it
import shapely
from shapely import Polygon

Point = tuple[float, float]


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


def paths(topology: dict[str, Any], rings: list[list[int]]) -> Iterator[str]:
    """A polygon, cut at 180 degrees, as SVG: x is the longitude, y the latitude downwards."""
    # D3 has the land on the right of its outline, and the Antarctic around its pole.
    shell, *holes = (ring(topology, arcs)[::-1] for arcs in rings)
    cut = antimeridian.fix_polygon(Polygon(shell, holes), fix_winding=False)
    for part in shapely.get_parts(cut):
        for line in shapely.get_rings(part):
            points = [f"{x:.2f} {-y:.2f}" for x, y in line.coords[:-1]]
            yield "M" + "L".join(points) + "Z"


def main() -> None:
    """Write the SVG to stdout."""
    topology = json.loads(Path(sys.argv[1]).read_text())
    (land,) = topology["objects"]["land"]["geometries"]
    path = "".join(part for polygon in land["arcs"] for part in paths(topology, polygon))
    print(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -90 360 180">'
        f'<path id="land" vector-effect="non-scaling-stroke" d="{path}"/></svg>'
    )


if __name__ == "__main__":
    main()
