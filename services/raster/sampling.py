"""A sample of a raster's pixels: small, and spread over the whole image.

The corner of a raster says little of it, and its overviews say the wrong thing where they were
averaged: so pixels are taken at full resolution, in windows laid out on a grid. Small rasters are
read whole. Overviews only tell where valid pixels are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from services.raster.model import BandStatistics

# Of all bands together. Enough for shares and percentiles to one in a hundred, and 16 MB at most.
_PIXELS = 2_000_000
# No band is sampled with fewer, however many there are.
_PIXELS_OF_A_BAND = 1_024
# Windows along a side of the image; the second where the first meet nothing, or one value only.
_GRIDS = (5, 12)
# An overview of more pixels is not worth reading only to see where data lies.
_LOCATING_PIXELS = 1_000_000

Pixels = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class BandSample:
    """Windows of one band: `windows[i]` of shape (rows, columns) in stored values, `valid[i]` of
    the same shape.

    Pixels are not valid where the file says so by a nodata value or a mask, nor where they are
    not finite. An alpha band masks nothing here: whether it is one is for the inference to say.
    Complex values are given as their magnitude. `palette` has a row (red, green, blue, alpha) for
    each entry, None where the band has none.
    """

    windows: tuple[Pixels, ...]
    valid: tuple[Mask, ...]
    palette: NDArray[np.uint8] | None = None

    @cached_property
    def values(self) -> Pixels:
        """All valid pixels, in one dimension."""
        return np.concatenate([w[v] for w, v in zip(self.windows, self.valid, strict=True)])

    @cached_property
    def counted(self) -> tuple[Pixels, NDArray[np.intp]]:
        """The different values among the valid pixels in rising order, and how often each is."""
        values, counts = np.unique(self.values, return_counts=True)
        return values, counts

    @property
    def size(self) -> int:
        """Number of pixels sampled, valid or not."""
        return sum(window.size for window in self.windows)


@dataclass(frozen=True)
class Sample:
    """The same windows of every band, in the order of the bands.

    `whole` says whether they are the whole raster.
    """

    bands: tuple[BandSample, ...]
    whole: bool


def take(dataset: DatasetReader) -> Sample:
    """Read the sample of an open raster: up to about two million pixels, in a few blocks.

    Raises `rasterio.errors.RasterioIOError` where a block cannot be read.
    """
    budget = max(_PIXELS // dataset.count, _PIXELS_OF_A_BAND)
    if dataset.width * dataset.height <= budget:
        return _read(dataset, [Window(0, 0, dataset.width, dataset.height)], whole=True)
    located = _located(dataset)
    for grid in _GRIDS:
        sample = _read(dataset, _layout(dataset, grid, budget, located), whole=False)
        if any(len(band.counted[0]) > 1 for band in sample.bands):
            break
    return sample


def statistics(sample: Sample) -> tuple[BandStatistics, ...]:
    """Of each band's valid pixels, in stored values."""
    return tuple(_statistics(band) for band in sample.bands)


def _statistics(band: BandSample) -> BandStatistics:
    values = band.values
    if not values.size:
        return BandStatistics(
            minimum=None, maximum=None, mean=None, stdev=None, percentiles=None,
            valid_share=0.0, distinct=0,
        )  # fmt: skip
    exact = values.astype(np.float64)
    # Values near the limits of float64 overflow when squared: such a deviation is not finite,
    # and is no number to report.
    with np.errstate(over="ignore", invalid="ignore"):
        mean, stdev = float(exact.mean()), float(exact.std())
        low, high = np.percentile(exact, (2, 98))
    return BandStatistics(
        minimum=float(exact.min()),
        maximum=float(exact.max()),
        mean=mean if math.isfinite(mean) else None,
        stdev=stdev if math.isfinite(stdev) else None,
        percentiles=(float(low), float(high)),
        valid_share=values.size / band.size,
        distinct=len(band.counted[0]),
    )


def _located(dataset: DatasetReader) -> Mask | None:
    """Where valid pixels are, as an overview shows it. None without one that is small enough."""
    for factor in dataset.overviews(1):
        shape = (math.ceil(dataset.height / factor), math.ceil(dataset.width / factor))
        if shape[0] * shape[1] <= _LOCATING_PIXELS:
            if _declaring_validity(dataset)[0]:
                return np.asarray(dataset.read_masks(1, out_shape=shape)) > 0
            return None
    return None


def _layout(dataset: DatasetReader, grid: int, budget: int, located: Mask | None) -> list[Window]:
    """Windows of one size on a grid, moved to valid pixels where it is known where they are."""
    # A narrow image has fewer columns of them: windows shall not overlap.
    side = max(1, math.isqrt(budget // grid**2))
    windows: dict[tuple[int, int], Window] = {}
    for top, bottom in _cells(dataset.height, grid, side):
        for left, right in _cells(dataset.width, grid, side):
            centre = ((top + bottom) / 2, (left + right) / 2)
            if located is not None:
                found = _valid_near_centre(dataset, located, (top, bottom, left, right))
                if found is None:
                    continue
                centre = found
            row = _start(centre[0], side, dataset.height, dataset.block_shapes[0][0])
            column = _start(centre[1], side, dataset.width, dataset.block_shapes[0][1])
            windows[row, column] = Window(
                column, row, min(side, dataset.width), min(side, dataset.height)
            )
    if windows or located is None:
        return list(windows.values())
    # The overview shows no valid pixel at all; it may have lost a few.
    return _layout(dataset, grid, budget, None)


def _cells(length: int, grid: int, side: int) -> Iterator[tuple[int, int]]:
    cells = min(grid, max(1, length // side))
    edges = [round(length * i / cells) for i in range(cells + 1)]
    yield from itertools.pairwise(edges)


def _valid_near_centre(
    dataset: DatasetReader, located: Mask, cell: tuple[int, int, int, int]
) -> tuple[float, float] | None:
    """Row and column of the valid pixel of a cell that is nearest to the middle of its valid
    pixels; None where it has none."""
    down, across = dataset.height / located.shape[0], dataset.width / located.shape[1]
    top, left = int(cell[0] / down), int(cell[2] / across)
    part = located[top : math.ceil(cell[1] / down), left : math.ceil(cell[3] / across)]
    rows, columns = np.nonzero(part)
    if not rows.size:
        return None
    middle = np.argmin((rows - np.median(rows)) ** 2 + (columns - np.median(columns)) ** 2)
    return (top + rows[middle] + 0.5) * down, (left + columns[middle] + 0.5) * across


def _start(centre: float, side: int, length: int, block: int) -> int:
    """First pixel of a window around the centre, within one block where that is large enough."""
    start = round(centre - side / 2)
    if side <= block < length:
        first = int(centre // block) * block
        start = min(max(start, first), first + block - side)
    return max(0, min(start, length - side))


def _read(dataset: DatasetReader, windows: list[Window], *, whole: bool) -> Sample:
    pixels: list[list[Pixels]] = [[] for _ in range(dataset.count)]
    masks: list[list[Mask]] = [[] for _ in range(dataset.count)]
    declaring = _declaring_validity(dataset)
    for window in windows:
        validity = dataset.read_masks(window=window) if any(declaring) else None
        for i, read in enumerate(_bands(dataset, window)):
            values = np.abs(read) if np.iscomplexobj(read) else read
            valid = np.isfinite(values)
            if validity is not None and declaring[i]:
                valid &= validity[i] > 0
            pixels[i].append(values)
            masks[i].append(valid)
    return Sample(
        bands=tuple(
            BandSample(tuple(pixels[i]), tuple(masks[i]), _palette(dataset, i + 1))
            for i in range(dataset.count)
        ),
        whole=whole,
    )


def _bands(dataset: DatasetReader, window: Window) -> Iterable[Pixels]:
    """All bands of a window, (rows, columns) each."""
    if len(set(dataset.dtypes)) == 1:
        return list(dataset.read(window=window))
    # rasterio reads bands together only where they are of one type.
    return (dataset.read(i + 1, window=window) for i in range(dataset.count))


def _declaring_validity(dataset: DatasetReader) -> list[bool]:
    """For each band whether a nodata value or a mask says which of its pixels are valid.

    rasterio asks GDAL for the flags of all bands at once: to be called once for a raster.
    """
    return [
        MaskFlags.all_valid not in flags and MaskFlags.alpha not in flags
        for flags in dataset.mask_flag_enums
    ]


def _palette(dataset: DatasetReader, number: int) -> NDArray[np.uint8] | None:
    try:
        entries = dataset.colormap(number)
    except ValueError:  # rasterio's way to say that there is none
        return None
    palette = np.zeros((max(entries) + 1, 4), np.uint8)
    for index, colour in entries.items():
        palette[index] = colour
    return palette
