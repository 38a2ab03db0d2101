"""process_vector over HTTP, on a whole stack, while parts of it are killed and others publish."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from benchmarks.vector_files import polygons
from tests.acceptance.conftest import Api, api_of, mortal_stack
from tests.servers import StackUnderTest
from tests.support.engine import eventually
from tests.support.freezing import freeze
from tests.support.reading import Reader
from tests.support.settings import app_settings

CONTAINER = "bronze-vectors"
PARCELS = "parcels.gpkg"
COUNT = 30_000
STAGES = ("inspect", "clean", "validate", "publish")
JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def mortal() -> Iterator[StackUnderTest]:
    """A stack of this module's own, whose timers come every five seconds."""
    with mortal_stack(GEOFORGE_HOUSEKEEPING_SCHEDULE="*/5 * * * * *") as stack:
        yield stack


@pytest.fixture(scope="module")
def api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


@pytest.fixture(scope="module")
def put(mortal: StackUnderTest) -> Callable[[str, bytes], str]:
    """Writes a blob; its name."""
    storage = mortal.environment["AZURE_STORAGE_CONNECTION_STRING"]

    def write(name: str, data: bytes) -> str:
        with app_settings(AZURE_STORAGE_CONNECTION_STRING=storage):
            from infrastructure import blob_storage

            blob_storage.ensure_container(CONTAINER)
            blob_storage.write_bytes(CONTAINER, name, data)
        return name

    return write


@dataclass(frozen=True)
class Undisturbed:
    """What becomes of the parcels where nothing is killed."""

    result: JsonObject
    report: JsonObject
    contents: list[JsonObject]


@pytest.fixture(scope="module")
def undisturbed(
    api: Api, put: Callable[[str, bytes], str], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    file = tmp_path_factory.mktemp("parcels") / PARCELS
    polygons(file, COUNT)
    put(PARCELS, file.read_bytes())
    job = api.ended(submit_parcels(api, "undisturbed"))
    assert job["status"] == "completed", job["error"]
    assert job["result"]["read"] == COUNT
    assert job["result"]["repaired"] > 0
    assert job["result"]["quarantined"] > 0
    return Undisturbed(*outcome(api, job, "undisturbed"))


def submit(api: Api, blob: str, table: str, **parameters: Any) -> str:
    return api.submit(
        "process_vector",
        container_name=CONTAINER, blob_name=blob, table_name=table, **parameters,
    )  # fmt: skip


def submit_parcels(api: Api, table: str, **parameters: Any) -> str:
    """A job of ten chunks unless told otherwise, which repairs some records and sets others
    aside; its id."""
    options = {"chunk_rows": COUNT // 10, "max_area_change": 0.001, **parameters}
    return submit(api, PARCELS, table, **options)


def outcome(api: Api, job: JsonObject, table: str) -> tuple[JsonObject, JsonObject, Any]:
    """The job's result, its report's figures, and a digest of the table by its every byte."""
    result = {name: job["result"][name] for name in ("read", "loaded", "quarantined", "repaired")}
    result["by_reason"] = job["result"]["quarantined_by_reason"]
    report = api.http.get(job["result"]["report"]).raise_for_status().json()
    figures = {
        "counts": report["counts"],
        "repairs": api.rows(
            "SELECT count(*) AS n, count(DISTINCT source_row) AS records"
            " FROM app.vector_repairs WHERE job_id = %(id)s",
            id=job["job_id"],
        ),
        "quarantine": api.rows(
            "SELECT reason, count(*) AS n, count(DISTINCT source_row) AS records"
            " FROM app.vector_quarantine WHERE job_id = %(id)s GROUP BY reason ORDER BY reason",
            id=job["job_id"],
        ),
    }
    contents = api.rows(
        "SELECT count(*) AS n, count(DISTINCT number) AS numbers, bool_and(ST_IsValid(geom)) AS"
        f" valid, bit_xor(hashtextextended(t::text, 0)) AS digest FROM geo.{table} AS t"
    )
    return result, figures, contents


def staged_tables(api: Api, job_id: str) -> list[str]:
    found = api.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'geo_staging'"
        " AND starts_with(tablename, 'j' || left(%(id)s, 40)) ORDER BY 1",
        id=job_id,
    )
    return [row["tablename"] for row in found]


class Watch:
    """Looks into the ledger of a job through one connection: a stage may last a moment only."""

    def __init__(self, connection: psycopg.Connection[Any], job_id: str) -> None:
        self._connection = connection
        self._job_id = job_id

    def at_work(self, stage: str) -> bool:
        """Whether a task of the stage runs; of the cleaning, amid its rows and not the first."""
        row = self._connection.execute(
            "SELECT count(*) FILTER (WHERE status = 'running'),"
            " count(*) FILTER (WHERE status = 'completed')"
            " FROM app.tasks WHERE job_id = %s AND stage = %s",
            (self._job_id, STAGES.index(stage)),
        ).fetchone()
        assert row is not None
        running, completed = row
        if stage != "clean":
            return bool(running)
        return bool(running and completed and self.rows_under_way())

    def rows_under_way(self) -> int:
        """The rows that COPYs into the job's staged tables have taken so far."""
        row = self._connection.execute(
            "SELECT coalesce(sum(tuples_processed), 0) FROM pg_stat_progress_copy AS p"
            " JOIN pg_class AS c ON c.oid = p.relid"
            " WHERE starts_with(c.relname, 'j' || left(%s, 40))",
            (self._job_id,),
        ).fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def watch(api: Api, job_id: str) -> Iterator[Watch]:
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        yield Watch(connection, job_id)


class TestCrashes:
    def test_the_host_is_killed_in_every_stage(
        self, mortal: StackUnderTest, api: Api, undisturbed: Undisturbed
    ) -> None:
        """One job for each stage: while the next is killed, the last waits for its lease."""
        jobs = {}
        for stage in STAGES:
            jobs[stage] = job_id = submit_parcels(api, f"host_{stage}")
            with watch(api, job_id) as watched:
                host = mortal.pid("host")
                freeze(host, lambda w=watched, s=stage: w.at_work(s))  # type: ignore[misc]
            mortal.restart("host")
        for stage, job_id in jobs.items():
            self.has_survived(api, job_id, f"host_{stage}", undisturbed)
            attempts = api.rows(
                "SELECT max(attempt) AS most FROM app.tasks"
                " WHERE job_id = %(id)s AND stage = %(stage)s",
                id=job_id,
                stage=STAGES.index(stage),
            )
            assert attempts[0]["most"] > 1, f"nothing of {stage} was done again"

    def test_postgresql_is_killed_amid_the_cleaning_and_the_publication(
        self, mortal: StackUnderTest, api: Api, undisturbed: Undisturbed
    ) -> None:
        for stage in ("clean", "publish"):
            job_id = submit_parcels(api, f"postgres_{stage}")
            host = mortal.pid("host")
            with watch(api, job_id) as watched:
                freeze(host, lambda w=watched, s=stage: w.at_work(s))  # type: ignore[misc]
            killed = mortal.kill("postgres")
            os.kill(host, signal.SIGCONT)
            eventually(
                "another PostgreSQL serves",
                lambda k=killed: mortal.pid("postgres") != k and mortal.is_healthy(),  # type: ignore[misc]
                60,
            )
            self.has_survived(api, job_id, f"postgres_{stage}", undisturbed)
            assert mortal.pid("host") == host

    @staticmethod
    def has_survived(api: Api, job_id: str, table: str, undisturbed: Undisturbed) -> None:
        """The job completed by itself, and all is as if nothing had happened."""
        job = api.ended(job_id, 120)
        assert job["status"] == "completed", job["error"]
        assert Undisturbed(*outcome(api, job, table)) == undisturbed
        assert [each["version"] for each in job["result"]["tables"]] == [1]
        assert staged_tables(api, job_id) == []


class TestCancel:
    def test_a_cancelled_job_shows_nothing_and_can_be_resumed(
        self, api: Api, undisturbed: Undisturbed
    ) -> None:
        job_id = self.cancelled_while_cleaning(api, "cancelled")
        assert api.rows("SELECT to_regclass('geo.cancelled') AS found") == [{"found": None}]
        assert api.http.get("/api/features/collections/cancelled").status_code == 404
        answer = api.http.post(f"/api/jobs/{job_id}/resume")
        assert answer.status_code == 202, answer.text
        TestCrashes.has_survived(api, job_id, "cancelled", undisturbed)

    def test_housekeeping_drops_what_was_staged_when_it_is_too_late_to_resume(
        self, api: Api, undisturbed: Undisturbed
    ) -> None:
        job_id = self.cancelled_while_cleaning(api, "abandoned")
        assert staged_tables(api, job_id)
        with psycopg.connect(api.database_url) as connection:
            connection.execute(
                "UPDATE app.jobs SET finished_at = finished_at - interval '25 hours'"
                " WHERE job_id = %s",
                (job_id,),
            )
        eventually("the staged tables are dropped", lambda: not staged_tables(api, job_id), 180)
        answer = api.http.post(f"/api/jobs/{job_id}/resume")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_resumable")

    @staticmethod
    def cancelled_while_cleaning(api: Api, table: str) -> str:
        job_id = submit_parcels(api, table, max_parallel=1)
        with watch(api, job_id) as watched:
            eventually("chunks are cleaned", lambda: watched.at_work("clean"), 180)
        answer = api.http.post(f"/api/jobs/{job_id}/cancel")
        assert answer.status_code == 202, answer.text
        assert api.ended(job_id)["status"] == "cancelled"
        return job_id


class TestParserThatDies:
    def test_it_fails_its_job_and_nothing_else(
        self, mortal: StackUnderTest, api: Api, undisturbed: Undisturbed
    ) -> None:
        host = mortal.pid("host")
        idle = parsers_of(host)
        doomed = submit_parcels(api, "doomed", chunk_rows=COUNT, max_parallel=1)
        with watch(api, doomed) as watched:
            eventually("its rows arrive", watched.rows_under_way, 180)
            [parser] = parsers_of(host) - idle
            other = submit_parcels(api, "beside")
            os.kill(parser, signal.SIGSEGV)
        job = api.ended(doomed)
        assert job["status"] == "failed"
        assert job["error"]["code"] == "sandbox_crashed"
        assert "parcels.gpkg: layer 'parcels' cannot be read to its end" in job["error"]["message"]
        assert "crashed (SIGSEGV)" in job["error"]["message"]
        assert api.rows("SELECT to_regclass('geo.doomed') AS found") == [{"found": None}]
        TestCrashes.has_survived(api, other, "beside", undisturbed)
        assert mortal.pid("host") == host


def parsers_of(host: int) -> set[int]:
    """The sandboxed children of a host, whichever of its processes started them."""
    parents, parsers = {}, set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(entry.name)
            # The name in parentheses may hold spaces.
            parents[pid] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if (entry / "comm").read_text() == "sandbox-child\n":
                parsers.add(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue

    def is_below(pid: int) -> bool:
        return pid == host or (pid in parents and is_below(parents[pid]))

    return {pid for pid in parsers if is_below(pid)}


def events(tag: str, first: int, count: int) -> bytes:
    """A CSV of points, one for each number from `first`, with a tag."""
    lines = [f"{n},{n / 100:.2f},1,{tag}" for n in range(first, first + count)]
    return "\n".join(["id,lon,lat,tag", *lines]).encode()


class TestTwoJobsOnOneTable:
    def test_they_take_turns(self, api: Api, put: Callable[[str, bytes], str]) -> None:
        """Two replace, two append and two upsert, all six at once; only one of the three tables
        is there before."""
        base = submit(api, put("base.csv", events("base", 0, 10)), "appended")
        assert api.ended(base)["status"] == "completed"
        pairs = {
            "replaced": ({"mode": "replace"}, (0, 0)),
            "appended": ({"mode": "append"}, (1000, 3000)),
            "upserted": ({"mode": "upsert", "key_columns": ["id"]}, (0, 600)),
        }
        submitted = {
            (table, tag): (put(f"{table}_{tag}.csv", events(tag, first, 1000)), parameters)
            for table, (parameters, starts) in pairs.items()
            for tag, first in zip("ab", starts, strict=True)
        }
        with ThreadPoolExecutor(len(submitted)) as threads:
            jobs = dict(
                zip(
                    submitted,
                    threads.map(
                        lambda each: submit(api, each[1][0], each[0][0], **each[1][1]),
                        submitted.items(),
                    ),
                    strict=True,
                )
            )
        for job_id in jobs.values():
            job = api.ended(job_id, 90)
            assert job["status"] == "completed", job["error"]
            assert (job["result"]["loaded"], job["result"]["quarantined"]) == (1000, 0)

        last = {table: self.last_of_two(api, table, jobs) for table in pairs}
        assert self.tags(api, "replaced") == {last["replaced"]: 1000}
        assert self.tags(api, "appended") == {"base": 10, "a": 1000, "b": 1000}
        first = "b" if last["upserted"] == "a" else "a"
        assert self.tags(api, "upserted") == {last["upserted"]: 1000, first: 600}

    @staticmethod
    def last_of_two(api: Api, table: str, jobs: dict[tuple[str, str], str]) -> str:
        """The tag of the job that published last, where the versions are what they should be."""
        answer = api.http.get(f"/api/vector/tables/{table}/versions").raise_for_status().json()
        versions = sorted(answer["versions"], key=lambda each: int(each["version"]))
        assert [each["version"] for each in versions] == list(range(1, len(versions) + 1))
        tags = {jobs[table, tag]: tag for tag in "ab"}
        assert {each["job_id"] for each in versions[-2:]} == set(tags)
        return tags[versions[-1]["job_id"]]

    @staticmethod
    def tags(api: Api, table: str) -> dict[str, int]:
        found = api.rows(f"SELECT tag, count(DISTINCT id) AS n FROM geo.{table} GROUP BY tag")
        return {row["tag"]: row["n"] for row in found}


class TestReaders:
    def test_they_never_see_the_table_missing_empty_or_mixed(
        self, api: Api, put: Callable[[str, bytes], str]
    ) -> None:
        def publish(tag: str, first: int, count: int, mode: str = "replace") -> None:
            blob = put(f"seen_{tag}.csv", events(tag, first, count))
            job = api.ended(submit(api, blob, "seen", mode=mode))
            assert job["status"] == "completed", job["error"]

        states = [
            {"one": 200}, {"two": 300}, {"three": 250},
            {"three": 250, "more": 100}, {"four": 150}, {"two": 300},
        ]  # fmt: skip
        publish("one", 0, 200)
        with (
            psycopg.connect(api.database_url, autocommit=True) as connection,
            httpx.Client(base_url=api.http.base_url, timeout=30) as http,
        ):

            def by_sql() -> dict[str, int]:
                query = "SELECT tag, count(*) FROM geo.seen GROUP BY tag"
                return dict(connection.execute(query).fetchall())

            def by_http() -> dict[str, int]:
                answer = http.get("/api/features/collections/seen/items", params={"limit": 1000})
                assert answer.status_code == 200, answer.text
                found = answer.json()
                tags = Counter(each["properties"]["tag"] for each in found["features"])
                assert found["numberReturned"] == sum(tags.values())
                return dict(tags)

            readers = [Reader(by_sql), Reader(by_http)]
            with readers[0].at_work(), readers[1].at_work():
                publish("two", 0, 300)
                publish("three", 0, 250)
                publish("more", 1000, 100, "append")
                publish("four", 0, 150)
                answer = api.http.post("/api/vector/seen/rollback", json={"version": 2})
                assert answer.status_code == 200, answer.text
                before = [reader.reads for reader in readers]
                eventually(
                    "both have read the last state",
                    lambda: all(r.reads > n + 1 for r, n in zip(readers, before, strict=True)),
                )
        for reader in readers:
            assert reader.seen == states
