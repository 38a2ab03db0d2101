"""What is encoded comes out of PostgreSQL as it went in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest
import shapely

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from infrastructure.copy_binary import HEADER, TRAILER, FieldType, Values, encode, encode_rows

UTC = dt.UTC


def copied(
    database_url: str, columns: str, fields: list[tuple[FieldType, Values]], select: str = "*"
) -> list[tuple[Any, ...]]:
    """The rows of a temporary table with these columns after a COPY of the fields."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SET LOCAL timezone = 'UTC'")
        connection.execute(f"CREATE TEMP TABLE t ({columns})")  # type: ignore[arg-type]
        with connection.cursor().copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            copy.write(HEADER)
            copy.write(encode(fields))
            copy.write(TRAILER)
        return connection.execute(f"SELECT {select} FROM t").fetchall()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "array", "expected"),
    [
        (ColumnType.BOOLEAN, pa.array([True, None, False]), [True, None, False]),
        (
            ColumnType.INTEGER,
            pa.array([-(2**63), None, 2**63 - 1]),
            [-(2**63), None, 2**63 - 1],
        ),
        (ColumnType.INTEGER, pa.array([1, 2, None], pa.int8()), [1, 2, None]),
        (
            ColumnType.REAL,
            pa.array([1.5, None, float("inf"), -0.0]),
            [1.5, None, float("inf"), -0.0],
        ),
        (ColumnType.REAL, pa.array([Decimal("1.25"), None]), [1.25, None]),
        (ColumnType.TEXT, pa.array(["", "Zürich 🗺", None]), ["", "Zürich 🗺", None]),
        (ColumnType.TEXT, pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (ColumnType.TEXT, pa.nulls(2), [None, None]),
        (ColumnType.TEXT, pa.array(["x", "yy", None, "z"]).slice(1, 2), ["yy", None]),
        (
            ColumnType.DATE,
            pa.array([dt.date(1, 1, 1), None, dt.date(2000, 1, 1), dt.date(9999, 12, 31)]),
            [dt.date(1, 1, 1), None, dt.date(2000, 1, 1), dt.date(9999, 12, 31)],
        ),
        (
            ColumnType.TIME,
            pa.array([dt.time(0), None, dt.time(23, 59, 59, 999_999)]),
            [dt.time(0), None, dt.time(23, 59, 59, 999_999)],
        ),
        (
            ColumnType.TIME,
            pa.array([1_500], pa.time32("ms")),
            [dt.time(0, 0, 1, 500_000)],
        ),
        (
            ColumnType.TIMESTAMP,
            pa.array([dt.datetime(1890, 5, 1, 12), None, dt.datetime(2024, 2, 29, 1, 2, 3, 4)]),
            [dt.datetime(1890, 5, 1, 12), None, dt.datetime(2024, 2, 29, 1, 2, 3, 4)],
        ),
        (
            ColumnType.TIMESTAMP,
            pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
            [dt.datetime(2023, 11, 14, 22, 13, 20, 123_456)],
        ),
        (
            ColumnType.TIMESTAMPTZ,
            pa.array([dt.datetime(2024, 1, 1, tzinfo=UTC), None], pa.timestamp("s", "Asia/Tokyo")),
            [dt.datetime(2024, 1, 1, tzinfo=UTC), None],
        ),
        (ColumnType.JSON, pa.array(['{"a": [1, null]}', None]), [{"a": [1, None]}, None]),
        (ColumnType.BYTES, pa.array([b"\x00\xff", None, b""]), [b"\x00\xff", None, b""]),
        (
            ColumnType.TEXT_ARRAY,
            pa.array([["a", None, "ü"], None, []]),
            [["a", None, "ü"], None, []],
        ),
    ],
)
def test_values_of_every_type(
    database_url: str, kind: FieldType, array: pa.Array, expected: list[Any]
) -> None:
    name = kind.value if isinstance(kind, ColumnType) else kind
    between = pa.array(range(len(array)))
    rows = copied(
        database_url,
        f"a {name}, i bigint, b {name}",
        [(kind, array), (ColumnType.INTEGER, between), (kind, array)],
    )
    assert rows == [(value, n, value) for n, value in enumerate(expected)]


def test_geometries_get_the_columns_srid_and_keep_their_z(database_url: str) -> None:
    shapes = shapely.from_wkt(["POINT Z (1 2 3)", None, "POINT Z (4 5 6)"])
    rows = copied(
        database_url,
        "g geometry(PointZ, 3857), h geometry(Geometry, 4326)",
        [
            ("geometry", shapely.to_wkb(shapes)),
            ("geometry", shapely.to_wkb(shapely.force_2d(shapes))),
        ],
        "ST_AsEWKT(g), ST_AsEWKT(h)",
    )
    assert rows == [
        ("SRID=3857;POINT(1 2 3)", "SRID=4326;POINT(1 2)"),
        (None, None),
        ("SRID=3857;POINT(4 5 6)", "SRID=4326;POINT(4 5)"),
    ]


def test_rows_of_a_staged_table(database_url: str) -> None:
    table = FeatureTable(
        columns=(Column(name="name", type=ColumnType.TEXT),),
        geometry=GeometryColumn(type="Point", srid=4326),
    )
    encoded = encode_rows(
        table,
        gid=np.array([7, 8]),
        columns=[pa.array(["a", None])],
        geometry=shapely.to_wkb(shapely.points([[0, 1], [2, 3]])),
        hashes=np.array([-5, 5]),
    )
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "CREATE TEMP TABLE t (gid bigint, name text, geom geometry(Point, 4326), h bigint)"
        )
        with connection.cursor().copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            copy.write(HEADER + encoded + TRAILER)
        rows = connection.execute("SELECT gid, name, ST_AsText(geom), h FROM t").fetchall()
    assert rows == [(7, "a", "POINT(0 1)", -5), (8, None, "POINT(2 3)", 5)]


def test_nothing_is_encoded_as_nothing() -> None:
    assert encode([(ColumnType.TEXT, pa.array([], pa.string()))]) == b""


def test_what_does_not_fit_is_an_error_and_not_another_value() -> None:
    with pytest.raises(pa.ArrowInvalid):
        encode([(ColumnType.INTEGER, pa.array([2**64 - 1], pa.uint64()))])
    with pytest.raises(pa.ArrowInvalid):
        encode([(ColumnType.TIMESTAMP, pa.array([2**62], pa.timestamp("s")))])
    with pytest.raises(ValueError, match="different lengths"):
        encode([(ColumnType.INTEGER, pa.array([1])), (ColumnType.INTEGER, pa.array([1, 2]))])
