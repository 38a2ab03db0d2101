"""How an aggregation is done: which statistics, which weighting, and in what blocks of cells.

A block is the work of one task. Its side is so long that few pixels are read by two blocks (those
under the cells at its edge), and so short that neither its pixels nor its cells are too many for
the memory of a task, or for the others to have something to do meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from services.h3 import cells
from services.h3.model import Box, SourceRaster, Weighting

# Fewer pixels than this in a cell, and it matters which part of those at its edge lies in it:
# docs/h3-aggregation.md has the errors that were measured.
EXACT_BELOW = 100.0

_CATEGORICAL = "categorical"
_STATISTICS = ("mean", "min", "max", "stdev", "count")
_STATISTICS_OF_CLASSES = ("majority", "fractions", "count")

_BLOCK_PIXELS = 2048.0  # along a block's side, where nothing speaks against it
_BLOCK_CELLS = 250_000.0
_CELLS_A_SIDE = 4.0
_EARTH_AREA_M2 = 510_065_621_724_088.44  # of the sphere that H3 lays its cells on
_EARTH_RADIUS_M = 6_371_007.180918475
# Cells differ in size and shape: none reaches further from its centre than this, in radii of a
# circle of their mean area.
_REACH = 2.0


def statistics_for(asked: Sequence[str] | None, rasters: Sequence[SourceRaster]) -> tuple[str, ...]:
    """Those that were asked for, or the usual ones for what the rasters are."""
    if asked is not None:
        return tuple(asked)
    classes = bool(rasters) and all(each.raster_type == _CATEGORICAL for each in rasters)
    return _STATISTICS_OF_CLASSES if classes else _STATISTICS


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


def reach_degrees(resolution: int) -> float:
    """Degrees of a great circle that no cell reaches beyond, from its centre."""
    radius = math.sqrt(cells.mean_area_m2(resolution) / math.pi)
    return math.degrees(_REACH * radius / _EARTH_RADIUS_M)


def estimated_cells(boxes: Iterable[Box], resolution: int) -> float:
    """About how many cells have their centres in the boxes."""
    return sum(_share_of_the_earth(box) for box in boxes) * (
        _EARTH_AREA_M2 / cells.mean_area_m2(resolution)
    )


def widened(boxes: Iterable[Box], degrees: float) -> list[Box]:
    """The boxes, and all that is no further from them than this; over a pole, and wherever the
    meridians come that close together, all longitudes. What crosses the antimeridian takes two."""
    found = []
    for box in boxes:
        south, north = max(-90.0, box.south - degrees), min(90.0, box.north + degrees)
        reach = _degrees_of_longitude(degrees, max(abs(south), abs(north)))
        west, east = box.west - reach, box.east + reach
        if east - west >= 360:
            west, east = -180.0, 180.0
        found.append(Box(west=max(-180, west), south=south, east=min(180, east), north=north))
        if west < -180:
            found.append(Box(west=west + 360, south=south, east=180, north=north))
        if east > 180:
            found.append(Box(west=-180, south=south, east=east - 360, north=north))
    return found


def around(boxes: Sequence[Box]) -> list[Box]:
    """Few boxes that hold all of these and do not overlap: all of one height, one for each
    stretch of longitudes that they cover together."""
    if not boxes:
        return []
    south, north = min(box.south for box in boxes), max(box.north for box in boxes)
    stretches: list[tuple[float, float]] = []
    for west, east in sorted((box.west, box.east) for box in boxes):
        if stretches and west <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], east))
        else:
            stretches.append((west, east))
    return [Box(west=west, south=south, east=east, north=north) for west, east in stretches]


def meets(box: Box, others: Iterable[Box]) -> bool:
    """Whether the box and one of the others have a place in common."""
    return any(
        box.west <= other.east
        and other.west <= box.east
        and box.south <= other.north
        and other.south <= box.north
        for other in others
    )


def _share_of_the_earth(box: Box) -> float:
    height = math.sin(math.radians(box.north)) - math.sin(math.radians(box.south))
    return (box.east - box.west) / 360 * height / 2


def _degrees_of_longitude(degrees: float, latitude: float) -> float:
    """How far a circle of this radius around a place of this latitude reaches east."""
    if latitude + degrees >= 90:
        return 360.0
    return math.degrees(
        math.asin(math.sin(math.radians(degrees)) / math.cos(math.radians(latitude)))
    )
