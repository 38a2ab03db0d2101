"""What an aggregation speaks of: boxes of the Earth, rasters and their grids, blocks of cells.

Cells are H3 indexes as unsigned 64-bit integers. Longitudes and latitudes are degrees (WGS84).
Everything that is kept between stages is JSON.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from services.raster.model import RasterModel

Cells = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

Weighting = Literal["exact", "centroid"]
Transform = tuple[float, float, float, float, float, float]


class Box(RasterModel):
    """Longitudes from west up to east, latitudes from south up to north.

    Half open: west and south belong to it, east and north do not, but for the North Pole, which
    belongs to the boxes that reach 90. -180 <= west < east <= 180: what crosses the antimeridian
    takes two boxes.
    """

    west: float
    south: float
    east: float
    north: float


class Grid(RasterModel):
    """Where pixels lie. `transform` is (a, b, c, d, e, f): x = a*column + b*row + c and
    y = d*column + e*row + f, in `crs` (a code, or WKT2)."""

    crs: str
    transform: Transform
    width: int
    height: int


class SourceRaster(RasterModel):
    """One raster that is read: a version of a blob in our own storage.

    `name` is what people know it by (its item, its path). Of the band: its number from 1, its
    data type, what it declares (`nodata`, the parameter's in place of none), and how stored
    values become physical ones (value * scale + offset). `excluded` are further stored values that
    are no data. `raster_type` is what its item says
    that it is (categorical, dem, ...), None where it says nothing.
    """

    name: str
    container: str
    path: str
    etag: str
    size: int
    grid: Grid
    band: int
    dtype: str
    nodata: float | None = None
    excluded: tuple[float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    raster_type: str | None = None


class Member(RasterModel):
    """A raster's place in a mosaic: its number, and where its first pixel is in the mosaic's."""

    raster: int
    column: int
    row: int


class Mosaic(RasterModel):
    """Rasters of one grid, read as one raster. Where several have a valid pixel in the same
    place, the one that comes first in `members` counts, and no other."""

    grid: Grid
    members: tuple[Member, ...]


class Block(RasterModel):
    """The work of one task: all wanted cells whose centre is in `box`. `rasters` are the numbers
    of those near it."""

    index: int
    box: Box
    cells: int
    rasters: tuple[int, ...] = ()


class Plan(RasterModel):
    """How an aggregation is done, as its first stage has settled it.

    `statistics` are those asked for, or the usual ones. `area` is a GeoJSON geometry, None where
    every cell that a raster touches is wanted. `pixels_per_cell` is the mean number. With
    `is_restricted` not everyone may see what comes out.
    """

    resolution: int
    weighting: Weighting
    statistics: tuple[str, ...]
    rasters: tuple[SourceRaster, ...]
    mosaics: tuple[Mosaic, ...]
    area: dict[str, Any] | None
    blocks: tuple[Block, ...]
    cells: int
    pixels_per_cell: float
    is_restricted: bool = False
    notes: tuple[str, ...] = ()


class Head(RasterModel):
    """What is left of a plan without its rasters: how many there are, and the number of the band
    that is read. Its blocks do not say which rasters are near them."""

    resolution: int
    weighting: Weighting
    statistics: tuple[str, ...]
    rasters: int
    band: int
    blocks: tuple[Block, ...]
    is_restricted: bool
    notes: tuple[str, ...]


class Page(RasterModel):
    """Some blocks of a plan, which has `blocks_total`, with the rasters near them, by their
    numbers, and the mosaics with no members but these."""

    resolution: int
    weighting: Weighting
    statistics: tuple[str, ...]
    blocks: tuple[Block, ...]
    blocks_total: int
    mosaics: tuple[Mosaic, ...]
    rasters: dict[int, SourceRaster]

    def block(self, index: int) -> Block:
        """The block of this index, which must be on the page."""
        return self.blocks[index - self.blocks[0].index]
