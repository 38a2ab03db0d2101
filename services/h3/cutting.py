"""What is wanted, cut into boxes that a task can take: the blocks of an aggregation.

Boxes of one size do not hold the same number of pixels: those of a raster in degrees are the
smaller the nearer they are to a pole, and rasters of several pixel sizes may lie side by side. So
where a box has too many it is cut again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from services.h3 import boxes, grids, planning
from services.h3.model import Box, Mosaic, Numbers, SourceRaster
from services.h3.planes import Plane
from services.h3.statistics import needs_values

# The most pixels of a box; twice those of one that is cut by the mean size of pixels.
_MOST_PIXELS = 2.0 * 2048**2
# Boxes of fewer cells are not cut for that: their neighbours would read the same pixels again.
_FEW_CELLS = 32.0
# Where a statistic needs all values they are, until hardly one has two cells.
_ONE_CELL = 1.0
# What is estimated may be off by so much.
_SAFETY = 0.75
# Different values that a raster of bytes has.
_BYTES = {"uint8": 256.0, "int8": 256.0}
# Places along each side of a box at which the size of pixels is looked at, and how far around each.
_PLACES = 8
_DEGREES = 1e-5
_TURN = 360.0


def blocks(
    bounds: Sequence[Box],
    resolution: int,
    rasters: Sequence[SourceRaster],
    mosaics: Sequence[Mosaic],
    *,
    pixel_m: float,
    statistics: Sequence[str],
    most_values: int,
) -> Iterator[Box]:
    """Disjoint boxes that together cover the same as `bounds`, none with more pixels than a task
    can take, where that can be told beforehand.

    Args:
        bounds: where the cells are that are wanted.
        resolution: of the cells.
        rasters: those that the members of the mosaics name.
        mosaics: what is read.
        pixel_m: metres along the side of the smallest of their mean pixels.
        statistics: those that are wanted.
        most_values: how many different values the cells of one task may have together, where a
            statistic is told from all of them.
    """
    density = _Density(mosaics)
    kinds = max(_BYTES.get(each.dtype, math.inf) for each in rasters)
    most = most_values * _SAFETY if any(map(needs_values, statistics)) else math.inf
    waiting = boxes.partition(bounds, resolution, planning.block_side_m(resolution, pixel_m))
    waiting.reverse()
    while waiting:
        box = waiting.pop()
        cells = planning.estimated_cells([box], resolution)
        pixels = density.pixels(box) if cells > _ONE_CELL else 0.0
        too_many = pixels > _MOST_PIXELS and cells > _FEW_CELLS
        if too_many or _values(pixels, cells, kinds) > most:
            waiting += reversed(boxes.halved(box))
        else:
            yield box


class _Density:
    """How many pixels mosaics have where."""

    def __init__(self, mosaics: Sequence[Mosaic]) -> None:
        """Find where each of them lies."""
        placed = [(Plane(each.grid), box) for each in mosaics for box in grids.bounds(each.grid)]
        self._planes = [plane for plane, _ in placed]
        self._boxes = [box for _, box in placed]
        self._sides = np.array([(b.west, b.south, b.east, b.north) for b in self._boxes])

    def pixels(self, box: Box) -> float:
        """About how many pixels of all mosaics lie in a box."""
        west, south, east, north = self._sides.T
        near = (west < box.east) & (east > box.west) & (south < box.north) & (north > box.south)
        return sum(
            _pixels(self._planes[number], boxes.common(self._boxes[number], box))
            for number in np.flatnonzero(near)
        )


def _pixels(plane: Plane, box: Box | None) -> float:
    """About how many pixels of a grid lie in a box, from their size at places all over it."""
    if box is None:
        return 0.0
    steps = (np.arange(_PLACES) + 0.5) / _PLACES
    longitudes, latitudes = np.meshgrid(
        box.west + steps * (box.east - box.west), box.south + steps * (box.north - box.south)
    )
    # Away from the seam, beyond which the other side of the grid begins.
    longitudes = plane.seam + (longitudes - plane.seam) % _TURN
    across = np.where(longitudes + _DEGREES > plane.seam + _TURN, -_DEGREES, _DEGREES)
    column, row = plane.pixels(longitudes, latitudes)
    columns_east, rows_east = plane.pixels(longitudes + across, latitudes)
    columns_north, rows_north = plane.pixels(longitudes, latitudes + _DEGREES)
    a_degree: Numbers = np.abs(
        (columns_east - column) * (rows_north - row) - (columns_north - column) * (rows_east - row)
    )
    inside = (column >= 0) & (column <= plane.grid.width)
    inside &= (row >= 0) & (row <= plane.grid.height)
    found = np.where(inside & np.isfinite(a_degree), a_degree, 0.0) / _DEGREES**2
    return float(found.mean()) * (box.east - box.west) * (box.north - box.south)


def _values(pixels: float, cells: float, kinds: float) -> float:
    """About how many values the cells of a box have together, each of them its own.

    A cell touches more pixels than it is large: of a convex shape that lies anywhere on a grid,
    its area, its width and its height, and 1 (in pixels; by Steiner's formula). A hexagon is on
    the average 1.18 roots of its area wide. A box has some more cells than its share of the Earth.
    """
    if not pixels:
        return 0.0
    a_cell = pixels / cells
    touched = a_cell + 2.37 * math.sqrt(a_cell) + 1.0
    return (math.sqrt(cells) + 0.5) ** 2 * min(touched, kinds)
