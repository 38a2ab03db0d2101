"""Published tables, read as features.

A table may be replaced at any moment by another of a different shape. A read therefore holds
the table first and only then looks up what is published under its name: the two agree, and the
replacement waits for the few milliseconds that a page takes::

    with features_repository.reading(TableName(table_name="parks")) as parks:
        page = parks.page(Selection(), 10, Coordinates())
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import sql

from config import get_settings
from core.errors import GeoforgeError, NotFound, Unavailable
from core.models.feature_table import (
    GEOMETRY_COLUMN,
    KEY_COLUMN,
    Column,
    ColumnType,
    FeatureTable,
    TableName,
)
from infrastructure import database, queries
from infrastructure.database import Connection, Row
from infrastructure.features_selection import WGS84, Bounds, Selection, condition

# Features on one page as the table stores them; as GeoJSON they are two to three times longer.
PAGE_BYTES = 8 * 1024 * 1024
# Longer than this, nobody would want to wait for a number that they may not even read.
COUNT_SECONDS = 0.1
EXTENT_SECONDS = 1.0

# The types of which PostgreSQL keeps values of any length.
_LONG_TYPES = (ColumnType.TEXT, ColumnType.TEXT_ARRAY, ColumnType.JSON, ColumnType.BYTES)
_TIMES = (ColumnType.DATE, ColumnType.TIMESTAMP, ColumnType.TIMESTAMPTZ)

_SQL = queries.load("features")


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """What is known of a published table. `bbox` is in CRS84, None where nothing has a place."""

    name: TableName
    version: int
    title: str | None
    description: str | None
    attribution: str | None
    restricted: bool
    shape: FeatureTable
    datetime_column: str | None
    row_count: int
    bbox: Bounds | None
    updated_at: datetime

    @property
    def datetime_type(self) -> ColumnType | None:
        """The type of the column that holds the features' time; None where there is none."""
        for column in self.shape.columns:
            if column.name == self.datetime_column and column.type in _TIMES:
                return column.type
        return None


@dataclass(frozen=True, slots=True)
class Coordinates:
    """How a feature's coordinates are written: by default as CRS84.

    `as_stored` leaves them in the table's own CRS, `north_first` turns the axes around. Nine
    digits behind the point are a tenth of a millimetre in degrees, four are in metres.
    """

    as_stored: bool = False
    north_first: bool = False
    digits: int = 9


@dataclass(frozen=True, slots=True)
class Page:
    """Features in the order of their gids, each as the text of a GeoJSON Feature."""

    features: list[str]
    last_gid: int | None
    has_more: bool


class TableReader:
    """A table that nobody can replace meanwhile. Made by `reading`."""

    def __init__(self, connection: Connection, table: PublishedTable) -> None:
        self._connection = connection
        self.table = table

    def page(self, selection: Selection, limit: int, written: Coordinates) -> Page:
        """The first `limit` features of the selection, or fewer where they are large."""
        where = condition(selection, self.table.shape, self._datetime_column)
        query = sql.SQL(_SQL["page"]).format(
            feature=_feature(self.table.shape, written),
            stored_bytes=_stored_bytes(self.table.shape),
            table=_identifier(self.table.name),
            condition=where.expression,
        )
        parameters = {**where.parameters, "rows": limit + 1, "page_bytes": PAGE_BYTES}
        rows = self._fetch(query, parameters)
        kept = rows[:limit]
        return Page(
            features=[row["feature"] for row in kept],
            last_gid=kept[-1][KEY_COLUMN] if kept else None,
            has_more=bool(rows) and rows[0]["rows chosen"] > len(kept),
        )

    def feature(self, gid: int, written: Coordinates) -> str | None:
        """One feature as the text of a GeoJSON Feature, or None."""
        query = sql.SQL(_SQL["feature"]).format(
            feature=_feature(self.table.shape, written), table=_identifier(self.table.name)
        )
        rows = self._fetch(query, {"gid": gid})
        return str(rows[0]["feature"]) if rows else None

    def count(self, selection: Selection) -> int | None:
        """How many features the selection has; None where `COUNT_SECONDS` are too few to tell."""
        where = condition(selection, self.table.shape, self._datetime_column)
        query = sql.SQL(_SQL["count"]).format(
            table=_identifier(self.table.name), condition=where.expression
        )
        try:
            row = _within(self._connection, COUNT_SECONDS, query, where.parameters)
        except psycopg.errors.InternalError as error:
            if not is_outside_projection(error):
                raise
            return None  # a later page will say what is wrong with which request
        return None if row is None else int(row["matched"])

    @property
    def _datetime_column(self) -> str | None:
        return self.table.datetime_column if self.table.datetime_type else None

    def _fetch(self, query: sql.Composed, parameters: dict[str, Any]) -> list[Row]:
        try:
            # Not prepared: the plan for one box or value is not that for another.
            return self._connection.execute(query, parameters, prepare=False).fetchall()
        except psycopg.errors.QueryCanceled as error:
            raise _took_too_long() from error
        except psycopg.errors.InternalError as error:
            if not is_outside_projection(error):
                raise
            raise GeoforgeError(
                "A feature lies so far outside of the area of the table's CRS that it has no "
                "longitude and latitude. Ask for the table's own CRS (storageCrs) by crs.",
                code="outside_projection",
            ) from error


@contextmanager
def reading(name: TableName) -> Iterator[TableReader]:
    """The table, held while it is read in a read-only transaction.

    Raises `NotFound` for a table that is not published, or whose table is gone.
    """
    with database.transaction() as connection:
        _configure(connection)
        # Looked up before, so that nobody can hold what is not published.
        published_in(connection, name)
        try:
            connection.execute(sql.SQL(_SQL["hold"]).format(table=_identifier(name)))
        except psycopg.errors.UndefinedTable as error:
            raise NotFound(
                f"The table of {str(name)!r} does not exist.", code="collection_not_found"
            ) from error
        except psycopg.errors.QueryCanceled as error:
            raise _took_too_long() from error
        yield TableReader(connection, published_in(connection, name))


def published_tables() -> list[PublishedTable]:
    """Every published table: those of the schema geo by name, then the others."""
    with database.transaction() as connection:
        _configure(connection)
        return [_table(row) for row in connection.execute(_SQL["tables"]).fetchall()]


def published_table(name: TableName) -> PublishedTable:
    """One published table, or `NotFound`."""
    with database.transaction() as connection:
        _configure(connection)
        return published_in(connection, name)


def temporal_extent(table: PublishedTable) -> tuple[str, str] | None:
    """The earliest and the latest time (ISO 8601, UTC) in the table's datetime column.

    None where the table has none, and where finding it takes longer than `EXTENT_SECONDS`.
    """
    kind, column = table.datetime_type, table.datetime_column
    if kind is None or column is None:
        return None
    try:
        return _temporal_extent(table.name, table.updated_at, column, kind)
    except _TooSlow:
        return None


class _TooSlow(Exception):
    """Not remembered, unlike an answer."""


@lru_cache(maxsize=1024)
def _temporal_extent(
    name: TableName, _updated_at: datetime, column: str, kind: ColumnType
) -> tuple[str, str] | None:
    # Remembered until the table changes (`_updated_at`): it may need a scan.
    first, last = _ends(sql.Identifier(column), kind)
    query = sql.SQL(_SQL["temporal_extent"]).format(
        earliest=first, latest=last, table=_identifier(name), column=sql.Identifier(column)
    )
    with database.transaction() as connection:
        _configure(connection)
        try:
            row = _within(connection, EXTENT_SECONDS, query, {})
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            # Replaced since it was listed: the next request sees the new version.
            raise _TooSlow from error
    if row is None:
        raise _TooSlow
    if row["earliest"] is None:
        return None
    return _zulu(row["earliest"]), _zulu(row["latest"])


def _zulu(time: str) -> str:
    return time.removesuffix("+00:00") + "Z"


def _ends(column: sql.Identifier, kind: ColumnType) -> tuple[sql.Composable, sql.Composable]:
    """The earliest and the latest moment of a column, with a time zone."""
    if kind is ColumnType.TIMESTAMPTZ:
        return sql.SQL("min({})").format(column), sql.SQL("max({})").format(column)
    in_utc = sql.SQL("{} AT TIME ZONE 'UTC'")
    if kind is ColumnType.TIMESTAMP:
        return (
            in_utc.format(sql.SQL("min({})").format(column)),
            in_utc.format(sql.SQL("max({})").format(column)),
        )
    end_of_day = sql.SQL("((max({}) + 1)::timestamp - interval '1 second')").format(column)
    return in_utc.format(sql.SQL("min({})::timestamp").format(column)), in_utc.format(end_of_day)


def _configure(connection: Connection) -> None:
    connection.execute("SET TRANSACTION READ ONLY")
    milliseconds = round(get_settings().features_timeout_seconds * 1000)
    connection.execute(_SQL["configure"], {"timeout_ms": str(milliseconds)})


def _within(
    connection: Connection, seconds: float, query: sql.Composed, parameters: Mapping[str, Any]
) -> Row | None:
    """The only row of a query; None where it would take longer than `seconds`."""
    try:
        with connection.transaction():
            connection.execute(_SQL["limit_time"], {"timeout_ms": str(round(seconds * 1000))})
            return connection.execute(query, parameters, prepare=False).fetchone()
    except psycopg.errors.QueryCanceled:
        return None


def is_outside_projection(error: psycopg.Error) -> bool:
    """Whether PostGIS could not transform a geometry; it has no state of its own for that."""
    return (error.diag.message_primary or "").startswith("transform:")


def _took_too_long() -> Unavailable:
    seconds = get_settings().features_timeout_seconds
    return Unavailable(
        f"Reading the features took longer than {seconds:g} s and was stopped; narrow the "
        "request by bbox, datetime or properties.",
        code="features_timeout",
    )


def published_in(connection: Connection, name: TableName) -> PublishedTable:
    """One published table as a transaction sees it, or `NotFound`."""
    parameters = {"schema_name": name.schema_name, "table_name": name.table_name}
    row = connection.execute(_SQL["table"], parameters).fetchone()
    if row is None:
        raise NotFound(
            f"There is no collection {name.table_name!r} in the schema {name.schema_name!r}.",
            code="collection_not_found",
        )
    return _table(row)


def _table(row: Row) -> PublishedTable:
    return PublishedTable(
        name=TableName(schema_name=row["schema_name"], table_name=row["table_name"]),
        version=row["version"],
        title=row["title"],
        description=row["description"],
        attribution=row["attribution"],
        restricted=row["restricted"],
        shape=FeatureTable.model_validate(row["table_shape"]),
        datetime_column=row["datetime_column"],
        row_count=row["row_count"],
        bbox=None if row["bbox"] is None else tuple(row["bbox"]),
        updated_at=row["updated_at"],
    )


def _identifier(name: TableName) -> sql.Identifier:
    return sql.Identifier(name.schema_name, name.table_name)


def _feature(shape: FeatureTable, written: Coordinates) -> sql.Composable:
    """A row as the text of a GeoJSON Feature.

    Joined as text: making one JSON value of it would parse each geometry's text again.
    """
    properties = sql.SQL(", ").join(_property(column) for column in shape.columns)
    return sql.SQL(
        """'{{"type":"Feature","id":' || {key} || ',"geometry":' || {geometry}"""
        """ || ',"properties":' || (SELECT row_to_json("all columns")::text"""
        """ FROM (SELECT {properties}) AS "all columns") || '}}'"""
    ).format(
        key=sql.Identifier(KEY_COLUMN), geometry=_geometry(shape, written), properties=properties
    )


def _geometry(shape: FeatureTable, written: Coordinates) -> sql.Composable:
    if shape.geometry is None:
        return sql.SQL("'null'")
    served: sql.Composable = sql.Identifier(GEOMETRY_COLUMN)
    if not written.as_stored and shape.geometry.srid != WGS84:
        served = sql.SQL("ST_Transform({}, {})").format(served, sql.Literal(WGS84))
    if written.north_first:
        served = sql.SQL("ST_FlipCoordinates({})").format(served)
    # Options 0: no bbox, and no crs member, which RFC 7946 has done away with.
    return sql.SQL("coalesce(ST_AsGeoJSON({}, {}, 0), 'null')").format(
        served, sql.Literal(written.digits)
    )


def _property(column: Column) -> sql.Composable:
    """The column as JSON can hold it: what is not finite becomes null, bytes base64."""
    name = sql.Identifier(column.name)
    if column.type is ColumnType.REAL:
        value = sql.SQL("CASE WHEN {0} - {0} = 0 THEN {0} END").format(name)
    elif column.type in _TIMES:
        value = sql.SQL("CASE WHEN isfinite({0}) THEN {0} END").format(name)
    elif column.type is ColumnType.BYTES:
        value = sql.SQL("translate(encode({}, 'base64'), E'\\n', '')").format(name)
    else:
        return name
    return sql.SQL("{} AS {}").format(value, name)


def _stored_bytes(shape: FeatureTable) -> sql.Composable:
    """What a row's long values take in the table, which needs none of them to be read."""
    names = [column.name for column in shape.columns if column.type in _LONG_TYPES]
    if shape.geometry is not None:
        names.append(GEOMETRY_COLUMN)
    sizes = [
        sql.SQL("coalesce(pg_column_size({}), 0)").format(sql.Identifier(name)) for name in names
    ]
    return sql.SQL(" + ").join(sizes) if sizes else sql.SQL("0")
