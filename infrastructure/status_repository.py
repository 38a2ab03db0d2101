"""Jobs, stages and tasks as they are read for people. Runs in the caller's transaction.

Nothing here takes a lock or counts tasks, so looking at a job of a million tasks costs what
looking at a job of one costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.models.job import JobRecord, JobStatus, StageStatus
from core.models.metrics import JobState, StageState
from core.models.task import TaskStatus
from infrastructure import queries
from infrastructure.database import Connection, Row

_sql = queries.load("status")


@dataclass(frozen=True, slots=True)
class Summary:
    """How many jobs are active, and how many ended within the last 24 hours, by status."""

    running: int
    queued: int
    completed: int
    completed_with_errors: int
    failed: int
    cancelled: int


def find(connection: Connection, job_id: str) -> JobState | None:
    """One job with its stages, or None."""
    found = jobs(connection, job_ids=[job_id], limit=1)
    return found[0] if found else None


def jobs(
    connection: Connection,
    *,
    limit: int,
    job_ids: Sequence[str] | None = None,
    statuses: Sequence[JobStatus] | None = None,
    job_type: str | None = None,
    after: tuple[datetime, str] | None = None,
) -> list[JobState]:
    """Jobs with their stages, newest first, after the job (created_at, job_id): two queries."""
    rows = connection.execute(
        _sql["jobs"],
        {
            "job_ids": None if job_ids is None else list(job_ids),
            "statuses": None if statuses is None else list(statuses),
            "job_type": job_type,
            "after_time": after[0] if after else None,
            "after_id": after[1] if after else None,
            "limit": limit,
        },
    ).fetchall()
    stages: dict[str, list[StageState]] = {row["job_id"]: [] for row in rows}
    if rows:
        for row in connection.execute(_sql["stages"], {"job_ids": list(stages)}).fetchall():
            stages[row["job_id"]].append(_stage(row))
    return [JobState(_job(row), tuple(stages[row["job_id"]]), row["read_at"]) for row in rows]


def tasks(
    connection: Connection,
    job_id: str,
    *,
    limit: int,
    stage: int | None = None,
    status: TaskStatus | None = None,
    after: tuple[int, ...] | None = None,
) -> list[Row]:
    """Tasks of a job in the order of (stage, task_index), after the given one."""
    return connection.execute(
        _sql["tasks"],
        {
            "job_id": job_id,
            "stage": stage,
            "status": status,
            "after_stage": after[0] if after else None,
            "after_index": after[1] if after else None,
            "limit": limit,
        },
    ).fetchall()


def summary(connection: Connection) -> Summary:
    row = connection.execute(_sql["summary"]).fetchone()
    assert row is not None  # An aggregate without GROUP BY always has one row.
    return Summary(**row)


def _job(row: Row) -> JobRecord:
    fields = {name: value for name, value in row.items() if name != "read_at"}
    return JobRecord(**{**fields, "status": JobStatus(row["status"])})


def _stage(row: Row) -> StageState:
    fields = {name: value for name, value in row.items() if name != "job_id"}
    return StageState(**{**fields, "status": StageStatus(row["status"])})
