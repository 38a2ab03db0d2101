"""The cells of the H3 grid as arrays of their 64-bit indexes: which lie where, and their shapes.

Places are longitudes and latitudes in degrees. **The rule of containment:** a cell lies where its
centre does. Each centre is in one `Box` of a disjoint set that covers the Earth, for boxes are
half open, so that every cell belongs to exactly one of them.

The bits of an index are as https://h3geo.org/docs/core-library/h3Indexing has them: from the
52nd on its resolution, from the 45th on its base cell, and below three for the digit of each
resolution, all of them set for finer ones than the cell's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import h3ronpy
import h3ronpy.vector
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.h3_index import MAX_RESOLUTION
from services.h3.areas import Area
from services.h3.boxes import EARTH_RADIUS_M, grown
from services.h3.model import Box, Cells, Indices, Numbers
from services.h3.outlines import Outlines, outlines

__all__ = [
    "Outlines",
    "centres",
    "circumradius",
    "count",
    "count_in_box",
    "in_box",
    "mean_area_m2",
    "outlines",
    "parents",
    "resolutions",
]

Mask = npt.NDArray[np.bool_]

_HALF, _TURN, _POLE = 180.0, 360.0, 90.0

_RESOLUTION_AT, _BASE_CELL_AT, _DIGIT_BITS = 52, 45, 3
_BASE_CELLS = 122
_PENTAGONS = (4, 14, 24, 38, 49, 58, 63, 72, 83, 97, 107, 117)

# Degrees between a cell's centre and its vertices, and between it and its children's centres, at
# most; both at resolution 0, and smaller by the square root of 7 with each finer one. Over all
# cells of resolutions 0 to 6 they come to 12.6354 and 21.8851 (of the child's resolution), and
# grow by less than a hundred thousandth from one resolution to the next.
_CIRCUMRADIUS = 12.65
_STEP = 21.9
_ROUNDING = 1e-9


def mean_area_m2(resolution: int) -> float:
    """The area of the Earth by the number of cells, in square metres."""
    return 4 * math.pi * EARTH_RADIUS_M**2 / count(resolution)


def count(resolution: int) -> int:
    """The number of all cells of a resolution."""
    return 2 + 120 * int(7**resolution)


def circumradius(resolution: int) -> float:
    """Degrees of a great circle within which all of a cell lies around its centre."""
    return float(_CIRCUMRADIUS / math.sqrt(7) ** resolution)


def in_box(box: Box, resolution: int, area: Area | None = None, *, margin: bool = False) -> Cells:
    """The cells whose centre is in the box, and in the area if one is given, in ascending order.

    With `margin` also those beside the box, as far away as a cell that overlaps it can have its
    centre. These belong to other boxes too: grow the bounds before they are cut into boxes
    (`boxes.grown` by `circumradius`) where each cell is to be in one only.

    Takes memory for the cells it returns, some 30 bytes each: a box is for millions of them.
    """
    found = [
        _descendants(cells, resolution)
        for each in _with_margin(box, resolution, margin)
        for cells in _walk(each, resolution, area)
    ]
    return np.sort(np.concatenate([np.empty(0, np.uint64), *found]))


def count_in_box(
    box: Box, resolution: int, area: Area | None = None, *, margin: bool = False
) -> int:
    """The number of cells that `in_box` returns, without making them: the time it takes goes by
    the length of the edge of box and area."""
    return sum(
        _count_descendants(cells, resolution)
        for each in _with_margin(box, resolution, margin)
        for cells in _walk(each, resolution, area)
    )


def centres(cells: Cells) -> tuple[Numbers, Numbers]:
    """Longitudes (-180 up to, but without, 180) and latitudes of the cells' centres."""
    table = pa.record_batch(h3ronpy.vector.cells_to_coordinates(cells))
    longitudes, latitudes = (table.column(name).to_numpy() for name in ("lng", "lat"))
    return np.where(longitudes >= _HALF, -_HALF, longitudes), latitudes


def resolutions(cells: Cells) -> Indices:
    """The resolution of each cell."""
    return ((cells >> np.uint64(_RESOLUTION_AT)) & np.uint64(0xF)).astype(np.int64)


def parents(cells: Cells, resolution: int) -> Cells:
    """The ancestor of each cell at a resolution that is not finer than its own."""
    own = np.uint64(0xF << _RESOLUTION_AT)
    kept = cells & ~own | np.uint64(resolution << _RESOLUTION_AT)
    return kept | np.uint64(_unused_digits(resolution))


def _with_margin(box: Box, resolution: int, margin: bool) -> list[Box]:
    return grown([box], circumradius(resolution)) if margin else [box]


def _walk(box: Box, resolution: int, area: Area | None) -> list[Cells]:
    """Cells of one resolution after the other whose descendants are those that are wanted.

    From the coarsest on, a cell is left out where none of its descendants can be wanted, taken
    where all of them are, and else replaced by its children: what is looked at follows the edge.
    """
    found = []
    open_cells = _base_cells()
    for level in range(resolution):
        caps = _Caps.around(open_cells, _descendants_reach(level, resolution))
        touched, covered = caps.against(box)
        if area is not None:
            near = np.flatnonzero(touched)
            touched[near], inside = area.against(*caps.bounds(near))
            covered[near] &= inside
        if (taken := covered & touched).any():
            found.append(open_cells[taken])
        open_cells = _descendants(open_cells[touched & ~covered], level + 1)
    longitudes, latitudes = centres(open_cells)
    wanted = _holds(box, longitudes, latitudes)
    if area is not None:
        wanted[wanted] = area.contains(longitudes[wanted], latitudes[wanted])
    return [*found, open_cells[wanted]]


def _holds(box: Box, longitudes: Numbers, latitudes: Numbers) -> Mask:
    north = latitudes < box.north if box.north < _POLE else np.True_
    return (longitudes >= box.west) & (longitudes < box.east) & (latitudes >= box.south) & north


@dataclass(frozen=True, slots=True)
class _Caps:
    """Circles on the Earth, as boxes around them: `reach` is how far they go to west and east of
    `longitude`, half a turn where they hold a pole."""

    longitude: Numbers
    reach: Numbers
    south: Numbers
    north: Numbers

    @classmethod
    def around(cls, cells: Cells, radius: float) -> _Caps:
        """Those of a radius in degrees around the cells' centres."""
        longitude, latitude = centres(cells)
        south, north = latitude - radius, latitude + radius
        over_pole = (south <= -_POLE) | (north >= _POLE)
        parallel = np.cos(np.radians(np.where(over_pole, 0.0, latitude)))
        # Beside a pole the quotient may be rounded to more than 1.
        sine = np.minimum(math.sin(math.radians(min(radius, _POLE))) / parallel, 1.0)
        reach = np.where(over_pole, _HALF, np.degrees(np.arcsin(sine)) + _ROUNDING)
        return cls(longitude, reach, np.maximum(south, -_POLE), np.minimum(north, _POLE))

    def against(self, box: Box) -> tuple[Mask, Mask]:
        """Which of them touch a box, and which lie in it wholly."""
        half = (box.east - box.west) / 2
        offset = np.abs((self.longitude - box.west - half + _HALF) % _TURN - _HALF)
        touched = (offset <= half + self.reach) & (self.south <= box.north)
        touched &= self.north >= box.south
        covered = (offset + self.reach < half) | (half >= _HALF)
        covered &= self.south >= box.south
        covered &= (self.north < box.north) | (box.north >= _POLE)
        return touched, covered

    def bounds(self, which: Indices) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """West, south, east and north; west and east run on beyond the antimeridian."""
        longitude, reach = self.longitude[which], self.reach[which]
        return longitude - reach, self.south[which], longitude + reach, self.north[which]


def _descendants_reach(level: int, resolution: int) -> float:
    """Degrees within which all centres of a cell's descendants lie around its own."""
    return sum(_STEP / math.sqrt(7) ** finer for finer in range(level + 1, resolution + 1))


def _base_cells() -> Cells:
    numbers = np.arange(_BASE_CELLS, dtype=np.uint64) << np.uint64(_BASE_CELL_AT)
    return numbers | np.uint64(1 << 59 | _unused_digits(0))


def _descendants(cells: Cells, resolution: int) -> Cells:
    return np.asarray(h3ronpy.change_resolution(cells, resolution).to_numpy())


def _count_descendants(cells: Cells, resolution: int) -> int:
    own = resolutions(cells)
    base = (cells >> np.uint64(_BASE_CELL_AT)) & np.uint64(0x7F)
    digits = cells & np.uint64((1 << _BASE_CELL_AT) - 1)
    unused = np.array([_unused_digits(each) for each in range(MAX_RESOLUTION + 1)], np.uint64)[own]
    is_pentagon = np.isin(base, _PENTAGONS) & (digits == unused)
    of_hexagon = 7 ** (resolution - own)
    return int(np.where(is_pentagon, 1 + 5 * (of_hexagon - 1) // 6, of_hexagon).sum())


def _unused_digits(resolution: int) -> int:
    return (1 << _DIGIT_BITS * (MAX_RESOLUTION - resolution)) - 1
