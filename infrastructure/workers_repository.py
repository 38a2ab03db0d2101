"""Rows of app.workers. Each function runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from psycopg.types.json import Jsonb

from core.models.worker import PoolState, Work, Worker, WorkerState
from infrastructure import queries
from infrastructure.database import Connection, Row

_sql = queries.load("workers")


def beat(
    connection: Connection,
    worker_id: str,
    *,
    instance: str,
    pid: int,
    age: timedelta,
    busy: Sequence[Work],
    tasks: int,
    memory_bytes: int | None,
    pool: PoolState,
) -> None:
    """Write that a process lives, `age` after it began, and what it is at."""
    connection.execute(
        _sql["beat"],
        {
            "worker_id": worker_id,
            "instance": instance,
            "pid": pid,
            "age": age,
            "tasks": tasks,
            "busy": Jsonb([asdict(each) for each in busy]),
            "memory_bytes": memory_bytes,
            "pool_size": pool.size,
            "pool_in_use": pool.in_use,
            "pool_waiting": pool.waiting,
            "pool_wait_ms": pool.wait_ms,
        },
    )


def prune(connection: Connection, older_than: timedelta) -> int:
    """Forget processes that were not heard of for so long; how many."""
    return connection.execute(_sql["prune"], {"older_than": older_than}).rowcount


def recent(
    connection: Connection, *, within: timedelta, silent_after: timedelta, limit: int
) -> list[Worker]:
    """The processes that were heard of within a time and not replaced since, oldest first."""
    rows = connection.execute(_sql["recent"], {"within": within, "limit": limit}).fetchall()
    return [_worker(row, silent_after) for row in rows]


def _worker(row: Row, silent_after: timedelta) -> Worker:
    silent = row["silent_seconds"] > silent_after.total_seconds()
    return Worker(
        worker_id=str(row["worker_id"]),
        instance=row["instance"],
        pid=row["pid"],
        state=WorkerState.SILENT if silent else WorkerState.ALIVE,
        started_at=row["started_at"],
        last_seen=row["last_seen"],
        tasks=row["tasks"],
        busy=tuple(Work(**each) for each in row["busy"]),
        job_types=row["job_types"],
        memory_bytes=row["memory_bytes"],
        pool=PoolState(
            row["pool_size"], row["pool_in_use"], row["pool_waiting"], row["pool_wait_ms"]
        ),
    )
