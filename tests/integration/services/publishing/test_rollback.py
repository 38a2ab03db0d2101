"""Earlier versions come back, over any chain of changes, as new versions."""

from __future__ import annotations

import random
from typing import Any

import pytest

from core.errors import Conflict, NotFound, PermanentTaskError
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from infrastructure.database import Connection
from services.publishing.publish import Published, restorable, rollback
from tests.support.published import PARKS, contents, job, provenance, put

WITH_AREA = FeatureTable(
    columns=(
        Column(name="code", type=ColumnType.INTEGER),
        Column(name="area", type=ColumnType.REAL),
    ),
    geometry=GeometryColumn(type="Point", srid=4326),
)


def back(db: Connection, to: int | None = None, **options: Any) -> Published:
    with db.transaction():
        return rollback(db, PARKS, to, **options)


def everything(db: Connection) -> list[Any]:
    """All rows with all columns, as text, with their numbers."""
    return contents(db, "SELECT to_jsonb(p)::text AS row FROM geo.parks p")


def test_a_replaced_table_comes_back_as_a_new_version(db: Connection) -> None:
    put(db, [(1, "a", (1, 2))], provenance=provenance(job(1)))
    put(db, [(2, "b", (0, 0)), (3, "c", (0, 0))])
    done = back(db, actor="somebody")
    assert (done.version, done.change, done.rows, done.bbox) == (3, "rollback", 1, (1, 2, 1, 2))
    assert done.notes == {"actor": "somebody"}
    assert contents(db) == [(1, "a")]
    record = db.execute("SELECT version, job_id, row_count FROM app.published_tables").fetchone()
    assert record == {"version": 3, "job_id": job(1), "row_count": 1}
    versions = db.execute(
        "SELECT version, change, kept_as, restores FROM app.published_versions ORDER BY 1"
    ).fetchall()
    assert [tuple(row.values()) for row in versions] == [
        (1, "replace", None, None),
        (2, "replace", "parks__v2", None),
        (3, "rollback", None, 1),
    ]
    assert back(db, 2).version == 4
    assert contents(db) == [(2, "b"), (3, "c")]
    assert back(db, 1).version == 5
    assert contents(db) == [(1, "a")]


def test_repeated_rollbacks_go_further_back(db: Connection) -> None:
    for n in range(1, 4):
        put(db, [(n, f"v{n}", (0, 0))])
    back(db)
    assert contents(db) == [(2, "v2")]
    back(db)
    assert contents(db) == [(1, "v1")]
    with pytest.raises(Conflict, match="no version before 1"):
        back(db)


def test_changes_in_place_are_undone_in_place(db: Connection) -> None:
    put(db, [(1, "a", (0, 0)), (2, "b", (0, 0)), (3, None, None)], key_columns=["code"])
    oid = contents(db, "SELECT 'geo.parks'::regclass::oid AS oid")
    states = [everything(db)]
    put(db, [(4, "d", (9, 9))], mode="append")
    states.append(everything(db))
    put(
        db,
        [(2, "B", (1, 1)), (5, "e", (0, 0))],
        mode="upsert",
        key_columns=["code"],
        delete_missing=True,
    )
    states.append(everything(db))
    done = back(db)
    assert everything(db) == states[1]
    assert (done.version, done.added, done.updated, done.removed) == (4, 3, 1, 1)
    back(db, 3)
    assert everything(db) == states[2]
    done = back(db, 1)
    assert everything(db) == states[0]
    assert (done.version, done.rows, done.bbox) == (6, 3, (0, 0, 0, 0))
    back(db, 2)
    assert everything(db) == states[1]
    assert contents(db, "SELECT 'geo.parks'::regclass::oid AS oid") == oid


def test_the_way_back_leads_through_a_kept_table_and_its_notes(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))])
    first = everything(db)
    put(db, [(2, "b", (0, 0))], mode="append")
    second = everything(db)
    put(db, [(3, 7.5, (0, 0))], WITH_AREA)
    third = everything(db)
    back(db, 1)
    assert everything(db) == first
    back(db, 2)
    assert everything(db) == second
    back(db, 3)
    assert everything(db) == third
    back(db, 1)
    assert everything(db) == first


def test_a_change_of_columns_is_rolled_back_too(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))], key_columns=["code"])
    before = everything(db)
    put(db, [(1, 7.5, (0, 0))], WITH_AREA, mode="upsert", key_columns=["code"])
    assert contents(db, "SELECT name, area FROM geo.parks") == [("a", 7.5)]
    back(db)
    assert everything(db) == before


def test_what_is_not_kept_is_said(db: Connection) -> None:
    with pytest.raises(NotFound, match=r"geo\.parks"):
        back(db)
    for n in range(1, 5):
        put(db, [(n, "x", (0, 0))], keep_versions=1)
    with pytest.raises(Conflict, match=r"Version 1 of geo\.parks is not kept.*These are: 3"):
        back(db, 1)
    with pytest.raises(NotFound, match="no version 9"):
        back(db, 9)
    with pytest.raises(Conflict) as same:
        back(db, 4)
    assert same.value.error_code == "is_current"
    assert restorable(db, PARKS) == {3}


def test_views_follow_a_rollback_or_stop_it(db: Connection) -> None:
    put(db, [(1, 7.5, (0, 0))], WITH_AREA)
    put(db, [(2, "b", (0, 0))])
    db.execute("CREATE VIEW geo.codes AS SELECT code FROM geo.parks")
    back(db)
    assert contents(db, "SELECT code FROM geo.codes") == [(1,)]
    back(db, 2)
    db.execute("CREATE VIEW geo.names AS SELECT name FROM geo.parks")
    with pytest.raises(PermanentTaskError, match=r"view geo\.names"):
        back(db, 1)
    assert contents(db) == [(2, "b")]


def test_an_old_version_that_someone_uses_is_dropped_later(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))], keep_versions=0)
    put(db, [(2, "b", (0, 0))], keep_versions=1)
    db.execute("CREATE VIEW geo.yesterday AS SELECT * FROM geo_versions.parks__v1")
    put(db, [(3, "c", (0, 0))], keep_versions=0)
    kept = "SELECT version FROM app.published_versions WHERE kept_as IS NOT NULL"
    assert contents(db, kept) == [(1,)]
    db.execute("DROP VIEW geo.yesterday")
    put(db, [(4, "d", (0, 0))], keep_versions=0)
    assert contents(db, kept) == []
    assert contents(db, "SELECT 1 AS n FROM pg_tables WHERE schemaname = 'geo_versions'") == []


@pytest.mark.parametrize("seed", range(4))
def test_any_version_comes_back_after_any_history(db: Connection, seed: int) -> None:
    """Random histories of all kinds of changes and rollbacks, all versions kept."""
    draw = random.Random(seed)
    states: dict[int, list[Any]] = {}
    for version in range(1, 15):
        kind = draw.choice(["replace", "append", "upsert", "upsert", "rollback"])
        rows = [
            (code, draw.choice("abc"), (draw.randrange(3), 0))
            for code in sorted(draw.sample(range(12), draw.randrange(1, 6)))
        ]
        if kind == "rollback" and restorable(db, PARKS):
            to = draw.choice(sorted(restorable(db, PARKS)))
            assert back(db, to).version == version
            assert everything(db) == states[to]
        elif kind in ("replace", "rollback"):
            put(db, rows, key_columns=["code"], keep_versions=50)
        elif kind == "append":
            fresh = [(100 + version, "z", (0, 0))]
            put(db, fresh, mode="append", key_columns=["code"], keep_versions=50)
        else:
            put(
                db,
                rows,
                mode="upsert",
                key_columns=["code"],
                keep_versions=50,
                delete_missing=draw.random() < 0.4,
            )
        states[version] = everything(db)
    for version in draw.sample(sorted(states), len(states)):
        if states[version] != everything(db):
            back(db, version)
            assert everything(db) == states[version]
