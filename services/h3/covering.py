"""Which ranges of H3 indexes hold all cells of an area.

The indexes of the cells below one ancestor follow each other, with those of no other cell between
them (see `core.h3_index`). So an area is covered by a few large cells, and what lies below these
is a few ranges, by which a table's index can be searched. They hold cells of the neighbourhood
too: whether a cell belongs to the area is for its centre to say.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from h3ronpy import change_resolution

from core.h3_index import MAX_RESOLUTION, Range, descendants, joined
from services.h3 import cells
from services.h3.areas import Area
from services.h3.boxes import longitudes_within
from services.h3.indexes import base_cells, descent_radius
from services.h3.model import Cells

MOST_CELLS = 100


def cover(area: Area, resolution: int, most: int = MOST_CELLS) -> Cells:
    """Cells, of this resolution or coarser ones, below which all cells lie whose centre is in the
    area, in no order. Those that lie in it wholly are left as large as they are; the others are
    divided until there would be more than `most`, of which there may be 122."""
    found: list[Cells] = []
    closer = base_cells()
    for level in range(resolution + 1):
        touched, inside = _against(area, closer, descent_radius(level, MAX_RESOLUTION))
        found.append(closer[touched & inside])
        closer = closer[touched & ~inside]
        if level == resolution or sum(map(len, found)) + 7 * len(closer) > most:
            break
        closer = np.asarray(change_resolution(closer, level + 1), np.uint64)
    return np.concatenate([*found, closer])


def ranges(ancestors: Cells, resolution: int) -> list[Range]:
    """The ranges of the cells of a resolution below these, of which none lies below another, in
    ascending order. What no cell lies between is one range."""
    return joined(descendants(each, resolution) for each in ancestors.tolist())


def _against(
    area: Area, candidates: Cells, reach: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which of the cells have something of the area within `reach` degrees of arc around their
    centre, and which have nothing else there."""
    longitudes, latitudes = cells.centres(candidates)
    across = np.array([longitudes_within(each, reach) for each in latitudes.tolist()])
    return area.against(
        longitudes - across,
        np.maximum(latitudes - reach, -90),
        longitudes + across,
        np.minimum(latitudes + reach, 90),
    )
