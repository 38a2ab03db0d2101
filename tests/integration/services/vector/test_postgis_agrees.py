"""PostGIS, whose GEOS is another one than shapely's, calls valid what cleaning lets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vector.geometry.cleaning import clean
from tests.support.geometries import as_array, batch_of, broken_geometries, cleaning

_JUDGE = """
SELECT ST_AsText(geom) AS geometry, reason(ST_IsValidDetail(geom)) AS reason
FROM unnest(%s::bytea[]) AS given (wkb), ST_GeomFromWKB(wkb, 4326) AS geom
WHERE NOT ST_IsValid(geom)
"""
_TAKE_IN = "SELECT count(ST_GeomFromWKB(wkb, 4326)) FROM unnest(%s::bytea[]) AS given (wkb)"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        yield connection


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    found=st.lists(broken_geometries(), min_size=1, max_size=20),
    repair=st.sampled_from(["structure", "linework"]),
)
def test_postgis_calls_every_cleaned_geometry_valid(
    connection: psycopg.Connection[Any], found: list[shapely.Geometry | None], repair: str
) -> None:
    result = clean(batch_of(as_array(found)), cleaning(repair=repair, max_area_change=1.0))
    loaded = [shapely.to_wkb(g) for g in result.geometry if g is not None]
    told = [g for r in result.repairs for g in (r.before, r.after, r.fault)]
    told += result.fault_geometry.values()
    with connection.transaction():
        assert connection.execute(_JUDGE, (loaded,)).fetchall() == []
        # What the report keeps may be invalid, but must be something that PostGIS takes in.
        drawn = [shapely.to_wkb(g) for g in told if g is not None]
        row = connection.execute(_TAKE_IN, (drawn,)).fetchone()
        assert row == (len(drawn),)


def test_postgis_takes_in_what_shapely_alone_would_let_through(
    connection: psycopg.Connection[Any],
) -> None:
    odd = [
        shapely.Polygon([(0.0, 0.0), (1, 0), (1, 1), (-0.0, 0.0)]),
        shapely.from_wkt("POLYGON((0 0,1 0,1 1,0 0),EMPTY)"),
        shapely.from_wkt("MULTIPOLYGON(((0 0,1 0,1 1,0 0),EMPTY),EMPTY)"),
        shapely.from_wkt("MULTIPOINT(EMPTY,(0 0))"),
        shapely.from_wkt("GEOMETRYCOLLECTION(POINT EMPTY,POLYGON((0 0,1 0,1 1,0 0),EMPTY))"),
    ]
    result = clean(batch_of(as_array(odd)), cleaning())
    loaded = [shapely.to_wkb(g) for g in result.geometry]
    assert len(loaded) == len(odd)
    assert connection.execute(_JUDGE, (loaded,)).fetchall() == []
    assert connection.execute(_TAKE_IN, (loaded,)).fetchone() == (len(odd),)
