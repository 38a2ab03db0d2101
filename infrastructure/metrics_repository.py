"""Snapshots, events and figures of jobs: app.job_metrics, job_context and job_contributions.

Each function runs in the caller's transaction, which `transact` opens. The tables make
themselves: where a migration has not brought them yet, or not all of their columns, `transact`
runs the migrations that define them (and no other text: there is one definition of each table),
and starts again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from datetime import datetime, timedelta
from typing import Any, TypeVar

from psycopg import errors

from core.models.metrics import MetricRecord, MetricType, Sample
from infrastructure import database, queries
from infrastructure.database import Connection
from infrastructure.job_figures import Words
from infrastructure.json_values import shown
from infrastructure.locks import Space, lock, try_lock
from infrastructure.migrate import migrations

log = logging.getLogger(__name__)

R = TypeVar("R")

_sql = queries.load("metrics")

_MIGRATIONS = (
    "0011_post_metrics.sql",
    "0013_post_job_context.sql",
    "0014_post_job_contributions.sql",
    "0051_post_contribution_attempts.sql",
    "0062_post_dashboard.sql",
)


def transact(operation: Callable[[Connection], R]) -> R:
    """Run an operation in a transaction; where a table or a column of one is missing, as it is for
    workers that are newer than their database, make it and run the operation again."""
    try:
        with database.transaction() as connection:
            return operation(connection)
    except (errors.UndefinedTable, errors.UndefinedColumn):
        bootstrap()
        with database.transaction() as connection:
            return operation(connection)


def bootstrap() -> None:
    """Create the tables, or columns of them, where they are missing. Safe to call from many
    processes at once."""
    with database.transaction() as connection:
        lock(connection, Space.DDL, "app.job_metrics")
        for migration in migrations():
            if migration.name in _MIGRATIONS:
                connection.execute(migration.sql)
    log.info("created what was missing of the tables of the metrics")


def insert(
    connection: Connection, job_id: str, metric_type: MetricType, payload: Mapping[str, Any]
) -> None:
    """Add one row, dated by the database's clock."""
    connection.execute(
        _sql["insert"],
        {"job_id": job_id, "metric_type": metric_type, "payload": shown(payload)},
    )


def take_turn(connection: Connection, job_id: str, min_age: timedelta | None) -> bool:
    """Whether the caller is to write the job's next snapshot, in this transaction.

    Among any number of workers one is: the others find the lock taken, or the last snapshot
    younger than `min_age`, and go on at once. With `min_age` None it waits for its turn.
    """
    if min_age is None:
        lock(connection, Space.JOB, job_id, "snapshot")
        return True
    if not try_lock(connection, Space.JOB, job_id, "snapshot"):
        return False
    # A statement of its own: it must see what the lock's last holder committed.
    last = connection.execute(_sql["snapshot_age"], {"job_id": job_id}).fetchone()
    return last is None or last["seconds"] >= min_age.total_seconds()


def recent_samples(
    connection: Connection, job_ids: Sequence[str], window: timedelta
) -> dict[str, Sample]:
    """For each job its oldest snapshot within the window, to count rates from."""
    rows = connection.execute(
        _sql["recent_samples"], {"job_ids": list(job_ids), "window": window}
    ).fetchall()
    return {
        row["job_id"]: Sample(row["stage"], row["at"], row["ended"], row["context"]) for row in rows
    }


def page(
    connection: Connection,
    job_id: str,
    *,
    limit: int,
    types: Sequence[MetricType] | None = None,
    before: int | None = None,
    since: datetime | None = None,
) -> list[MetricRecord]:
    """Rows of a job, newest first, with ids below `before`, written after `since`."""
    rows = connection.execute(
        _sql["page"],
        {
            "job_id": job_id,
            "types": None if types is None else list(types),
            "before": before,
            "since": since,
            "limit": limit,
        },
    ).fetchall()
    return [record_of(row) for row in rows]


def put_words(connection: Connection, job_id: str, words: Words) -> None:
    """Set figures of a job, and bring its sums up to date with what tasks have done.

    Figures and sums that are not named stay as they are.
    """
    # One writer of a job's figures at a time: none deadlocks with another, and of two attempts
    # at one task the second sees what the first wrote.
    lock(connection, Space.JOB, job_id, "context")
    if words.figures:
        connection.execute(_sql["put_context"], {"job_id": job_id, "figures": shown(words.figures)})
    for context, figures in words.shown.items():
        connection.execute(
            _sql["merge_context"],
            {"job_id": job_id, "context": context, "figures": shown(figures)},
        )
    for context in dict.fromkeys(context for context, _, _ in words.contributed):
        given = [
            {"task": task, "said_by": astuple(attempt) if attempt else None, "amounts": amounts}
            for (of, task, attempt), amounts in words.contributed.items()
            if of == context
        ]
        connection.execute(
            _sql["contribute"], {"job_id": job_id, "context": context, "given": shown(given)}
        )


def contexts(connection: Connection, job_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The figures of each job that has some."""
    rows = connection.execute(_sql["contexts"], {"job_ids": list(job_ids)}).fetchall()
    return {row["job_id"]: row["context"] for row in rows}


def prune(connection: Connection, retention: timedelta) -> int:
    """Delete what is older than the retention; the number of rows in app.job_metrics.

    See queries `prune` and `prune_contributions`.
    """
    connection.execute(_sql["prune_contributions"], {"retention": retention})
    return connection.execute(_sql["prune"], {"retention": retention}).rowcount


def lost(connection: Connection, kind: str) -> dict[str, int]:
    """The sums over the rows of `kind` of their details, {name: number}."""
    # Not prepared: the plan for this kind is an index, the one for any kind is all errors.
    rows = connection.execute(_sql["lost"], {"kind": kind}, prepare=False).fetchall()
    return {row["name"]: row["number"] for row in rows}


def record_of(row: database.Row) -> MetricRecord:
    """A row of app.job_metrics."""
    return MetricRecord(
        id=row["id"],
        job_id=row["job_id"],
        timestamp=row["timestamp"],
        metric_type=MetricType(row["metric_type"]),
        payload=row["payload"],
    )
