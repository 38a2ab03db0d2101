"""Curated datasets over HTTP, on a whole stack, with an IBAT that fails and a host that dies."""

from __future__ import annotations

import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.standins.ibat.library import Library
from local.standins.ibat.server import Ibat
from local.standins.protected_areas import ProtectedAreas
from local.standins.register import Truth
from tests.acceptance.conftest import Api, api_of
from tests.servers import ScratchDirectory, StackUnderTest
from tests.support.engine import eventually
from tests.support.freezing import freeze
from tests.support.reading import Reader

JsonObject = dict[str, Any]
STAGES = ("check_source", "fetch_data", "etl_process", "finalize")


@pytest.fixture(scope="module")
def ibat() -> Iterator[Ibat]:
    with Ibat() as server:
        yield server


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(tmp_path_factory.mktemp("ibat"), ProtectedAreas(polygons=3_000, points=300))


@pytest.fixture(scope="module")
def mortal(ibat: Ibat) -> Iterator[StackUnderTest]:
    """A stack of this module's own, whose timers come every few seconds."""
    with ScratchDirectory() as directory:
        stack = StackUnderTest(
            directory,
            **ibat.settings,
            GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
            GEOFORGE_RECONCILE_SCHEDULE="*/5 * * * * *",
            GEOFORGE_RESEND_AFTER_SECONDS="5",
            GEOFORGE_CURATED_DUE_CHECK="*/2 * * * * *",
            GEOFORGE_SHOW_RESTRICTED="true",
            GEOFORGE_SOURCE_CACHE_DIR=str(directory / "sources"),
        )
        yield stack
        stack.close()


@pytest.fixture(scope="module")
def api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


@dataclass(frozen=True)
class Dataset:
    """The protected areas, or a copy of them, as their operator has them."""

    api: Api
    ibat: Ibat
    library: Library
    dataset_id: str = "wdpa"
    table: str = "geo.curated_wdpa_protected_areas"

    @property
    def path(self) -> str:
        return f"/api/curated/datasets/{self.dataset_id}"

    def copy(self, name: str, **fields: Any) -> Dataset:
        """Another dataset of the same source."""
        table = f"curated_{name}"
        answer = self.api.http.post(
            "/api/curated/datasets",
            json={
                "dataset_id": name,
                "name": name,
                "handler": "wdpa",
                "target_table_name": table,
                **fields,
            },
        )
        assert answer.status_code == 201, answer.text
        return replace(self, dataset_id=name, table=f"geo.{table}")

    def offer(self, release: int) -> str:
        """Let the source offer a release; its version."""
        return self.library.offer(self.ibat, "wdpa", release)

    def begin(self, **body: Any) -> str:
        answer = self.api.http.post(f"{self.path}/update", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def update(self, **body: Any) -> JsonObject:
        """Update by hand; the job when it has ended."""
        return self.api.ended(self.begin(**body), 120)

    def updated(self, release: int) -> JsonObject:
        """Publish a release; the job's result."""
        self.offer(release)
        job = self.update(force_update=True)
        assert job["status"] == "completed", job["error"]
        result: JsonObject = job["result"]
        return result

    def next_release(self) -> tuple[int, int]:
        """The release that is published, and another one to publish."""
        versions = {self.library.areas.update_date(number): number for number in (1, 2)}
        published = versions.get(self.view()["source_version"])
        if published is None:
            self.updated(published := 1)
        return published, 3 - published

    def log(self) -> JsonObject:
        """The newest row of the log."""
        answer = self.api.http.get(f"{self.path}/history?limit=1").json()
        row: JsonObject = answer["history"][0]
        return row

    def view(self) -> JsonObject:
        body: JsonObject = self.api.http.get(self.path).json()
        return body

    def contents(self) -> JsonObject:
        """A digest of the published table by its every byte."""
        [row] = self.api.rows(
            "SELECT count(*) AS n, count(DISTINCT site_pid) AS parcels,"
            " min(source_version) AS oldest, max(source_version) AS newest,"
            " bit_xor(hashtextextended((to_jsonb(t) - 'gid')::text, 0)) AS digest"
            f" FROM {self.table} t"
        )
        return row

    def truth(self, before: int | None, after: int) -> Truth:
        return self.library.areas.changes(before, after)


@pytest.fixture
def wdpa(api: Api, ibat: Ibat, library: Library) -> Iterator[Dataset]:
    dataset = Dataset(api, ibat, library)
    yield dataset
    ibat.faults.clear()


def counts(row: JsonObject) -> tuple[int, int, int, int]:
    return (
        row["records_added"],
        row["records_updated"],
        row["records_deleted"],
        row["records_unchanged"],
    )


def expected(truth: Truth) -> tuple[int, int, int, int]:
    return len(truth.added), len(truth.updated), len(truth.deleted), len(truth.unchanged)


class TestUpdates:
    def test_two_versions_and_a_rollback_before_the_eyes_of_a_reader(self, wdpa: Dataset) -> None:
        wdpa = wdpa.copy("two_versions")
        version_1 = wdpa.updated(1)["source_version"]
        assert counts(wdpa.log()) == expected(wdpa.truth(None, 1))
        first = wdpa.contents()
        assert first["n"] == first["parcels"] == wdpa.truth(None, 1).loaded

        version_2 = wdpa.offer(2)
        planned = wdpa.update(dry_run=True)["result"]
        changes = planned["changes"]
        truth = wdpa.truth(1, 2)
        assert planned["action"] == "planned"
        assert (
            changes["added"], changes["updated"], changes["deleted"], changes["unchanged"],
        ) == expected(truth)  # fmt: skip
        assert wdpa.contents() == first

        with psycopg.connect(wdpa.api.database_url, autocommit=True) as connection:

            def read() -> tuple[int, str, str]:
                row = connection.execute(
                    f"SELECT count(*), min(source_version), max(source_version) FROM {wdpa.table}"
                ).fetchone()
                assert row is not None
                return row

            reader = Reader(read)
            with reader.at_work():
                result = wdpa.update()["result"]
                second = wdpa.contents()
                answer = wdpa.api.http.post(f"{wdpa.path}/rollback", json={})
                assert answer.status_code == 200, answer.text
        assert result["action"] == "updated"
        rows_1, rows_2 = first["n"], truth.loaded
        assert reader.seen == [
            (rows_1, version_1, version_1),
            (rows_2, version_2, version_2),
            (rows_1, version_1, version_1),
        ]
        assert second["n"] == rows_2
        assert wdpa.contents() == first
        view = wdpa.view()
        assert (view["source_version"], view["rejected_version"]) == (version_1, version_2)
        rolled_back = wdpa.log()
        assert (rolled_back["action"], rolled_back["status"]) == ("rollback", "completed")

        # What an operator rolled back does not come again by itself.
        job = wdpa.update()
        assert job["result"]["action"] == "skipped"
        assert "rolled back" in str(wdpa.log()["details"])
        assert wdpa.contents() == first
        assert wdpa.updated(2)["version"] > 3
        updated = wdpa.log()
        assert counts(updated) == expected(truth)
        assert wdpa.contents() == second

    def test_what_is_unchanged_is_not_fetched_again(self, wdpa: Dataset) -> None:
        wdpa.updated(2)
        wdpa.ibat.forget_requests()
        job = wdpa.update()
        assert job["result"]["action"] == "skipped"
        assert wdpa.log()["status"] == "skipped"
        assert [each.server for each in wdpa.ibat.requests] == ["api"]

    def test_a_second_update_is_refused_by_the_name_of_the_first(self, wdpa: Dataset) -> None:
        wdpa.offer(2)
        with wdpa.ibat.faults.held(1000):
            job_id = wdpa.begin(force_update=True)
            answer = wdpa.api.http.post(f"{wdpa.path}/update", json={})
            assert (answer.status_code, answer.json()["code"]) == (409, "update_under_way")
            assert answer.json()["job_id"] == job_id
            cancelled = wdpa.api.http.post(f"/api/jobs/{job_id}/cancel")
            assert cancelled.status_code == 202
        assert wdpa.api.ended(job_id)["status"] == "cancelled"
        assert wdpa.log()["status"] == "cancelled"

    def test_credentials_go_to_the_source_and_stay_there(
        self, wdpa: Dataset, mortal: StackUnderTest
    ) -> None:
        wdpa.updated(2)
        assert wdpa.ibat.leaks == []
        secrets = [wdpa.ibat.key, wdpa.ibat.token, "Signature="]
        for table in ("curated_update_log", "curated_versions", "curated_datasets", "jobs",
                      "tasks", "job_metrics", "vector_reports", "published_versions"):  # fmt: skip
            found = wdpa.api.rows(f"SELECT t::text AS row FROM app.{table} t")
            assert not [row for row in found for secret in secrets if secret in row["row"]], table
        logs = list((mortal.directory / "logs").glob("*"))
        assert logs
        for log in logs:
            text = log.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in text], log


def corrupt(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + b"nothing that anyone can read" * 1000)


def without_areas(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.csv", "title,year\nnothing here,2023\n")


class TestFailures:
    """Whatever the source does: what is published stays, the log says what was wrong, and the
    next update succeeds."""

    @pytest.mark.parametrize(
        ("status", "body", "reason"),
        [
            (401, None, "IBAT"),
            (400, None, "IBAT"),
            (200, "<html>maintenance</html>", "JSON"),
            (200, '{"update_date": "July 2023"}', "download_url"),
        ],
    )
    def test_of_the_check(self, wdpa: Dataset, status: int, body: str | None, reason: str) -> None:
        self.fails_and_recovers(
            wdpa, lambda: wdpa.ibat.faults.answer(status, body=body), "check_source", reason
        )

    def test_of_the_download_that_is_refused(self, wdpa: Dataset) -> None:
        self.fails_and_recovers(
            wdpa, lambda: wdpa.ibat.faults.answer_download(404, times=20), "check_source", "404"
        )

    @pytest.mark.parametrize(
        ("spoil", "stage", "reason"),
        [
            (corrupt, "fetch_data", "The archive"),
            (without_areas, "fetch_data", "'readme'"),
        ],
    )
    def test_of_the_archive(
        self,
        wdpa: Dataset,
        tmp_path: Path,
        spoil: Callable[[Path], None],
        stage: str,
        reason: str,
    ) -> None:
        def offer() -> None:
            archive = tmp_path / "WDPA_spoilt.zip"
            spoil(archive)
            wdpa.ibat.publish("wdpa", f"Spoilt by {spoil.__name__}", archive)

        self.fails_and_recovers(wdpa, offer, stage, reason)

    def test_of_a_gate_keeps_the_version_for_approval(self, wdpa: Dataset, tmp_path: Path) -> None:
        wdpa.updated(1)
        before = wdpa.contents()
        areas = ProtectedAreas(polygons=200, points=20)
        few_areas = areas.release(1).write(tmp_path, wdpa.library.form)
        wdpa.ibat.publish("wdpa", "Few areas", few_areas)
        job = wdpa.update()
        assert (job["status"], job["error"]["code"]) == ("failed", "gate_failed")
        assert wdpa.contents() == before
        log = wdpa.log()
        assert log["status"] == "failed"
        assert "row_count_change_pct" in log["error_message"]
        [held] = wdpa.api.http.get(f"{wdpa.path}/versions").json()["held"]
        assert held["source_version"] == "Few areas"
        answer = wdpa.api.http.post(f"{wdpa.path}/publish", json={})
        assert answer.status_code == 202, answer.text
        job = wdpa.api.ended(answer.json()["job_id"])
        assert job["status"] == "completed", job["error"]
        assert wdpa.contents()["n"] == areas.changes(None, 1).loaded
        assert wdpa.view()["source_version"] == "Few areas"
        answer = wdpa.api.http.post(f"{wdpa.path}/rollback", json={})
        assert answer.status_code == 200, answer.text
        assert wdpa.contents() == before

    @staticmethod
    def fails_and_recovers(
        wdpa: Dataset, fault: Callable[[], None], stage: str, reason: str
    ) -> None:
        release, following = wdpa.next_release()
        before = wdpa.contents()
        wdpa.offer(following)
        fault()
        job = wdpa.update(force_update=True)
        assert job["status"] == "failed"
        assert job["error"]["stage_name"] == stage
        log = wdpa.log()
        assert (log["job_id"], log["status"]) == (job["job_id"], "failed")
        assert reason in log["error_message"]
        assert wdpa.ibat.key not in log["error_message"]
        assert wdpa.contents() == before
        wdpa.ibat.faults.clear()
        wdpa.updated(following)
        assert counts(wdpa.log()) == expected(wdpa.truth(release, following))

    @pytest.mark.parametrize("status", [429, 500])
    def test_what_passes_is_ridden_out(self, wdpa: Dataset, status: int) -> None:
        release, following = wdpa.next_release()
        wdpa.offer(following)
        wdpa.ibat.faults.answer(status, times=1, retry_after=1)
        wdpa.ibat.faults.truncate(5000, times=2)
        job = wdpa.update(force_update=True)
        assert job["status"] == "completed", job["error"]
        assert counts(wdpa.log()) == expected(wdpa.truth(release, following))


class TestCrashes:
    def test_the_host_is_killed_in_every_stage(self, mortal: StackUnderTest, wdpa: Dataset) -> None:
        """A dataset for each stage: while the next is killed, the last waits for its lease."""
        datasets = {stage: wdpa.copy(f"killed_in_{stage}") for stage in STAGES}
        wdpa.offer(1)
        first = {stage: datasets[stage].begin() for stage in STAGES}
        for job_id in first.values():
            assert wdpa.api.ended(job_id, 120)["status"] == "completed"
        wdpa.offer(2)
        jobs = {}
        for stage, dataset in datasets.items():
            before = dataset.contents()
            jobs[stage] = job_id = dataset.begin()
            with psycopg.connect(wdpa.api.database_url, autocommit=True) as connection:
                freeze(
                    mortal.pid("host"),
                    lambda c=connection, j=job_id, s=stage: at_work(c, j, s),  # type: ignore[misc]
                )
            assert dataset.contents() == before
            mortal.restart("host")
        truth = wdpa.truth(1, 2)
        for stage, dataset in datasets.items():
            job = wdpa.api.ended(jobs[stage], 120)
            assert job["status"] == "completed", job["error"]
            assert counts(dataset.log()) == expected(truth), stage
            assert dataset.contents()["n"] == truth.loaded
        left = wdpa.api.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'geo_staging'")
        assert left == []

    def test_postgresql_is_killed_amid_the_finalizing(
        self, mortal: StackUnderTest, wdpa: Dataset
    ) -> None:
        release, following = wdpa.next_release()
        wdpa.offer(following)
        job_id = wdpa.begin(force_update=True)
        host = mortal.pid("host")
        with psycopg.connect(wdpa.api.database_url, autocommit=True) as connection:
            freeze(host, lambda: at_work(connection, job_id, "finalize"))
        killed = mortal.kill("postgres")
        os.kill(host, signal.SIGCONT)
        eventually(
            "another PostgreSQL serves",
            lambda: mortal.pid("postgres") != killed and mortal.is_healthy(),
            60,
        )
        job = wdpa.api.ended(job_id, 120)
        assert job["status"] == "completed", job["error"]
        assert counts(wdpa.log()) == expected(wdpa.truth(release, following))


def at_work(connection: psycopg.Connection[Any], job_id: str, stage: str) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM app.tasks WHERE job_id = %s AND stage = %s"
        " AND status = 'running')",
        (job_id, STAGES.index(stage)),
    ).fetchone()
    assert row is not None
    return bool(row[0])


class TestScheduler:
    def test_a_host_that_was_down_for_three_days_runs_what_is_due_once(
        self, mortal: StackUnderTest, wdpa: Dataset
    ) -> None:
        wdpa.offer(2)
        api = wdpa.api
        # Due at the hour that is farthest from now: none passes while this runs.
        [clock] = api.rows("SELECT extract(hour FROM now() AT TIME ZONE 'UTC')::integer AS hour")
        hour = (clock["hour"] + 12) % 24
        daily = wdpa.copy("daily", update_schedule=f"0 {hour} * * *", enabled=True)
        host = mortal.pid("host")
        os.kill(host, signal.SIGSTOP)
        with psycopg.connect(api.database_url) as connection:
            connection.execute(
                "UPDATE app.curated_datasets SET schedule_from = now() - interval '3 days'"
                " WHERE dataset_id = 'daily'"
            )
        mortal.restart("host")
        eventually("the missed run is caught up", lambda: ended_runs(daily), 180)

        # What falls due all the time shows that the timer goes on coming.
        often = wdpa.copy("often", update_schedule="*/2 * * * * *", enabled=True)
        eventually("the timer comes again and again", lambda: len(ended_runs(often)) > 2, 180)
        assert api.http.post(f"{often.path}/disable").status_code == 200
        [run] = scheduled_runs(daily)
        [due] = api.rows(
            "SELECT max(day + %(hour)s * interval '1 hour') AS at"
            " FROM generate_series(date_trunc('day', now() AT TIME ZONE 'UTC') - interval '1 day',"
            " date_trunc('day', now() AT TIME ZONE 'UTC'), interval '1 day') AS day"
            " WHERE day + %(hour)s * interval '1 hour' <= now() AT TIME ZONE 'UTC'",
            hour=hour,
        )
        assert run["due_at"].replace(tzinfo=None) == due["at"]
        assert run["status"] == "completed"
        moments = [each["due_at"] for each in scheduled_runs(often)]
        assert len(set(moments)) == len(moments)
        assert all(each.second % 2 == 0 and each.microsecond == 0 for each in moments)


def scheduled_runs(dataset: Dataset) -> list[JsonObject]:
    return dataset.api.rows(
        "SELECT due_at AT TIME ZONE 'UTC' AS due_at, status FROM app.curated_update_log"
        " WHERE dataset_id = %(id)s AND update_type = 'scheduled' ORDER BY log_id",
        id=dataset.dataset_id,
    )


def ended_runs(dataset: Dataset) -> list[JsonObject]:
    return [run for run in scheduled_runs(dataset) if run["status"] in ("completed", "skipped")]
