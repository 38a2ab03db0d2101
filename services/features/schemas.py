"""What a table's features consist of, and what a request can ask of them: JSON Schemas."""

from __future__ import annotations

from core.models.feature_table import GEOMETRY_COLUMN, KEY_COLUMN, Column, ColumnType
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
    ColumnType.TEXT_ARRAY: {"type": "array", "items": {"type": "string"}},
    ColumnType.DATE: {"type": "string", "format": "date"},
    ColumnType.TIME: {"type": "string", "format": "time"},
    # Without a zone these are no `date-time` of JSON Schema, which is RFC 3339's.
    ColumnType.TIMESTAMP: {"type": "string"},
    ColumnType.TIMESTAMPTZ: {"type": "string", "format": "date-time"},
    ColumnType.JSON: {},
    ColumnType.BYTES: {"type": "string", "contentEncoding": "base64"},
}


def column_schema(column: Column) -> JsonObject:
    """The schema of a column's values. Null, for a value that is missing, is not part of it."""
    schema = dict(_TYPES[column.type])
    if column.comment:
        schema["description"] = column.comment
    return schema


def parameter_schema(column: Column) -> JsonObject:
    """The schema of what a request asks of a column: of a list, one of its items."""
    schema = column_schema(column)
    items: JsonObject = schema.pop("items", {})
    return {**schema, **items}


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
    """The table's columns, with the roles that they have in a feature. Raises `NotFound`.

    It is made as Part 5 of the standard (https://docs.ogc.org/DRAFTS/23-058r1.html) has it.
    """
    table = features_repository.published_table(table_name(collection))
    properties = {
        KEY_COLUMN: {"type": "integer", "format": "int64", "x-ogc-role": "id"},
        **{column.name: column_schema(column) for column in table.shape.columns},
    }
    if table.datetime_column in properties:
        properties[table.datetime_column]["x-ogc-role"] = "primary-instant"
    if table.shape.geometry is not None:
        kind = table.shape.geometry.type.lower()
        form = "geometry-any" if kind == "geometry" else f"geometry-{kind}"
        properties[GEOMETRY_COLUMN] = {"format": form, "x-ogc-role": "primary-geometry"}
    return {
        "$schema": _DRAFT,
        "$id": at.schema(table.name),
        "type": "object",
        "title": f"A feature of {_title(table)}",
        "properties": properties,
        "additionalProperties": False,
    }


def _title(table: PublishedTable) -> str:
    return table.title or table.name.table_name
