"""The parameters of h3_raster_aggregation."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    StringConstraints,
    field_validator,
    model_validator,
)

from core.addresses import SourceUrl
from core.blob_names import BlobPath
from core.job_definition import JobParameters
from core.picking import picks
from services.data_container import DataContainer

_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$"
# A theme names a table; a dataset's name stands in addresses.
THEME = r"^[a-z][a-z0-9_]{0,39}$"
DATASET_ID = r"^[a-z0-9][a-z0-9_.-]{0,99}$"

STATISTICS = ("mean", "sum", "count", "min", "max", "stdev", "median", "majority", "fractions")
_PERCENTILE = re.compile(r"p(\d{1,2}(\.\d{1,2})?)")


def check_statistic(name: str) -> str:
    """The name of a statistic: one of `STATISTICS`, or p and a percentile (p5, p97.5)."""
    if name not in STATISTICS and not _PERCENTILE.fullmatch(name):
        raise ValueError(f"must be one of {', '.join(STATISTICS)}, or a percentile such as p95")
    return name


Statistic = Annotated[str, AfterValidator(check_statistic)]


def check_bbox(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees; west beyond east crosses the antimeridian."""
    west, south, east, north = box
    if not all(math.isfinite(each) for each in box):
        raise ValueError("must be four numbers")
    if not (-90 <= south < north <= 90):
        raise ValueError("south must be below north, within -90 to 90")
    if not (-180 <= west <= 180 and -180 <= east <= 180):
        raise ValueError("west and east must be within -180 to 180")
    if is_one_meridian(west, east):
        raise ValueError("west and east are one meridian: there is nothing between them")
    return box


def is_one_meridian(west: float, east: float) -> bool:
    """Whether a box from west to east has no width; from -180 to 180 it goes round the Earth."""
    return west == east or (west == 180 and east == -180)


Bbox = Annotated[tuple[float, float, float, float], AfterValidator(check_bbox)]


PropertyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_:-]{0,99}$")]


class H3RasterAggregation(JobParameters):
    theme: str = Field(
        pattern=THEME,
        description="Theme of the dataset: all of one theme lie in one table partition",
        examples=["elevation"],
    )
    dataset_id: str = Field(
        pattern=DATASET_ID,
        description="Name under which the statistics are kept and asked for",
        examples=["srtm-rwanda"],
        json_schema_extra=picks("h3_dataset"),
    )
    resolution: int = Field(
        ge=0, le=12, description="H3 resolution of the cells, 0 (largest) to 12", examples=[6]
    )
    collection_id: str | None = Field(
        default=None,
        max_length=128,
        pattern=_ID,
        description="STAC collection of our catalog whose items are read",
        examples=["elevation"],
        json_schema_extra=picks("stac_collection"),
    )
    item_id: str | None = Field(
        default=None,
        max_length=128,
        pattern=_ID,
        description="The one item of the collection that is read; default: all of them",
        json_schema_extra=picks("stac_item", of="collection_id"),
    )
    datetime: str | None = Field(
        default=None,
        max_length=100,
        description="Only items of this time: an RFC 3339 date-time, or start/end where one end "
        "may be ..",
        examples=["2021-01-01T00:00:00Z/2021-12-31T23:59:59Z"],
    )
    properties: dict[PropertyName, str | int | FiniteFloat | bool] | None = Field(
        default=None,
        min_length=1,
        max_length=20,
        description="Only items whose properties have these values",
        examples=[{"fathom:flood_type": "fluvial", "fathom:year": 2020}],
    )
    asset: str | None = Field(
        default=None,
        max_length=128,
        description="Asset that is read of each item that has it; default: the one that all items "
        "are about",
    )
    container_name: DataContainer | None = Field(
        default=None,
        description="Container of a raster, in place of a collection",
        json_schema_extra=picks("container"),
    )
    blob_name: BlobPath | None = Field(
        default=None,
        description="Path of the raster in its container",
        examples=["dem.tif"],
        json_schema_extra=picks("blob", of="container_name"),
    )
    source_url: SourceUrl | None = Field(
        default=None,
        description="Address of a raster, in place of a collection or a blob",
    )
    band: int | str = Field(
        default=1, description="Band that is read: its number, from 1, or its name"
    )
    nodata: FiniteFloat | Literal["nan"] | None = Field(
        default=None,
        description="Value of pixels without data, for files that do not declare it",
        examples=[-9999],
    )
    exclude: list[FiniteFloat] | None = Field(
        default=None,
        max_length=20,
        description="Stored values that are no data either, beside that one; default: those that "
        "an item of geoforge names, such as -32767 (permanent water) of FATHOM's maps",
        examples=[[-32767]],
    )
    iso3: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{3}$",
        description="Only cells in this country, as curated_admin0 has it",
        examples=["RWA"],
        json_schema_extra=picks("country"),
    )
    bbox: Bbox | None = Field(
        default=None,
        description="Only cells in this box: west, south, east, north in degrees; west beyond "
        "east crosses the antimeridian",
        examples=[[28.8, -2.9, 30.9, -1.0]],
    )
    polygon: dict[str, Any] | None = Field(
        default=None,
        description="Only cells in this GeoJSON Polygon or MultiPolygon (longitude, latitude)",
    )
    statistics: list[Statistic] | None = Field(
        default=None,
        min_length=1,
        max_length=30,
        description="Statistics of each cell: mean, sum, count, min, max, stdev, median, pN (a "
        "percentile), majority, fractions (the share of each class). Default: mean, min, max, "
        "stdev and count, or majority, fractions and count for classes",
        examples=[["mean", "max", "p95"]],
    )
    weighting: Literal["exact", "centroid"] | None = Field(
        default=None,
        description="exact: a pixel counts by the share of it that lies in the cell; centroid: "
        "wholly, where its centre lies, as H3 says. Default: exact",
    )
    overlap: Literal["refuse", "newest", "merge"] = Field(
        default="refuse",
        description="Rasters that show the same ground: refuse them; newest: of those on one grid "
        "the newest counts, others are refused; merge: pixels of all grids count",
    )
    failed_rasters: Literal["fail", "report"] = Field(
        default="fail",
        description="A raster that cannot be read: fail the job, or leave out the cells near it, "
        "and end with errors that name it",
    )
    title: str | None = Field(default=None, max_length=300, description="Title of the dataset")
    unit: str | None = Field(
        default=None, max_length=60, description="Unit of the values", examples=["m"]
    )
    restricted: bool = Field(
        default=False,
        description="Show the statistics only to those who may see restricted data; those of "
        "rasters that are restricted themselves are so in any case",
    )
    max_parallel: int = Field(
        default=4, ge=1, le=64, description="Blocks of cells that are worked on at the same time"
    )
    memory_mb: int = Field(
        default=1024,
        ge=512,
        le=8192,
        description="Megabytes that the child process of one block may take",
    )

    @field_validator("statistics")
    @classmethod
    def _are_distinct(cls, names: list[str] | None) -> list[str] | None:
        if names is not None and len(set(names)) != len(names):
            raise ValueError("names a statistic twice")
        return names

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        blob = self.container_name is not None and self.blob_name is not None
        half = (self.container_name is None) != (self.blob_name is None)
        sources = [self.collection_id is not None, blob, self.source_url is not None]
        if half or sum(sources) != 1:
            raise ValueError("give collection_id, or container_name and blob_name, or source_url")
        of_items = (self.item_id, self.asset, self.datetime, self.properties)
        if self.collection_id is None and any(of_items):
            raise ValueError("item_id, asset, datetime and properties belong to a collection_id")
        return self

    @model_validator(mode="after")
    def _has_one_area(self) -> Self:
        if sum(each is not None for each in (self.iso3, self.bbox, self.polygon)) > 1:
            raise ValueError("give one of iso3, bbox and polygon, or none")
        return self
