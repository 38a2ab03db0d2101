"""A source of events to which anything may happen, and the dataset that is a copy of it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from core.errors import Conflict, GeoforgeError, NotFound
from core.job_definition import JsonObject
from core.models.curated import CuratedDefinition, UpdateStatus
from infrastructure import curated_repository, database
from infrastructure import curated_updates_repository as updates_log
from jobs.curated_publish import JOB as PUBLISH
from jobs.curated_update import JOB as UPDATE
from local.standins.acled.query import Query
from local.standins.acled.server import Acled
from services.curated import versions
from tests.support.acled_copies import Rows, copied, truth
from tests.support.curated_datasets import forget_all, register
from tests.support.run_job import JobRun, TaskFailed

# Of a few events many change, and the extent may; what is at fault counts as it does anywhere.
GATES: dict[str, Any] = {"row_count_change_pct": None, "extent_change_pct": None}
# More rows than there will ever be.
HOLDS_ALL: dict[str, Any] = {**GATES, "min_rows": 1_000_000}
# Events become visible so much later at most: within the hours that are read again.
LATEST_HOURS = 40
# The events that there are at the beginning lie within so many days.
_DAYS_BACK = 4000

_numbers = itertools.count()


class Died(BaseException):
    """What stops a worker, wherever it is; no handler of errors sees it."""


class History:
    """What has happened. `failures` are the updates that failed, which they may."""

    def __init__(self, connection: database.Connection, acled: Acled, number: int) -> None:
        forget_all(connection)
        self.failures: list[TaskFailed] = []
        self._connection = connection
        self._acled = acled
        self._dice = random.Random(number)
        self._deleted: list[str] = []
        # The container outlives the history.
        self._dataset_id = f"acled_{next(_numbers)}"
        self._since: date | None = None
        self._holds_all = False
        register(
            connection,
            dataset_id=self._dataset_id,
            handler="acled",
            update_strategy="upsert",
            target_table_name="curated_acled_events",
            gates=GATES,
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
        self._acled.events.edit(self._some_event(), event_date=self._some_day())
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

    def embargo_begins(self) -> None:
        """The account may not see the newest months any more; or other ones than before."""
        self._acled.access.change(embargo_months=self._dice.choice([1, 12, 60]))

    def embargo_is_lifted(self) -> None:
        self._acled.access.change(embargo_months=None)

    def a_second_passes(self) -> None:
        self._acled.clock.advance(timedelta(seconds=1))

    def _some_event(self) -> str:
        return self._dice.choice(sorted(self._acled.events.rows()))

    def _some_day(self) -> date:
        """One of long ago, or one on the edge of what an embargo of a month or a year hides."""
        edge = self._dice.choice([30, 365]) + self._dice.randrange(-3, 4)
        back = self._dice.choice([edge, self._dice.randrange(_DAYS_BACK)])
        return self._acled.clock.today() - timedelta(days=back)

    def _while_paged(self, _query: Query) -> None:
        if self._changes_while_paged and self._dice.random() < 0.5:
            self._changes_while_paged -= 1
            self._dice.choice(
                [
                    *(self.insert, self.edit, self.move, self.delete),
                    *(self.embargo_begins, self.embargo_is_lifted),
                ]
            )()

    # The updates.

    def update(self) -> JsonObject | None:
        """A plain one, as the schedule begins them; what came of it, None where it failed."""
        return self._run(self._job())

    def update_while_paged(self) -> None:
        """Events and the embargo change between the pages that are read."""
        self._changes_while_paged = 2
        self._run(self._job())
        self._changes_while_paged = 0

    def update_while_down(self) -> None:
        """The source does not answer from some request on."""
        self._acled.faults.answer(503, times=4, after=self._dice.randrange(6))
        self._run(self._job())
        self._acled.faults.clear()

    def update_with_broken_answers(self) -> None:
        """Answers break off, or come as something else, and are right at the next request."""
        for after in range(3):
            if self._dice.random() < 0.5:
                self._acled.faults.html(after=after)
            else:
                self._break_off(after)
        self._run(self._job())
        self._acled.faults.clear()

    def update_and_die(self) -> None:
        """The worker dies at some moment; another one goes on, or the update is given up."""
        goes_on = self._dice.random() < 0.5
        left = self._dice.randrange(60)

        def run(job: JobRun) -> JsonObject | None:
            def check() -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    raise Died

            job.on_check = check
            try:
                return job.run()
            except Died:
                if not goes_on:
                    raise TaskFailed("given up") from None
                job.on_check = lambda: None
                return job.run()

        self._run(self._job(), run)

    def update_while_the_embargo_changes(self) -> None:
        """It begins or ends when the update knows already what it will read, and may be over
        before the next one."""

        def run(job: JobRun) -> JsonObject | None:
            job.run(until="fetch_data")
            if self._seen_until() is None:
                self.embargo_begins()
            else:
                self.embargo_is_lifted()
            return job.run()

        self._run(self._job(**self._dice.choice([{}, {"force_update": True}])), run)
        if self._dice.random() < 0.5:
            self.embargo_is_lifted()

    def update_all(self) -> JsonObject | None:
        return self._run(self._job(force_update=True))

    def backfill(self) -> None:
        """Some days are read again."""
        first, last = sorted([self._some_day(), self._some_day()])
        days = {"from_date": str(first), "to_date": str(last)}
        if self._dice.random() < 0.3:
            del days[self._dice.choice(sorted(days))]
        self._run(self._job(**days))

    def _job(self, **asked: Any) -> JobRun:
        return JobRun(UPDATE, dataset_id=self._dataset_id, request_id=str(next(_numbers)), **asked)

    def _run(
        self, job: JobRun, run: Callable[[JobRun], JsonObject | None] = JobRun.run
    ) -> JsonObject | None:
        """An update that may fail: the source does, and people come between. What it brings is
        never at fault."""
        try:
            return run(job)
        except TaskFailed as failed:
            if not self._may_fail(failed.__cause__):
                raise
            self.failures.append(failed)
            updates_log.finish(self._connection, job.job_id, UpdateStatus.FAILED)
            return None

    def _may_fail(self, cause: BaseException | None) -> bool:
        if isinstance(cause, GeoforgeError) and cause.error_code == "gate_failed":
            return self._holds_all
        return cause is None or isinstance(cause, GeoforgeError)

    def _break_off(self, after: int) -> None:
        self._acled.faults.answer(200, after=after, body='{"status": 200, "data": [{"event_id')

    # What people do.

    def roll_back(self) -> bool:
        """Bring the version before back; whether there is one."""
        try:
            versions.roll_back(self._dataset_id, actor="an operator")
        except (Conflict, NotFound):
            return False
        return True

    def update_that_a_gate_stops(self) -> None:
        """An update or a backfill is held; then it is published, or discarded, or stays."""
        self._define(gates=HOLDS_ALL)
        self._holds_all = True
        if self._dice.random() < 0.7:
            self.update()
        else:
            self.backfill()
        self._holds_all = False
        self._define(gates=GATES)
        held = versions.versions_page(self._dataset_id)["held"]
        word = self._dice.choice(["publish", "discard", "none"])
        if not held or word == "none":
            return
        version_id = held[0]["version_id"]
        if word == "discard":
            versions.discard(self._dataset_id, version_id)
            return
        self._run(
            JobRun(
                PUBLISH,
                dataset_id=self._dataset_id,
                version_id=version_id,
                request_id=str(next(_numbers)),
            )
        )

    def redefine(self) -> None:
        """The dataset is to begin on another day."""
        days = [None, *(self._acled.clock.today() - timedelta(days=n) for n in (400, 2000))]
        self._since = self._dice.choice(days)
        config = {} if self._since is None else {"since": str(self._since)}
        self._define(source_config=config)

    def _define(self, **fields: Any) -> None:
        dataset = curated_repository.get(self._connection, self._dataset_id)
        known = dataset.model_dump(include=set(CuratedDefinition.model_fields))
        definition = CuratedDefinition.model_validate({**known, **fields})
        curated_repository.replace(self._connection, definition, dataset.handler)

    # How it ends.

    def becomes_quiet(self) -> None:
        """The source answers and does not change any more, but for one new event, which the
        account may see."""
        self._acled.faults.clear()
        self.hours_pass(1)
        self._acled.events.insert(event_date=self._seen_until())
        self.a_second_passes()

    def catch_up(self) -> None:
        """An update that goes through. What a person did not want of the definition that holds
        by now, only a person's word reads again; all else comes by itself."""
        self.failures.clear()
        result = self.update()
        if result is not None and result["action"] == "skipped":
            assert "force_update" in result["reason"]
            assert "definition" in result["reason"]
            self.update_all()
        assert not self.failures, self.failures

    def ends_equal(self) -> None:
        """The copy holds what the account may see, and when it may see all, all."""
        self.becomes_quiet()
        if self._seen_until() is not None and self._dice.random() < 0.5:
            self._shows_what_is_seen()
        self.embargo_is_lifted()
        self.becomes_quiet()
        self.catch_up()
        assert self.copy() == self._seen()

    def _shows_what_is_seen(self) -> None:
        seen = self._seen()
        if not seen:  # An update says so, and fails.
            return
        self.catch_up()
        copy = self.copy()
        assert {key: copy.get(key) for key in seen} == seen
        # Events that are hidden by now may be there as they were when they could be seen.
        assert set(copy) <= set(truth(self._acled))

    def copy(self) -> Rows:
        return copied(self._connection)

    def _seen(self) -> Rows:
        """The events of the dataset that the account may see."""
        first, last = self._since or date.min, self._seen_until() or date.max
        return {
            key: row
            for key, row in truth(self._acled).items()
            if first <= row["event_date"] <= last
        }

    def _seen_until(self) -> date | None:
        return self._acled.access.sees_until()
