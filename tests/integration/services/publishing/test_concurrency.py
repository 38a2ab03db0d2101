"""Readers, other publishers and crashes while a table is published."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from core.errors import TaskCancelled, TransientTaskError
from core.models.feature_table import TableName
from infrastructure.database import Connection
from services.publishing.publish import Published, publish, rollback, together
from tests.support.published import PARKS, TABLE, connect, contents, job, provenance, put, stage

ROWS = 40


def marked(version: int, first: int = 0) -> list[tuple[int, str, tuple[int, int]]]:
    """Rows that all bear the version that brought them."""
    return [(code, str(version), (0, 0)) for code in range(first, first + ROWS)]


class Poller:
    """Reads the table over and over, as a statement of its own kind each time."""

    def __init__(self, url: str, query: str) -> None:
        self._url, self._query = url, query
        self.seen: list[tuple[object, ...]] = []
        self._over = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self._future = self._thread.submit(self._poll)

    def _poll(self) -> None:
        with connect(self._url) as connection:
            connection.prepare_threshold = 1
            while not self._over.is_set():
                row = connection.execute(self._query).fetchone()  # type: ignore[call-overload]
                connection.rollback()
                found = tuple(row.values())
                if not self.seen or self.seen[-1] != found:
                    self.seen.append(found)

    def wait_for(self, version: int) -> None:
        """Return when it has read this version, or a later one."""
        deadline = time.monotonic() + 60
        while not self.seen or int(str(self.seen[-1][-1])) < version:
            assert time.monotonic() < deadline, f"version {version} was not read"
            time.sleep(0.01)

    def __enter__(self) -> Poller:
        return self

    def __exit__(self, *_details: object) -> None:
        self._over.set()
        self._thread.shutdown()
        self._future.result()


def test_readers_never_see_a_table_missing_empty_or_mixed(
    db: Connection, publishing_url: str
) -> None:
    put(db, marked(0), key_columns=["code"])
    db.execute("CREATE VIEW geo.seen AS SELECT * FROM geo.parks")
    summary = "SELECT count(*), count(DISTINCT name) AS kinds, min(name)::int AS version FROM "
    pollers = [
        Poller(publishing_url, summary + "geo.parks"),
        Poller(publishing_url, summary + "geo.seen"),
        Poller(publishing_url, summary + "(SELECT * FROM geo.parks) AS p"),
    ]
    with ExitStack() as stack:
        for poller in pollers:
            stack.enter_context(poller)
        for n in range(1, 21):
            mode = "upsert" if n % 4 == 0 else "replace"
            put(db, marked(n), mode=mode, key_columns=["code"])
            if n % 3 == 0:
                for poller in pollers:
                    poller.wait_for(n)
        for version in (19, 21, 20):
            with db.transaction():
                rollback(db, PARKS, version)
    assert {name for _, name in contents(db)} == {"19"}
    for poller in pollers:
        assert {(count, kinds) for count, kinds, _ in poller.seen} == {(ROWS, 1)}
        assert len(poller.seen) > 5
        markers = [int(str(marker)) for *_, marker in poller.seen]
        until_the_last = markers[: markers.index(max(markers)) + 1]
        assert until_the_last == sorted(until_the_last)


def test_two_jobs_at_once_take_turns(db: Connection, publishing_url: str) -> None:
    put(db, marked(0), key_columns=["code"])

    def run(number: int) -> int:
        with connect(publishing_url, autocommit=True) as connection:
            mode = ("replace", "append", "upsert")[number % 3]
            first = 1000 * number if mode == "append" else 0
            done = put(
                connection,
                marked(number, first),
                mode=mode,
                key_columns=["code"],
                provenance=provenance(job(number)),
            )
            return done.version

    with ThreadPoolExecutor(4) as threads:
        versions = list(threads.map(run, range(1, 10)))
    assert sorted(versions) == list(range(2, 11))
    recorded = contents(db, "SELECT version FROM app.published_versions")
    assert [version for (version,) in recorded] == list(range(1, 11))


def test_a_long_reader_is_named_and_others_read_on(db: Connection, publishing_url: str) -> None:
    put(db, marked(0))
    with connect(publishing_url) as reader, connect(publishing_url, autocommit=True) as other:
        reader.execute("SET application_name = 'nightly dump'")
        with reader.cursor(name="slow") as cursor:
            cursor.execute("SELECT name FROM geo.parks")
            assert len(cursor.fetchmany(5)) == 5
            reads = 0

            def poll() -> None:
                nonlocal reads
                while not over.is_set():
                    other.execute("SELECT count(*) FROM geo.parks")
                    reads += 1

            over = threading.Event()
            with ThreadPoolExecutor(1) as threads:
                polling = threads.submit(poll)
                with pytest.raises(TransientTaskError, match="nightly dump") as busy:
                    put(db, marked(1), patience=1.0)
                over.set()
                polling.result()
            assert busy.value.error_code == "table_busy"
            assert reads
            assert {row["name"] for row in cursor.fetchall()} == {"0"}
    assert put(db, marked(2)).version == 2


def test_tables_that_are_published_together_do_not_wait_for_each_other(
    db: Connection, publishing_url: str
) -> None:
    """While the second is in use, the readers of the first one get on."""
    lines = TableName(table_name="parks_lines")
    put(db, marked(0))
    put(db, marked(0), target=lines)
    names = {target: stage(db, marked(1)) for target in (PARKS, lines)}
    mine = provenance()

    def publication(target: TableName) -> Callable[[float], Published]:
        return lambda patience: publish(
            db, target, names[target], TABLE, mode="replace", provenance=mine, patience=patience
        )

    both = [publication(PARKS), publication(lines)]
    with connect(publishing_url) as reader, connect(publishing_url, autocommit=True) as other:
        reader.execute("SELECT 1 FROM geo.parks_lines")
        # Far longer than a publication holds a lock in vain, and far less than it is patient.
        other.execute("SET lock_timeout = '20s'")
        with ThreadPoolExecutor(1) as threads:
            publishing = threads.submit(together, db, [PARKS, lines], both, patience=120.0)
            for _ in range(100):
                row = other.execute("SELECT min(name) AS name FROM geo.parks").fetchone()
                assert row == {"name": "0"}
                time.sleep(0.02)
            reader.rollback()
            assert [done.version for done in publishing.result()] == [2, 2]
    assert {name for _, name in contents(db)} == {"1"}


def test_one_snapshot_sees_one_version(db: Connection, publishing_url: str) -> None:
    """In REPEATABLE READ: the old table, once it was read; else the new one, staged before."""
    put(db, marked(0))
    name = stage(db, marked(1))
    with connect(publishing_url) as fresh:
        fresh.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        fresh.execute("SELECT 1")
        with db.transaction():
            publish(db, PARKS, name, TABLE, mode="replace", provenance=provenance())
        assert {row["name"] for row in fresh.execute("SELECT name FROM geo.parks")} == {"1"}
        put(db, marked(2, first=ROWS), mode="append")
        assert {row["name"] for row in fresh.execute("SELECT name FROM geo.parks")} == {"1"}


def test_an_append_does_not_wait_for_readers(db: Connection, publishing_url: str) -> None:
    put(db, marked(0))
    with connect(publishing_url) as reader:
        reader.execute("SELECT * FROM geo.parks")
        done = put(db, marked(1, first=ROWS), mode="append", patience=0.0)
        assert done.rows == 2 * ROWS
        assert len(reader.execute("SELECT * FROM geo.parks").fetchall()) == 2 * ROWS


def test_waiting_can_be_cancelled(db: Connection, publishing_url: str) -> None:
    put(db, marked(0))

    def cancelled() -> None:
        raise TaskCancelled("the job was cancelled")

    with connect(publishing_url) as reader:
        reader.execute("SELECT 1 FROM geo.parks")
        with pytest.raises(TaskCancelled):
            put(db, marked(1), check=cancelled)
    with connect(publishing_url) as other:
        name = stage(other, marked(2))
        publish(other, PARKS, name, TABLE, mode="replace", provenance=provenance())
        with pytest.raises(TaskCancelled):
            put(db, marked(3), check=cancelled)
        other.commit()
    assert {name for _, name in contents(db)} == {"2"}


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_lost_connection_leaves_the_old_version(
    db: Connection, publishing_url: str, mode: str
) -> None:
    put(db, marked(0))
    name = stage(db, marked(1, first=ROWS))
    doomed = connect(publishing_url)
    publish(doomed, PARKS, name, TABLE, mode=mode, provenance=provenance())  # type: ignore[arg-type]
    db.execute("SELECT pg_terminate_backend(%s)", (doomed.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        doomed.commit()
    doomed.close()
    assert {name for _, name in contents(db)} == {"0"}
    assert contents(db, "SELECT version FROM app.published_versions") == [(1,)]
    assert contents(db, "SELECT 1 AS n FROM pg_tables WHERE schemaname = 'geo_versions'") == []
    with db.transaction():
        again = publish(db, PARKS, name, TABLE, mode=mode, provenance=provenance())  # type: ignore[arg-type]
    assert again.version == 2


def test_what_is_changed_at_the_last_moment_is_not_lost(
    db: Connection, publishing_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grant that comes between the reading of the grants and the swap."""
    from services.publishing import attachments

    put(db, marked(0))
    prepare = attachments.prepare

    def grant_meanwhile(*arguments: object) -> None:
        prepare(*arguments)  # type: ignore[arg-type]
        with connect(publishing_url, autocommit=True) as other:
            other.execute("GRANT SELECT ON geo.parks TO PUBLIC")

    monkeypatch.setattr(attachments, "prepare", grant_meanwhile)
    with pytest.raises(TransientTaskError, match="changed at this moment"):
        put(db, marked(1))
    monkeypatch.undo()
    put(db, marked(2))
    [(acl,)] = contents(db, "SELECT relacl::text FROM pg_class WHERE oid = 'geo.parks'::regclass")
    assert "=r/" in acl
