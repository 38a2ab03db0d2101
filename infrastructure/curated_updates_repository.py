"""The log of updates of curated datasets, as rows. Each function runs in the caller's transaction.

A row is open from its beginning until `finish`. A dataset has one open row at most, a job one
row, and a due time one row: the table's indexes see to that, whoever comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from core.errors import Conflict
from core.models.curated import UpdateStatus, UpdateType
from infrastructure import queries
from infrastructure.database import Connection, Row
from infrastructure.json_values import shown

_SQL = queries.load("curated_updates")

Action = Literal["update", "publish", "rollback"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Records of an attempt: by what became of them, and those that the table has at the end.

    None is not known.
    """

    added: int | None = None
    updated: int | None = None
    deleted: int | None = None
    unchanged: int | None = None
    total: int | None = None
    quarantined: int | None = None


UNKNOWN = Counts()


def begin(
    connection: Connection,
    dataset_id: str,
    job_id: str,
    update_type: UpdateType,
    *,
    due_at: datetime | None = None,
    actor: str | None = None,
    dry_run: bool = False,
    forced: bool = False,
    action: Action = "update",
    details: Mapping[str, Any] | None = None,
) -> int:
    """Open the row of a job's attempt; its log_id. A job that has a row keeps it as it is.

    Raises `Conflict`: update_under_way, naming the job, where the dataset has an open row;
    due_already where the due time has a row.
    """
    values = {
        "dataset_id": dataset_id,
        "job_id": job_id,
        "update_type": update_type,
        "action": action,
        "actor": actor,
        "due_at": due_at,
        "dry_run": dry_run,
        "forced": forced,
        "details": _json(details),
    }
    # Again where what was in the way has ended meanwhile.
    while True:
        row = connection.execute(_SQL["begin"], values).fetchone() or of_job(connection, job_id)
        if row is not None:
            return int(row["log_id"])
        _refuse_second(connection, dataset_id)
        if due_at is not None and with_due_times(connection, {dataset_id: due_at}):
            raise due_already(dataset_id, due_at)


def record(
    connection: Connection,
    dataset_id: str,
    update_type: UpdateType,
    status: UpdateStatus,
    *,
    action: Action = "update",
    job_id: str | None = None,
    due_at: datetime | None = None,
    actor: str | None = None,
    dry_run: bool = False,
    forced: bool = False,
    source_version: str | None = None,
    base_version: int | None = None,
    published_version: int | None = None,
    counts: Counts = UNKNOWN,
    error_code: str | None = None,
    error_message: str | None = None,
    details: Mapping[str, Any] | None = None,
    started_at: datetime | None = None,
) -> int | None:
    """Write an attempt that is over already; its log_id, None where job or due time has a row."""
    row = connection.execute(
        _SQL["record"],
        {
            "dataset_id": dataset_id,
            "job_id": job_id,
            "update_type": update_type,
            "action": action,
            "actor": actor,
            "due_at": due_at,
            "dry_run": dry_run,
            "forced": forced,
            "status": status,
            "source_version": source_version,
            "base_version": base_version,
            "published_version": published_version,
            **asdict(counts),
            "error_code": error_code,
            "error_message": error_message,
            "details": _json(details),
            "started_at": started_at,
        },
    ).fetchone()
    return None if row is None else int(row["log_id"])


def mark(
    connection: Connection,
    job_id: str,
    status: UpdateStatus,
    *,
    source_version: str | None = None,
    source_bytes: int | None = None,
    base_version: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> bool:
    """Say how far a job's attempt is, and what is known of it; False where none is open.

    What is None stays as it is; `details` are added to those that are there.
    """
    values = {
        "job_id": job_id,
        "status": status,
        "source_version": source_version,
        "source_bytes": source_bytes,
        "base_version": base_version,
        "details": _json(details),
    }
    return connection.execute(_SQL["mark"], values).fetchone() is not None


def finish(
    connection: Connection,
    job_id: str,
    status: UpdateStatus,
    *,
    source_version: str | None = None,
    base_version: int | None = None,
    published_version: int | None = None,
    counts: Counts = UNKNOWN,
    error_code: str | None = None,
    error_message: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> bool:
    """Close the row of a job's attempt; False where it has ended, or there is none.

    What is None stays as it is; `details` are added to those that are there.
    """
    values = {
        "job_id": job_id,
        "status": status,
        "source_version": source_version,
        "base_version": base_version,
        "published_version": published_version,
        **asdict(counts),
        "error_code": error_code,
        "error_message": error_message,
        "details": _json(details),
    }
    return connection.execute(_SQL["finish"], values).fetchone() is not None


def reopen(
    connection: Connection, dataset_id: str, job_id: str, ended_as: Sequence[UpdateStatus]
) -> bool:
    """Open the row of a job's attempt again, if it ended in one of these ways; whether it did.

    Raises `Conflict` (update_under_way) where another row of the dataset is open.
    """
    while True:
        try:
            with connection.transaction():
                row = connection.execute(
                    _SQL["reopen"], {"job_id": job_id, "ended_as": list(ended_as)}
                ).fetchone()
        except psycopg.errors.UniqueViolation:
            _refuse_second(connection, dataset_id)
        else:
            return row is not None


def take_due(connection: Connection, job_id: str, due_at: datetime) -> None:
    """Say of a job's attempt that it is the one of a due time."""
    connection.execute(_SQL["take_due"], {"job_id": job_id, "due_at": due_at})


def get(connection: Connection, log_id: int) -> Row | None:
    """A row of the log."""
    return connection.execute(_SQL["get"], {"log_id": log_id}).fetchone()


def of_job(connection: Connection, job_id: str) -> Row | None:
    """The row of a job's attempt."""
    return connection.execute(_SQL["of_job"], {"job_id": job_id}).fetchone()


def under_way(connection: Connection, dataset_id: str) -> Row | None:
    """The open row of a dataset."""
    return connection.execute(_SQL["under_way"], {"dataset_id": dataset_id}).fetchone()


def has_attempts(connection: Connection, dataset_id: str) -> bool:
    """Whether a dataset of this name, which may be deleted by now, was ever updated."""
    return bool(page(connection, dataset_id, limit=1))


def fetched_versions(connection: Connection, dataset_id: str) -> set[str]:
    """The versions of the source whose files an attempt may still make use of."""
    rows = connection.execute(_SQL["fetched_versions"], {"dataset_id": dataset_id})
    return {row["source_version"] for row in rows}


def with_due_times(connection: Connection, due: Mapping[str, datetime]) -> set[str]:
    """The datasets whose due time has a row."""
    values = {"dataset_ids": list(due), "due_times": list(due.values())}
    return {row["dataset_id"] for row in connection.execute(_SQL["of_due_times"], values)}


def page(
    connection: Connection,
    dataset_id: str,
    *,
    limit: int,
    before: int | None = None,
    statuses: Sequence[UpdateStatus] | None = None,
) -> list[Row]:
    """Rows of a dataset, newest first, beginning before a log_id."""
    values = {
        "dataset_id": dataset_id,
        "limit": limit,
        "before": before,
        "statuses": None if statuses is None else list(statuses),
    }
    return connection.execute(_SQL["page"], values).fetchall()


def enabled(connection: Connection) -> list[str]:
    """The ids of the datasets that the scheduler updates.

    Ids alone, so that a definition that cannot be read is trouble of its own dataset only.
    """
    return [row["dataset_id"] for row in connection.execute(_SQL["enabled"])]


def pull_back_schedules(connection: Connection, now: datetime) -> list[str]:
    """Let what was scheduled from a time that is yet to come be scheduled from now on; the
    datasets that were."""
    return [row["dataset_id"] for row in connection.execute(_SQL["pull_back"], {"now": now})]


def due_already(dataset_id: str, due_at: datetime) -> Conflict:
    """The error for a due time that has its row."""
    return Conflict(
        f"The run of {dataset_id} that fell due at {due_at:%Y-%m-%d %H:%M:%S} UTC has been "
        "begun already.",
        code="due_already",
        dataset_id=dataset_id,
    )


def _refuse_second(connection: Connection, dataset_id: str) -> None:
    other = under_way(connection, dataset_id)
    if other is None:
        return
    what = "being published" if other["action"] == "publish" else "being updated"
    raise Conflict(
        f"{dataset_id} is {what} already, by job {other['job_id']}.",
        code="update_under_way",
        dataset_id=dataset_id,
        job_id=other["job_id"],
        log_id=other["log_id"],
    )


def _json(details: Mapping[str, Any] | None) -> Jsonb | None:
    return None if details is None else shown(details)
