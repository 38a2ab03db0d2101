"""Runs of pipelines as they are read for people. Runs in the caller's transaction.

Nothing here takes a lock or counts tasks; of a step's jobs the counters are read, and so many
jobs as are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.models.pipeline import RunStatus
from infrastructure import queries
from infrastructure.database import Connection, Row

_SQL = queries.load("pipeline_status")


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many jobs of a step there are so far, and where they are; `unfinished` are the ids of
    those that have not come to their end, be it that they were cancelled."""

    jobs: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    unfinished: Sequence[str] = ()


def runs(
    connection: Connection,
    *,
    limit: int,
    name: str | None = None,
    status: RunStatus | None = None,
    awaiting: bool = False,
    after: tuple[datetime, str] | None = None,
) -> list[Row]:
    """Runs, newest first, after the run (created_at, run_id); `awaiting` keeps those that wait
    for somebody's decision."""
    return connection.execute(
        _SQL["runs"],
        {
            "name": name,
            "status": status,
            "awaiting": awaiting,
            "after_time": after[0] if after else None,
            "after_id": after[1] if after else None,
            "limit": limit,
        },
    ).fetchall()


def run(connection: Connection, run_id: str) -> Row | None:
    """One run with the document of its version, or None."""
    return connection.execute(_SQL["run"], {"run_id": run_id}).fetchone()


def steps(
    connection: Connection, run_id: str, *, step_id: str | None = None, most_bytes: int
) -> list[Row]:
    """The steps of a run, or one; outputs that take more bytes than `most_bytes` are left out."""
    return connection.execute(
        _SQL["steps"], {"run_id": run_id, "step_id": step_id, "most_bytes": most_bytes}
    ).fetchall()


def job_counts(
    connection: Connection, run_id: str, *, step_id: str | None = None
) -> dict[str, JobCounts]:
    """By step how many of its jobs are where; a step without jobs is not in it."""
    rows = connection.execute(_SQL["job_counts"], {"run_id": run_id, "step_id": step_id})
    return {
        row["step_id"]: JobCounts(
            row["jobs"], row["completed"], row["failed"], row["cancelled"], row["unfinished"] or ()
        )
        for row in rows
    }


def jobs(
    connection: Connection,
    run_id: str,
    *,
    limit: int,
    step_id: str | None = None,
    after: int | None = None,
) -> list[Row]:
    """Jobs of each step, or of one, in the order of its items and behind the item `after`; at
    most `limit` of a step."""
    return connection.execute(
        _SQL["jobs"], {"run_id": run_id, "step_id": step_id, "limit": limit, "after": after}
    ).fetchall()
