"""Published tables for tests of reading features, made without the pipeline that publishes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from core.models.feature_table import (
    GEOMETRY_COLUMN,
    Column,
    ColumnType,
    FeatureTable,
    GeometryColumn,
    TableName,
)

PLACES = FeatureTable(
    columns=(
        Column(name="name", type=ColumnType.TEXT, comment="What people call it"),
        Column(name="people", type=ColumnType.INTEGER),
        Column(name="area", type=ColumnType.REAL),
        Column(name="capital", type=ColumnType.BOOLEAN),
        Column(name="founded", type=ColumnType.DATE),
        Column(name="opens", type=ColumnType.TIME),
        Column(name="surveyed", type=ColumnType.TIMESTAMP),
        Column(name="seen", type=ColumnType.TIMESTAMPTZ),
        Column(name="tags", type=ColumnType.JSON),
        Column(name="seal", type=ColumnType.BYTES),
        Column(name="code", type=ColumnType.TEXT),
        # A name that the query of a page uses itself, and one that a parameter has.
        Column(name="feature", type=ColumnType.TEXT),
        Column(name="limit", type=ColumnType.INTEGER),
    ),
    geometry=GeometryColumn(type="Point", srid=4326),
)


def place(number: int) -> dict[str, Any]:
    """Row `number` of the places: they stand 10 degrees apart on the equator, from -180."""
    return {
        "gid": number + 1,
        "name": f"place {number}",
        "people": number * 1_000_000_000_000,
        "area": number / 4,
        "capital": number % 2 == 0,
        "founded": datetime(1900 + number, 1, 31, tzinfo=UTC).date(),
        "opens": datetime(1900, 1, 1, 8, number, tzinfo=UTC).time(),
        "surveyed": datetime(2000 + number, 6, 1, 12, 30),  # has no zone
        "seen": datetime(2000 + number, 6, 1, 12, 30, 0, 250_000, tzinfo=UTC),
        "tags": Jsonb({"number": number}),
        "seal": bytes([number]) * 60,
        "code": f"C{number}",
        "feature": "a column of this name",
        "limit": number,
        "geom": f"SRID=4326;POINT({number * 10 - 180} 0)",
    }


def create(
    connection: psycopg.Connection[Any],
    name: str,
    shape: FeatureTable,
    rows: list[dict[str, Any]],
) -> TableName:
    """Make and fill a table of this shape."""
    table = TableName.parse(name)
    identifier = sql.Identifier(table.schema_name, table.table_name)
    connection.execute(
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(table.schema_name))
    )
    columns = [sql.SQL("{} {}").format(sql.Identifier(each.name), sql.SQL(each.type.value))
               for each in shape.columns]  # fmt: skip
    if shape.geometry is not None:
        kind = sql.SQL(shape.geometry.sql)  # type: ignore[arg-type]  # of our own making
        columns.append(sql.SQL("{} {}").format(sql.Identifier(GEOMETRY_COLUMN), kind))
    connection.execute(
        sql.SQL("CREATE TABLE {} ({})").format(
            identifier, sql.SQL(", ").join([sql.SQL("gid bigint PRIMARY KEY"), *columns])
        )
    )
    for row in rows:
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                identifier,
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(map(sql.Placeholder, row)),
            ),
            row,
        )
    if shape.geometry is not None:
        connection.execute(
            sql.SQL("CREATE INDEX ON {} USING gist ({})").format(
                identifier, sql.Identifier(GEOMETRY_COLUMN)
            )
        )
    connection.execute(sql.SQL("ANALYZE {}").format(identifier))
    return table


def publish(
    connection: psycopg.Connection[Any],
    name: str,
    shape: FeatureTable,
    *,
    row_count: int,
    **known: Any,
) -> None:
    """Enter a table among those that are published."""
    table = TableName.parse(name)
    values: dict[str, Any] = {
        "schema_name": table.schema_name,
        "table_name": table.table_name,
        "version": 1,
        "table_shape": Jsonb(shape.model_dump(mode="json")),
        "row_count": row_count,
        "source": "test",
        "job_id": "0" * 64,
        **known,
    }
    connection.execute(
        sql.SQL("INSERT INTO app.published_tables ({}) VALUES ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        ),
        values,
    )


def publish_places(connection: psycopg.Connection[Any], count: int = 36) -> None:
    """`geo.places`: one place every 10 degrees along the equator."""
    create(connection, "places", PLACES, [place(number) for number in range(count)])
    publish(
        connection,
        "places",
        PLACES,
        row_count=count,
        title="Places",
        description="Places on the equator",
        attribution="Nobody",
        datetime_column="seen",
        bbox=[-180.0, 0.0, 170.0, 0.0],
    )
