"""Tables in SQL: names, columns and their types."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

from psycopg import sql

from core.models.feature_table import (
    GEOMETRY_COLUMN,
    KEY_COLUMN,
    ColumnType,
    FeatureTable,
    TableName,
)

STAGING_SCHEMA = "geo_staging"
VERSIONS_SCHEMA = "geo_versions"
_MOST_BYTES = 63

# The names that PostgreSQL itself gives to the types.
_CATALOG_NAMES = {
    ColumnType.TIME: "time without time zone",
    ColumnType.TIMESTAMP: "timestamp without time zone",
    ColumnType.TIMESTAMPTZ: "timestamp with time zone",
}


def identifier(name: TableName) -> sql.Identifier:
    """The table's name with its schema."""
    return sql.Identifier(name.schema_name, name.table_name)


def staged(name: str) -> TableName:
    """A table in the schema of staged ones."""
    return TableName(schema_name=STAGING_SCHEMA, table_name=name)


def kept(name: str) -> TableName:
    """A table in the schema of earlier versions."""
    return TableName(schema_name=VERSIONS_SCHEMA, table_name=name)


def column_names(table: FeatureTable) -> list[str]:
    """All columns of the published table, in their order."""
    geometry = [] if table.geometry is None else [GEOMETRY_COLUMN]
    return [KEY_COLUMN, *(column.name for column in table.columns), *geometry]


def column_types(table: FeatureTable) -> dict[str, str]:
    """The columns and their types, as `format_type` names them."""
    types = {KEY_COLUMN: "bigint"}
    for column in table.columns:
        types[column.name] = _CATALOG_NAMES.get(column.type, column.type.value)
    if table.geometry is not None:
        types[GEOMETRY_COLUMN] = table.geometry.sql
    return types


def default_datetime_column(table: FeatureTable) -> str | None:
    """The column that says when: the only one that holds dates or times with dates."""
    temporal = (ColumnType.DATE, ColumnType.TIMESTAMP, ColumnType.TIMESTAMPTZ)
    names = [column.name for column in table.columns if column.type in temporal]
    return names[0] if len(names) == 1 else None


def column_definitions(table: FeatureTable) -> sql.Composed:
    """The columns as CREATE TABLE lists them."""
    return sql.SQL(", ").join(
        sql.Identifier(name) + sql.SQL(" ") + type_in_sql(type_)
        for name, type_ in column_types(table).items()
    )


def identifiers(names: Collection[str], *prefix: str) -> sql.Composed:
    """Column names, separated by commas."""
    return sql.SQL(", ").join(sql.Identifier(*prefix, name) for name in names)


def version_name(target: TableName, kind: str, version: int) -> str:
    """A name in geo_versions: parks__v3. Another schema's, or a long one, ends in a digest.

    The digest keeps apart what would be called the same.
    """
    suffix = f"__{kind}{version}"
    plain = target.table_name + suffix
    if target.schema_name == "geo" and len(plain) <= _MOST_BYTES:
        return plain
    digest = hashlib.sha256(str(target).encode()).hexdigest()[:8]
    base = target.table_name if target.schema_name == "geo" else str(target).replace(".", "__")
    return shortened(base, f"__{digest}{suffix}")


def shortened(base: str, suffix: str) -> str:
    """Base and suffix, the base cut so that PostgreSQL takes the name as it is."""
    room = _MOST_BYTES - len(suffix.encode())
    return base.encode()[:room].decode(errors="ignore") + suffix


def type_in_sql(name: str) -> sql.SQL:
    """A type's name as SQL. It comes from our own enumerations, and is checked to be one."""
    if not re.fullmatch(r"[a-z ]+(\[\])?|geometry\([A-Za-z]+,\d+\)", name):
        raise ValueError(f"not a type: {name!r}")
    return sql.SQL(name)
