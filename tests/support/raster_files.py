"""Small rasters as tests want them, written by rasterio in the test's own process."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

UTM = "EPSG:32633"
IN_UTM = Affine(10, 0, 500_000, 0, -10, 5_400_000)


def relief(rows: int = 64, columns: int = 80, *, seed: int = 6) -> np.ndarray:
    """Hills of some 500 m, float32, of shape (1, rows, columns)."""
    noise = np.random.default_rng(seed).normal(size=(rows, columns))
    y, x = np.mgrid[0:rows, 0:columns]
    hills = 400 + 90 * np.sin(x / 17) + 60 * np.cos(y / 11) + noise
    heights: np.ndarray = hills[np.newaxis].astype("float32")
    return heights


def write_raster(
    path: Path, pixels: np.ndarray | None = None, *, driver: str = "GTiff", **options: Any
) -> Path:
    """Write pixels of shape (bands, rows, columns), in UTM unless the options say otherwise."""
    pixels = relief() if pixels is None else pixels
    bands, height, width = pixels.shape
    profile: Mapping[str, Any] = {
        "count": bands, "height": height, "width": width, "dtype": pixels.dtype,
        "crs": UTM, "transform": IN_UTM, **options,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver=driver, **profile) as dataset:
            dataset.write(pixels)
    return path
