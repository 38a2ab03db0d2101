"""How an aggregation is done: which statistics, which weighting, and in what blocks of cells.

A block is the work of one task. Its side is so long that few pixels are read by two blocks (those
under the cells at its edge), and so short that neither its pixels nor its cells are too many for
the memory of a task, or for the others to have something to do meanwhile. `services.h3.cutting`
cuts those again that have more pixels than others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from core.errors import PermanentTaskError
from services.h3 import boxes, cells
from services.h3.model import Box, SourceRaster, Weighting

# Fewer pixels than this in a cell, and pixels at its edge are a large part of it: whoever asks for
# centroid is told. docs/h3-aggregation.md has the errors that were measured.
COARSE_BELOW = 20.0

CATEGORICAL = "categorical"
STATISTICS = ("mean", "min", "max", "stdev", "count")
STATISTICS_OF_CLASSES = ("majority", "fractions", "count")

# Pixels whose mean areas differ by no more of it are of one size to the means of cells.
_SAME_AREA = 0.03

_BLOCK_PIXELS = 2048.0  # along a block's side, where nothing speaks against it
_BLOCK_CELLS = 250_000.0
_CELLS_A_SIDE = 4.0


def statistics_for(asked: Sequence[str] | None, rasters: Sequence[SourceRaster]) -> tuple[str, ...]:
    """Those that were asked for, or the usual ones for what the rasters are."""
    if asked is not None:
        return tuple(asked)
    classes = bool(rasters) and all(each.raster_type == CATEGORICAL for each in rasters)
    return STATISTICS_OF_CLASSES if classes else STATISTICS


def weighting_for(asked: Weighting | None) -> Weighting:
    """The weighting that was asked for, else the exact one.

    With few pixels in a cell centroid is the quicker one, and far off; with many it is nearly
    right, and the slower one, as every pixel has to be looked up.
    """
    return asked or "exact"


def notes_on_density(weighting: Weighting, pixels_per_cell: float) -> Iterator[str]:
    """What whoever reads the statistics should know of so many pixels in a cell."""
    if pixels_per_cell < 1:
        yield (
            f"A cell is smaller than a pixel ({pixels_per_cell:.2g} of one): neighbouring cells "
            "repeat the same pixel."
        )
    if weighting == "centroid" and pixels_per_cell < COARSE_BELOW:
        yield (
            f"There are {pixels_per_cell:.2g} pixels in a cell: counted by their centres, some "
            "cells have none, and others are several percent off. Exact weighting is not."
        )


def notes_on_pixel_sizes(pixels_m: Sequence[float]) -> Iterator[str]:
    """What to say of mosaics whose mean pixels have these sides, in metres."""
    smallest, largest = min(pixels_m), max(pixels_m)
    if (largest / smallest) ** 2 > 1 + _SAME_AREA:
        yield (
            f"The rasters' pixels differ in size, from {smallest:,.4g} to {largest:,.4g} m along a "
            "side, and each counts the same: where rasters of both lie in one cell, the one with "
            "the smaller pixels counts for more than its share of the ground."
        )


def band_of(rasters: Sequence[SourceRaster]) -> int:
    """The number of the band that is read, under which its statistics are kept.

    Raises `PermanentTaskError` (band_numbers_differ) where the band of a name has another number
    in another raster: statistics of two bands would then lie over those of one.
    """
    first = rasters[0]
    other = next((raster for raster in rasters if raster.band != first.band), None)
    if other is not None:
        raise PermanentTaskError(
            f"The band that is wanted is number {first.band} of {first.name}, and number "
            f"{other.band} of {other.name}: statistics are kept by a band's number. Aggregate the "
            "rasters that have it in the same place by themselves, each as a dataset of its own.",
            code="band_numbers_differ",
            field="band",
        )
    return first.band


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
    common = (boxes.common(one, other) for one in area for other in near)
    return boxes.disjoint(box for box in common if box is not None)


def _share_of_the_earth(box: Box) -> float:
    height = math.sin(math.radians(box.north)) - math.sin(math.radians(box.south))
    return (box.east - box.west) / 360 * height / 2
