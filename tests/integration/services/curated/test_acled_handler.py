"""ACLED's handler against the stand-in: what is new, in which parts, and what they bring."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from core.errors import PermanentTaskError
from infrastructure import blob_storage
from local.standins.acled.server import Acled
from services.curated.acled import slices
from services.curated.acled.event_rows import event_id
from services.curated.acled_handler import AcledHandler
from services.curated.handler import Days, FetchedPart, RemoteVersion, Run
from tests.support.handler_runs import carry_on, dataset, store
from tests.support.settings import app_settings

NOW = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
MARK = "2026-11-23T09:15:00Z"

handler = AcledHandler()


@pytest.fixture
def acled() -> Iterator[Acled]:
    with Acled(600, at=NOW) as started:
        yield started


@pytest.fixture(autouse=True)
def _app(
    acled: Acled, ledger_url: str, blob_connection_string: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setattr(slices, "TARGET_EVENTS", 200)
    with app_settings(
        DATABASE_URL=ledger_url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_CURATED_CONTAINER="curated-acled",
        GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        ACLED_REQUESTS_PER_MINUTE="60000",
        **acled.settings,
    ):
        yield


def run(source_version: str | None = None, *, job_id: str = "job1", **asked: Any) -> Run:
    """An update of a dataset of which this version is published."""
    options = {name: asked.pop(name) for name in ("forced", "days") if name in asked}
    of = dataset(
        handler="acled",
        update_strategy="upsert",
        target_table_name="curated_acled_events",
        source_version=source_version,
        **asked,
    )
    return Run(of, job_id, check=carry_on, progress=carry_on, **options)


def bring(this: Run, remote: RemoteVersion) -> list[FetchedPart]:
    """All parts of a version."""
    files = store(this, remote.version)
    return [handler.fetch_part(this, remote, part, files) for part in remote.parts]


def rows_of(part: FetchedPart) -> list[dict[str, str]]:
    [blob] = part.ref.blobs
    text = blob_storage.read_bytes(part.ref.container, blob.path).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def events_of(parts: list[FetchedPart]) -> list[dict[str, str]]:
    return [row for part in parts if part.kind == "records" for row in rows_of(part)]


def deletions_of(parts: list[FetchedPart]) -> dict[str, str]:
    return {
        row["event_id_cnty"]: row["timestamp"]
        for part in parts
        if part.kind == "deletions"
        for row in rows_of(part)
    }


def ids(rows: list[dict[str, str]]) -> list[str]:
    return sorted(row["event_id_cnty"] for row in rows)


def test_a_first_reading_brings_all_in_slices(acled: Acled) -> None:
    this = run()
    remote = handler.check(this)
    assert (remote.version, remote.delivers) == (MARK, "snapshot")
    assert remote.facts == {"events": 600}
    assert len(remote.parts) >= 3
    events = events_of(bring(this, remote))
    assert ids(events) == sorted(acled.events.rows())
    for row in events:
        truth = acled.events.row(row["event_id_cnty"])
        said = {name: "" if value is None else str(value) for name, value in truth.items()}
        assert {name: row[name] for name in said} == said
        assert row["event_id"] == str(event_id(row["event_id_cnty"]))
        assert row["source_url"].startswith(f"{acled.url}/api/acled/read?event_id_cnty=")


def test_a_part_is_read_once_by_a_job_and_again_by_another(acled: Acled) -> None:
    this = run()
    remote = handler.check(this)
    first = bring(this, remote)
    acled.forget_requests()
    assert bring(this, remote) == first
    assert acled.requests == []
    bring(replace(this, job_id="job2"), remote)
    assert acled.counted()["events"] >= len(remote.parts)


def test_nothing_new_is_the_same_version_and_costs_two_requests(acled: Acled) -> None:
    acled.clock.advance(timedelta(days=3))
    handler.check(run(MARK))  # which logs in
    acled.forget_requests()
    this = run(MARK)
    remote = handler.check(this)
    assert (remote.version, remote.delivers) == (MARK, "increment")
    assert acled.counted() == {"events": 1, "deleted": 1}
    # A dry run reads what it would have to: what is near the mark, which is published already.
    parts = bring(this, remote)
    assert deletions_of(parts) == {}
    assert {row["event_id_cnty"] for row in events_of(parts)} <= set(acled.events.rows())


def test_what_has_changed_since_comes_whatever_it_is(acled: Acled) -> None:
    edited, gone = sorted(acled.events.rows())[:2]
    acled.clock.advance(timedelta(days=3))
    acled.events.edit(edited, notes="Revised.")
    acled.events.delete(gone)
    new = acled.events.insert(fatalities="3")
    this = run(MARK)
    remote = handler.check(this)
    assert (remote.version, remote.delivers) == ("2026-11-26T09:15:00Z", "increment")
    assert remote.facts["changed"] == 2
    parts = bring(this, remote)
    events = {row["event_id_cnty"]: row for row in events_of(parts)}
    assert {edited, new} <= set(events)
    assert events[edited]["notes"] == "Revised."
    assert gone not in events
    # And some of what was published already: changes are read from two days before the mark.
    least = min(int(row["timestamp"]) for row in events.values())
    assert (NOW - timedelta(hours=48)).timestamp() <= least
    assert deletions_of(parts) == {gone: str(int(acled.clock.now().timestamp()))}


@pytest.mark.parametrize("change", ["insert", "edit", "delete"])
def test_a_change_in_the_second_of_the_mark_is_not_lost(acled: Acled, change: str) -> None:
    some = sorted(acled.events.rows())[0]
    match change:
        case "insert":
            some = acled.events.insert()
        case "edit":
            acled.events.edit(some, notes="Revised.")
        case _:
            acled.events.delete(some)
    acled.clock.advance(timedelta(hours=1))
    this = run(MARK)
    remote = handler.check(this)
    assert remote.version == "2026-11-23T10:15:00Z"
    parts = bring(this, remote)
    assert some in (deletions_of(parts) if change == "delete" else ids(events_of(parts)))


def test_many_changes_come_in_slices(acled: Acled) -> None:
    acled.clock.advance(timedelta(days=3))
    change = acled.events.churn(inserts=50, edits=400, seed=5)
    this = run(MARK)
    remote = handler.check(this)
    records = [part for part in remote.parts if part["kind"] == "events"]
    assert len(records) >= 3
    assert all(part["since"] for part in records)
    found = ids(events_of(bring(this, remote)))
    assert {*change.inserted, *change.edited} <= set(found)
    assert len(found) == len(set(found))


def test_all_is_read_again_where_that_is_asked_for(acled: Acled) -> None:
    acled.clock.advance(timedelta(hours=1))
    remote = handler.check(run(MARK, forced=True))
    assert (remote.version, remote.delivers) == ("2026-11-23T10:15:00Z", "snapshot")


def test_all_is_read_where_what_is_published_has_no_mark() -> None:
    assert handler.check(run("2024-01-01..2024-03-31")).delivers == "snapshot"


def test_all_is_read_where_the_mark_is_ahead_of_acleds_clock() -> None:
    remote = handler.check(run("2026-12-24T00:00:00Z"))
    assert (remote.version, remote.delivers) == (MARK, "snapshot")
    # Servers of one service may differ by a little.
    assert handler.check(run("2026-11-23T09:16:00Z")).delivers == "increment"


def test_what_was_rolled_back_stays_away_until_there_is_more(acled: Acled) -> None:
    acled.clock.advance(timedelta(days=3))
    acled.events.insert()
    rejected = "2026-11-26T10:00:00Z"
    acled.clock.advance(timedelta(days=3))
    remote = handler.check(run(MARK, rejected_version=rejected))
    assert (remote.version, remote.delivers) == (rejected, "increment")
    acled.events.insert()
    remote = handler.check(run(MARK, rejected_version=rejected))
    assert remote.version == "2026-11-29T09:15:00Z"


class TestBackfill:
    DAYS = Days(date(2026, 1, 1), date(2026, 6, 30))

    def test_reads_the_events_of_the_days_and_moves_no_mark(self, acled: Acled) -> None:
        acled.clock.advance(timedelta(days=3))
        this = run(MARK, days=self.DAYS)
        remote = handler.check(this)
        assert (remote.version, remote.delivers) == (MARK, "increment")
        events = events_of(bring(this, remote))
        assert ids(events) == sorted(
            key
            for key, row in acled.events.rows().items()
            if "2026-01-01" <= str(row["event_date"]) <= "2026-06-30"
        )
        assert remote.facts == {"events": len(events)}

    @pytest.mark.parametrize(
        ("days", "version"),
        [
            (DAYS, "2026-01-01..2026-06-30"),
            (Days(date(2026, 1, 1), None), "2026-01-01.."),
            (Days(None, date(2026, 6, 30)), "..2026-06-30"),
        ],
    )
    def test_of_what_is_not_published_is_no_mark(self, days: Days, version: str) -> None:
        assert handler.check(run(days=days)).version == version

    def test_of_days_without_events_says_so(self) -> None:
        with pytest.raises(PermanentTaskError, match="no events up to 1990-12-31") as refusal:
            handler.check(run(MARK, days=Days(None, date(1990, 12, 31))))
        assert refusal.value.error_code == "source_empty"

    def test_of_days_that_the_dataset_has_not_says_so(self) -> None:
        of = run(MARK, days=Days(None, date(1999, 1, 1)), source_config={"since": "2020-01-01"})
        with pytest.raises(PermanentTaskError, match="from 2020-01-01 on") as refusal:
            handler.check(of)
        assert refusal.value.error_code == "source_empty"


class TestADatasetThatBeginsSomeDay:
    SINCE = {"since": "2026-03-01"}

    def test_has_the_events_of_that_day_and_later(self, acled: Acled) -> None:
        this = run(source_config=self.SINCE)
        events = events_of(bring(this, handler.check(this)))
        assert events
        assert min(row["event_date"] for row in events) >= "2026-03-01"

    def test_loses_an_event_that_is_dated_back(self, acled: Acled) -> None:
        moved = next(
            key
            for key, row in sorted(acled.events.rows().items())
            if str(row["event_date"]) >= "2026-03-01"
        )
        acled.clock.advance(timedelta(days=3))
        acled.events.edit(moved, event_date=date(2026, 2, 1))
        acled.events.insert(event_date=date(2026, 11, 24))
        this = run(MARK, source_config=self.SINCE)
        parts = bring(this, handler.check(this))
        assert moved not in ids(events_of(parts))
        assert moved in deletions_of(parts)


class TestEmbargo:
    END = date(2025, 11, 23)

    @pytest.fixture(autouse=True)
    def embargo(self, acled: Acled) -> None:
        acled.access.change(embargo_months=12)

    def test_is_in_the_mark(self, acled: Acled) -> None:
        this = run()
        remote = handler.check(this)
        assert remote.version == f"{MARK} (events to {self.END})"
        assert remote.facts["restricted"] == f"events to {self.END} (12 Months back)"
        dates = [row["event_date"] for row in events_of(bring(this, remote))]
        assert dates
        assert max(dates) <= str(self.END)

    def test_that_moves_on_brings_what_it_hid_however_old_it_is(self, acled: Acled) -> None:
        hidden = acled.events.insert(event_date=date(2025, 11, 25), timestamp=1_764_100_000)
        acled.clock.advance(timedelta(days=3))
        this = run(f"{MARK} (events to {self.END})")
        remote = handler.check(this)
        assert remote.version == "2026-11-26T09:15:00Z (events to 2025-11-26)"
        assert hidden in ids(events_of(bring(this, remote)))

    def test_that_is_lifted_brings_all_that_it_hid(self, acled: Acled) -> None:
        acled.access.change(embargo_months=None)
        this = run(f"{MARK} (events to {self.END})")
        acled.clock.advance(timedelta(hours=1))
        remote = handler.check(this)
        assert remote.version == "2026-11-23T10:15:00Z"
        hidden = {
            key
            for key, row in acled.events.rows().items()
            if str(row["event_date"]) > str(self.END)
        }
        assert hidden
        assert hidden <= set(ids(events_of(bring(this, remote))))

    def test_of_all_events_says_so(self, acled: Acled) -> None:
        acled.access.change(embargo_months=12 * 60)
        with pytest.raises(PermanentTaskError, match=r"no events at all.*720 Months") as refusal:
            handler.check(run())
        assert refusal.value.error_code == "source_empty"

    def test_of_the_days_of_a_backfill_says_so(self) -> None:
        days = Days(date(2026, 1, 1), date(2026, 3, 31))
        with pytest.raises(
            PermanentTaskError, match=r"no events from 2026-01-01 to 2026-03-31.*2025-11-23"
        ):
            handler.check(run(MARK, days=days))
