"""What a job type writes in the transactions that end and resume its jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from core.errors import Conflict, PermanentTaskError
from core.job_definition import JobContext, JobDefinition, JsonObject, TaskContext, tolerate
from core.models.job import JobRecord, JobStatus
from core.registry import registry
from infrastructure import database
from infrastructure.database import Connection
from services.orchestration import control, planning, reconcile, submission
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Job, Load, define, stage


@dataclass
class Books:
    """Hooks that write down what they are told, in the transaction that they are given.

    `trouble` is raised after that, if it is set.
    """

    trouble: Exception | None = None
    seen: list[str] = field(default_factory=list)

    def on_end(
        self,
        connection: Connection,
        job: JobRecord,
        status: JobStatus,
        error: JsonObject | None,
    ) -> None:
        self._write(connection, job, {"end": status, "error": (error or {}).get("code")})

    def on_resume(self, connection: Connection, job: JobRecord) -> None:
        self._write(connection, job, {"resumed": job.status})

    def _write(self, connection: Connection, job: JobRecord, entry: JsonObject) -> None:
        self.seen.append(job.job_id)
        connection.execute(
            "INSERT INTO app.job_metrics (job_id, metric_type, payload) VALUES (%s, 'debug', %s)",
            (job.job_id, Jsonb({"books": entry})),
        )
        if self.trouble is not None:
            raise self.trouble


def entries(job: Job) -> list[JsonObject]:
    """What was written down of a job, and stayed."""
    rows = job.query(
        "SELECT payload->'books' AS entry FROM app.job_metrics"
        " WHERE job_id = %(job_id)s AND payload ? 'books' ORDER BY id"
    )
    return [row["entry"] for row in rows]


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def submit(engine: Engine, books: Books) -> Callable[..., Job]:
    """Submits a job whose hooks are those of `books`."""

    def submit(*stages: Any, n: int = 1, **options: Any) -> Job:
        definition: JobDefinition[Load] = define(
            *stages, on_end=books.on_end, on_resume=books.on_resume, **options
        )
        return engine.submit(definition, n=n)

    return submit


def fail(context: TaskContext[Load]) -> None:
    raise PermanentTaskError("No such file.", code="no_such_file")


def fail_second(context: TaskContext[Load]) -> None:
    if context.task["index"] == 1:
        fail(context)


class TestEnds:
    def test_a_job_that_completes(self, submit: Callable[..., Job]) -> None:
        job = submit()
        assert job.run() == "completed"
        assert entries(job) == [{"end": "completed", "error": None}]

    def test_one_with_errors(self, submit: Callable[..., Job]) -> None:
        job = submit(stage(handler=fail_second, on_failure=tolerate(0.5)), n=2)
        assert job.run() == "completed_with_errors"
        assert entries(job) == [{"end": "completed_with_errors", "error": None}]

    def test_one_whose_task_fails(self, submit: Callable[..., Job]) -> None:
        job = submit(stage(handler=fail))
        assert job.run() == "failed"
        assert entries(job) == [{"end": "failed", "error": "no_such_file"}]

    def test_one_whose_planner_fails(self, submit: Callable[..., Job]) -> None:
        def refuse(context: JobContext[Load]) -> list[Any]:
            raise PermanentTaskError("Nothing to plan.", code="nothing_to_plan")

        job = submit(stage(planner=refuse))
        assert job.run() == "failed"
        assert entries(job) == [{"end": "failed", "error": "nothing_to_plan"}]

    def test_one_whose_finalizer_fails(self, submit: Callable[..., Job]) -> None:
        def refuse(context: JobContext[Load]) -> JsonObject:
            raise PermanentTaskError("No result.", code="no_result")

        job = submit(finalize=refuse)
        assert job.run() == "failed"
        assert entries(job) == [{"end": "failed", "error": "no_result"}]

    def test_one_that_is_cancelled_before_it_begins(self, submit: Callable[..., Job]) -> None:
        job = submit()
        control.cancel(job.job_id)
        assert entries(job) == []  # the job is not at its end yet
        assert job.run() == "cancelled"
        assert entries(job) == [{"end": "cancelled", "error": None}]

    def test_one_whose_orchestration_fails_for_ever(self, submit: Callable[..., Job]) -> None:
        job = submit()
        while reconcile.may_restart(job.job_id):
            pass
        assert entries(job) == [{"end": "failed", "error": "orchestration_failed"}]

    def test_ending_twice_tells_once(self, submit: Callable[..., Job]) -> None:
        job = submit()
        job.run()
        assert job.finalize() == "completed"
        assert len(entries(job)) == 1

    def test_a_job_whose_type_is_gone_ends(self, submit: Callable[..., Job]) -> None:
        job = submit()
        job.open()
        del registry._definitions[job.row.job_type]
        assert job.finalize({"code": "stage_failed", "message": "No."}) == "failed"
        assert entries(job) == []


class TestAHookThatFails:
    def test_undoes_the_end_which_is_tried_again(
        self, submit: Callable[..., Job], books: Books
    ) -> None:
        job = submit()
        books.trouble = RuntimeError("not now")
        with pytest.raises(RuntimeError, match="not now"):
            job.run()
        assert job.row.status is JobStatus.RUNNING
        assert entries(job) == []
        assert job.events("job_completed") == []

        books.trouble = None
        assert job.finalize() == "completed"
        assert entries(job) == [{"end": "completed", "error": None}]
        assert len(books.seen) == 2


class TestResume:
    def test_is_told_with_the_job_as_it_was(self, submit: Callable[..., Job]) -> None:
        job = submit(stage(handler=fail))
        job.run()
        control.resume(job.job_id)
        job.run()
        ended = {"end": "failed", "error": "no_such_file"}
        assert entries(job) == [ended, {"resumed": "failed"}, ended]

    def test_may_be_refused(self, submit: Callable[..., Job], books: Books) -> None:
        job = submit(stage(handler=fail))
        job.run()
        before = (job.row, job.tasks())
        books.trouble = Conflict("Another one is at work.", code="under_way")
        with pytest.raises(Conflict, match="Another one is at work"):
            control.resume(job.job_id)
        assert (job.row, job.tasks()) == before
        assert len(entries(job)) == 1
        assert planning.find_run(job.job_id)["resumes"] == 0


class TestSubmittingInATransaction:
    def test_is_undone_with_it(self, engine: Engine) -> None:
        definition = define()

        def submit_and_fail() -> None:
            with database.transaction() as connection:
                submission.submit_in(connection, definition.name, {"n": 1})
                raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            submit_and_fail()
        with database.transaction() as connection:
            assert connection.execute("SELECT count(*) AS n FROM app.jobs").fetchone() == {"n": 0}
            job = submission.submit_in(connection, definition.name, {"n": 1})
            again = submission.submit_in(connection, definition.name, {"n": 1})
        assert (job.created, again.created, again.job_id) == (True, False, job.job_id)
        submission.announce(job)
        submission.announce(again)
        assert len(Job(job.job_id).events("job_submitted")) == 1
