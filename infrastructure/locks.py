"""PostgreSQL advisory locks, with 64-bit keys out of a named space.

Each kind of thing that must have one owner has a name in `Space`; the key is the first eight
bytes of sha256(space and parts). Locks on pooled connections are scoped to the transaction,
so a crash, a rollback or a lost connection always gives them back.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

import psycopg

from infrastructure import database
from infrastructure.database import Connection


class Space(StrEnum):
    """What can be locked."""

    MIGRATION = "migration"
    SUBMISSION = "submission"
    JOB = "job"
    STAGE = "stage"
    TIMER = "timer"
    DATASET = "dataset"
    DDL = "ddl"
    PGSTAC_LOAD = "pgstac_load"
    SOURCE_TOKEN = "source_token"
    RASTERS = "rasters"
    H3_DATASET = "h3_dataset"


_POLL_SECONDS = (0.05, 1.0)


def key(space: Space, *parts: str | int) -> int:
    """The signed 64-bit key of a lock."""
    digest = hashlib.sha256("\x1f".join([space, *map(str, parts)]).encode()).digest()
    value: int = struct.unpack(">q", digest[:8])[0]
    return value


def lock(connection: psycopg.Connection[object], space: Space, *parts: str | int) -> None:
    """Wait for the lock and hold it to the end of the connection's transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (key(space, *parts),))


def try_lock(connection: Connection, space: Space, *parts: str | int) -> bool:
    """Take the lock to the end of the transaction if it is free; whether it was."""
    row = connection.execute(
        "SELECT pg_try_advisory_xact_lock(%s) AS locked", (key(space, *parts),)
    ).fetchone()
    return row is not None and bool(row["locked"])


def lock_patiently(
    connection: Connection, check: Callable[[], None], space: Space, *parts: str | int
) -> None:
    """As `lock`, looking up between attempts: `check` may raise, to stop the wait."""
    delay, longest = _POLL_SECONDS
    while not try_lock(connection, space, *parts):
        check()
        time.sleep(delay)
        delay = min(delay * 1.5, longest)


@contextmanager
def held(check: Callable[[], None], space: Space, *parts: str | int) -> Iterator[None]:
    """Hold a lock over work that is more than one transaction, on a connection of its own.

    Waits for it as `lock_patiently` does. Where the connection is lost on the way the lock is
    as well, and the end of the block raises.
    """
    connection = database.connect()
    with connection, connection.transaction():
        lock_patiently(connection, check, space, *parts)
        yield
        connection.execute("SELECT 1")


@contextmanager
def singleton(*parts: str | int) -> Iterator[bool]:
    """For timers: True in at most one process of the whole deployment at a time."""
    with database.transaction() as connection:
        yield try_lock(connection, Space.TIMER, *parts)
