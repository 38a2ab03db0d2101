"""Staged tables: made, filled, looked at, finished, and swept away."""

from __future__ import annotations

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from core.errors import PermanentTaskError
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from infrastructure.copy_binary import encode_rows
from infrastructure.database import Connection
from services.publishing import checks, staging
from services.publishing.checks import Findings, Invalid
from tests.support.published import TABLE, connect, contents, job, stage

BOWTIE = "MULTIPOLYGON (((0 0, 2 2, 2 0, 0 2, 0 0)))"
SQUARE = "MULTIPOLYGON (((0 0, 0 1, 1 1, 1 0, 0 0)))"
FLAT = "MULTIPOLYGON (((0 0, 1 1, 0 0, 0 0)))"
AREAS = FeatureTable(
    columns=(Column(name="code", type=ColumnType.INTEGER),),
    geometry=GeometryColumn(type="MultiPolygon", srid=4326),
)


def test_a_staged_table_keeps_its_rows_when_it_is_made_again(db: Connection) -> None:
    name = stage(db, [(1, "a", (0, 0))], job_id=job(1), finished=False)
    staging.create(db, name, TABLE)
    assert contents(db, f"SELECT gid, code FROM geo_staging.{name}") == [(1, 1)]
    with pytest.raises(PermanentTaskError) as differs:
        staging.create(db, name, AREAS)
    assert differs.value.error_code == "staged_table_differs"
    checks.finish(db, name, TABLE)
    checks.finish(db, name, TABLE)
    staging.create(db, name, TABLE)


def test_bytes_may_be_cut_anywhere_and_an_error_leaves_nothing(
    db: Connection, publishing_url: str
) -> None:
    name = staging.staged_name(job(1), 3, 2)
    staging.create(db, name, TABLE)
    encoded = encode_rows(
        TABLE,
        gid=np.arange(2),
        columns=[pa.array([1, 2]), pa.array(["a", "b"])],
        geometry=np.array([None, None], dtype=object),
        hashes=np.arange(2),
    )
    with staging.copy_into(db, name, TABLE) as write:
        for position in range(len(encoded)):
            write(encoded[position : position + 1])
    assert len(contents(db, f"SELECT gid FROM geo_staging.{name}")) == 2
    with (
        pytest.raises(psycopg.errors.BadCopyFileFormat),
        connect(publishing_url) as other,
        staging.copy_into(other, name, TABLE) as write,
    ):
        write(encoded[:-3])
    assert len(contents(db, f"SELECT gid FROM geo_staging.{name}")) == 2


def test_names_are_of_the_job_and_nothing_else() -> None:
    assert staging.staged_name(job(1), 0, 2) != staging.staged_name(job(1), 0, None)
    assert len(staging.staged_name(job(1), 999_999, 2)) <= 63
    with pytest.raises(ValueError, match="not a job's id"):
        staging.staged_name('x"; DROP', 0)


def test_a_job_drops_its_own_tables(db: Connection, publishing_url: str) -> None:
    mine = stage(db, [(1, "a", None)], job_id=job(1))
    others = stage(db, [(1, "a", None)], job_id=job(2))
    with connect(publishing_url) as writer:
        writer.execute(f"DELETE FROM geo_staging.{mine}")  # type: ignore[arg-type]
        assert staging.drop(db, job(1)) == []
    assert staging.drop(db, job(1)) == [mine]
    assert contents(db, "SELECT tablename FROM pg_tables WHERE schemaname = 'geo_staging'") == [
        (others,)
    ]


def test_sweeping_leaves_what_a_job_can_still_resume_with(db: Connection) -> None:
    states = {
        1: ("running", False),
        2: ("failed", False),
        3: ("cancelled", False),
        4: ("completed", False),
        5: ("failed", True),
    }
    for number, (status, removed) in states.items():
        db.execute(
            "INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, status,"
            " total_stages, finished_at, work_removed_at)"
            " VALUES (%s, 'process_vector', '{}', %s, %s, 4, %s, %s)",
            (
                job(number),
                str(number),
                status,
                None if status == "running" else "2026-01-01",
                "2026-01-02" if removed else None,
            ),
        )
    names = {number: stage(db, [(1, "a", None)], job_id=job(number)) for number in (*states, 6)}
    db.execute("CREATE TABLE geo_staging.somebodys (x int)")
    assert sorted(staging.sweep(db)) == sorted(names[number] for number in (4, 5, 6))
    left = contents(db, "SELECT tablename FROM pg_tables WHERE schemaname = 'geo_staging'")
    assert sorted(name for (name,) in left) == sorted(
        [*(names[number] for number in (1, 2, 3)), "somebodys"]
    )


def test_duplicates_are_proved_by_their_rows(db: Connection) -> None:
    rows = [
        (1, "a", (0, 0)),
        (1, "a", (0, 0)),  # a duplicate
        (1, "a", (0, 1)),  # of the same hash, and another place
        (1, None, (0, 0)),  # of the same hash, without a name
        (1, None, (0, 0)),  # a duplicate of that
        (2, "b", None),
        (2, "b", None),  # a duplicate, but of another hash: not looked at
        (1, "a", (0, 0)),  # a third one
    ]
    name = stage(db, rows, finished=False, hashes=[7, 7, 7, 7, 7, 8, 9, 7])
    assert checks.examine(db, name, TABLE).duplicates == [2, 5, 8]
    assert checks.examine(db, name, TABLE, duplicates=False) == Findings()


def test_bad_keys_are_named_once(db: Connection) -> None:
    rows = [
        (1, "a", None),
        (1, "a", None),
        (1, "b", None),
        (None, "c", None),
        (2, "d", None),
        (None, "c", None),
    ]
    name = stage(db, rows, finished=False, hashes=[1, 1, 2, 3, 4, 5])
    found = checks.examine(db, name, TABLE, key_columns=["code"])
    assert (found.duplicates, found.null_keys, found.repeated_keys) == ([2], [4, 6], [3])
    db.execute(f"DELETE FROM geo_staging.{name} WHERE gid IN (2, 4, 6)")  # type: ignore[arg-type]
    with pytest.raises(PermanentTaskError, match=r"\(code\)=\(1\)") as refused:
        checks.finish(db, name, TABLE, key_columns=["code"])
    assert refused.value.error_code == "keys_not_unique"


def test_postgis_says_what_is_invalid_and_mends_it(db: Connection) -> None:
    name = stage(db, [(1, SQUARE), (2, BOWTIE), (3, FLAT), (4, None)], AREAS, finished=False)
    found = checks.examine(db, name, AREAS)
    assert found.invalid[0] == Invalid(2, "Self-intersection", (1.0, 1.0))
    assert [invalid.gid for invalid in found.invalid] == [2, 3]
    assert checks.mend(db, name, AREAS, [2, 3]) == [2]
    assert [invalid.gid for invalid in checks.examine(db, name, AREAS).invalid] == [3]
    checked = checks.finish(db, name, AREAS)
    assert (checked.rows, checked.geometries, checked.types) == (4, 3, {"MULTIPOLYGON": 3})


def test_any_type_of_geometry_is_counted(db: Connection) -> None:
    table = AREAS.model_copy(update={"geometry": GeometryColumn(type="Geometry", srid=4326)})
    name = stage(db, [(1, SQUARE), (2, "POINT (1 1)"), (3, "POINT (2 1)")], table, finished=False)
    assert checks.finish(db, name, table).types == {"POINT": 2, "MULTIPOLYGON": 1}
    assert checks.mend(db, name, table, [1, 2]) == [1, 2]


def test_a_multi_geometry_that_is_mended_stays_one_beside_others(db: Connection) -> None:
    """Also where its repair has one part; what it would take the dimension stays as it was."""
    table = AREAS.model_copy(update={"geometry": GeometryColumn(type="Geometry", srid=4326)})
    doubled = "MULTIPOLYGON (((0 0, 0 1, 1 1, 0 0)), ((0 0, 0 1, 1 1, 0 0)))"
    name = stage(db, [(1, doubled), (2, "POINT (1 1)"), (3, FLAT)], table, finished=False)
    assert [each.gid for each in checks.examine(db, name, table).invalid] == [1, 3]
    assert checks.mend(db, name, table, [1, 3]) == [1]
    assert contents(
        db, f"SELECT gid, GeometryType(geom), ST_NumGeometries(geom) FROM geo_staging.{name}"
    ) == [(1, "MULTIPOLYGON", 1), (2, "POINT", 1), (3, "MULTIPOLYGON", 1)]


def test_sweeping_leaves_what_is_set_apart(db: Connection) -> None:
    name = stage(db, [(1, "a", None)], job_id=job(1))
    apart = staging.set_apart(db, name, job(1))
    left = stage(db, [(1, "a", None)], job_id=job(2))
    staging.drop(db, job(1))
    assert staging.sweep(db) == [left]
    assert staging.set_apart_tables(db) == [apart]
