"""What a child is asked to compute."""

from __future__ import annotations

from typing import Any

from services.h3.model import Box, Mosaic, SourceRaster, Weighting
from services.raster.model import RasterModel


class Work(RasterModel):
    """The statistics of all wanted cells whose centre is in `box`.

    `rasters` are those that the mosaics' members name, by their numbers. The child may take
    `memory_mb` megabytes.
    """

    resolution: int
    weighting: Weighting
    statistics: tuple[str, ...]
    area: dict[str, Any] | None
    box: Box
    mosaics: tuple[Mosaic, ...]
    rasters: dict[int, SourceRaster]
    memory_mb: int


def file_name(raster: int) -> str:
    """The name under which a raster's file reaches the child."""
    return f"raster_{raster}"
