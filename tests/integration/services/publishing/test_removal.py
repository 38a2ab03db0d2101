"""A published table goes with all that geoforge keeps of it, and with nothing else."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from core.errors import Conflict, TransientTaskError
from core.models.feature_table import TableName
from infrastructure import publishing_repository as records
from infrastructure.database import Connection
from infrastructure.locks import Space, lock
from services.publishing.publish import rollback
from services.publishing.removal import remove
from tests.support.published import PARKS, connect, contents, put

WOODS = TableName(table_name="woods")


def removed(db: Connection, target: TableName = PARKS, **options: Any) -> bool:
    with db.transaction():
        return remove(db, target, **options)


def relations(db: Connection) -> set[str]:
    rows = db.execute(
        """
        SELECT n.nspname || '.' || c.relname AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('geo', 'geo_versions') AND c.relname ~ '^(parks|woods)'
          AND c.relkind IN ('r', 'v')
        """
    )
    return {row["name"] for row in rows}


def test_a_table_goes_with_its_versions_and_records(db: Connection) -> None:
    put(db, [(1, "a", (1, 2))], key_columns=["code"])
    put(db, [(2, "b", (1, 2))], key_columns=["code"])
    put(db, [(3, "c", (1, 2))], key_columns=["code"], mode="upsert")
    put(db, [(9, "w", (1, 2))], target=WOODS)
    assert relations(db) == {
        "geo.parks",
        "geo.woods",
        "geo_versions.parks__v1",
        "geo_versions.parks__u3",
    }

    assert removed(db) is True

    assert relations(db) == {"geo.woods"}
    assert records.table(db, PARKS) is None
    assert records.versions(db, PARKS) == []
    assert [version.version for version in records.versions(db, WOODS)] == [1]


def test_its_name_can_be_published_again_from_the_first_version_on(db: Connection) -> None:
    put(db, [(1, "a", (1, 2))])
    put(db, [(2, "b", (1, 2))])
    removed(db)
    assert put(db, [(3, "c", (1, 2))]).version == 1
    assert put(db, [(4, "d", (1, 2))]).version == 2
    with db.transaction():
        rollback(db, PARKS)
    assert contents(db) == [(3, "c")]


def test_what_is_not_published_is_left_alone(db: Connection) -> None:
    db.execute("CREATE TABLE geo.parks (note text)")
    assert removed(db) is False
    assert relations(db) == {"geo.parks"}


def test_a_table_that_someone_dropped_is_forgotten(db: Connection) -> None:
    put(db, [(1, "a", (1, 2))])
    put(db, [(2, "b", (1, 2))])
    db.execute("DROP TABLE geo.parks")
    assert removed(db) is True
    assert relations(db) == set()
    assert records.table(db, PARKS) is None


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE VIEW geo.parks_big AS SELECT * FROM geo.parks", "view geo.parks_big"),
        ("CREATE MATERIALIZED VIEW geo.parks_m AS SELECT * FROM geo.parks", "geo.parks_m"),
        ("CREATE TABLE geo.visits (park bigint REFERENCES geo.parks)", "visits_park_fkey"),
        ("CREATE VIEW geo.parks_old AS SELECT * FROM geo_versions.parks__v1", "geo.parks_old"),
    ],
)
def test_what_others_depend_on_stays_and_they_are_named(
    db: Connection, statement: str, named: str
) -> None:
    put(db, [(1, "a", (1, 2))])
    put(db, [(2, "b", (1, 2))])
    db.execute(statement)
    with pytest.raises(Conflict) as refused:
        removed(db)
    assert refused.value.error_code == "table_in_use"
    assert named in refused.value.message
    assert contents(db) == [(2, "b")]
    assert {"geo.parks", "geo_versions.parks__v1"} <= relations(db)
    assert [version.version for version in records.versions(db, PARKS)] == [1, 2]


def test_something_else_under_its_name_is_not_dropped(db: Connection) -> None:
    put(db, [(1, "a", (1, 2))])
    db.execute("DROP TABLE geo.parks")
    db.execute("CREATE VIEW geo.parks AS SELECT 1 AS one")
    with pytest.raises(Conflict, match="something else has its name"):
        removed(db)
    assert relations(db) == {"geo.parks"}


def test_a_table_that_is_being_published_is_not_waited_for(
    db: Connection, publishing_url: str
) -> None:
    put(db, [(1, "a", (1, 2))])
    with connect(publishing_url) as other:
        lock(other, Space.DATASET, PARKS.schema_name, PARKS.table_name)
        with pytest.raises(TransientTaskError, match="is being published"):
            removed(db)
    assert contents(db) == [(1, "a")]


def test_a_table_that_is_read_for_too_long_stays(db: Connection, publishing_url: str) -> None:
    put(db, [(1, "a", (1, 2))])
    with connect(publishing_url, application_name="a report") as reader:
        reader.execute("SELECT * FROM geo.parks")
        with pytest.raises(TransientTaskError, match="a report") as busy:
            removed(db, patience=0.3)
        assert busy.value.error_code == "table_busy"
    assert contents(db) == [(1, "a")]


def test_it_waits_for_a_reader_who_ends(db: Connection, publishing_url: str) -> None:
    put(db, [(1, "a", (1, 2))])
    with connect(publishing_url) as reader:
        reader.execute("SELECT * FROM geo.parks")
        tried = threading.Event()
        done: list[bool] = []
        waiting = threading.Thread(
            target=lambda: done.append(removed(db, patience=60, check=tried.set))
        )
        waiting.start()
        # It has asked once, in vain, when it looks whether to stop.
        assert tried.wait(60)
        reader.rollback()
        waiting.join(60)
    assert done == [True]
    assert relations(db) == set()
