"""Reading the quality reports of process_vector, page by page.

Each function runs in the caller's transaction. Ids within a run (`repair_id`, `quarantine_id`)
are the order of the pages: `after` is the last one of the page before, 0 for the first.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Literal

from infrastructure import queries
from infrastructure.database import Connection, Row

Drawings = Literal["repair_features", "quarantine_features"]

# Features are fetched in portions of so many rows; each can be some megabytes.
_ROWS_AT_ONCE = 50

_SQL = queries.load("vector_reports")


def reports(
    connection: Connection, *, limit: int, before: tuple[datetime, str] | None = None
) -> list[Row]:
    """Reports, newest first, begun before (time, job_id)."""
    time, job_id = before or (None, None)
    return connection.execute(
        _SQL["reports"], {"time": time, "before": job_id, "limit": limit}
    ).fetchall()


def report(connection: Connection, job_id: str) -> Row | None:
    """One report, with its job's status, error and parameters where the job is known."""
    return connection.execute(_SQL["report"], {"job_id": job_id}).fetchone()


def has_report(connection: Connection, job_id: str) -> bool:
    """Whether the job has a report."""
    row = connection.execute(_SQL["has_report"], {"job_id": job_id}).fetchone()
    return row is not None and bool(row["found"])


def is_restricted(connection: Connection, job_id: str) -> bool:
    """Whether what a run read is not shown to everyone: the table or the dataset is restricted."""
    row = connection.execute(_SQL["is_restricted"], {"job_id": job_id}).fetchone()
    return row is not None and bool(row["restricted"])


def repairs(
    connection: Connection, job_id: str, *, limit: int, after: int = 0, kind: str | None = None
) -> list[Row]:
    """Repairs in the order of the layers' records, without their geometries."""
    return connection.execute(
        _SQL["repairs"], {"job_id": job_id, "after": after, "kind": kind, "limit": limit}
    ).fetchall()


def repair(connection: Connection, job_id: str, repair_id: int) -> Row | None:
    """One repair with the geometries `before` and `after` as WKB, None where not kept."""
    return connection.execute(_SQL["repair"], {"job_id": job_id, "repair_id": repair_id}).fetchone()


def first_drawn_repair(
    connection: Connection, job_id: str, *, after: int = 0, kind: str | None = None
) -> int | None:
    """The id of the first repair whose geometries were kept."""
    row = connection.execute(
        _SQL["first_drawn_repair"], {"job_id": job_id, "after": after, "kind": kind}
    ).fetchone()
    return None if row is None else row["repair_id"]


def quarantine(
    connection: Connection, job_id: str, *, limit: int, after: int = 0, reason: str | None = None
) -> list[Row]:
    """Quarantined records without their geometries."""
    return connection.execute(
        _SQL["quarantine"], {"job_id": job_id, "after": after, "reason": reason, "limit": limit}
    ).fetchall()


def quarantined(connection: Connection, job_id: str, quarantine_id: int) -> Row | None:
    """One quarantined record with its geometry as WKB."""
    return connection.execute(
        _SQL["quarantined"], {"job_id": job_id, "quarantine_id": quarantine_id}
    ).fetchone()


def features(
    connection: Connection,
    job_id: str,
    drawings: Drawings,
    *,
    after: int = 0,
    only: str | None = None,
) -> Generator[tuple[int, str], None, None]:
    """(id, GeoJSON Feature) of every repair or quarantined record after an id.

    `only` is a kind of repair or a reason. A server-side cursor keeps the memory bounded
    whatever the number of rows.
    """
    with connection.cursor(name=drawings) as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        cursor.execute(_SQL[drawings], {"job_id": job_id, "after": after, "filter": only})
        for row in cursor:
            yield row["id"], row["feature"]


def places(connection: Connection, job_id: str, *, limit: int) -> list[Row]:
    """Where the first faults are: what (repair or quarantine), id, x, y in degrees."""
    return connection.execute(_SQL["places"], {"job_id": job_id, "limit": limit}).fetchall()
