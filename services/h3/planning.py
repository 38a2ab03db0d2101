"""How an aggregation is done: which statistics, which weighting, and in what blocks of cells.

A block is the work of one task. Its side is so long that few pixels are read by two blocks (those
under the cells at its edge), and so short that neither its pixels nor its cells are too many for
the memory of a task, or for the others to have something to do meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from services.h3 import boxes, cells
from services.h3.model import Box, SourceRaster, Weighting

# Fewer pixels than this in a cell, and it matters which part of those at its edge lies in it:
# docs/h3-aggregation.md has the errors that were measured.
EXACT_BELOW = 100.0

CATEGORICAL = "categorical"
STATISTICS = ("mean", "min", "max", "stdev", "count")
STATISTICS_OF_CLASSES = ("majority", "fractions", "count")

_BLOCK_PIXELS = 2048.0  # along a block's side, where nothing speaks against it
_BLOCK_CELLS = 250_000.0
_CELLS_A_SIDE = 4.0


def statistics_for(asked: Sequence[str] | None, rasters: Sequence[SourceRaster]) -> tuple[str, ...]:
    """Those that were asked for, or the usual ones for what the rasters are."""
    if asked is not None:
        return tuple(asked)
    classes = bool(rasters) and all(each.raster_type == CATEGORICAL for each in rasters)
    return STATISTICS_OF_CLASSES if classes else STATISTICS


def weighting_for(asked: Weighting | None, pixels_per_cell: float) -> Weighting:
    """The weighting that was asked for, or the one that suits so many pixels."""
    if asked is not None:
        return asked
    return "exact" if pixels_per_cell < EXACT_BELOW else "centroid"


def pixels_per_cell(resolution: int, pixel_m: float) -> float:
    """How many square pixels of so many metres a side a cell of mean size has."""
    return cells.mean_area_m2(resolution) / pixel_m**2


def block_side_m(resolution: int, pixel_m: float) -> float:
    """Metres along the side of a block: see above."""
    area = cells.mean_area_m2(resolution)
    at_least = _CELLS_A_SIDE * math.sqrt(area)
    at_most = math.sqrt(_BLOCK_CELLS * area)
    return max(at_least, min(_BLOCK_PIXELS * pixel_m, at_most))


def estimated_cells(bounds: Iterable[Box], resolution: int) -> float:
    """About how many cells have their centres in the boxes, which do not overlap."""
    return sum(map(_share_of_the_earth, bounds)) * cells.count(resolution)


def bounds(area: Sequence[Box] | None, rasters: Iterable[Box], resolution: int) -> list[Box]:
    """Where the wanted cells have their centres: no further from a raster than a cell reaches,
    and inside of the area's own bounds. The boxes that are returned do not overlap."""
    near = boxes.grown(rasters, cells.circumradius(resolution))
    if area is None:
        return near
    common = (_common(one, other) for one in area for other in near)
    return boxes.disjoint(box for box in common if box is not None)


def _common(one: Box, other: Box) -> Box | None:
    west, east = max(one.west, other.west), min(one.east, other.east)
    south, north = max(one.south, other.south), min(one.north, other.north)
    if west >= east or south >= north:
        return None
    return Box(west=west, south=south, east=east, north=north)


def _share_of_the_earth(box: Box) -> float:
    height = math.sin(math.radians(box.north)) - math.sin(math.radians(box.south))
    return (box.east - box.west) / 360 * height / 2
