"""In the child: which cells the centres of pixels lie in, as H3 itself says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from h3ronpy.vector import coordinates_to_cells

from services.h3 import boxes, grids
from services.h3.cells import centres, circumradius
from services.h3.child.windows import Rectangles
from services.h3.coverage import Window
from services.h3.model import Box, Cells, Grid, Indices, Numbers
from services.h3.planes import Plane

# Pixels along the side of a part of a grid that is not cut further, to see what of it is near.
_PART = 128
# Distances from a pole, in radii of a cell, between which cells are put into one box.
_ZONES = (1.5, 6.0, 24.0)
_ROUNDING = 1e-9

Mask = npt.NDArray[np.bool_]


def around(cells: Cells, resolution: int) -> list[Box]:
    """Boxes that hold all of the cells. Those near a pole have their own: they may reach all
    around it."""
    longitudes, latitudes = centres(cells)
    radius = circumradius(resolution)
    zones = 1 + np.searchsorted(np.array(_ZONES) * radius, 90 - np.abs(latitudes))
    zones = np.where(latitudes < 0, -zones, zones)
    found = []
    for zone in np.unique(zones):
        here = zones == zone
        found.append(
            _of_some_size(
                Box(
                    west=float(longitudes[here].min()),
                    south=float(latitudes[here].min()),
                    east=float(longitudes[here].max()),
                    north=float(latitudes[here].max()),
                )
            )
        )
    return boxes.grown(found, radius)


def near(grid: Grid, wanted: Sequence[Box]) -> Rectangles:
    """Parts of a grid that hold all of its pixels in the boxes, and few others.

    A part of which some is near is cut into four, down to parts that are small.
    """
    found: list[tuple[int, int, int, int]] = []
    parts = [(0, 0, grid.height, grid.width)]
    while parts:
        top, left, bottom, right = part = parts.pop()
        at = grids.bounds(_part_of(grid, part))
        if not any(_meet(here, box) for here in at for box in wanted):
            continue
        is_small = max(bottom - top, right - left) <= _PART
        if is_small or all(any(_holds(box, here) for box in wanted) for here in at):
            found.append(part)
            continue
        middle_row = bottom if bottom - top <= _PART else (top + bottom) // 2
        middle_column = right if right - left <= _PART else (left + right) // 2
        parts += [
            (first, west, last, east)
            for first, last in ((top, middle_row), (middle_row, bottom))
            for west, east in ((left, middle_column), (middle_column, right))
            if first < last and west < east
        ]
    return np.array(found, np.int64).reshape(-1, 4)


def owners(
    plane: Plane, window: Window, cells: Cells, resolution: int, wanted: Sequence[Box]
) -> Indices:
    """For each pixel of a window the place of its centre's cell among `cells`, which ascend; -1
    where it lies in none of these, or not on the Earth.

    `wanted` are boxes that hold all of the cells.
    """
    columns: Numbers = window.column + np.arange(window.columns, dtype=np.float64) + 0.5
    rows: Numbers = window.row + np.arange(window.rows, dtype=np.float64) + 0.5
    if plane.is_separable:
        longitudes, _ = plane.places(columns, np.full(columns.shape, rows[0]))
        _, latitudes = plane.places(np.full(rows.shape, columns[0]), rows)
        longitudes, latitudes = np.meshgrid(longitudes, latitudes)
    else:
        longitudes, latitudes = plane.places(*np.meshgrid(columns, rows))
    longitudes, latitudes = longitudes.ravel(), latitudes.ravel()
    owner = np.full(len(longitudes), -1, np.int64)
    inside = _in_any(wanted, longitudes, latitudes)
    found = np.asarray(
        coordinates_to_cells(latitudes[inside], longitudes[inside], resolution), np.uint64
    )
    owner[inside] = _places(found, cells)
    return owner.reshape(window.rows, window.columns)


def _places(found: Cells, cells: Cells) -> Indices:
    """Where each cell is among others that ascend, -1 where it is not. Neighbours are mostly of
    one cell: only where the cell changes is it looked up."""
    if not len(found):
        return np.empty(0, np.int64)
    starts = np.concatenate(([0], np.flatnonzero(found[1:] != found[:-1]) + 1))
    run = found[starts]
    place = np.minimum(np.searchsorted(cells, run), len(cells) - 1)
    place = np.where(cells[place] == run, place, -1)
    return np.repeat(place, np.diff(starts, append=len(found)))


def _in_any(wanted: Sequence[Box], longitudes: Numbers, latitudes: Numbers) -> Mask:
    inside = np.zeros(len(longitudes), bool)
    for box in wanted:
        within = (latitudes >= box.south) & (latitudes <= box.north)
        inside |= within & (longitudes >= box.west) & (longitudes <= box.east)
    return inside


def _part_of(grid: Grid, part: tuple[int, int, int, int]) -> Grid:
    top, left, bottom, right = part
    a, b, _, d, e, _ = grid.transform
    x, y = Plane(grid).coordinates(np.array([float(left)]), np.array([float(top)]))
    return Grid(
        crs=grid.crs,
        transform=(a, b, float(x[0]), d, e, float(y[0])),
        width=right - left,
        height=bottom - top,
    )


def _of_some_size(box: Box) -> Box:
    """The box, a little larger: that of one cell's centre has no size."""
    return Box(
        west=max(box.west - _ROUNDING, -180.0),
        south=max(box.south - _ROUNDING, -90.0),
        east=min(box.east + _ROUNDING, 180.0),
        north=min(box.north + _ROUNDING, 90.0),
    )


def _meet(one: Box, other: Box) -> bool:
    return (
        one.west <= other.east
        and other.west <= one.east
        and one.south <= other.north
        and other.south <= one.north
    )


def _holds(one: Box, other: Box) -> bool:
    return (
        one.west <= other.west
        and other.east <= one.east
        and one.south <= other.south
        and other.north <= one.north
    )
