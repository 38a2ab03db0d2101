"""What is told of a finished COG: what its STAC Item says of pixels, place and bands."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from services.raster.model import RasterModel

JsonObject = dict[str, Any]


class BandSummary(RasterModel):
    """Of the valid pixels of a band, in stored values. `valid_percent` is of all pixels.

    `approximate` says that they come from an overview rather than from every pixel.
    """

    minimum: float
    maximum: float
    mean: float
    stddev: float
    valid_percent: float | None = None
    approximate: bool = False


class PaletteEntry(RasterModel):
    """A value of a palette, and its colour as RRGGBB."""

    value: int
    colour: str


class DescribedBand(RasterModel):
    """A band of the COG. Names are those of `services.raster.model.Band`."""

    number: int
    dtype: str
    nodata: float | None = None
    colour: str = "undefined"
    description: str | None = None
    unit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    statistics: BandSummary | None = None
    palette: tuple[PaletteEntry, ...] = ()


class Description(RasterModel):
    """A COG as `services.raster.child.describing` finds it.

    `code` is the CRS's authority and code, `wkt2` and `projjson` stand in where it has none.
    `shape` is rows and columns, `transform` as in affine, `bounds` west, south, east and north
    in the CRS. `geometry` is in longitude and latitude of WGS84 and valid, `bbox` its box, west
    beyond east where it crosses the antimeridian. `footprint` says what `geometry` outlines.
    `gsd` is the side of a pixel in metres, at the raster's middle, None where that has no
    meaning.
    """

    code: str | None
    wkt2: str | None = None
    projjson: JsonObject | None = None
    shape: tuple[int, int]
    transform: tuple[float, float, float, float, float, float]
    bounds: tuple[float, float, float, float]
    centroid: tuple[float, float] = Field(description="Longitude and latitude")
    geometry: JsonObject
    bbox: tuple[float, float, float, float]
    footprint: Literal["valid_data", "extent"]
    area_or_point: Literal["Area", "Point"] = "Area"
    gsd: float | None = None
    bands: tuple[DescribedBand, ...]
