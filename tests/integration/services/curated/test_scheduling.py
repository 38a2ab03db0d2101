"""The scheduler: exactly the runs that are due, whatever hosts and clocks do."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from core.errors import Unavailable
from core.models.curated import UpdateStatus, UpdateType
from infrastructure import curated_repository, database, job_repository, locks
from infrastructure import curated_updates_repository as updates_log
from infrastructure.database import Connection
from services.curated import scheduling, updates
from services.curated.scheduling import run_due
from services.orchestration.submission import Submission
from tests.support.curated import (
    add_dataset,
    forget_datasets,
    register_job_type,
    run_due_elsewhere,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# A Sunday. Datasets are enabled at noon, and due at 2 AM the day after.
NOON = at("2026-03-01 12:00")
DUE = at("2026-03-02 02:00")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

_STATUSES = "SELECT status FROM app.curated_update_log ORDER BY log_id"


@pytest.fixture(autouse=True)
def registry_of_datasets(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """An empty registry, and a job type that updates what is put into it."""
    register_job_type(monkeypatch)
    forget_datasets(ledger)
    return ledger


def due_times(connection: Connection, dataset_id: str = "lakes") -> list[datetime]:
    """The due times that have a row in the log, in the order of the runs."""
    rows = connection.execute(
        "SELECT due_at FROM app.curated_update_log"
        " WHERE dataset_id = %s AND due_at IS NOT NULL ORDER BY log_id",
        (dataset_id,),
    )
    return [row["due_at"] for row in rows]


def jobs(connection: Connection) -> int:
    return len(connection.execute("SELECT FROM app.jobs").fetchall())


def finish(connection: Connection, begun: list[Submission]) -> None:
    """Let updates come to their end."""
    for job in begun:
        assert updates_log.finish(connection, job.job_id, UpdateStatus.COMPLETED)


class TestWhatIsDue:
    def test_is_begun_once(self, ledger: Connection) -> None:
        add_dataset(ledger, schedule_from=NOON)
        assert run_due(DUE - MINUTE) == []
        [job] = run_due(DUE)
        assert job.created
        parameters = job_repository.get(ledger, job.job_id).parameters
        assert (parameters["update_type"], parameters["due_at"]) == (
            "scheduled",
            "2026-03-02T02:00:00Z",
        )
        assert run_due(DUE) == []
        finish(ledger, [job])
        assert run_due(DUE + 5 * MINUTE) == []
        assert due_times(ledger) == [DUE]
        assert jobs(ledger) == 1

    def test_is_not_asked_for_again_at_every_check(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_dataset(ledger, schedule_from=NOON)
        run_due(DUE)

        def never(*_: Any, **__: Any) -> Submission:
            raise AssertionError("it was begun already")

        monkeypatch.setattr(updates, "start", never)
        assert run_due(DUE + 5 * MINUTE) == []
        assert [row["status"] for row in ledger.execute(_STATUSES)] == ["started"]

    def test_is_so_by_the_clock_of_the_database(self, ledger: Connection) -> None:
        now = database.now(ledger)
        add_dataset(ledger, schedule_from=now - timedelta(days=2))
        [job] = run_due()
        due_at = due_times(ledger)[0]
        assert due_at <= database.now(ledger) < due_at + DAY
        assert job.created

    def test_is_not_what_is_disabled_or_updated_by_hand(self, ledger: Connection) -> None:
        add_dataset(ledger, "lakes", schedule_from=NOON, enabled=False)
        add_dataset(ledger, "rivers", schedule_from=NOON, source_type="manual")
        assert run_due(DUE + 10 * DAY) == []

    def test_is_each_by_its_own_schedule(self, ledger: Connection) -> None:
        add_dataset(ledger, "lakes", schedule_from=NOON, update_schedule="0 2 1 * *")
        add_dataset(ledger, "rivers", schedule_from=NOON, update_schedule="*/15 * * * *")
        add_dataset(ledger, "seas", schedule_from=NOON, update_schedule="30 0 12 * * mon")
        moment = NOON
        while moment < at("2026-03-02 12:05"):
            moment += 5 * MINUTE
            finish(ledger, run_due(moment))
        assert due_times(ledger, "lakes") == []
        quarters = [NOON + n * 15 * MINUTE for n in range(1, 97)]
        assert due_times(ledger, "rivers") == quarters
        assert due_times(ledger, "seas") == [at("2026-03-02 12:00:30")]

    def test_of_a_schedule_finer_than_the_checks_is_the_latest(self, ledger: Connection) -> None:
        add_dataset(ledger, schedule_from=NOON, update_schedule="* * * * *")
        finish(ledger, run_due(NOON + 5 * MINUTE))
        finish(ledger, run_due(NOON + 10 * MINUTE))
        assert due_times(ledger) == [NOON + 5 * MINUTE, NOON + 10 * MINUTE]

    def test_begins_with_the_day_after_it_was_enabled(self, ledger: Connection) -> None:
        """What fell due while it was disabled is not run when it is enabled."""
        add_dataset(ledger, enabled=False)
        curated_repository.set_enabled(ledger, "lakes", True)
        enabled_at = curated_repository.get(ledger, "lakes").schedule_from
        assert run_due(enabled_at) == []
        assert len(run_due(enabled_at + DAY)) == 1

    def test_is_by_the_new_schedule_once_it_has_changed(self, ledger: Connection) -> None:
        dataset = add_dataset(ledger, schedule_from=NOON)
        changed = dataset.model_copy(update={"update_schedule": "0 20 * * *"})
        curated_repository.replace(ledger, changed, dataset.handler)
        changed_at = at("2026-03-02 21:00")
        ledger.execute("UPDATE app.curated_datasets SET schedule_from = %s", (changed_at,))
        assert run_due(at("2026-03-03 02:30")) == []
        assert len(run_due(at("2026-03-03 20:00"))) == 1
        assert due_times(ledger) == [at("2026-03-03 20:00")]

    def test_is_not_begun_where_it_was_disabled_just_now(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_dataset(ledger, schedule_from=NOON)
        start = updates.start

        def disable_and_start(*args: Any, **named: Any) -> Submission:
            curated_repository.set_enabled(ledger, "lakes", False)
            return start(*args, **named)

        monkeypatch.setattr(updates, "start", disable_and_start)
        assert run_due(DUE) == []
        assert due_times(ledger) == []
        assert jobs(ledger) == 0


class TestAfterTrouble:
    def test_three_days_down_are_made_up_for_once(self, ledger: Connection) -> None:
        add_dataset(ledger, schedule_from=NOON)
        finish(ledger, run_due(DUE))
        back = DUE + 3 * DAY + timedelta(hours=7)
        begun = run_due(back)
        finish(ledger, begun)
        assert run_due(back + 5 * MINUTE) == []
        assert due_times(ledger) == [DUE, DUE + 3 * DAY]

    def test_what_falls_due_during_an_update_is_begun_after_it(self, ledger: Connection) -> None:
        add_dataset(ledger, schedule_from=NOON)
        job = updates.start("lakes", UpdateType.MANUAL)
        assert run_due(DUE) == []
        assert run_due(DUE + 5 * MINUTE) == []
        finish(ledger, [job])
        assert len(run_due(DUE + 10 * MINUTE)) == 1
        assert due_times(ledger) == [DUE]

    def test_a_run_that_failed_is_not_repeated_before_it_is_due_again(
        self, ledger: Connection
    ) -> None:
        add_dataset(ledger, schedule_from=NOON)
        [job] = run_due(DUE)
        updates_log.finish(ledger, job.job_id, UpdateStatus.FAILED, error_message="No.")
        assert run_due(DUE + 5 * MINUTE) == []
        assert len(run_due(DUE + DAY)) == 1

    def test_a_crash_while_it_is_begun_loses_nothing(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_dataset(ledger, schedule_from=NOON)

        def crash(*_: Any) -> None:
            raise SystemExit

        with monkeypatch.context() as patched:
            patched.setattr(curated_repository, "set_last_job", crash)
            with pytest.raises(SystemExit):
                run_due(DUE)
        assert jobs(ledger) == 0
        assert len(run_due(DUE)) == 1


class TestClocks:
    def test_one_that_is_set_back_doubles_nothing(self, ledger: Connection) -> None:
        add_dataset(ledger, schedule_from=NOON)
        for moment in (DUE, DUE - timedelta(hours=1), DUE, DUE - 2 * DAY, DUE + MINUTE):
            finish(ledger, run_due(moment))
        assert due_times(ledger) == [DUE]

    def test_one_that_was_a_year_ahead_leaves_nothing_stuck(self, ledger: Connection) -> None:
        add_dataset(ledger, schedule_from=NOON)
        year = 365 * DAY
        finish(ledger, run_due(DUE + year))
        finish(ledger, run_due(DUE))
        finish(ledger, run_due(DUE + DAY))
        finish(ledger, run_due(DUE + year))
        assert due_times(ledger) == [DUE + year, DUE, DUE + DAY]

    def test_what_was_enabled_while_it_was_ahead_is_scheduled_from_now_on(
        self, ledger: Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        add_dataset(ledger, schedule_from=NOON + 365 * DAY)
        with caplog.at_level(logging.WARNING):
            assert run_due(NOON) == []
        assert "the clock was set back" in caplog.text
        assert len(run_due(DUE)) == 1

    def test_any_walk_begins_each_due_time_once(self, ledger: Connection) -> None:
        """Hours forth and back: no due time twice, and none of an hour that was walked lost."""
        add_dataset(ledger, schedule_from=NOON, update_schedule="0 * * * *")
        moment = NOON
        for hours in (1, 1, 5, -3, 1, 1, 1, -6, 1, 2, 1, 1, 1, 1, 1, 40, -38, 1):
            moment += timedelta(hours=hours)
            finish(ledger, run_due(moment))
        seen = due_times(ledger)
        assert len(seen) == len(set(seen))
        assert set(seen) == {
            NOON + timedelta(hours=n) for n in (1, 2, 7, 4, 5, 6, 8, 9, 49, 11, 12)
        }


class TestTwoSchedulers:
    def test_of_two_hosts_begin_one_run_of_each(self, ledger: Connection, ledger_url: str) -> None:
        names = [f"lakes_{n}" for n in range(6)]
        for name in names:
            add_dataset(ledger, name, schedule_from=NOON)
        spawn = multiprocessing.get_context("spawn")
        ready, results = spawn.Barrier(2), spawn.Queue()
        hosts = [
            spawn.Process(target=run_due_elsewhere, args=(ledger_url, DUE, ready, results))
            for _ in range(2)
        ]
        for host in hosts:
            host.start()
        begun = [job_id for _ in hosts for job_id in results.get(timeout=90)]
        for host in hosts:
            host.join(60)
            assert host.exitcode == 0
        assert len(begun) == len(set(begun)) == len(names)
        assert jobs(ledger) == len(names)
        assert [due_times(ledger, name) for name in names] == [[DUE]] * len(names)

    def test_without_the_lock_begin_one_run_too(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The lock saves work; it is the rows that keep a run from being begun twice."""
        add_dataset(ledger, schedule_from=NOON)

        @contextmanager
        def no_lock(*_: Any) -> Iterator[bool]:
            yield True

        monkeypatch.setattr(locks, "singleton", no_lock)
        barrier = threading.Barrier(6)

        def look() -> list[Submission]:
            barrier.wait()
            return run_due(DUE)

        with ThreadPoolExecutor(6) as threads:
            rounds = [each.result() for each in [threads.submit(look) for _ in range(6)]]
        assert len([job for begun in rounds for job in begun]) == 1
        assert due_times(ledger) == [DUE]
        assert jobs(ledger) == 1

    def test_one_that_is_at_it_is_not_disturbed(self, ledger: Connection) -> None:
        add_dataset(ledger, schedule_from=NOON)
        with locks.singleton(scheduling._LOCK):
            assert run_due(DUE) == []
        assert len(run_due(DUE)) == 1


class TestWhatCannotStart:
    def test_is_in_the_log_once_for_its_due_time_and_stops_no_other(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("A_KEY", raising=False)
        add_dataset(ledger, "a_first", schedule_from=NOON, credential_key="A_KEY")
        add_dataset(ledger, "b_second", schedule_from=NOON, handler="oracle")
        add_dataset(ledger, "c_third", schedule_from=NOON, job_type="no_such_job")
        add_dataset(ledger, "lakes", schedule_from=NOON)
        assert len(run_due(DUE)) == 1
        assert run_due(DUE + 5 * MINUTE) == []
        seen = {
            row["dataset_id"]: row
            for row in ledger.execute(
                "SELECT * FROM app.curated_update_log WHERE status = 'failed'"
            )
        }
        assert {name: row["error_code"] for name, row in seen.items()} == {
            "a_first": "credentials_missing",
            "b_second": "handler_missing",
            "c_third": "unknown_job_type",
        }
        message = seen["a_first"]["error_message"]
        assert message.startswith("The scheduled run could not start: ")
        assert "A_KEY" in message
        assert seen["a_first"]["due_at"] == DUE
        assert seen["a_first"]["job_id"] is None
        run_due(DUE + DAY)
        assert due_times(ledger, "a_first") == [DUE, DUE + DAY]

    def test_for_reasons_that_pass_is_tried_again(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_dataset(ledger, "lakes", schedule_from=NOON)
        add_dataset(ledger, "rivers", schedule_from=NOON)
        start = updates.start

        def deadlock(dataset_id: str, *args: Any, **named: Any) -> Submission:
            if dataset_id == "lakes":
                raise psycopg.errors.DeadlockDetected("deadlock detected")
            return start(dataset_id, *args, **named)

        with monkeypatch.context() as patched:
            patched.setattr(updates, "start", deadlock)
            assert len(run_due(DUE)) == 1
        assert due_times(ledger, "lakes") == []
        assert len(run_due(DUE + 5 * MINUTE)) == 1
        assert due_times(ledger, "lakes") == [DUE]

    def test_because_its_row_cannot_be_read_stops_no_other(
        self, ledger: Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        add_dataset(ledger, "a_first", schedule_from=NOON)
        add_dataset(ledger, "lakes", schedule_from=NOON)
        ledger.execute(
            "UPDATE app.curated_datasets SET update_schedule = '@daily'"
            " WHERE dataset_id = 'a_first'"
        )
        assert len(run_due(DUE)) == 1
        assert "a_first could not be begun" in caplog.text

    def test_without_a_database_is_told_to_the_caller(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_dataset(ledger, schedule_from=NOON)

        def gone(*args: Any, **named: Any) -> Submission:
            raise Unavailable("The database does not answer.")

        with monkeypatch.context() as patched:
            patched.setattr(updates, "start", gone)
            with pytest.raises(Unavailable):
                run_due(DUE)
        assert len(run_due(DUE)) == 1


def test_the_lock_is_given_back(ledger: Connection) -> None:
    run_due(DUE)
    with database.transaction() as connection:
        assert locks.try_lock(connection, locks.Space.TIMER, scheduling._LOCK)
