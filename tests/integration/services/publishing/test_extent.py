"""The extent of a table by its index is the one that reading all of it gives."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models.feature_table import FeatureTable, GeometryColumn, TableName
from infrastructure.database import Connection
from services.publishing import extent
from services.publishing.extent import Extent
from tests.support.feature_tables import create

ANY = FeatureTable(columns=(), geometry=GeometryColumn(type="Geometry", srid=4326))
_EAST, _NORTH = st.integers(-180, 178), st.integers(-90, 88)


def _drawn(x: int, y: int, kind: str) -> str | None:
    return {
        "point": f"POINT ({x} {y})",
        "line": f"LINESTRING ({x} {y}, {x + 1} {y + 2})",
        "square": f"POLYGON (({x} {y}, {x + 2} {y}, {x + 2} {y + 2}, {x} {y + 2}, {x} {y}))",
        "two": f"MULTIPOINT ({x} {y}, {-x} {-y})",
        "empty": "POINT EMPTY",
        "nothing": None,
    }[kind]


_GEOMETRIES = st.lists(
    st.builds(
        _drawn,
        _EAST,
        _NORTH,
        st.sampled_from(["point", "line", "square", "two", "empty", "nothing"]),
    ),
    max_size=12,
)


def filled(
    connection: Connection, geometries: Sequence[str | None], shape: FeatureTable = ANY
) -> TableName:
    assert shape.geometry is not None
    connection.execute("DROP TABLE IF EXISTS geo.places")
    return create(
        connection,
        "places",
        shape,
        [
            {"gid": number, "geom": wkt and f"SRID={shape.geometry.srid};{wkt}"}
            for number, wkt in enumerate(geometries, start=1)
        ],
    )


def both_ways(
    connection: Connection, table: TableName, shape: FeatureTable = ANY
) -> tuple[Extent, Extent]:
    with connection.transaction():
        read = extent.measure(connection, table, shape)
        # However few the rows are.
        connection.execute("SET LOCAL enable_seqscan = off")
        connection.execute("SET LOCAL enable_sort = off")
        return extent.look_up(connection, table, shape), read


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(geometries=_GEOMETRIES)
def test_by_the_index_as_by_reading(db: Connection, geometries: list[str | None]) -> None:
    looked_up, read = both_ways(db, filled(db, geometries))
    assert (looked_up.rows, looked_up.bbox) == (read.rows, read.bbox)


@pytest.mark.parametrize(
    "shape",
    [
        FeatureTable(columns=(), geometry=GeometryColumn(type="Point", srid=3857)),
        FeatureTable(columns=(), geometry=GeometryColumn(type="Point", srid=4326, has_z=True)),
    ],
)
def test_whatever_the_coordinates_are(db: Connection, shape: FeatureTable) -> None:
    assert shape.geometry is not None
    height = " 5" if shape.geometry.has_z else ""
    table = filled(db, [f"POINT{' Z' * bool(height)} ({n} {n}{height})" for n in (2, 9, 4)], shape)
    looked_up, read = both_ways(db, table, shape)
    assert (looked_up.rows, looked_up.bbox) == (3, read.bbox)


def test_without_the_index(db: Connection) -> None:
    table = filled(db, ["POINT (1 2)", "POINT (3 4)"])
    db.execute("DROP INDEX geo.places_geom_idx")
    looked_up, read = both_ways(db, table)
    assert looked_up == read


def test_a_table_without_geometries_has_rows_only(db: Connection) -> None:
    shape = FeatureTable(columns=(), geometry=None)
    db.execute("CREATE TABLE geo.places (gid bigint PRIMARY KEY)")
    db.execute("INSERT INTO geo.places VALUES (1), (2)")
    found = extent.look_up(db, TableName(table_name="places"), shape)
    assert (found.rows, found.bbox) == (2, None)


def test_the_index_answers(db: Connection) -> None:
    """And not a sort of all rows, which no result would tell."""
    table = filled(db, [f"POINT ({n % 180} {n % 90})" for n in range(3000)])
    (plan,) = db.execute(
        "EXPLAIN (FORMAT JSON) SELECT ST_XMin(geom) FROM geo.places"
        " WHERE geom IS NOT NULL AND NOT ST_IsEmpty(geom)"
        " ORDER BY geom <-> ST_GeomFromText('LINESTRING(-360 -360, -360 360)', 4326) LIMIT 1"
    ).fetchall()
    assert table.table_name == "places"
    assert plan["QUERY PLAN"][0]["Plan"]["Plans"][0]["Index Name"] == "places_geom_idx"
