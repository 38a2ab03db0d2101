"""In the child: the outlines of cells as polygons in the pixels of a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import PermanentTaskError
from services.h3 import grids
from services.h3.child.windows import Rectangles
from services.h3.model import Box, Cells, Indices, Numbers
from services.h3.outlines import Outlines, outlines
from services.h3.planes import Plane

_TURN, _POLE = 360.0, 90.0
# Degrees between points along the line that a pole is on the plane of longitude and latitude.
_ALONG_POLE = 1.0
# An edge that is so many times as long, in pixels, as on the ground may go from one side of a
# projection to the other. One that does has the place of its middle next to one of its ends.
_STRETCHED = 10.0
_OFF_THE_MIDDLE = 0.4
_EARTH_RADIUS_M = 6_371_007.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Polygons in pixels, which reach into a grid: cells, or pieces of them.

    `cell` is the place of each one's cell among those that were asked for; `x`, `y` and
    `vertices` are as `coverage.shares` takes them. A row of `reach` is first row, first column,
    and the row and column behind the last that a polygon touches.
    """

    cell: Indices
    x: Numbers
    y: Numbers
    vertices: Indices
    reach: Rectangles


def pieces_of(cells: Cells, plane: Plane, name: str) -> list[Pieces]:
    """All that reaches into the plane's grid of these cells.

    Their edges are straight between their vertices in pixels. Raises `PermanentTaskError`
    (cells_not_in_crs), naming the raster, where a cell that may lie there has no outline in its
    CRS.
    """
    found = outlines(cells, plane.seam)
    found = _take(found, _may_reach(found, grids.bounds(plane.grid)))
    # A line that is straight on a plane of longitudes needs no points along it.
    groups = [found] if plane.turn is not None else _with_poles(found)
    return [each for group in groups for each in _placed(group, plane, name)]


def _placed(found: Outlines, plane: Plane, name: str) -> Iterator[Pieces]:
    """Pieces in pixels, those that reach into the grid."""
    if not len(found.cell):
        return
    x, y = plane.pixels(found.x, found.y)
    finite = np.isfinite(x).all() and np.isfinite(y).all()
    if not finite or (plane.turn is None and _is_torn(found, x, y, plane)):
        raise PermanentTaskError(
            f"{name}: cells that may lie on the raster have no outlines in its CRS, which ends or "
            "is torn there. Choose weighting centroid, which needs no outlines, or give the "
            "raster another CRS (process_raster, target_crs).",
            code="cells_not_in_crs",
            field="weighting",
        )
    height, width = plane.grid.height, plane.grid.width
    reach = np.stack(
        (
            np.clip(np.floor(y.min(axis=1)), 0, height),
            np.clip(np.floor(x.min(axis=1)), 0, width),
            np.clip(np.ceil(y.max(axis=1)), 0, height),
            np.clip(np.ceil(x.max(axis=1)), 0, width),
        ),
        axis=1,
    ).astype(np.int64)
    inside = (reach[:, 0] < reach[:, 2]) & (reach[:, 1] < reach[:, 3])
    if inside.any():
        yield Pieces(
            found.cell[inside], x[inside], y[inside], found.vertices[inside], reach[inside]
        )


def _may_reach(found: Outlines, boxes: Sequence[Box]) -> Mask:
    """Pieces that may reach into the boxes, by their own size and half of it around them: edges
    are straight in pixels, and so elsewhere in degrees."""
    west, east = found.x.min(axis=1), found.x.max(axis=1)
    south, north = found.y.min(axis=1), found.y.max(axis=1)
    across, up = (east - west) / 2, (north - south) / 2
    # On a plane of which a pole is a point, what lies next to it lies next to all around it.
    across = np.where(np.maximum(north + up, -(south - up)) >= _POLE, _TURN, across)
    may = np.zeros(len(found.cell), bool)
    for box in boxes:
        in_latitude = (south - up <= box.north) & (north + up >= box.south)
        for turn in (-_TURN, 0.0, _TURN):
            in_longitude = (west - across <= box.east + turn) & (east + across >= box.west + turn)
            may |= in_latitude & in_longitude
    return may


def _with_poles(found: Outlines) -> list[Outlines]:
    """The pieces, with points along the edges that lie on the line of a pole."""
    at_pole = (np.abs(found.y) == _POLE).sum(axis=1) > 1
    if not at_pole.any():
        return [found]
    others = [_take(found, ~at_pole)]
    for piece in np.flatnonzero(at_pole):
        count = found.vertices[piece]
        x, y = found.x[piece, :count], found.y[piece, :count]
        points = [
            point
            for begin, end in zip(
                zip(x, y, strict=True),
                zip(np.roll(x, -1), np.roll(y, -1), strict=True),
                strict=True,
            )
            for point in _between(begin, end)
        ]
        ring = np.array(points).T
        others.append(
            Outlines(
                found.cell[piece : piece + 1],
                ring[0][np.newaxis],
                ring[1][np.newaxis],
                np.array([ring.shape[1]], np.int64),
            )
        )
    return others


def _between(begin: tuple[float, float], end: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """The beginning of an edge, and points along it if it lies on the line of a pole."""
    yield begin
    if begin[1] == end[1] and abs(begin[1]) == _POLE:
        steps = int(np.ceil(abs(end[0] - begin[0]) / _ALONG_POLE))
        for step in range(1, steps):
            yield begin[0] + (end[0] - begin[0]) * step / steps, begin[1]


def _is_torn(found: Outlines, x: Numbers, y: Numbers, plane: Plane) -> bool:
    """Whether an edge goes from one side of the projection to the other."""
    longitudes, latitudes = found.x, found.y
    ends = [np.roll(each, -1, axis=1) for each in (x, y, longitudes, latitudes)]
    in_pixels = np.hypot(ends[0] - x, ends[1] - y)
    on_ground = _distances_m(longitudes, latitudes, ends[2], ends[3])
    stretched = in_pixels > _STRETCHED * (1 + on_ground / grids.pixel_size_m(plane.grid))
    if not stretched.any():
        return False
    middle = plane.pixels(
        (longitudes + ends[2])[stretched] / 2, (latitudes + ends[3])[stretched] / 2
    )
    off = np.hypot(
        middle[0] - (x + ends[0])[stretched] / 2, middle[1] - (y + ends[1])[stretched] / 2
    )
    return bool((~(off <= _OFF_THE_MIDDLE * in_pixels[stretched])).any())


def _distances_m(
    longitudes: Numbers, latitudes: Numbers, to_longitudes: Numbers, to_latitudes: Numbers
) -> Numbers:
    """Metres between places, on a sphere, straight through it."""
    a, b, c, d = (np.radians(each) for each in (longitudes, latitudes, to_longitudes, to_latitudes))
    x = np.cos(d) * np.cos(c) - np.cos(b) * np.cos(a)
    y = np.cos(d) * np.sin(c) - np.cos(b) * np.sin(a)
    z = np.sin(d) - np.sin(b)
    return np.asarray(_EARTH_RADIUS_M * np.sqrt(x * x + y * y + z * z))


def _take(found: Outlines, chosen: Mask) -> Outlines:
    return Outlines(found.cell[chosen], found.x[chosen], found.y[chosen], found.vertices[chosen])
