"""Rasters for the benchmarks: seeded, with the grain of real ones, of any size.

A raster is written in strips of rows, so that one of 10 GB needs the memory of a strip.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

_STRIP_ROWS = 512
_PATTERN = 2048
_EMPTY_ROWS = 40
_CRS = "EPSG:32618"
_METRES = 10.0
_NODATA = -9999.0


def terrain(file: Path, side: int) -> None:
    """Elevations in float32 to the centimetre, none of whose tiles is like another.

    A pattern is repeated, on a slope, with noise that begins anywhere: so 10 GB take minutes
    where computing every pixel would take an hour. The first rows have no data.
    """
    chance = np.random.default_rng(20_261_123)
    pattern = _pattern(chance)
    noise = chance.normal(0, 0.35, 1 << 24).astype(np.float32)
    columns = np.arange(side)
    with _new(file, side, count=1, dtype="float32", nodata=_NODATA) as dataset:
        for top in range(0, side, _STRIP_ROWS):
            rows = np.arange(top, min(top + _STRIP_ROWS, side))
            heights = pattern[rows % _PATTERN][:, columns % _PATTERN]
            heights += (0.01 * columns + 0.02 * rows[:, np.newaxis]).astype(np.float32)
            for row in heights:
                begin = int(chance.integers(0, len(noise) - side))
                row += noise[begin : begin + side]
            heights = np.round(heights, 2)
            heights[rows < _EMPTY_ROWS] = _NODATA
            dataset.write(heights, 1, window=Window(0, top, side, len(rows)))


def picture(file: Path, side: int) -> None:
    """A picture of fields from the air: three bands of uint8."""
    chance = np.random.default_rng(20_261_124)
    with _new(file, side, count=3, dtype="uint8", photometric="RGB") as dataset:
        for top, rows, x, y in _strips(side):
            fields = np.floor(x * 40) * 7 + np.floor(y * 40) * 13
            light = 60 * _relief(x, y) + chance.normal(0, 6, (rows, side))
            for band, (base, swing) in enumerate(((96, 31), (110, 23), (78, 17)), start=1):
                values = base + (fields * swing) % 67 + light
                dataset.write(
                    np.clip(values, 0, 255).astype(np.uint8),
                    band,
                    window=Window(0, top, side, rows),
                )


def classes(file: Path, side: int) -> None:
    """Land cover: patches of ten classes in uint8."""
    with _new(file, side, count=1, dtype="uint8", nodata=0) as dataset:
        for top, rows, x, y in _strips(side):
            patches = np.floor((_relief(x, y) + 1.2) * 4.1) % 10
            dataset.write(patches.astype(np.uint8) + 1, 1, window=Window(0, top, side, rows))


def _pattern(chance: np.random.Generator) -> npt.NDArray[np.float32]:
    """Hills that fit to themselves where they are repeated."""
    angle = np.linspace(0, 2 * np.pi, _PATTERN, endpoint=False)
    x, y = angle[np.newaxis, :], angle[:, np.newaxis]
    hills = np.zeros((_PATTERN, _PATTERN))
    for octave in range(1, 9):
        across, down = chance.integers(1, 2**octave + 1, 2)
        hills += np.sin(across * x + octave) * np.cos(down * y - octave) / 2**octave
    return (900 + 700 * hills).astype(np.float32)


def _relief(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Hills of ever smaller size and height: about -1 to 1. `x` and `y` go from 0 to 1."""
    height = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for octave in range(1, 9):
        scale = 2.0**octave
        height += (
            np.sin(scale * (5.1 * x + 1.7 * y) + octave)
            * np.cos(scale * (4.3 * y - 2.2 * x) - 2 * octave)
            / scale
        )
    return height


def _strips(
    side: int,
) -> Iterator[tuple[int, int, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Each strip's first row and rows, with the places of its columns and of its rows."""
    x = np.linspace(0, 1, side)[np.newaxis, :]
    for top in range(0, side, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, side - top)
        yield top, rows, x, (np.arange(top, top + rows) / side)[:, np.newaxis]


@contextmanager
def _new(file: Path, side: int, **profile: Any) -> Iterator[Any]:
    """A square GeoTIFF in uncompressed strips, as instruments and models leave them."""
    with (
        rasterio.Env(GDAL_CACHEMAX=128),
        rasterio.open(
            file, "w", driver="GTiff", width=side, height=side, crs=_CRS, BIGTIFF="IF_SAFER",
            transform=Affine(_METRES, 0, 500_000, 0, -_METRES, 4_500_000), **profile,
        ) as dataset,
    ):  # fmt: skip
        yield dataset
