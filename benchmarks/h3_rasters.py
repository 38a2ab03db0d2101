"""The raster and the country whose H3 cells the benchmark fills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

NODATA = -9999.0

_STRIP_ROWS = 512
_CRS = "EPSG:4326"
_KM = 1 / 120  # degrees of latitude, about
# Where the country is, how far its coast is from there in degrees, and how rugged it is.
_LONGITUDE, _LATITUDE, _RADIUS = 46.5, -19.0, 4.0
_BAYS = ((2, 0.25), (3, 0.12), (7, 0.06), (19, 0.03), (53, 0.012))
_COAST_POINTS = 2_000


def world(file: Path, columns: int) -> None:
    """Elevations of all of the Earth in float32, `columns` wide and half as high; about a third
    is sea and has no data."""
    _write(file, (-180.0, 90.0), (columns, columns // 2), 360.0 / columns)


def country(file: Path) -> None:
    """Elevations of the country and the sea around it, with pixels of about a kilometre."""
    side = round(12 / _KM)
    _write(file, (_LONGITUDE - 6, _LATITUDE + 6), (side, side), _KM)


def border() -> dict[str, Any]:
    """The country: a GeoJSON polygon of some 560,000 square kilometres with a rugged coast."""
    angle = np.linspace(0, 2 * np.pi, _COAST_POINTS, endpoint=False)
    radius = _RADIUS * (1 + sum(part * np.sin(bays * angle + bays) for bays, part in _BAYS))
    ring = np.stack(
        (_LONGITUDE + radius * np.cos(angle), _LATITUDE + radius * np.sin(angle)), axis=1
    )
    return {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}


def _write(file: Path, corner: tuple[float, float], size: tuple[int, int], degrees: float) -> None:
    chance = np.random.default_rng(20_261_125)
    west, north = corner
    columns, rows = size
    longitudes = west + (np.arange(columns) + 0.5) * degrees
    latitudes = north - (np.arange(rows) + 0.5) * degrees
    with (
        rasterio.Env(GDAL_CACHEMAX=128),
        rasterio.open(
            file, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float32",
            nodata=NODATA, crs=_CRS, transform=Affine(degrees, 0, west, 0, -degrees, north),
            tiled=True, blockxsize=512, blockysize=512, compress="DEFLATE", predictor=3,
            zlevel=1,
        ) as dataset,
    ):  # fmt: skip
        for top in range(0, rows, _STRIP_ROWS):
            heights = _heights(longitudes, latitudes[top : top + _STRIP_ROWS])
            heights += chance.normal(0, 20, heights.shape)
            values = np.where(heights < -500, NODATA, heights).astype(np.float32)
            dataset.write(values, 1, window=Window(0, top, columns, len(values)))


def _heights(
    longitudes: npt.NDArray[np.floating[Any]], latitudes: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float64]:
    """Hills of ever smaller size and height."""
    x, y = np.radians(longitudes)[np.newaxis, :], np.radians(latitudes)[:, np.newaxis]
    heights = np.zeros((len(latitudes), len(longitudes)))
    for octave in range(8):
        waves = 2.0**octave
        heights += np.sin(3 * waves * x + octave) * np.cos(4 * waves * y - octave) / waves
    return 1_000 * heights
