"""How many rows a table has and where they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from psycopg import sql
from pyproj import Transformer

from core.models.feature_table import GEOMETRY_COLUMN, FeatureTable, TableName
from infrastructure.database import Connection
from infrastructure.publishing_repository import Bbox
from services.publishing.definitions import identifier

_WGS84 = 4326
# Points on each edge of a box whose way into degrees is followed.
_DENSIFY = 21


@dataclass(frozen=True, slots=True)
class Extent:
    """Rows, those with a geometry, and west, south, east, north in degrees.

    West is greater than east where the box of another CRS crosses the antimeridian.
    """

    rows: int
    geometries: int
    bbox: Bbox | None


def measure(connection: Connection, relation: TableName, table: FeatureTable) -> Extent:
    """Read the whole table once; the geometries' own boxes are used, not their vertices."""
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
    if row["box"] is not None and table.geometry is not None:
        west, south, east, north = row["box"]
        bbox = in_degrees((west, south, east, north), table.geometry.srid)
    return Extent(row["rows"], row["geometries"], bbox)


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
