"""What jobs cost: added up with the outcomes of their tasks, and shown in their view."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from core.errors import PermanentTaskError, TransientTaskError
from core.job_definition import JobContext, JsonObject, RetryPolicy, TaskContext, TaskSpec, tolerate
from core.models.cost import Cost
from core.models.task import TaskOutcome, TaskStatus
from infrastructure import cost_repository, database
from services.orchestration import status, window
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Job, Load, define, stage

DATA = b"x" * 1000


def cost(job: Job) -> JsonObject:
    """The cost in the job's view."""
    found: JsonObject = status.job_view(job.job_id)["cost"]
    return found


def cost_of(job: Job, stage_: int) -> JsonObject:
    [row] = job.query(
        "SELECT * FROM app.job_cost WHERE job_id = %(job_id)s AND stage = %(stage)s", stage=stage_
    )
    return row


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def keep(context: TaskContext[Load]) -> None:
    """Write a file, read it again, and compute a little."""
    name = f"{context.task['index']}.txt"
    context.workspace.write_bytes(name, DATA)
    assert context.workspace.read_bytes(name) == DATA
    burn(0.01)


def test_a_job_costs_nothing_before_it_runs(engine: Engine) -> None:
    assert cost(engine.job()) == {
        "core_seconds": 0.0, "busy_seconds": 0.0, "messages": 0, "bytes_read": 0,
        "bytes_written": 0,
    }  # fmt: skip


def test_what_tasks_take_is_added_up(engine: Engine) -> None:
    job = engine.job(stage(handler=keep, max_parallel=3), n=10)
    assert job.run() == "completed"
    found = cost(job)
    assert (found["bytes_read"], found["bytes_written"]) == (10_000, 10_000)
    assert found["core_seconds"] >= 0.1
    assert found["busy_seconds"] >= 0.1
    # One for each task: three by the dispatch, the others as the window moved on.
    assert found["messages"] == 10


def test_a_message_that_names_many_tasks_is_one(engine: Engine) -> None:
    job = engine.job(stage(tasks_per_message=5, max_parallel=100), n=12)
    job.run()
    assert cost(job)["messages"] == 3


def test_planning_and_finalizing_cost_too(engine: Engine) -> None:
    def plan(context: JobContext[Load]) -> Iterator[TaskSpec]:
        context.workspace.write_bytes("plan", DATA)
        burn(0.05)
        yield TaskSpec({"index": 0})

    def finalize(context: JobContext[Load]) -> JsonObject:
        burn(0.05)
        return {"bytes": len(context.workspace.read_bytes("plan"))}

    job = engine.submit(define(stage(planner=plan), finalize=finalize))
    assert job.run() == "completed"
    assert cost_of(job, 0)["bytes_written"] == len(DATA)
    assert cost_of(job, 0)["core_seconds"] >= 0.05
    at_the_end = cost_of(job, cost_repository.END_OF_JOB)
    assert (at_the_end["bytes_read"], at_the_end["messages"]) == (len(DATA), 0)
    assert at_the_end["core_seconds"] >= 0.05
    assert cost(job)["core_seconds"] >= 0.1


def test_attempts_that_failed_have_cost_as_much(engine: Engine) -> None:
    def fail(context: TaskContext[Load]) -> None:
        context.workspace.write_bytes("file", DATA)
        if context.attempt == 1:
            raise TransientTaskError("Again.", code="again")
        raise PermanentTaskError("Never.", code="never")

    at_once = RetryPolicy(first_delay_seconds=0.0, max_delay_seconds=0.0)
    job = engine.job(stage(handler=fail, retry=at_once, on_failure=tolerate(1.0)), n=2)
    assert job.run() == "completed_with_errors"
    assert [task["attempt"] for task in job.tasks()] == [2, 2]
    found = cost(job)
    assert found["bytes_written"] == 4 * len(DATA)
    assert found["messages"] == 4  # two of them for the retries


@pytest.mark.parametrize("times", [1, 3])
def test_an_outcome_that_is_settled_again_costs_once(engine: Engine, times: int) -> None:
    job = engine.job(n=1)
    job.open()
    [claimed] = job.claim(0)
    outcome = TaskOutcome(claimed.task_index, claimed.attempt, TaskStatus.COMPLETED)
    for _ in range(times):
        window.settle(job.job_id, 0, [outcome], Cost(core_seconds=2.0, bytes_read=5))
    found = cost_of(job, 0)
    assert found["bytes_read"] == 5
    assert 2.0 <= found["core_seconds"] < 3.0


def test_the_cost_of_an_attempt_that_has_lost_its_task_is_not_counted(engine: Engine) -> None:
    job = engine.job(n=1)
    job.open()
    [lost] = job.claim(0)
    job.hours_pass()
    assert job.claim(0)
    outcome = TaskOutcome(lost.task_index, lost.attempt, TaskStatus.COMPLETED)
    window.settle(job.job_id, 0, [outcome], Cost(bytes_read=5))
    assert cost(job)["bytes_read"] == 0


def test_the_costs_of_several_jobs_are_kept_apart(engine: Engine) -> None:
    jobs = [engine.job(stage("first", keep), stage("second", keep), n=n) for n in (1, 2)]
    for job in jobs:
        job.run()
    listed = {each["job_id"]: each["cost"] for each in status.list_jobs()["jobs"]}
    assert [listed[job.job_id]["bytes_read"] for job in jobs] == [2000, 4000]


def test_costs_add_up(engine: Engine) -> None:
    job = engine.job()
    one = Cost(core_seconds=0.5, busy_seconds=1.5, messages=2, bytes_read=2**40, bytes_written=3)
    with database.transaction() as connection:
        for number in (0, 0, 1, cost_repository.END_OF_JOB):
            cost_repository.add(connection, job.job_id, number, one)
        assert cost_repository.of_jobs(connection, [job.job_id, "f" * 64]) == {
            job.job_id: Cost(2.0, 6.0, 8, 2**42, 12),
            "f" * 64: Cost(),
        }
