"""Jobs, stages and tasks as they are read for people. Runs in the caller's transaction.

Nothing here takes a lock or counts tasks, so looking at a job of a million tasks costs what
looking at a job of one costs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.models.job import JobRecord, JobStatus, StageStatus
from core.models.metrics import JobState, StageState
from core.models.task import TaskStatus
from infrastructure import queries
from infrastructure.database import Connection, Row

_sql = queries.load("status")

# The largest integer of PostgreSQL: no stage is behind it.
_LAST_STAGE = 2**31 - 1


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
    return with_stages(connection, rows)


def with_stages(connection: Connection, rows: Sequence[Row]) -> list[JobState]:
    """Rows of jobs, each with the `read_at` of its query, and their stages: one query more."""
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
    status: Literal[TaskStatus.FAILED] | None = None,
    cause: str | None = None,
    after: tuple[int, int] | None = None,
) -> list[Row]:
    """Tasks of a job in the order of (stage, task_index), behind the given one.

    All of them, or those that failed: all of these, or those of one cause (a fingerprint of
    `error_groups_repository`). Tasks in other states are found by `window`.
    """
    of_failed = status is TaskStatus.FAILED or cause is not None
    connection.execute(_sql["in_key_order"])
    return connection.execute(
        _sql["failed_tasks" if of_failed else "tasks"],
        {**_behind(job_id, stage, after), "cause": cause, "limit": limit},
    ).fetchall()


@dataclass(frozen=True, slots=True)
class Window:
    """What came of looking through some tasks: the first of those that match, how many tasks these
    were, and the last of them as (stage, task_index); None where there were none."""

    matches: list[Row]
    seen: int
    last: tuple[int, int] | None


_OF_WINDOW = ("seen", "last_stage", "last_index")


def window(
    connection: Connection,
    job_id: str,
    *,
    size: int,
    most: int,
    stage: int | None = None,
    status: TaskStatus | None = None,
    text: str | None = None,
    after: tuple[int, int] | None = None,
) -> Window:
    """Look through the next `size` tasks for the first `most` of those in a state and with a text
    in their parameters, result or error, in whatever case."""
    connection.execute(_sql["in_key_order"])
    rows = connection.execute(
        _sql["window"],
        {
            **_behind(job_id, stage, after),
            "size": size,
            "most": most,
            "status": status,
            # As the text of jsonb has it, with \" for a quotation mark.
            "text": None if text is None else json.dumps(text.lower(), ensure_ascii=False)[1:-1],
        },
    ).fetchall()
    # One row at least says how far that was; what it found is empty where nothing matches.
    seen, *last = (rows[0][name] for name in ("seen", "last_stage", "last_index"))
    matches = [
        {name: value for name, value in row.items() if name not in _OF_WINDOW}
        for row in rows
        if row["stage"] is not None
    ]
    return Window(matches, seen, (last[0], last[1]) if seen else None)


def window_start(connection: Connection, job_id: str, stage: int | None) -> tuple[int, int] | None:
    """(stage, index) behind the task that was sent last, of the first stage that is at work."""
    scope = _behind(job_id, stage, None)
    row = connection.execute(_sql["window_start"], {**scope, "first_stage": stage or 0}).fetchone()
    return None if row is None else (row["stage"], row["next_index"])


def task(connection: Connection, job_id: str, stage: int, task_index: int) -> Row | None:
    """All that the ledger has of one task, or None."""
    scope = {"job_id": job_id, "stage": stage, "task_index": task_index}
    return connection.execute(_sql["task"], scope).fetchone()


def numbered(
    connection: Connection, job_id: str, task_index: int, *, stage: int | None = None
) -> list[Row]:
    """The tasks with this index, of the one stage or of all."""
    scope = _behind(job_id, stage, None)
    return connection.execute(
        _sql["numbered"], {**scope, "first_stage": stage or 0, "task_index": task_index}
    ).fetchall()


def stage_plans(connection: Connection, job_id: str) -> list[Row]:
    """How each stage of a job is run: queue, max_parallel, in_flight, planned_at, done_at."""
    return connection.execute(_sql["stage_plans"], {"job_id": job_id}).fetchall()


def pipeline_step(connection: Connection, job_id: str) -> Row | None:
    """The step of a pipeline's run that the job belongs to: run_id, step_id, pipeline, version."""
    return connection.execute(_sql["pipeline_step"], {"job_id": job_id}).fetchone()


def _behind(job_id: str, stage: int | None, after: tuple[int, int] | None) -> Row:
    """Parameters that say where to begin: behind a task, or with the stage's first one."""
    first = (0 if stage is None else stage, -1)
    behind = max(first, after) if after else first
    return {
        "job_id": job_id,
        "after_stage": behind[0],
        "after_index": behind[1],
        "last_stage": _LAST_STAGE if stage is None else stage,
    }


def _job(row: Row) -> JobRecord:
    fields = {name: value for name, value in row.items() if name != "read_at"}
    return JobRecord(**{**fields, "status": JobStatus(row["status"])})


def _stage(row: Row) -> StageState:
    fields = {name: value for name, value in row.items() if name != "job_id"}
    return StageState(**{**fields, "status": StageStatus(row["status"])})
