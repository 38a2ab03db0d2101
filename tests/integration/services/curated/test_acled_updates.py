"""Updates of ACLED's events from the stand-in to the published table, as a job runs them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from core.errors import Conflict, PermanentTaskError
from core.models.curated import CuratedDataset, CuratedDefinition, UpdateStatus
from infrastructure import curated_repository, database
from infrastructure import curated_updates_repository as updates_log
from infrastructure.database import Connection, Row
from jobs.curated_update import JOB
from local.standins.acled.server import Acled
from services.curated import versions
from services.curated.acled import slices
from tests.support.acled_copies import TABLE, copied, truth
from tests.support.curated_datasets import forget_all, register
from tests.support.run_job import JobRun, TaskFailed
from tests.support.settings import app_settings

NOW = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
MARK = "2026-11-23T09:15:00Z"
EVENTS = 400

_runs = itertools.count()


@pytest.fixture
def acled() -> Iterator[Acled]:
    with Acled(EVENTS, at=NOW) as started:
        yield started


@pytest.fixture
def connection(
    acled: Acled, ledger_url: str, blob_connection_string: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    monkeypatch.setattr(slices, "TARGET_EVENTS", 150)
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER="curated-acled-updates",
            GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
            ACLED_REQUESTS_PER_MINUTE="60000",
            **acled.settings,
        ),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        yield connection


@pytest.fixture
def dataset(connection: Connection) -> CuratedDataset:
    return register(
        connection,
        # The container outlives the test.
        dataset_id=f"acled_{next(_runs)}",
        name="ACLED events",
        source_url=None,
        handler="acled",
        update_strategy="upsert",
        target_table_name="curated_acled_events",
        gates={"row_count_change_pct": None, "extent_change_pct": None},
        restricted=True,
    )


def job_of(dataset: CuratedDataset, **asked: Any) -> JobRun:
    return JobRun(JOB, dataset_id=dataset.dataset_id, request_id=str(next(_runs)), **asked)


def update(connection: Connection, dataset: CuratedDataset, **asked: Any) -> Mapping[str, Any]:
    """Run an update to its end; its result."""
    job = job_of(dataset, **asked)
    result = job.run()
    assert result is not None
    assert log_of(connection, job)["status"] in ("completed", "skipped")
    return result


def failure(connection: Connection, dataset: CuratedDataset, **asked: Any) -> Exception:
    """What an update fails with."""
    job = job_of(dataset, **asked)
    with pytest.raises(TaskFailed) as failed:
        job.run()
    updates_log.finish(connection, job.job_id, UpdateStatus.FAILED)
    assert isinstance(failed.value.__cause__, Exception)
    return failed.value.__cause__


def log_of(connection: Connection, job: JobRun) -> Row:
    row = updates_log.of_job(connection, job.job_id)
    assert row is not None
    return row


def reason_of(connection: Connection, dataset: CuratedDataset) -> str | None:
    """The reason that the log gives for what was done last."""
    [newest] = updates_log.page(connection, dataset.dataset_id, limit=1)
    found: str | None = newest["details"].get("reason")
    return found


def held(dataset: CuratedDataset) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = versions.versions_page(dataset.dataset_id)["held"]
    return found


def mark_of(connection: Connection, dataset: CuratedDataset) -> str | None:
    return curated_repository.get(connection, dataset.dataset_id).source_version


def redefine(connection: Connection, dataset: CuratedDataset, **fields: Any) -> CuratedDataset:
    definition = CuratedDefinition.model_validate(
        dataset.model_dump(include=set(CuratedDefinition.model_fields)) | fields
    )
    return curated_repository.replace(connection, definition, dataset.handler)


def published(connection: Connection) -> dict[str, Row]:
    """The rows of the table, by ACLED's id."""
    rows = connection.execute(
        f"SELECT *, ST_X(geom) AS x, ST_Y(geom) AS y, ST_SRID(geom) AS srid FROM {TABLE}"
    ).fetchall()
    found = {row["event_id_cnty"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def assert_same(connection: Connection, acled: Acled) -> None:
    """The table has what ACLED has, in all columns, no more and no less."""
    assert copied(connection) == truth(acled)


def test_the_first_update_publishes_all(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    result = update(connection, dataset)
    assert (result["action"], result["rows"]) == ("updated", EVENTS)
    assert result["quarantined"] == 0
    assert_same(connection, acled)
    assert mark_of(connection, dataset) == MARK
    indexed = connection.execute(
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'curated_acled_events'"
    ).fetchall()
    for column in ("event_id", "event_date", "event_type", "country", "event_id_cnty"):
        assert any(f"({column})" in row["indexdef"] for row in indexed), column


def test_then_what_has_changed_and_no_more(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    acled.clock.advance(timedelta(days=3))
    assert update(connection, dataset)["action"] == "skipped"
    change = acled.events.churn(inserts=20, edits=30, deletes=10, seed=3)
    acled.clock.advance(timedelta(minutes=1))
    acled.forget_requests()
    result = update(connection, dataset)
    assert result["changes"] | {"unchanged": 0} == {
        "added": len(change.inserted),
        "updated": len(change.edited),
        "deleted": len(change.deleted),
        "unchanged": 0,
    }
    assert result["rows"] == len(acled.events.rows())
    assert_same(connection, acled)
    assert mark_of(connection, dataset) == "2026-11-26T09:16:00Z"
    # To see that there is something, how much, and to fetch it; not all that there is.
    assert acled.counted()["events"] <= 5
    assert update(connection, dataset)["action"] == "skipped"


def test_a_rollback_brings_the_mark_back_with_the_rows(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    before = published(connection)
    acled.clock.advance(timedelta(days=3))
    acled.events.churn(inserts=5, edits=5, deletes=5, seed=4)
    acled.clock.advance(timedelta(minutes=1))
    update(connection, dataset)
    versions.roll_back(dataset.dataset_id, actor="an operator")
    assert mark_of(connection, dataset) == MARK
    without_gid = [{**row, "gid": None} for row in published(connection).values()]
    assert sorted(without_gid, key=lambda row: row["event_id"]) == sorted(
        ({**row, "gid": None} for row in before.values()), key=lambda row: row["event_id"]
    )
    # It stays rolled back as long as ACLED has nothing newer; then all of it comes.
    assert "rolled back" in update(connection, dataset)["reason"]
    acled.clock.advance(timedelta(days=1))
    acled.events.churn(inserts=2, edits=1, deletes=1, seed=5)
    acled.clock.advance(timedelta(minutes=1))
    update(connection, dataset)
    assert_same(connection, acled)


def test_a_backfill_reads_days_that_no_timestamp_tells_of(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    chosen = sorted(acled.events.rows().items(), key=lambda each: str(each[1]["event_date"]))
    quiet = [key for key, _ in chosen[100:103]]
    for key in quiet:
        old = int(str(acled.events.row(key)["timestamp"]))
        acled.events.edit(
            key,
            event_date=date.fromisoformat(str(acled.events.row(key)["event_date"])),
            timestamp=min(old, int((NOW - timedelta(days=30)).timestamp())),
            notes="Mended without a word.",
        )
    acled.clock.advance(timedelta(days=1))
    assert update(connection, dataset)["action"] == "skipped"
    days = {
        "from_date": str(chosen[95][1]["event_date"]),
        "to_date": str(chosen[110][1]["event_date"]),
    }
    job = job_of(dataset, **days)
    result = job.run()
    assert result is not None
    assert (result["action"], result["changes"]["updated"]) == ("updated", len(quiet))
    assert (result["changes"]["added"], result["changes"]["deleted"]) == (0, 0)
    assert log_of(connection, job)["details"]["asked"] == days
    assert_same(connection, acled)
    assert mark_of(connection, dataset) == MARK


def test_a_backfill_of_nothing_published_is_followed_by_all(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    days = {"from_date": "2024-01-01", "to_date": "2024-12-31"}
    update(connection, dataset, **days)
    assert {row["event_date"].year for row in published(connection).values()} == {2024}
    assert mark_of(connection, dataset) == "2024-01-01..2024-12-31"
    update(connection, dataset)
    assert_same(connection, acled)
    assert mark_of(connection, dataset) == MARK


def test_a_rollback_to_a_mere_backfill_stays_until_there_is_more(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset, from_date="2024-01-01", to_date="2024-12-31")
    before = copied(connection)
    acled.clock.advance(timedelta(minutes=1))
    update(connection, dataset)
    versions.roll_back(dataset.dataset_id, actor="an operator")
    acled.clock.advance(timedelta(days=3))
    assert "rolled back" in update(connection, dataset)["reason"]
    assert copied(connection) == before
    acled.events.insert()
    update(connection, dataset)
    assert_same(connection, acled)


def test_another_definition_means_that_all_is_read_again(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    acled.clock.advance(timedelta(minutes=1))
    redefined = redefine(connection, dataset, source_config={"since": "2025-01-01"})
    refusal = failure(connection, redefined, from_date="2025-01-01")
    assert isinstance(refusal, Conflict)
    assert refusal.error_code == "definition_changed"
    result = update(connection, redefined)
    kept = {
        key for key, row in acled.events.rows().items() if str(row["event_date"]) >= "2025-01-01"
    }
    assert set(published(connection)) == kept
    assert result["changes"]["deleted"] == EVENTS - len(kept)
    assert reason_of(connection, dataset) == (
        "What is published was read before the definition was changed: all of the source is read "
        "again."
    )
    acled.clock.advance(timedelta(days=1))
    assert update(connection, redefined)["action"] == "skipped"


def test_another_definition_that_was_rolled_back_stays_so(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    acled.clock.advance(timedelta(minutes=1))
    redefined = redefine(connection, dataset, source_config={"since": "2025-01-01"})
    kept = update(connection, redefined)["rows"]
    versions.roll_back(dataset.dataset_id, actor="an operator")
    # What was read by the other definition is nothing that changes could be added to.
    acled.events.churn(inserts=5, edits=5, deletes=5, seed=6)
    acled.clock.advance(timedelta(days=1))
    before = published(connection)
    acled.forget_requests()
    result = update(connection, redefined)
    assert result["action"] == "skipped"
    assert result["reason"] == reason_of(connection, dataset)
    assert "since was rolled back or discarded. force_update" in result["reason"]
    assert acled.counted()["events"] <= 5
    assert published(connection) == before
    # The earlier definition has its rows, and goes on.
    restored = redefine(connection, redefined, source_config=dataset.source_config)
    assert update(connection, restored)["delivers"] == "increment"
    assert_same(connection, acled)
    redefined = redefine(connection, restored, source_config={"since": "2025-01-01"})
    assert update(connection, redefined, force_update=True)["rows"] < len(before)
    assert kept < len(before)


def test_another_definition_that_a_gate_stopped_is_read_once(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    redefined = redefine(
        connection,
        dataset,
        source_config={"since": "2025-01-01"},
        gates={**dataset.gates.model_dump(), "row_count_change_pct": 10},
    )
    acled.clock.advance(timedelta(minutes=1))
    # Nobody has seen anything of a plan but its counts.
    assert update(connection, redefined, dry_run=True)["action"] == "planned"
    stopped = failure(connection, redefined)
    assert isinstance(stopped, PermanentTaskError)
    assert stopped.error_code == "gate_failed"
    acled.clock.advance(timedelta(days=1))
    assert "is held until" in update(connection, redefined)["reason"]
    version_id = stopped.details["version_id"]
    assert [each["version_id"] for each in held(dataset)] == [version_id]
    versions.discard(dataset.dataset_id, version_id)
    acled.clock.advance(timedelta(days=1))
    assert "rolled back or discarded" in update(connection, redefined)["reason"]
    assert len(published(connection)) == EVENTS
    # Yet another one is another matter.
    wider = redefine(connection, redefined, source_config={"since": "1998-01-01"})
    assert update(connection, wider)["delivers"] == "snapshot"


def test_a_table_that_somebody_dropped_is_read_whole(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    connection.execute(f"DROP TABLE {TABLE}")
    acled.clock.advance(timedelta(minutes=1))
    assert update(connection, dataset)["rows"] == EVENTS
    assert_same(connection, acled)


def test_all_is_read_again_where_that_is_forced(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    somebody_deleted = sorted(acled.events.rows())[:7]
    connection.execute(f"DELETE FROM {TABLE} WHERE event_id_cnty = ANY(%s)", (somebody_deleted,))
    acled.clock.advance(timedelta(minutes=1))
    result = update(connection, dataset, force_update=True)
    assert result["changes"]["added"] == 7
    assert_same(connection, acled)


def recent(acled: Acled) -> set[str]:
    """The events that an embargo of a year hides."""
    newest = str(acled.clock.today() - timedelta(days=365))
    return {key for key, row in acled.events.rows().items() if str(row["event_date"]) > newest}


@pytest.mark.parametrize("asked", [{"force_update": True}, {}], ids=["all", "changes"])
def test_an_embargo_that_begins_while_it_is_read_stops_the_update(
    connection: Connection, dataset: CuratedDataset, acled: Acled, asked: dict[str, Any]
) -> None:
    """Else the events that it hides would be gone, or be left out, for good."""
    update(connection, dataset)
    acled.clock.advance(timedelta(days=5))
    some = acled.events.edit(sorted(recent(acled))[0], notes="Revised.")
    acled.clock.advance(timedelta(days=5))
    job = job_of(dataset, **asked)
    job.run(until="fetch_data")
    acled.access.change(embargo_months=12)
    with pytest.raises(TaskFailed) as failed:
        job.run()
    assert isinstance(failed.value.__cause__, PermanentTaskError)
    assert failed.value.__cause__.error_code == "source_changed"
    updates_log.finish(connection, job.job_id, UpdateStatus.FAILED)
    assert mark_of(connection, dataset) == MARK
    # What the account may see is read under the embargo, and the rest when it is over.
    update(connection, dataset)
    acled.access.change(embargo_months=None)
    acled.clock.advance(timedelta(days=5))
    update(connection, dataset)
    assert some["notes"] == "Revised."
    assert_same(connection, acled)


def test_a_backfill_of_days_that_an_embargo_hides_meanwhile_stops(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    update(connection, dataset)
    job = job_of(dataset, from_date="2025-06-01", to_date="2026-06-30")
    job.run(until="fetch_data")
    acled.access.change(embargo_months=12)
    with pytest.raises(TaskFailed, match="under an embargo"):
        job.run()
    updates_log.finish(connection, job.job_id, UpdateStatus.FAILED)
    update(connection, dataset, from_date="2025-01-01", to_date="2025-06-30")
    assert_same(connection, acled)


def test_an_embargo_that_moves_on_gives_each_event_once(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    """An event of the opened days that was edited lately is asked for once: twice, it would be a
    fault, and a few such faults among a few changes stop an update."""
    acled.access.change(embargo_months=12)
    update(connection, dataset)
    opened = [
        acled.events.insert(event_date=date(2025, 11, 23) + timedelta(days=number))
        for number in range(5)
    ]
    acled.clock.advance(timedelta(days=4))
    result = update(connection, dataset)
    assert result["action"] == "updated"
    assert result["quarantined"] == 0
    assert set(opened) <= set(published(connection))
    acled.access.change(embargo_months=None)
    acled.clock.advance(timedelta(hours=1))
    assert update(connection, dataset)["quarantined"] == 0
    assert_same(connection, acled)


def test_an_account_that_sees_nothing_is_told_so(
    connection: Connection, dataset: CuratedDataset, acled: Acled
) -> None:
    acled.access.change(embargo_months=12 * 60)
    refusal = failure(connection, dataset)
    assert isinstance(refusal, PermanentTaskError)
    assert refusal.error_code == "source_empty"
