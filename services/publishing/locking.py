"""Waiting for a published table without making its readers wait.

A statement that waits for an exclusive lock also holds up everyone who comes after it. So the
lock is asked for during a quarter of a second at a time, with pauses in which readers get on.
An overview that is being made reads the table for long, and is ended: it is made again later.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from typing import LiteralString

import psycopg
from psycopg import sql

from core.errors import TransientTaskError
from core.models.feature_table import TableName
from infrastructure import overviews_repository, queries
from infrastructure.database import Connection
from infrastructure.locks import Space, try_lock

_SQL = queries.load("publishing")
_TRY = "250ms"
_NUDGE, _NUDGE_EVERY = "1500ms", 5
_PAUSE_SECONDS = (0.1, 2.0)
# Another job may be adding to the same table; it ends or fails before this.
_TURN_SECONDS = 600.0


def take_turn(
    connection: Connection,
    target: TableName,
    check: Callable[[], None],
    *,
    patience: float = _TURN_SECONDS,
) -> None:
    """Become the only one who publishes this table, to the end of the transaction.

    Raises `TransientTaskError` (table_busy) after `patience` seconds. Whoever publishes several
    tables in one transaction does it in the order of their names.
    """
    deadline = time.monotonic() + patience
    pause, longest = _PAUSE_SECONDS
    while not try_lock(connection, Space.DATASET, target.schema_name, target.table_name):
        check()
        if time.monotonic() > deadline:
            raise TransientTaskError(
                f"Another job is publishing {target}.", code="table_busy", table=str(target)
            )
        time.sleep(pause)
        pause = min(pause * 1.5, longest)


def patiently(
    connection: Connection,
    target: TableName,
    mode: LiteralString,
    work: Callable[[], None] = lambda: None,
    *,
    first: Sequence[sql.Composed] = (),
    oids: Sequence[int],
    patience: float,
    check: Callable[[], None],
) -> None:
    """Run the statements of `first`, lock the table and do `work`, all of which may lock
    relations, again and again until it comes about; the locks are held to the end of the
    transaction.

    After `patience` seconds raises `TransientTaskError` (table_busy), naming who holds locks on
    the relations of `oids`.
    """
    deadline = time.monotonic() + patience
    pause, longest = _PAUSE_SECONDS
    lock = sql.SQL("LOCK TABLE {} IN {} MODE").format(
        sql.Identifier(target.schema_name, target.table_name), sql.SQL(mode)
    )
    for attempt in itertools.count(1):
        if attempt % _NUDGE_EVERY == 0:
            _nudge(connection, lock)
        try:
            with connection.transaction():
                _wait_at_most(connection, _TRY)
                for statement in (*first, lock):
                    connection.execute(statement)
                work()
                connection.execute("SET LOCAL lock_timeout TO DEFAULT")
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if time.monotonic() > deadline:
                raise TransientTaskError(
                    f"{target} is in use: {_blockers(connection, oids)}. It was left as it is.",
                    code="table_busy",
                    table=str(target),
                ) from error
        overviews_repository.stop_making(connection, oids)
        check()
        time.sleep(pause)
        pause = min(pause * 1.5, longest)


def _nudge(connection: Connection, lock: sql.Composed) -> None:
    """Wait for so long that the server's own VACUUM of the table gives way, and let go again.

    It does so for whoever waits for over deadlock_timeout (1 s). Nothing else is locked
    meanwhile, so that no reader can be ended as part of a deadlock.
    """
    with (
        contextlib.suppress(psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected),
        connection.transaction(force_rollback=True),
    ):
        _wait_at_most(connection, _NUDGE)
        connection.execute(lock)


def _wait_at_most(connection: Connection, duration: str) -> None:
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (duration,))


def _blockers(connection: Connection, oids: Sequence[int]) -> str:
    rows = connection.execute(_SQL["blockers"], {"oids": list(oids)}).fetchall()
    held = [
        f"{row['application']} (role {row['role']}, process {row['pid']}, {row['state']},"
        f" its transaction open for {row['seconds'] or 0:,.0f} s)"
        for row in rows[:3]
    ]
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    return (", ".join(held) + more) if held else "by someone who just left"
