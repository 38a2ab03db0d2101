"""The parameters of process_vector."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator

from core.addresses import SourceUrl
from core.blob_names import BlobPath
from core.job_definition import JobParameters
from core.picking import picks
from services.data_container import DataContainer

# What a table of geoforge's or PostgreSQL's own lives in.
_RESERVED_SCHEMAS = (
    "app", "pgstac", "geo_staging", "geo_versions", "geo_overviews", "information_schema", "h3",
)  # fmt: skip


class ProcessVector(JobParameters):
    container_name: DataContainer | None = Field(
        default=None,
        description="Container of the file",
        examples=["bronze-vectors"],
        json_schema_extra=picks("container"),
    )
    blob_name: BlobPath | None = Field(
        default=None,
        description="Path of the file in its container: a vector file, an archive of some, the "
        ".shp of a loose shapefile, or the folder of a File Geodatabase (ending in .gdb)",
        examples=["parks/parks.kml"],
        json_schema_extra=picks("blob", of="container_name"),
    )
    source_url: SourceUrl | None = Field(
        default=None,
        description="Address of the file, in place of container_name and blob_name",
    )
    layer: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="The one layer to load; without it every layer becomes a table of its own",
    )
    table_name: str | None = Field(
        default=None,
        pattern=r"^[a-z_][a-z0-9_]{0,50}$",
        description="Table to publish, followed by the layer's name where there are several; "
        "default: the file's name",
        examples=["parks"],
    )
    schema_name: str = Field(
        default="geo",
        validation_alias=AliasChoices("schema", "schema_name"),
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="Schema of the table; it is made where it is missing",
    )
    mode: Literal["replace", "append", "upsert"] = Field(
        default="replace",
        description="Replace the table, add rows to it, or update by key_columns and add the rest",
    )
    key_columns: list[str] = Field(
        default_factory=list,
        max_length=8,
        description="Columns (as in the source or as in the table) whose values name a record",
        examples=[["parcel_id"]],
    )
    source_crs: str | None = Field(
        default=None,
        max_length=4000,
        description="CRS of the coordinates, in place of what the file says",
        examples=["EPSG:2263"],
    )
    target_crs: str = Field(
        default="EPSG:4326", pattern=r"^EPSG:\d{4,6}$", description="CRS of the table"
    )
    x_column: str | None = Field(
        default=None, max_length=255, description="Column of a CSV that holds the longitude or x"
    )
    y_column: str | None = Field(
        default=None, max_length=255, description="Column of a CSV that holds the latitude or y"
    )
    wkt_column: str | None = Field(
        default=None, max_length=255, description="Column of a CSV that holds WKT or WKB in hex"
    )
    encoding: str | None = Field(
        default=None,
        max_length=40,
        description="Encoding of the texts, in place of what the file says",
        examples=["cp1252"],
    )
    column_types: dict[
        str, Literal["boolean", "integer", "real", "text", "date", "time", "timestamp", "json"]
    ] = Field(
        default_factory=dict,
        description="Types of columns, in place of what was inferred; a value that is not of "
        "the type becomes null and is counted",
    )
    geometry_repair: Literal["structure", "linework", "none"] = Field(
        default="structure",
        description="How invalid geometries are repaired; with none they go to quarantine",
    )
    max_area_change: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="A repair that changes the area by more than this share goes to quarantine",
    )
    swap_axes: bool = Field(
        default=False, description="Take the coordinates as y, x (latitude first)"
    )
    promote_to_multi: bool = Field(
        default=True, description="Store lines and polygons as multi-geometries"
    )
    drop_z: bool | Literal["auto"] = Field(
        default="auto",
        description="Leave out heights: auto does it where all are zero or few records have one",
    )
    duplicates: Literal["quarantine", "keep"] = Field(
        default="quarantine",
        description="What is done with records that equal an earlier one in everything",
    )
    strict: bool = Field(
        default=False, description="Fail, and publish nothing, if any record is quarantined"
    )
    chunk_rows: int | None = Field(
        default=None,
        ge=100,
        le=1_000_000,
        description="Records that one task cleans; default: by the size of the layer",
    )
    max_parallel: int = Field(
        default=4, ge=1, le=64, description="Chunks that are cleaned at the same time"
    )
    keep_versions: int = Field(
        default=3, ge=0, le=50, description="Earlier versions of the table that are kept"
    )
    title: str | None = Field(default=None, max_length=200, description="Title for people")
    description: str | None = Field(default=None, max_length=4000, description="What it holds")
    attribution: str | None = Field(default=None, max_length=500, description="Whom to credit")

    @field_validator("schema_name")
    @classmethod
    def _is_for_data(cls, schema: str) -> str:
        if schema in _RESERVED_SCHEMAS or schema.startswith("pg_"):
            raise ValueError(f"must not be {schema!r}, which geoforge or PostgreSQL works in")
        return schema

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.source_url is None and (self.container_name is None or self.blob_name is None):
            raise ValueError("container_name and blob_name, or source_url, must be given")
        if self.source_url is not None and (self.container_name or self.blob_name):
            raise ValueError("source_url stands in place of container_name and blob_name")
        return self

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        if self.mode == "upsert" and not self.key_columns:
            raise ValueError("key_columns must be given with mode upsert")
        if (self.x_column is None) != (self.y_column is None):
            raise ValueError("x_column and y_column go together")
        if self.wkt_column is not None and self.x_column is not None:
            raise ValueError("wkt_column stands in place of x_column and y_column")
        return self
