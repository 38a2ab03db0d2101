"""Jobs, their pace and their events as the dashboard shows them. Read-only, in the caller's
transaction.

What a query reads is bounded by what it shows, however many jobs and tasks there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.models.job import JobStatus
from core.models.metrics import JobState, MetricRecord, Sample
from infrastructure import metrics_repository, queries, status_repository
from infrastructure.database import Connection, Row

_sql = queries.load("dashboard")

MOST_SEARCHED = 2_000
"""Jobs that one look for a text reads."""

# Events that are looked through for those of one job type.
_MOST_EVENTS = 500

JobKey = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant; what is None rules nothing out.

    text: part of the parameters, of the job type or of the reason why it failed, or the
        beginning of the job's id.
    """

    status: JobStatus | None = None
    job_type: str | None = None
    text: str | None = None

    def __bool__(self) -> bool:
        return any((self.status, self.job_type, self.text))


@dataclass(frozen=True, slots=True)
class Summary:
    """How many jobs are active, and how many ended within the last 24 hours, by status."""

    running: int
    queued: int
    completed: int
    completed_with_errors: int
    failed: int
    cancelled: int


def summary(connection: Connection) -> Summary:
    """Counts of jobs: how they are now, and how they ended within a day."""
    return Summary(**_rows(connection, "summary", {})[0])


def matching(
    connection: Connection, wanted: JobFilter, *, limit: int, after: JobKey | None = None
) -> list[JobState]:
    """A page of jobs, newest first, after the job (created_at, job_id).

    A text is looked for in the next `MOST_SEARCHED` jobs that the other filters let through.
    """
    parameters = {**_parameters(wanted, limit, after), "limit": limit}
    return _states(connection, _rows(connection, "matching", parameters))


def searched_to(
    connection: Connection, wanted: JobFilter, after: JobKey | None = None
) -> JobKey | None:
    """The last job that `matching` looked through for a text; None where it looked at all."""
    rows = _rows(connection, "last_candidate", _parameters(wanted, 0, after))
    return (rows[0]["created_at"], rows[0]["job_id"]) if rows else None


def running(connection: Connection, limit: int) -> list[JobState]:
    """Jobs that run, newest first."""
    return matching(connection, JobFilter(JobStatus.RUNNING), limit=limit)


def ended(connection: Connection, *, limit: int, job_type: str | None = None) -> list[JobState]:
    """The jobs that ended last, the last one first."""
    return _states(connection, _rows(connection, "ended", {"limit": limit, "job_type": job_type}))


def reasons(connection: Connection, job_ids: Sequence[str]) -> dict[str, str]:
    """Why each of the jobs failed, of those that say so."""
    rows = _rows(connection, "reasons", {"job_ids": list(job_ids)}) if job_ids else []
    return {row["job_id"]: row["message"] for row in rows if row["message"]}


def series(connection: Connection, job_ids: Sequence[str], per_job: int) -> dict[str, list[Sample]]:
    """The newest snapshots of each job, up to `per_job`, oldest first."""
    found: dict[str, list[Sample]] = {job_id: [] for job_id in job_ids}
    for row in _rows(connection, "series", {"job_ids": list(job_ids), "per_job": per_job}):
        found[row["job_id"]].append(Sample(row["stage"], row["at"], row["ended"]))
    return found


def events(
    connection: Connection, limit: int, job_type: str | None = None
) -> list[tuple[str, MetricRecord]]:
    """The newest events of all jobs, newest first, each with its job's type."""
    rows = _rows(
        connection,
        "events",
        {
            "limit": limit,
            "job_type": job_type,
            "most": limit if job_type is None else _MOST_EVENTS,
        },
    )
    return [(row["job_type"], metrics_repository.record_of(row)) for row in rows]


def _parameters(wanted: JobFilter, limit: int, after: JobKey | None) -> dict[str, Any]:
    text = None if wanted.text is None else _escaped(wanted.text)
    return {
        "status": wanted.status,
        "job_type": wanted.job_type,
        "text": text,
        "prefix": None if text is None else f"{text.lower()}%",
        "pattern": None if text is None else f"%{text}%",
        "after_time": after[0] if after else None,
        "after_id": after[1] if after else None,
        "most": limit if text is None else MOST_SEARCHED,
    }


def _escaped(text: str) -> str:
    """The text as LIKE finds it."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _rows(connection: Connection, query: str, parameters: dict[str, Any]) -> list[Row]:
    # Never prepared: a plan for any parameters reads all jobs to find those of a rare status.
    return connection.execute(_sql[query], parameters, prepare=False).fetchall()


def _states(connection: Connection, rows: Sequence[Row]) -> list[JobState]:
    without: dict[str, Any] = {
        "parameters": {},
        "result": None,
        "error": None,
        "work_removed_at": None,
    }
    return status_repository.with_stages(connection, [{**row, **without} for row in rows])
