"""ACLED's events over HTTP, on a whole stack: read in parts, kept current, restricted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from local.standins.acled.server import Acled
from tests.acceptance.conftest import Api, api_of
from tests.servers import ScratchDirectory, StackUnderTest
from tests.support.freezing import freeze

JsonObject = dict[str, Any]
EVENTS = 45_000
PATH = "/api/curated/datasets/acled"
TABLE = "geo.curated_acled_events"


@pytest.fixture(scope="module")
def acled() -> Iterator[Acled]:
    with Acled(EVENTS) as server:
        yield server


@pytest.fixture(scope="module")
def stack_of_events(acled: Acled) -> Iterator[StackUnderTest]:
    with ScratchDirectory() as directory:
        stack = StackUnderTest(
            directory,
            **acled.settings,
            ACLED_REQUESTS_PER_MINUTE="60000",
            GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
            GEOFORGE_RECONCILE_SCHEDULE="*/5 * * * * *",
            GEOFORGE_RESEND_AFTER_SECONDS="5",
            GEOFORGE_SOURCE_CACHE_DIR=str(directory / "sources"),
        )
        yield stack
        stack.close()


@pytest.fixture(scope="module")
def events(stack_of_events: StackUnderTest, acled: Acled) -> Iterator[Events]:
    """The dataset, with all events published that there were at first."""
    for api in api_of(stack_of_events):
        dataset = Events(api, acled)
        dataset.first_job = dataset.survive(stack_of_events)
        yield dataset


@dataclass
class Events:
    api: Api
    acled: Acled
    first_job: JsonObject | None = None
    _days: int = 0

    def survive(self, stack: StackUnderTest) -> JsonObject:
        """Read all events while the host is killed after the first parts; the job."""
        self.acled.latency_seconds = 0.3
        job_id = self.begin()
        with psycopg.connect(self.api.database_url, autocommit=True) as connection:

            def amid_the_parts() -> bool:
                row = connection.execute(
                    "SELECT count(*) FILTER (WHERE status = 'completed'),"
                    " count(*) FILTER (WHERE status = 'running')"
                    " FROM app.tasks WHERE job_id = %s AND stage = 1",
                    (job_id,),
                ).fetchone()
                assert row is not None
                return row[0] >= 1 and row[1] >= 1

            freeze(stack.pid("host"), amid_the_parts)
        self.acled.latency_seconds = 0.0
        stack.restart("host")
        return self.api.ended(job_id, 180)

    def begin(self, **body: Any) -> str:
        answer = self.api.http.post(f"{PATH}/update", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def update(self, **body: Any) -> JsonObject:
        return self.api.ended(self.begin(**body), 120)

    def updated(self, **body: Any) -> JsonObject:
        job = self.update(**body)
        assert job["status"] == "completed", job["error"]
        result: JsonObject = job["result"]
        return result

    def pass_a_day(self, *, inserts: int = 0, edits: int = 0, deletes: int = 0) -> None:
        """A day with so many changes, and an hour after the last of them."""
        self.acled.clock.advance(timedelta(hours=23))
        self._days += 1
        self.acled.events.churn(inserts=inserts, edits=edits, deletes=deletes, seed=self._days)
        self.acled.clock.advance(timedelta(hours=1))

    def log(self) -> JsonObject:
        row: JsonObject = self.api.http.get(f"{PATH}/history?limit=1").json()["history"][0]
        return row

    def contents(self) -> JsonObject:
        [row] = self.api.rows(
            "SELECT count(*) AS n, count(DISTINCT event_id) AS ids, sum(timestamp)::bigint AS sum,"
            " bit_xor(hashtextextended((to_jsonb(t) - 'gid')::text, 0)) AS digest"
            f" FROM {TABLE} t"
        )
        return row

    def is_as_the_source(self) -> bool:
        found = self.contents()
        wanted = len(self.acled.events)
        return (found["n"], found["ids"], found["sum"]) == (
            wanted,
            wanted,
            self.acled.events.checksum(),
        )


def counts(row: JsonObject) -> tuple[int, int, int]:
    return row["records_added"], row["records_updated"], row["records_deleted"]


def test_a_host_that_dies_amid_the_parts_reads_none_of_them_twice(events: Events) -> None:
    job = events.first_job
    assert job is not None
    assert job["status"] == "completed", job["error"]
    assert job["stages"][1]["tasks_total"] > 2
    assert events.is_as_the_source()
    assert job["result"]["read"] == job["result"]["loaded"] == EVENTS
    assert counts(events.log()) == (EVENTS, 0, 0)
    attempts = events.api.rows(
        "SELECT attempt FROM app.tasks WHERE job_id = %(job)s AND stage = 1", job=job["job_id"]
    )
    # Some were done before it died.
    assert min(each["attempt"] for each in attempts) == 1
    assert max(each["attempt"] for each in attempts) == 2


def test_what_has_changed_comes_and_nothing_else(events: Events) -> None:
    events.pass_a_day(inserts=30, edits=50, deletes=20)
    events.acled.forget_requests()
    result = events.updated()
    assert counts(events.log()) == (30, 50, 20)
    assert result["rows"] == len(events.acled.events)
    assert events.is_as_the_source()
    assert len(events.acled.requests) < 12

    # Nothing has changed since: two questions, and no job's worth of work.
    events.acled.forget_requests()
    assert events.updated()["action"] == "skipped"
    assert sum(events.acled.counted().values()) <= 2


def test_a_rollback_brings_back_the_rows_and_the_mark(events: Events) -> None:
    before, mark = events.contents(), events.api.http.get(PATH).json()["source_version"]
    events.pass_a_day(inserts=5, edits=5, deletes=5)
    events.updated()
    after = events.contents()
    assert after != before
    answer = events.api.http.post(f"{PATH}/rollback", json={})
    assert answer.status_code == 200, answer.text
    assert events.contents() == before
    assert events.api.http.get(PATH).json()["source_version"] == mark

    # What an operator rolled back does not come again by itself, what happens after it does.
    assert events.updated()["action"] == "skipped"
    events.pass_a_day(inserts=1)
    events.updated()
    assert events.is_as_the_source()


def test_days_are_read_again_and_the_mark_stays(events: Events) -> None:
    mark = events.api.http.get(PATH).json()["source_version"]
    [spoilt] = events.api.rows(
        f"UPDATE {TABLE} SET notes = 'Spoilt' WHERE gid = (SELECT min(gid) FROM {TABLE})"
        " RETURNING event_id_cnty, event_date"
    )
    day: date = spoilt["event_date"]
    result = events.updated(from_date=str(day), to_date=str(day))
    assert result["changes"]["updated"] == 1
    [row] = events.api.rows(
        f"SELECT notes FROM {TABLE} WHERE event_id_cnty = %(id)s", id=spoilt["event_id_cnty"]
    )
    assert row["notes"] == events.acled.events.row(spoilt["event_id_cnty"])["notes"]
    assert events.api.http.get(PATH).json()["source_version"] == mark

    answer = events.api.http.post(
        f"{PATH}/update", json={"from_date": "2024-02-02", "to_date": "2024-02-01"}
    )
    assert answer.status_code == 422, answer.text


def test_a_gate_holds_deletions_too_until_somebody_approves(events: Events) -> None:
    before = events.contents()
    mark = events.api.http.get(PATH).json()["source_version"]
    events.pass_a_day(deletes=len(events.acled.events) // 3, inserts=10)
    job = events.update()
    assert (job["status"], job["error"]["code"]) == ("failed", "gate_failed")
    assert events.contents() == before
    assert events.api.http.get(PATH).json()["source_version"] == mark
    answer = events.api.http.post(f"{PATH}/publish", json={})
    assert answer.status_code == 202, answer.text
    assert events.api.ended(answer.json()["job_id"])["status"] == "completed"
    assert events.is_as_the_source()


def test_raw_events_are_not_shown_to_everyone(events: Events) -> None:
    collection = "/api/features/collections/curated_acled_events"
    for path in (
        f"{collection}/items",
        f"{collection}/items/1",
        "/api/tiles/curated_acled_events/0/0/0.pbf",
    ):
        answer = events.api.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "restricted"), path
    shown = events.api.http.get(PATH).json()
    assert shown["restricted"] is True
    style = events.api.http.get("/api/styles/curated_acled_events").json()
    assert "ACLED" in str(style)


def test_the_account_is_nowhere_but_in_the_settings(
    events: Events, stack_of_events: StackUnderTest
) -> None:
    account = events.acled.access.account
    secrets = [account.password, account.username]
    tables = ["curated_update_log", "curated_versions", "curated_datasets", "jobs", "tasks"]
    tables += ["job_metrics", "vector_reports", "published_versions", "source_tokens"]
    for table in tables:
        found = events.api.rows(f"SELECT t::text AS row FROM app.{table} t")
        assert not [row for row in found for secret in secrets if secret in row["row"]], table
    [token] = events.api.rows("SELECT count(*) AS n FROM app.source_tokens")
    assert token["n"] == 1
    logs = list((stack_of_events.directory / "logs").glob("*"))
    assert logs
    for log in logs:
        text = log.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], log
