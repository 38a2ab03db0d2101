"""Rows of app.jobs and app.job_stages. Each function runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Json, Jsonb

from core import jsonb
from core.errors import NotFound
from core.models.job import JobRecord, JobStatus, StageStatus
from infrastructure import queries
from infrastructure.database import Connection

_sql = queries.load("jobs")


@dataclass(frozen=True, slots=True)
class NewStage:
    """A stage as submitted: the definition's options, resolved for the job's parameters."""

    name: str
    queue: str
    max_parallel: int
    tasks_per_message: int
    max_attempts: int
    lease_seconds: float
    max_failed_share: float
    stop_early: bool


def insert(
    connection: Connection,
    *,
    job_id: str,
    job_type: str,
    parameters: dict[str, Any],
    submission_key: str,
    run: int,
    stages: Sequence[NewStage],
) -> bool:
    """Add a queued job with its stages; False where it exists already."""
    row = connection.execute(
        _sql["insert"],
        {
            "job_id": job_id,
            "job_type": job_type,
            "parameters": Jsonb(parameters, dumps=jsonb.encode),
            "submission_key": submission_key,
            "run": run,
            "total_stages": len(stages),
        },
    ).fetchone()
    if row is None:
        return False
    with connection.cursor() as cursor:
        cursor.executemany(
            _sql["insert_stage"],
            [
                {
                    "job_id": job_id,
                    "stage": index,
                    "name": stage.name,
                    "queue": stage.queue,
                    "max_parallel": stage.max_parallel,
                    "tasks_per_message": stage.tasks_per_message,
                    "max_attempts": stage.max_attempts,
                    "lease_seconds": stage.lease_seconds,
                    "max_failed_share": stage.max_failed_share,
                    "stop_early": stage.stop_early,
                }
                for index, stage in enumerate(stages)
            ],
        )
    return True


def next_run(connection: Connection, submission_key: str) -> int:
    row = connection.execute(_sql["next_run"], {"submission_key": submission_key}).fetchone()
    assert row is not None
    return int(row["run"])


def get(connection: Connection, job_id: str) -> JobRecord:
    """The job, or `NotFound`."""
    row = connection.execute(_sql["get"], {"job_id": job_id}).fetchone()
    if row is None:
        raise NotFound(f"There is no job {job_id!r}.", code="unknown_job", job_id=job_id)
    return JobRecord(**{**row, "status": JobStatus(row["status"])})


def lock(connection: Connection, job_id: str) -> JobStatus | None:
    """Lock the job's row to the end of the transaction; its status, None for no such job."""
    row = connection.execute(_sql["lock"], {"job_id": job_id}).fetchone()
    return None if row is None else JobStatus(row["status"])


def begin(connection: Connection, job_id: str) -> bool:
    """queued -> running; False where it was not queued."""
    return connection.execute(_sql["begin"], {"job_id": job_id}).rowcount == 1


def enter_stage(connection: Connection, job_id: str, stage: int) -> None:
    connection.execute(_sql["enter_stage"], {"job_id": job_id, "stage": stage})


def finish(
    connection: Connection,
    job_id: str,
    status: JobStatus,
    *,
    resumes: int,
    result: dict[str, Any] | None,
    error: dict[str, Any] | None,
) -> bool:
    """To a terminal state; False where the job was in one already, or resumed meanwhile."""
    row = connection.execute(
        _sql["finish"],
        {
            "job_id": job_id,
            "status": status,
            "resumes": resumes,
            "result": None if result is None else Json(result, dumps=jsonb.encode),
            "error": None if error is None else Jsonb(error, dumps=jsonb.encode),
        },
    ).fetchone()
    return row is not None


def close_open_stages(connection: Connection, job_id: str, status: StageStatus) -> None:
    connection.execute(_sql["close_open_stages"], {"job_id": job_id, "status": status})


def request_cancel(connection: Connection, job_id: str) -> bool:
    """Ask for the cancel; False where the job has ended."""
    return connection.execute(_sql["request_cancel"], {"job_id": job_id}).fetchone() is not None


def reopen(connection: Connection, job_id: str, stage: int) -> None:
    """A terminal job -> queued, to go on from `stage`."""
    connection.execute(_sql["reopen"], {"job_id": job_id, "stage": stage})


def active(connection: Connection, older_than_seconds: float) -> list[str]:
    """Ids of jobs that are not terminal and were not touched for so long."""
    rows = connection.execute(_sql["active"], {"older_than_seconds": older_than_seconds})
    return [row["job_id"] for row in rows]


def count_restart(connection: Connection, job_id: str) -> int | None:
    """Note that the orchestration is started again; how often, or None for an ended job."""
    row = connection.execute(_sql["count_restart"], {"job_id": job_id}).fetchone()
    return None if row is None else int(row["restarts"])


def work_to_remove(connection: Connection) -> list[str]:
    """Ended jobs whose workspace is still there and will not be needed."""
    return [row["job_id"] for row in connection.execute(_sql["work_to_remove"])]


def mark_work_removed(connection: Connection, job_id: str) -> bool:
    """Note that the workspace is removed; False for a job that is at work (again)."""
    row = connection.execute(_sql["mark_work_removed"], {"job_id": job_id}).fetchone()
    return row is not None


def unmark_work_removed(connection: Connection, job_id: str) -> None:
    """The removal failed: housekeeping will try again."""
    connection.execute(_sql["unmark_work_removed"], {"job_id": job_id})


def insert_dead_letter(
    connection: Connection,
    *,
    queue: str,
    message_id: str | None,
    reason: str | None,
    description: str | None,
    job_id: str | None,
    body: str,
) -> None:
    connection.execute(
        _sql["insert_dead_letter"],
        {
            "queue": queue,
            "message_id": message_id,
            "reason": reason,
            "description": description,
            "job_id": job_id,
            "body": body,
        },
    )
