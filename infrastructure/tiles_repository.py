"""Tiles of published tables, as PostGIS makes them.

A tile is read in a snapshot of one moment while nobody can replace the table, so that it is a
tile of the version that it is said to be of::

    with tiles_repository.reading(TableName(table_name="parks"), seconds=10) as parks:
        made = parks.tile(Drawing(...))
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from core.errors import GeoforgeError, NotFound, Unavailable
from core.models.feature_table import (
    GEOMETRY_COLUMN,
    KEY_COLUMN,
    Column,
    ColumnType,
    GeometryColumn,
    TableName,
)
from infrastructure import database, features_repository, overviews_repository, queries
from infrastructure.database import Connection
from infrastructure.features_repository import PublishedTable
from infrastructure.features_selection import Bounds

# Longer texts are cut: a map shows no more of them.
MAX_TEXT = 256

_WEB_MERCATOR = 3857
_SQL = queries.load("tiles")

_AS_TEXT = (ColumnType.DATE, ColumnType.TIME, ColumnType.TIMESTAMP, ColumnType.TIMESTAMPTZ)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a tile shall show.

    `bounds` and `pixel` are the tile's, in EPSG:3857, `near` and `near_pixel` (width, height) the
    same in the CRS of what is read, `near` with the buffer; None where it is not known.
    Geometries are simplified by `tolerance` (EPSG:3857; 0 leaves them). A tile has `features` at
    most, of which the largest `described` have the columns `details`; all have the columns
    `columns`. Where more than `crowd` features are near, those within one pixel are thinned out.
    """

    layer: str
    zoom: int
    bounds: Bounds
    pixel: float
    near: Bounds | None
    near_pixel: tuple[float, float]
    extent: int
    buffer: int
    crowd: int
    tolerance: float = 0.0
    columns: Sequence[Column] = ()
    details: Sequence[Column] = ()
    features: int = 0
    described: int = 0


@dataclass(frozen=True, slots=True)
class MadeTile:
    """A tile as Mapbox Vector Tile. Of `found` features near it (None: not counted), `drawn` were
    chosen to be drawn, and `features` are in it: those whose box is near may still be outside."""

    data: bytes
    features: int
    drawn: int
    found: int | None


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """How long a column's values are on average, and how many there are (negative: the share
    of the rows that are different ones)."""

    bytes: int
    distinct_values: float


class TileReader:
    """A table that nobody can replace meanwhile, or its overview. Made by `reading`.

    `geometry` is that of what is read.
    """

    def __init__(
        self,
        connection: Connection,
        table: PublishedTable,
        geometry: GeometryColumn,
        deadline: float,
    ) -> None:
        self._connection = connection
        self._deadline = deadline
        self._source = _identifier(table.name)
        self.table = table
        self.geometry = geometry
        self.is_overview = False

    def turn_to_overview(self, token: str, *, far: bool) -> None:
        """Read the overview of this version of the table from now on, or the far part of it, if
        there is one."""
        overview = overviews_repository.current(self._connection, self.table.name, token, far=far)
        if overview is not None:
            self._source, self.geometry = overview, overviews_repository.GEOMETRY
            self.is_overview = True

    def table_bytes(self) -> int:
        """How many bytes the table takes, without its indexes."""
        row = self._connection.execute(_SQL["size"], self.table.name.model_dump()).fetchone()
        assert row is not None
        return int(row["bytes"])

    def statistics(self) -> Mapping[str, ColumnStatistics]:
        """What PostgreSQL knows of the columns, by name; nothing of a table not yet analysed."""
        rows = self._connection.execute(_SQL["statistics"], self.table.name.model_dump())
        return {row["name"]: ColumnStatistics(row["bytes"], row["distinct_values"]) for row in rows}

    def tile(self, drawing: Drawing) -> MadeTile:
        """Make a tile."""
        text = _SQL["tile_of_overview" if self.is_overview else "tile_of_table"]
        query = sql.SQL(text).format(
            table=self._source,
            near=_near(drawing, self.geometry),
            columns=_columns(drawing),
            geometry=_geometry(drawing, self.geometry),
            **overviews_repository.own_columns(),
        )
        left = max(1, round((self._deadline - time.monotonic()) * 1000))
        self._connection.execute(sql.SQL(_SQL["limit_time"]).format(sql.Literal(left)))
        try:
            row = self._connection.execute(query, _parameters(drawing), prepare=False).fetchone()
        except psycopg.errors.InternalError as error:
            if not features_repository.is_outside_projection(error):
                raise
            raise GeoforgeError(
                "A feature lies so far outside of the area of the table's CRS that it has no "
                "place on a web map.",
                code="outside_projection",
            ) from error
        assert row is not None  # an aggregate has one row
        return MadeTile(bytes(row["tile"]), row["features"], row["drawn"], row["found"])


def geometry_of(table: PublishedTable) -> GeometryColumn:
    """The geometry of a published table. Raises `NotFound` (no_geometry) where it has none."""
    if table.shape.geometry is None:
        raise NotFound(
            f"The table {table.name} has no geometries to be mapped.", code="no_geometry"
        )
    return table.shape.geometry


@contextmanager
def reading(name: TableName, *, seconds: float) -> Iterator[TileReader]:
    """The table, held in a read-only transaction that may take so many seconds.

    The name must be known to be published. Raises `NotFound` for a table that is gone,
    `Unavailable` (tile_timeout) where it takes longer.
    """
    deadline = time.monotonic() + seconds
    with database.transaction() as connection:
        begin = sql.SQL(_SQL["begin"]).format(
            timeout_ms=sql.Literal(round(seconds * 1000)), table=_identifier(name)
        )
        try:
            connection.execute(begin)
            table = features_repository.published_in(connection, name)
            yield TileReader(connection, table, geometry_of(table), deadline)
        except psycopg.errors.UndefinedTable as error:
            raise NotFound(
                f"The table of {str(name)!r} does not exist.", code="collection_not_found"
            ) from error
        except psycopg.errors.QueryCanceled as error:
            raise Unavailable(
                f"Making the tile took longer than {seconds:g} s and was stopped. Zoom in, or "
                "raise GEOFORGE_TILE_TIMEOUT_SECONDS.",
                code="tile_timeout",
            ) from error


def _identifier(name: TableName) -> sql.Identifier:
    return sql.Identifier(name.schema_name, name.table_name)


def _parameters(drawing: Drawing) -> dict[str, object]:
    west, south, east, north = drawing.bounds
    parameters: dict[str, object] = {
        "zoom": drawing.zoom,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "pixel": drawing.pixel,
        "pixel_width": drawing.near_pixel[0],
        "pixel_height": drawing.near_pixel[1],
        "tolerance": drawing.tolerance,
        "layer": drawing.layer,
        "extent": drawing.extent,
        "buffer": drawing.buffer,
        "features": drawing.features,
        "described": drawing.described,
        "crowd": drawing.crowd,
    }
    if drawing.near is not None:
        sides = ("near_west", "near_south", "near_east", "near_north")
        parameters.update(zip(sides, drawing.near, strict=True))
    return parameters


def _near(drawing: Drawing, geometry: GeometryColumn) -> sql.Composable:
    """Whether a geometry's box meets the tile's, by the table's index."""
    if drawing.near is None:
        return sql.SQL("{} IS NOT NULL").format(sql.Identifier(GEOMETRY_COLUMN))
    return sql.SQL("{} && {}").format(sql.Identifier(GEOMETRY_COLUMN), _near_box(geometry))


def _near_box(geometry: GeometryColumn) -> sql.Composable:
    return sql.SQL(
        "ST_MakeEnvelope(%(near_west)s, %(near_south)s, %(near_east)s, %(near_north)s, {})"
    ).format(sql.Literal(geometry.srid))


def _geometry(drawing: Drawing, geometry: GeometryColumn) -> sql.Composable:
    """The geometry in the tile's coordinates, null where nothing of it is in the tile.

    What lies outside is cut off first, for it may be far larger than the tile, and the poles
    have no place in EPSG:3857. An area that would vanish between two points of the grid is drawn
    as large as a pixel.
    """
    stored: sql.Composable = sql.Identifier("stored", GEOMETRY_COLUMN)
    whole = sql.SQL("ST_Force2D({})").format(stored) if geometry.has_z else stored
    if drawing.near is not None:
        whole = sql.SQL("ST_ClipByBox2D({}, {})").format(whole, _near_box(geometry))
    centre = sql.SQL("ST_Centroid(Box2D({})::geometry)").format(stored)
    if geometry.srid != _WEB_MERCATOR:
        whole = sql.SQL("ST_Transform({}, {})").format(whole, sql.Literal(_WEB_MERCATOR))
        centre = sql.SQL("ST_Transform(ST_SetSRID({}, {}), {})").format(
            centre, sql.Literal(geometry.srid), sql.Literal(_WEB_MERCATOR)
        )
    if drawing.tolerance > 0:
        whole = sql.SQL("ST_Simplify({}, %(tolerance)s, true)").format(whole)
    return sql.SQL(
        """ST_AsMVTGeom(
            CASE WHEN chosen.size < 1 AND ST_Dimension({stored}) = 2
                 THEN ST_Expand({centre}, %(pixel)s / 2) ELSE {whole} END,
            ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 3857)::box2d,
            %(extent)s, %(buffer)s, true)"""
    ).format(stored=stored, centre=centre, whole=whole)


def _columns(drawing: Drawing) -> sql.Composable:
    parts: list[sql.Composable] = [
        sql.SQL("stored.{}").format(sql.Identifier(KEY_COLUMN)),
        sql.SQL("drawn.geom"),
    ]
    for column in drawing.columns:
        parts.append(_value(column, sql.SQL("{}")))
    for column in drawing.details:
        parts.append(_value(column, sql.SQL("CASE WHEN chosen.rank <= %(described)s THEN {} END")))
    return sql.SQL(", ").join(parts)


def _value(column: Column, within: sql.SQL) -> sql.Composable:
    """The column as a tile can hold it; what is not a finite number or a time is left out."""
    name: sql.Composable = sql.Identifier("stored", column.name)
    if column.type is ColumnType.TEXT:
        value = sql.SQL("left({}, {})").format(name, sql.Literal(MAX_TEXT))
    elif column.type is ColumnType.TEXT_ARRAY:
        value = sql.SQL("left(array_to_string({}, ', '), {})").format(name, sql.Literal(MAX_TEXT))
    elif column.type is ColumnType.REAL:
        value = sql.SQL("CASE WHEN {0} - {0} = 0 THEN {0} END").format(name)
    elif column.type in _AS_TEXT:
        value = sql.SQL("to_json({}) #>> '{{}}'").format(name)
    else:
        value = sql.Composed([name])
    return sql.SQL("{} AS {}").format(within.format(value), sql.Identifier(column.name))
