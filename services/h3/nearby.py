"""Which of many rasters lie near a box of the Earth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import shapely

from services.h3 import boxes, grids
from services.h3.model import Box, Grid


class Nearby:
    """Rasters by where they lie, each looked at once, however many boxes are asked for.

    `degrees` (of a great circle) is how far from a box a raster is near it. `check` may raise, to
    stop.
    """

    def __init__(self, rasters: Sequence[Grid], degrees: float, check: Callable[[], None]) -> None:
        self._degrees = degrees
        owners, bounds = [], []
        for number, grid in enumerate(rasters):
            check()
            for box in grids.bounds(grid):
                owners.append(number)
                bounds.append((box.west, box.south, box.east, box.north))
        self._owners = np.array(owners, np.int64)
        self._tree = shapely.STRtree(shapely.box(*np.array(bounds).reshape(-1, 4).T))

    def to(self, box: Box) -> tuple[int, ...]:
        """The numbers of the rasters near the box, ascending."""
        around = [
            shapely.box(each.west, each.south, each.east, each.north)
            for each in boxes.grown([box], self._degrees)
        ]
        _, near = self._tree.query(around, predicate="intersects")
        return tuple(np.unique(self._owners[near]).tolist())
