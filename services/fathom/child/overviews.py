"""Overviews of depths, computed window by window into files beside the COG to be.

GDAL's own would average the mark of water with depths, and take memory that grows with the
raster. Here a pixel of an overview is the mean of the depths among the four that it covers; water
where more of the four are marked as water than have a depth; and without data where none has any.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from services.fathom.child.grids import Grid
from services.fathom.model import BANDS, DTYPE, WATER
from services.raster.cog_plan import overview_count

Pixels = NDArray[np.int16]

SIDE = 1024
"""Pixels along the side of a window: half of it is the side of a block."""

RESAMPLING = "average"

_BLOCK = SIDE // 2


class Overviews:
    """The overviews of a raster whose pixels come in the windows of `windows`."""

    def __init__(self, grid: Grid, nodata: int, target: str) -> None:
        self._grid = grid
        self._nodata = nodata
        width, height = grid.width, grid.height
        self._levels = overview_count(width, height, _BLOCK)
        self.paths = [Path(f"{target}.overview-{level}.tif") for level in range(self._levels)]
        self._first = self._created(0) if self._levels else None

    def add(self, pixels: Pixels, window: Window) -> None:
        """Take the pixels (band, row, column) of a window."""
        if self._first is not None:
            _write(self._first, halved(pixels, self._nodata), window)

    def finish(self) -> None:
        """Compute the smaller ones, each from the one before. Then all are in `paths`."""
        if self._first is None:
            return
        self._first.close()
        for level in range(1, self._levels):
            with (
                rasterio.open(self.paths[level - 1], driver="GTiff") as before,
                self._created(level) as after,
            ):
                for window in windows(before.width, before.height):
                    pixels = before.read(window=window)
                    _write(after, halved(pixels, self._nodata), window)

    def remove(self) -> None:
        """Remove the files."""
        if self._first is not None:
            self._first.close()
        for path in self.paths:
            path.unlink(missing_ok=True)

    def _created(self, level: int) -> DatasetWriter:
        factor = 2 ** (level + 1)
        width, height = (-(-side // factor) for side in (self._grid.width, self._grid.height))
        return rasterio.open(
            self.paths[level], "w", driver="GTiff", dtype=DTYPE, count=len(BANDS), width=width,
            height=height, nodata=self._nodata, tiled=True, blockxsize=_BLOCK, blockysize=_BLOCK,
            interleave="pixel", compress="ZSTD", zstd_level=1, predictor=2, bigtiff="IF_SAFER",
            crs=self._grid.crs, transform=self._grid.transform @ Affine.scale(factor),
        )  # fmt: skip


def windows(width: int, height: int) -> Iterator[Window]:
    """The windows of a raster, a row of them after the other."""
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            yield Window(left, top, min(SIDE, width - left), min(SIDE, height - top))


def halved(pixels: Pixels, nodata: int) -> Pixels:
    """Pixels (band, row, column) at half the size, rounded up."""
    _, rows, columns = pixels.shape
    if rows % 2 or columns % 2:
        even = ((0, 0), (0, rows % 2), (0, columns % 2))
        pixels = np.pad(pixels, even, constant_values=nodata)
    corners = [pixels[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    total = np.zeros(corners[0].shape, np.int32)
    count = np.zeros(corners[0].shape, np.int8)
    water = np.zeros(corners[0].shape, np.int8)
    for corner in corners:
        is_water = corner == WATER
        is_depth = (corner != nodata) & ~is_water
        np.add(total, corner, out=total, where=is_depth)
        count += is_depth
        water += is_water
    # Halves are rounded up.
    divisor = np.maximum(count, 1).astype(np.int32)
    mean = (2 * total + divisor) // (2 * divisor)
    result = np.where(count > 0, mean, nodata).astype(np.int16)
    if nodata != WATER:
        result[water > count] = WATER
    return result


def _write(overview: DatasetWriter, pixels: Pixels, window: Window) -> None:
    _, rows, columns = pixels.shape
    overview.write(pixels, window=Window(window.col_off // 2, window.row_off // 2, columns, rows))
