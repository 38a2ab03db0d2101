"""A copy of ACLED's events, kept by updates at any moments, ends as its source whatever happens.

Histories are made up: events come, are edited, moved to other days, deleted and restored, some
become visible later than their timestamp says, also while they are paged; updates come at any
moments, the source fails, workers die. At last nothing changes any more while one update goes
through, and the table has to hold what the source does.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from core.models.curated import UpdateStatus
from infrastructure import curated_updates_repository as updates_log
from infrastructure import database
from jobs.curated_update import JOB
from local.standins.acled.query import Query
from local.standins.acled.server import Acled
from services.curated.acled import slices, transport
from tests.support.curated_datasets import forget_all, register
from tests.support.run_job import JobRun, TaskFailed
from tests.support.settings import app_settings

BEGAN = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
EVENTS = 60
EXAMPLES = int(os.environ.get("GEOFORGE_TEST_HISTORIES", "10"))
# Within the hours that are read again before the mark.
LATEST_HOURS = 40
TABLE = "geo.curated_acled_events"

_numbers = itertools.count()


class Died(BaseException):
    """What stops a worker, wherever it is; no handler of errors sees it."""


Begin = Callable[[int], AbstractContextManager["History"]]


@pytest.fixture
def begin(ledger_url: str, blob_connection_string: str, monkeypatch: pytest.MonkeyPatch) -> Begin:
    # Slices of many pages, pages of a few events, and no waiting for a source that fails.
    monkeypatch.setattr(slices, "TARGET_EVENTS", 25)
    monkeypatch.setattr(transport, "_PAUSES_SECONDS", (0.0, 0.0, 0.0))

    @contextmanager
    def begun(number: int) -> Iterator[History]:
        with (
            Acled(EVENTS, seed=number % 5, at=BEGAN) as acled,
            app_settings(
                DATABASE_URL=ledger_url,
                AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
                GEOFORGE_CURATED_CONTAINER="curated-histories",
                GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
                ACLED_REQUESTS_PER_MINUTE="60000",
                **acled.settings,
            ),
            database.connect(autocommit=True) as connection,
        ):
            acled.page_rows = 10
            yield History(connection, acled, number)

    return begun


class History:
    """A source, and the dataset that is a copy of it."""

    def __init__(self, connection: database.Connection, acled: Acled, number: int) -> None:
        forget_all(connection)
        self._connection = connection
        self._acled = acled
        self._dice = random.Random(number)
        self._deleted: list[str] = []
        self.failures: list[TaskFailed] = []
        self._dataset = register(
            connection,
            # The container outlives the history.
            dataset_id=f"acled_{next(_numbers)}",
            handler="acled",
            update_strategy="upsert",
            target_table_name="curated_acled_events",
            # Of a few events many change.
            gates={"row_count_change_pct": None, "extent_change_pct": None, "invalid_pct": None},
        )
        acled.before_page = self._while_paged
        self._changes_while_paged = 0

    # What happens at the source.

    def hours_pass(self, hours: int) -> None:
        self._acled.clock.advance(timedelta(hours=hours, seconds=1))

    def insert(self) -> None:
        self._acled.events.insert()
        self.a_second_passes()

    def insert_late(self) -> None:
        """An event becomes visible now that was uploaded some hours ago."""
        hours = self._dice.randrange(1, LATEST_HOURS)
        uploaded = self._acled.clock.now() - timedelta(hours=hours)
        self._acled.events.insert(timestamp=int(uploaded.timestamp()))
        self.a_second_passes()

    def edit(self) -> None:
        self._acled.events.edit(self._some_event(), notes=f"Edited {next(_numbers)}")
        self.a_second_passes()

    def move(self) -> None:
        """An event turns out to have happened on another day."""
        day = self._acled.clock.today() - timedelta(days=self._dice.randrange(4000))
        self._acled.events.edit(self._some_event(), event_date=day)
        self.a_second_passes()

    def delete(self) -> None:
        if len(self._acled.events) > 5:
            gone = self._some_event()
            self._acled.events.delete(gone)
            self._deleted.append(gone)
            self.a_second_passes()

    def restore(self) -> None:
        if self._deleted:
            self._acled.events.restore(self._deleted.pop())
            self.a_second_passes()

    def tokens_are_revoked(self) -> None:
        self._acled.access.revoke()

    def a_second_passes(self) -> None:
        self._acled.clock.advance(timedelta(seconds=1))

    def _some_event(self) -> str:
        return self._dice.choice(sorted(self._acled.events.rows()))

    def _while_paged(self, _query: Query) -> None:
        if self._changes_while_paged and self._dice.random() < 0.5:
            self._changes_while_paged -= 1
            self._dice.choice([self.insert, self.edit, self.move, self.delete])()

    # The updates.

    def update(self) -> None:
        self._update(JobRun.run)

    def update_while_paged(self) -> None:
        """Events change between the pages that are read."""
        self._changes_while_paged = 2
        self._update(JobRun.run)
        self._changes_while_paged = 0

    def update_while_down(self) -> None:
        """The source does not answer from some request on."""
        self._acled.faults.answer(503, times=4, after=self._dice.randrange(6))
        self._update(JobRun.run)
        self._acled.faults.clear()

    def update_with_broken_answers(self) -> None:
        """Answers break off, or come as something else, and are right at the next request."""
        for after in range(3):
            self._dice.choice([self._acled.faults.html, self._break_off])(after=after)
        self._update(JobRun.run)
        self._acled.faults.clear()

    def _break_off(self, after: int) -> None:
        self._acled.faults.answer(200, after=after, body='{"status": 200, "data": [{"event_id')

    def update_and_die(self) -> None:
        """The worker dies at some moment; another one goes on, or the update is given up."""
        goes_on = self._dice.random() < 0.5
        left = self._dice.randrange(60)

        def run(job: JobRun) -> None:
            def check() -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    raise Died

            job.on_check = check
            try:
                job.run()
            except Died:
                if not goes_on:
                    raise TaskFailed("given up") from None
                job.on_check = lambda: None
                job.run()

        self._update(run)

    def update_all(self) -> None:
        self._update(JobRun.run, force_update=True)

    def _update(self, run: Callable[[JobRun], Any], **asked: Any) -> None:
        """An update that may fail."""
        job = JobRun(
            JOB, dataset_id=self._dataset.dataset_id, request_id=str(next(_numbers)), **asked
        )
        try:
            run(job)
        except TaskFailed as failed:
            self.failures.append(failed)
            updates_log.finish(self._connection, job.job_id, UpdateStatus.FAILED)

    # How it ends.

    def ends_equal(self) -> None:
        self._acled.faults.clear()
        self.hours_pass(1)
        self.insert()
        self.failures.clear()
        self._update(JobRun.run)
        assert self.failures == []
        assert self._copy() == self._truth()

    def _truth(self) -> dict[str, tuple[Any, ...]]:
        return {
            row["event_id_cnty"]: (
                row["event_date"],
                row["event_type"],
                row["notes"],
                int(row["fatalities"] or ""),
                int(row["timestamp"] or ""),
                float(row["longitude"] or ""),
                float(row["latitude"] or ""),
            )
            for row in self._acled.events.rows().values()
            if row["event_id_cnty"] is not None
        }

    def _copy(self) -> dict[str, tuple[Any, ...]]:
        rows = self._connection.execute(
            "SELECT event_id_cnty, event_date::text, event_type, notes, fatalities, timestamp,"
            f" ST_X(geom) AS x, ST_Y(geom) AS y FROM {TABLE}"
        ).fetchall()
        copied = {row["event_id_cnty"]: tuple(row.values())[1:] for row in rows}
        assert len(copied) == len(rows)
        return copied


_HAPPENINGS = st.sampled_from(
    [
        History.insert, History.insert, History.insert_late, History.edit, History.edit,
        History.move, History.delete, History.delete, History.restore,
        History.tokens_are_revoked, History.update, History.update_while_paged,
        History.update_while_down, History.update_with_broken_answers, History.update_and_die,
        History.update_all,
    ]
)  # fmt: skip
_STEPS = st.lists(_HAPPENINGS | st.integers(1, 96), min_size=3, max_size=14)


@seed(20261123)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    # A history takes seconds: what is found is told as it is.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_STEPS, number=st.integers(0, 2**32))
def test_the_copy_ends_as_the_source(begin: Begin, steps: list[Any], number: int) -> None:
    with begin(number) as history:
        for step in steps:
            if isinstance(step, int):
                history.hours_pass(step)
            else:
                step(history)
        history.ends_equal()
