"""What the features of a table look like, and what a request can ask of them: JSON Schemas."""

from __future__ import annotations

from core.models.feature_table import Column, ColumnType
from infrastructure import features_repository
from infrastructure.features_repository import PublishedTable
from services.features.collections import table_name
from services.features.links import Addresses, JsonObject
from services.features.parameters import queryables

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_TYPES: dict[ColumnType, JsonObject] = {
    ColumnType.BOOLEAN: {"type": "boolean"},
    ColumnType.INTEGER: {"type": "integer", "format": "int64"},
    ColumnType.REAL: {"type": "number", "format": "double"},
    ColumnType.TEXT: {"type": "string"},
    ColumnType.DATE: {"type": "string", "format": "date"},
    ColumnType.TIME: {"type": "string", "format": "time"},
    # Without a zone these are no `date-time` of JSON Schema, which is RFC 3339's.
    ColumnType.TIMESTAMP: {"type": "string"},
    ColumnType.TIMESTAMPTZ: {"type": "string", "format": "date-time"},
    ColumnType.JSON: {},
    ColumnType.BYTES: {"type": "string", "contentEncoding": "base64"},
}


def column_schema(column: Column) -> JsonObject:
    """The schema of a column's values. Null, for a value that is missing, is not part of it.

    GDAL does not understand a type of "integer or null", and would take such columns for text.
    """
    schema = dict(_TYPES[column.type])
    if column.comment:
        schema["description"] = column.comment
    return schema


def queryables_schema(collection: str, at: Addresses) -> JsonObject:
    """The columns that a request for items can name. Raises `NotFound`."""
    table = features_repository.published_table(table_name(collection))
    return {
        "$schema": _DRAFT,
        "$id": at.queryables(table.name),
        "type": "object",
        "title": f"Queryables of {_title(table)}",
        "properties": {column.name: column_schema(column) for column in queryables(table)},
        "additionalProperties": False,
    }


def feature_schema(collection: str, at: Addresses) -> JsonObject:
    """A feature of the collection. Raises `NotFound`."""
    table = features_repository.published_table(table_name(collection))
    return {
        "$schema": _DRAFT,
        "$id": at.schema(table.name),
        "type": "object",
        "title": f"A feature of {_title(table)}",
        "required": ["type", "id", "geometry", "properties"],
        "properties": {
            "type": {"const": "Feature"},
            "id": {"type": "integer", "format": "int64"},
            "geometry": _geometry(table),
            "properties": {
                "type": "object",
                "properties": {each.name: column_schema(each) for each in table.shape.columns},
            },
        },
    }


def _title(table: PublishedTable) -> str:
    return table.title or table.name.table_name


def _geometry(table: PublishedTable) -> JsonObject:
    geometry = table.shape.geometry
    if geometry is None:
        return {"type": "null"}
    name = geometry.type
    return {
        "oneOf": [
            {"type": "null"},
            {"$ref": f"https://geojson.org/schema/{name}.json"},
        ]
    }
