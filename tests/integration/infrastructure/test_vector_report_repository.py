"""Quality reports in PostgreSQL: written with the rows, balanced, and apart for each run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb
from shapely import Point, set_srid, to_wkb

from core.errors import TransientTaskError
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from core.models.vector_report import RecordCounts
from infrastructure import database
from infrastructure import vector_report_repository as reports
from tests.support.settings import app_settings

JOB = "a" * 64
OTHER_JOB = "b" * 64


@pytest.fixture
def connection(ledger_url: str) -> Iterator[database.Connection]:
    """A transaction that is undone at the end."""
    with app_settings(DATABASE_URL=ledger_url), database.connect() as connection:
        yield connection
        connection.rollback()


def ewkb(x: float, y: float) -> bytes:
    return bytes(to_wkb(set_srid(Point(x, y), 4326), include_srid=True))


def test_a_chunk_is_recorded_once(connection: database.Connection) -> None:
    counts = RecordCounts(read=10, loaded=9, quarantined={"malformed": 1})
    assert reports.chunk_done(connection, JOB, 0, 0) is None

    reports.record_chunk(connection, JOB, 0, 0, counts)

    assert reports.chunk_done(connection, JOB, 0, 0) == counts
    assert reports.chunk_done(connection, JOB, 0, 1) is None
    assert reports.chunk_done(connection, OTHER_JOB, 0, 0) is None
    with pytest.raises(TransientTaskError, match="another attempt"):
        reports.record_chunk(connection, JOB, 0, 0, counts)


def test_of_two_attempts_at_a_chunk_one_commits(database_url: str) -> None:
    """The second waits for the first, and then must not commit its rows."""
    counts = RecordCounts(read=1, loaded=1)
    with (
        app_settings(DATABASE_URL=database_url),
        database.connect() as first,
        database.connect() as second,
        ThreadPoolExecutor(1) as threads,
    ):
        reports.record_chunk(first, JOB, 0, 7, counts)
        attempt = threads.submit(reports.record_chunk, second, JOB, 0, 7, counts)
        with pytest.raises(TimeoutError):
            attempt.result(timeout=0.2)
        first.commit()
        with pytest.raises(TransientTaskError, match="another attempt"):
            attempt.result(timeout=60)


def test_the_streams_of_a_child_get_their_ids_from_the_parent(
    connection: database.Connection,
) -> None:
    with connection.cursor() as cursor, cursor.copy(reports.repairs_in(connection)) as copy:
        copy.set_types(["int8", "text[]", "text", "bytea", *["float8"] * 4, "bytea", "bytea"])
        copy.write_row(
            (3, ["spike"], None, ewkb(1, 2), 10.0, 9.5, 4.0, 3.9, ewkb(0, 0), ewkb(1, 1))
        )
        copy.write_row((1, ["retyped"], "was a line", None, None, None, None, None, None, None))
    assert reports.keep_repairs(connection, JOB, 2) == 2
    with connection.cursor() as cursor, cursor.copy(reports.quarantine_in(connection)) as copy:
        copy.set_types(["int8", "text", "text", "jsonb", "text", "bool", "bytea"])
        copy.write_row(
            (9, "malformed", "no geometry", Jsonb({"a": 1}), "<Placemark/>", False, None)
        )
    assert reports.keep_quarantine(connection, JOB, 2) == 1

    repairs = connection.execute(
        """SELECT job_id, layer, source_row, kinds, ST_AsText(fault_at) AS fault, area_before
           FROM app.vector_repairs ORDER BY repair_id"""
    ).fetchall()
    quarantine = connection.execute("SELECT * FROM app.vector_quarantine").fetchall()
    assert [(row["source_row"], row["kinds"]) for row in repairs] == [
        (1, ["retyped"]),
        (3, ["spike"]),
    ]
    assert {(row["job_id"], row["layer"]) for row in repairs + quarantine} == {(JOB, 2)}
    assert (repairs[1]["fault"], repairs[1]["area_before"]) == ("POINT(1 2)", 10.0)
    assert quarantine[0]["properties"] == {"a": 1}
    assert quarantine[0]["raw"] == "<Placemark/>"


def test_a_stream_of_another_shape_is_refused(connection: database.Connection) -> None:
    with (
        pytest.raises(psycopg.DataError),
        connection.cursor() as cursor,
        cursor.copy(reports.quarantine_in(connection)) as copy,
    ):
        copy.write_row((1, "malformed"))


def test_rows_that_are_set_aside_leave_the_table_and_stay_in_the_balance(
    connection: database.Connection,
) -> None:
    staged = sql.Identifier("geo_staging", "parks")
    table = FeatureTable(
        columns=(
            Column(name="name", type=ColumnType.TEXT),
            Column(name="height", type=ColumnType.REAL),
        ),
        geometry=GeometryColumn(type="Point", srid=3857),
    )
    connection.execute(
        """CREATE TABLE geo_staging.parks
               (gid bigint, name text, height float8, geom geometry(Point, 3857));
           INSERT INTO geo_staging.parks
           SELECT n, 'park ' || n, 'NaN', ST_SetSRID(ST_MakePoint(0, 0), 3857)
           FROM generate_series(1, 5) AS n"""
    )
    reports.record_chunk(connection, JOB, 0, 0, RecordCounts(read=5, loaded=5))
    reports.record_chunk(connection, JOB, 1, 0, RecordCounts(read=2, loaded=2))

    moved = reports.set_aside(
        connection, JOB, 0, staged, table, {2: "equals record 1", 5: "equals record 4"}, "duplicate"
    )
    again = reports.set_aside(connection, JOB, 0, staged, table, {3: "invalid"}, "not_repairable")
    gone = reports.set_aside(connection, JOB, 0, staged, table, {2: "equals record 1"}, "duplicate")

    assert (moved, again, gone) == (2, 1, 0)
    totals = reports.totals(connection, JOB)
    assert totals[0] == RecordCounts(
        read=5, loaded=2, quarantined={"duplicate": 2, "not_repairable": 1}
    )
    assert totals[1] == RecordCounts(read=2, loaded=2)
    assert sum(totals.values(), RecordCounts()).balanced
    rows = connection.execute(
        "SELECT *, ST_AsText(geom) AS wkt FROM app.vector_quarantine ORDER BY source_row"
    ).fetchall()
    assert [(row["source_row"], row["reason"], row["detail"]) for row in rows] == [
        (2, "duplicate", "equals record 1"),
        (3, "not_repairable", "invalid"),
        (5, "duplicate", "equals record 4"),
    ]
    assert rows[0]["properties"] == {"name": "park 2", "height": "NaN"}
    assert rows[0]["wkt"] == "POINT(0 0)"
    left = connection.execute("SELECT array_agg(gid ORDER BY gid) AS gids FROM geo_staging.parks")
    assert left.fetchone() == {"gids": [1, 4]}


def test_rows_without_attributes_or_geometry_are_set_aside_too(
    connection: database.Connection,
) -> None:
    connection.execute(
        "CREATE TABLE geo_staging.bare (gid bigint); INSERT INTO geo_staging.bare VALUES (1)"
    )

    reports.set_aside(
        connection,
        JOB,
        0,
        sql.Identifier("geo_staging", "bare"),
        FeatureTable(columns=(), geometry=None),
        {1: "equals record 0"},
        "duplicate",
    )

    row = connection.execute("SELECT properties, geom FROM app.vector_quarantine").fetchone()
    assert row == {"properties": {}, "geom": None}


def test_a_report_begins_and_ends(connection: database.Connection) -> None:
    source = {"name": "parks\x00.kml", "size": 12}
    reports.begin_report(connection, JOB, source, {"layers": []})
    reports.begin_report(connection, JOB, source, {"layers": [{"name": "parks"}]})
    reports.record_chunk(connection, JOB, 0, 0, RecordCounts(read=1, loaded=1))
    reports.finish_report(
        connection, JOB, RecordCounts(read=1, loaded=1), [{"table": "geo.parks", "version": 1}]
    )

    row = connection.execute("SELECT * FROM app.vector_reports WHERE job_id = %s", [JOB]).fetchone()
    assert row is not None
    assert row["source"] == {"name": "parks\\0.kml", "size": 12}
    assert row["inference"] == {"layers": [{"name": "parks"}]}
    assert row["counts"]["loaded"] == 1
    assert row["tables"] == [{"table": "geo.parks", "version": 1}]
    assert row["finished_at"] >= row["created_at"]
