"""How many rows a table has and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from psycopg import sql
from pyproj import Transformer

from core.models.feature_table import GEOMETRY_COLUMN, FeatureTable, GeometryColumn, TableName
from infrastructure.database import Connection
from infrastructure.publishing_repository import Bbox
from services.publishing import attachments
from services.publishing.definitions import identifier

_WGS84 = 4326
_HALF_A_TURN = 180.0
# Points on each edge of a box whose way into degrees is followed.
_DENSIFY = 21

# A table that reaches around the world mostly shows it in its first rows.
_FIRST_ROWS = 10_000

# Which whole degrees there is anything in. A box2d is read from a geometry's head. Geometries
# wider than half the world, which lie on both sides, are looked at by their parts.
_OCCUPIED = sql.SQL(
    """
    WITH boxed AS MATERIALIZED (
        SELECT ctid AS place, {geom}::box2d AS box FROM {table} LIMIT %(rows)s)
    SELECT floor(ST_XMin(box)) AS first, ceil(ST_XMax(box)) AS last
    FROM boxed WHERE ST_XMax(box) - ST_XMin(box) <= %(widest)s
    UNION
    SELECT floor(ST_XMin(part)), ceil(ST_XMax(part))
    FROM boxed
    JOIN {table} AS wide ON wide.ctid = boxed.place
    CROSS JOIN ST_Dump(wide.{geom}) AS parts (path, part)
    WHERE ST_XMax(box) - ST_XMin(box) > %(widest)s
    """
)
# Where the data on either side of a place without any begin and end.
_SIDES = sql.SQL(
    """
    SELECT min(ST_XMin(part)) FILTER (WHERE ST_XMin(part) > %(middle)s) AS west,
           max(ST_XMax(part)) FILTER (WHERE ST_XMax(part) < %(middle)s) AS east
    FROM {table} CROSS JOIN ST_Dump({geom}) AS parts (path, part)
    """
)
# The geometry that reaches farthest in a direction is the nearest one to a line beyond all of them,
# and that the index finds. Data in degrees are well within these lines.
_BEYOND = 360
_SIDES_OF_BOX = {
    "ST_XMin": f"LINESTRING(-{_BEYOND} -{_BEYOND}, -{_BEYOND} {_BEYOND})",
    "ST_YMin": f"LINESTRING(-{_BEYOND} -{_BEYOND}, {_BEYOND} -{_BEYOND})",
    "ST_XMax": f"LINESTRING({_BEYOND} -{_BEYOND}, {_BEYOND} {_BEYOND})",
    "ST_YMax": f"LINESTRING(-{_BEYOND} {_BEYOND}, {_BEYOND} {_BEYOND})",
}


@dataclass(frozen=True, slots=True)
class Extent:
    """Rows, those with a geometry (None: not counted), and west, south, east, north in degrees.

    West is greater than east where the box crosses the antimeridian, as GeoJSON has it
    (RFC 7946, 5.2).
    """

    rows: int
    geometries: int | None
    bbox: Bbox | None


def look_up(connection: Connection, relation: TableName, table: FeatureTable) -> Extent:
    """What `measure` finds, by the table's indexes: of millions of rows in a fraction of a second.

    Where there is no index on the geometry, or it is not in degrees, the table is read.
    """
    if table.geometry is not None and (
        table.geometry.srid != _WGS84 or not _has_index(connection, relation)
    ):
        return measure(connection, relation, table)
    row = connection.execute(
        sql.SQL("SELECT count(*) AS rows FROM {}").format(identifier(relation))
    ).fetchone()
    assert row is not None
    if table.geometry is None:
        return Extent(row["rows"], None, None)
    sides = [_farthest(connection, relation, side, line) for side, line in _SIDES_OF_BOX.items()]
    return Extent(row["rows"], None, _bbox(connection, relation, table.geometry, sides))


def _has_index(connection: Connection, relation: TableName) -> bool:
    oid = attachments.oid_of(connection, relation)
    return oid is not None and any(
        index.definition == f"gist ({GEOMETRY_COLUMN})"
        for index in attachments.indexes(connection, oid)
    )


def _farthest(connection: Connection, relation: TableName, side: str, line: str) -> float | None:
    row = connection.execute(
        sql.SQL(
            "SELECT {side}({geom}) AS found FROM {table}"
            " WHERE {geom} IS NOT NULL AND NOT ST_IsEmpty({geom})"
            " ORDER BY {geom} <-> ST_GeomFromText(%s, {srid}) LIMIT 1"
        ).format(
            side=sql.Identifier(side.lower()),
            geom=sql.Identifier(GEOMETRY_COLUMN),
            table=identifier(relation),
            srid=sql.Literal(_WGS84),
        ),
        (line,),
    ).fetchone()
    return None if row is None else row["found"]


def measure(connection: Connection, relation: TableName, table: FeatureTable) -> Extent:
    """Read the whole table, where it reaches around the world once more; the geometries' own boxes
    are used, not their vertices."""
    if table.geometry is None:
        query = sql.SQL("SELECT count(*) AS rows, 0 AS geometries, NULL AS box FROM {table}")
    else:
        query = sql.SQL(
            "SELECT rows, geometries,"
            " CASE WHEN box IS NOT NULL"
            " THEN ARRAY[ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box)] END AS box"
            " FROM (SELECT count(*) AS rows, count({geom}) AS geometries, ST_Extent({geom}) AS box"
            " FROM {table}) AS found"
        )
    row = connection.execute(
        query.format(table=identifier(relation), geom=sql.Identifier(GEOMETRY_COLUMN))
    ).fetchone()
    assert row is not None
    bbox = None
    if table.geometry is not None:
        bbox = _bbox(connection, relation, table.geometry, row["box"] or ())
    return Extent(row["rows"], row["geometries"], bbox)


def _bbox(
    connection: Connection,
    relation: TableName,
    geometry: GeometryColumn,
    sides: Sequence[float | None],
) -> Bbox | None:
    """The box in degrees, by minx, miny, maxx, maxy in the CRS; none where nothing has any."""
    known = [side for side in sides if side is not None]
    if len(known) != len(_SIDES_OF_BOX):
        return None
    west, south, east, north = known
    if geometry.srid == _WGS84 and east - west > _HALF_A_TURN:
        west, east = _around(connection, relation, west, east)
    return in_degrees((west, south, east, north), geometry.srid)


def _around(
    connection: Connection, relation: TableName, west: float, east: float
) -> tuple[float, float]:
    """West and east of the box across the antimeridian where that is less than half as wide as
    the world, else as they are: then there is nothing for half the way between them."""
    names = {"table": identifier(relation), "geom": sql.Identifier(GEOMETRY_COLUMN)}
    gap = (west, east)
    for rows in (_FIRST_ROWS, None):  # More rows can only make it narrower.
        found = connection.execute(
            _OCCUPIED.format(**names), {"rows": rows, "widest": _HALF_A_TURN}
        ).fetchall()
        spans = [(row["first"], row["last"]) for row in found]
        gap = _widest_gap([(west, west), *spans, (east, east)])
        if gap[1] - gap[0] < _HALF_A_TURN:
            return west, east
    middle = (gap[0] + gap[1]) / 2
    row = connection.execute(_SIDES.format(**names), {"middle": middle}).fetchone()
    assert row is not None
    return row["west"], row["east"]


def _widest_gap(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The widest stretch between spans (from, to) that none of them covers; at worst one of no
    width."""
    ordered = sorted(spans)
    reached = ordered[0][1]
    widest = (reached, reached)
    for first, last in ordered[1:]:
        if first - reached > widest[1] - widest[0]:
            widest = (reached, first)
        reached = max(reached, last)
    return widest


def together(one: Bbox | None, other: Bbox | None) -> Bbox | None:
    """The box in degrees around two, across the antimeridian where `measure` would say so of what
    fills them."""
    if one is None or other is None:
        return one or other
    spans = [*_spans(one), *_spans(other)]
    west, east = min(first for first, _ in spans), max(last for _, last in spans)
    gap = _widest_gap(spans)
    if gap[1] - gap[0] > _HALF_A_TURN:
        west, east = gap[1], gap[0]
    return (west, min(one[1], other[1]), east, max(one[3], other[3]))


def _spans(box: Bbox) -> list[tuple[float, float]]:
    west, _, east, _ = box
    return [(west, east)] if west <= east else [(west, _HALF_A_TURN), (-_HALF_A_TURN, east)]


def in_degrees(box: Bbox, srid: int) -> Bbox:
    """A box (minx, miny, maxx, maxy) in CRS84: longitude and latitude within their ranges."""
    if srid != _WGS84:
        west, south, east, north = _transformer(srid).transform_bounds(*box, densify_pts=_DENSIFY)
        box = (west, south, east, north)
    west, south, east, north = box
    return (max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0))


@lru_cache(maxsize=64)
def _transformer(srid: int) -> Transformer:
    return Transformer.from_crs(srid, _WGS84, always_xy=True)
