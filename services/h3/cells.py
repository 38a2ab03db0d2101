"""Which cells of the H3 grid lie where, and what is asked of them elsewhere.

Places are longitudes and latitudes in degrees. **The rule of containment:** a cell lies where its
centre does. Each centre is in one `Box` of a disjoint set that covers the Earth, for boxes are
half open, so that every cell belongs to exactly one of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.h3.areas import Area
from services.h3.indexes import (
    base_cells,
    centres,
    circumradius,
    count,
    count_descendants,
    descendants,
    descent_radius,
    mean_area_m2,
    parents,
)
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
]

Mask = npt.NDArray[np.bool_]

_HALF, _TURN, _POLE = 180.0, 360.0, 90.0
_ROUNDING = 1e-9


def in_box(box: Box, resolution: int, area: Area | None = None) -> Cells:
    """The cells whose centre is in the box, and in the area if one is given, in ascending order.

    Takes memory for the cells it returns, some 30 bytes each: a box is for millions of them.
    """
    found = [descendants(cells, resolution) for cells in _walk(box, resolution, area)]
    # Each of them is in order: a sort that finds that out only has to merge them.
    return np.sort(np.concatenate([np.empty(0, np.uint64), *found]), kind="stable")


def count_in_box(box: Box, resolution: int, area: Area | None = None) -> int:
    """The number of cells that `in_box` returns, without making them: the time it takes goes by
    the length of the edge of box and area."""
    return sum(count_descendants(cells, resolution) for cells in _walk(box, resolution, area))


def _walk(box: Box, resolution: int, area: Area | None) -> list[Cells]:
    """Cells of one resolution after the other whose descendants are those that are wanted.

    From the coarsest on, a cell is left out where none of its descendants can be wanted, taken
    where all of them are, and else replaced by its children: what is looked at follows the edge.
    """
    found = []
    open_cells = base_cells()
    for level in range(resolution):
        caps = _Caps.around(open_cells, descent_radius(level, resolution))
        touched, covered = caps.against(box)
        if area is not None:
            near = np.flatnonzero(touched)
            touched[near], inside = area.against(*caps.bounds(near))
            covered[near] &= inside
        if (taken := covered & touched).any():
            found.append(open_cells[taken])
        open_cells = descendants(open_cells[touched & ~covered], level + 1)
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
