"""The shape of a table of features: its columns and its geometry.

One description serves whoever makes the table, fills it by COPY, checks it and publishes it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

GEOMETRY_COLUMN = "geom"
KEY_COLUMN = "gid"


class ColumnType(StrEnum):
    """The types that attributes are kept in; the values are PostgreSQL's names."""

    BOOLEAN = "boolean"
    INTEGER = "bigint"
    REAL = "double precision"
    TEXT = "text"
    TEXT_ARRAY = "text[]"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    JSON = "jsonb"
    BYTES = "bytea"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Frozen):
    """One attribute. `comment` becomes the column's comment."""

    name: str
    type: ColumnType
    comment: str | None = None


class GeometryColumn(_Frozen):
    """The geometry: its PostGIS type (`MultiPolygon`; `Geometry` takes any), EPSG code, Z."""

    type: Literal[
        "Point",
        "LineString",
        "Polygon",
        "MultiPoint",
        "MultiLineString",
        "MultiPolygon",
        "Geometry",
    ]
    srid: int
    has_z: bool = False

    @property
    def sql(self) -> str:
        """The column's type in SQL: geometry(MultiPolygonZ,4326)."""
        return f"geometry({self.type}{'Z' if self.has_z else ''},{self.srid})"


class TableName(_Frozen):
    """A table in a schema, both safe identifiers."""

    schema_name: str = Field(default="geo", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    table_name: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")

    def __str__(self) -> str:
        return f"{self.schema_name}.{self.table_name}"

    @classmethod
    def parse(cls, text: str) -> TableName:
        """`geo.parks`, or `parks` in the schema geo. Raises ValueError."""
        schema, dot, table = text.partition(".")
        return cls(schema_name=schema, table_name=table) if dot else cls(table_name=schema)


class FeatureTable(_Frozen):
    """Attributes in order, and the geometry where there is one.

    Beside these every table has `gid bigint`, its primary key.
    """

    columns: tuple[Column, ...]
    geometry: GeometryColumn | None
