"""Jobs in the ledger as they are at some moment, without an engine that brought them there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from core.identifiers import job_id, submission_key
from core.models.task import TaskOutcome, TaskStatus
from infrastructure import error_groups_repository
from infrastructure.database import Connection


@dataclass(frozen=True)
class Stage:
    """A stage with its counters. Times are seconds before now."""

    name: str = "work"
    status: str = "running"
    total: int | None = 10
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    began: float | None = 30
    ended: float | None = None


@dataclass(frozen=True)
class Task:
    index: int
    stage: int = 0
    status: str = "completed"
    parameters: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def add_job(
    connection: Connection,
    *stages: Stage,
    job_type: str = "hello_fan_out",
    status: str = "running",
    current: int = 0,
    created: float = 31,
    ended: float | None = None,
    parameters: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
    tasks: tuple[Task, ...] = (),
) -> str:
    """Write a job with its stages and tasks; its id. Times are seconds before now."""
    given = {"n": 10} if parameters is None else parameters
    stages = stages or (Stage(),)
    terminal = status not in ("queued", "running")
    key = submission_key(job_type, given)
    run = connection.execute(
        "SELECT count(*) AS runs FROM app.jobs WHERE submission_key = %s", (key,)
    ).fetchone()
    assert run is not None
    identifier = job_id(job_type, given, run["runs"])
    connection.execute(
        """
        INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, run, status,
                              current_stage, total_stages, result, error, created_at,
                              started_at, finished_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            identifier,
            job_type,
            Jsonb(given),
            key,
            run["runs"],
            status,
            current,
            len(stages),
            None if result is None else Jsonb(result),
            None if error is None else Jsonb(error),
            _before(created),
            None if status == "queued" else _before(created),
            _before(ended or 0) if terminal else None,
        ),
    )
    for index, stage in enumerate(stages):
        _add_stage(connection, identifier, index, stage)
    for task in tasks:
        _add_task(connection, identifier, task)
    for index in range(len(stages)):
        failures = [
            TaskOutcome(task.index, 1, TaskStatus.FAILED, error=task.error)
            for task in tasks
            if task.stage == index and task.status == "failed"
        ]
        error_groups_repository.record(connection, identifier, index, failures)
    return identifier


def _add_stage(connection: Connection, identifier: str, index: int, stage: Stage) -> None:
    connection.execute(
        """
        INSERT INTO app.job_stages (job_id, stage, name, status, queue, max_parallel,
                                    tasks_per_message, max_attempts, lease_seconds,
                                    max_failed_share, stop_early, tasks_total, tasks_completed,
                                    tasks_failed, tasks_cancelled, planned_at, started_at,
                                    finished_at)
        VALUES (%s, %s, %s, %s, 'light', 8, 1, 4, 60, 1, false, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            identifier,
            index,
            stage.name,
            stage.status,
            stage.total,
            stage.completed,
            stage.failed,
            stage.cancelled,
            None if stage.total is None else _before(stage.began or 0),
            None if stage.began is None else _before(stage.began),
            None if stage.ended is None else _before(stage.ended),
        ),
    )


def _add_task(connection: Connection, identifier: str, task: Task) -> None:
    connection.execute(
        """
        INSERT INTO app.tasks (job_id, stage, task_index, task_type, parameters, status, attempt,
                               result, error, lease_expires_at)
        VALUES (%s, %s, %s, 'test.task', %s, %s, 1, %s, %s, %s)
        """,
        (
            identifier,
            task.stage,
            task.index,
            Jsonb(task.parameters),
            task.status,
            None if task.result is None else Jsonb(task.result),
            None if task.error is None else Jsonb(task.error),
            _before(-60) if task.status == "running" else None,
        ),
    )


def _before(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
