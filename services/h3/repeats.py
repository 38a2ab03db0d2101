"""Rasters of one grid that show the same ground: of other times, or of other things.

Tiles mostly share a margin with their neighbours, and scenes of one pass a good part of
themselves; then it does not matter which of them counts. One that lies over most of another is no
neighbour of it, and nobody but a person can say which of the two is meant.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from services.h3.model import Mosaic, SourceRaster

# Of the smaller raster's pixels: with more of them in common two rasters are no neighbours.
_SHARE = 0.5


def repeated(rasters: Sequence[SourceRaster], mosaics: Sequence[Mosaic]) -> tuple[int, int] | None:
    """Two rasters of one mosaic, by their numbers, that show mostly the same ground; None where
    there are none."""
    for mosaic in mosaics:
        pair = _in_mosaic(rasters, mosaic)
        if pair is not None:
            return pair
    return None


def _in_mosaic(rasters: Sequence[SourceRaster], mosaic: Mosaic) -> tuple[int, int] | None:
    if len(mosaic.members) < 2:
        return None
    left = np.array([member.column for member in mosaic.members], float)
    top = np.array([member.row for member in mosaic.members], float)
    grids = [rasters[member.raster].grid for member in mosaic.members]
    right = left + [grid.width for grid in grids]
    bottom = top + [grid.height for grid in grids]
    boxes = shapely.box(left, top, right, bottom)
    tree = shapely.STRtree(boxes)
    sizes = shapely.area(boxes)
    # One at a time: of a thousand rasters of one place all million pairs need not be found.
    for number, box in enumerate(boxes):
        near = tree.query(box)
        near = near[near > number]
        common = shapely.area(shapely.intersection(boxes[near], box))
        same = near[common > _SHARE * np.minimum(sizes[near], sizes[number])]
        if len(same):
            return mosaic.members[number].raster, mosaic.members[int(same.min())].raster
    return None
