"""The tasks of hello_fan_out. Which of them fail is decided by their index, not by chance."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pydantic import Field

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JobParameters, JsonObject, TaskContext, TaskSpec
from infrastructure import database, task_repository

_CHECK_EVERY_SECONDS = 1.0


class HelloFanOut(JobParameters):
    """How many tasks, how long each takes, and how many of them fail."""

    n: int = Field(ge=0, le=5_000_000, description="Number of tasks", examples=[1000])
    sleep_ms: int = Field(
        default=0, ge=0, le=600_000, description="Time that each task sleeps, in milliseconds"
    )
    failure_rate: float = Field(
        default=0.0, ge=0, le=1, description="Share of the tasks that fail for good, 0 to 1"
    )


def plan(context: JobContext[HelloFanOut]) -> Iterator[TaskSpec]:
    """n tasks; a share `failure_rate` of them, spread evenly, is told to fail."""
    rate = context.parameters.failure_rate
    for index in range(context.parameters.n):
        fails = int((index + 1) * rate) > int(index * rate)
        yield TaskSpec({"fail": True} if fails else {})


def say_hello(context: TaskContext[HelloFanOut]) -> JsonObject | None:
    """Sleep as asked, noticing a cancel within a second; then succeed or fail."""
    end = time.monotonic() + context.parameters.sleep_ms / 1000
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _CHECK_EVERY_SECONDS))
        context.check()
    if context.task.get("fail"):
        raise PermanentTaskError("This task was asked to fail.", code="asked_to_fail")
    return None


def summarise(context: JobContext[HelloFanOut]) -> JsonObject:
    """The job's result: {tasks, completed, failed}.

    Taken from the stage's counters, which the engine keeps equal to its tasks: to count 100,000
    tasks again would take as long as running some thousand of them.
    """
    with database.transaction() as connection:
        stage = task_repository.stage(connection, context.job_id, 0)
    return {
        "tasks": context.parameters.n,
        "completed": stage.tasks_completed,
        "failed": stage.tasks_failed,
    }
