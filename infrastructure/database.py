"""PostgreSQL: the process's connection pool, and transactions on it.

    with transaction() as connection:
        connection.execute(queries["claim"], {...})

A database that does not answer raises `Unavailable`, which the API reports as 503 and the
engine takes as a reason to try again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from config import get_settings
from core.errors import Unavailable
from core.models.worker import PoolState

Row = DictRow
Connection = psycopg.Connection[Row]

_pool: ConnectionPool[Connection] | None = None
_pool_guard = threading.Lock()


def pool() -> ConnectionPool[Connection]:
    """The process's pool, opened at its first use."""
    global _pool
    with _pool_guard:
        if _pool is None or _pool.closed:
            settings = get_settings()
            _pool = ConnectionPool(
                settings.database_url.get_secret_value(),
                connection_class=psycopg.Connection[Row],
                min_size=1,
                max_size=settings.database_pool_max,
                timeout=settings.database_timeout_seconds,
                # A server that was restarted leaves dead connections in the pool: look
                # before use, so that only the calls under way at that moment fail.
                check=ConnectionPool.check_connection,
                reconnect_timeout=30,
                kwargs={"row_factory": dict_row, "application_name": "geoforge"},
                name="geoforge",
                open=True,
            )
        return _pool


def close_pool() -> None:
    """Close the pool; the next use opens a new one."""
    global _pool
    with _pool_guard:
        if _pool is not None:
            _pool.close()
            _pool = None


def pool_state() -> PoolState:
    """How the process's pool does, `wait_ms` counted since it was opened; zeros where there is
    none yet."""
    with _pool_guard:
        if _pool is None or _pool.closed:
            return PoolState()
        found = _pool.get_stats()
    size = found.get("pool_size", 0)
    return PoolState(
        size=size,
        in_use=size - found.get("pool_available", 0),
        waiting=found.get("requests_waiting", 0),
        wait_ms=found.get("requests_wait_ms", 0),
    )


@contextmanager
def transaction() -> Iterator[Connection]:
    """A connection in a transaction: committed at the end, rolled back by an exception."""
    try:
        with pool().connection() as connection:
            yield connection
    except (PoolTimeout, PoolClosed, psycopg.OperationalError) as error:
        if is_outage(error):
            raise Unavailable(
                "The database does not answer.", code="database_unavailable", service="database"
            ) from error
        raise


def now(connection: Connection) -> datetime:
    """The database's clock, which all hosts share."""
    row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
    assert row is not None
    moment: datetime = row["now"]
    return moment


def is_outage(error: BaseException) -> bool:
    """Whether an error means that the server cannot be reached, not that a query is wrong."""
    if isinstance(error, (PoolTimeout, PoolClosed)):
        return True
    if not isinstance(error, psycopg.OperationalError):
        return False
    # Class 08 is lost connections, 57P0x shutdown and crash, 53300 too many connections; an
    # OperationalError without a state never reached a server.
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P")) or state == "53300"


def connect(*, autocommit: bool = False, **options: Any) -> Connection:
    """A connection of its own, outside the pool: for long transactions and session locks."""
    try:
        return psycopg.Connection[Row].connect(
            get_settings().database_url.get_secret_value(),
            autocommit=autocommit,
            row_factory=dict_row,
            connect_timeout=int(get_settings().database_timeout_seconds),
            application_name="geoforge",
            **options,
        )
    except psycopg.OperationalError as error:
        raise Unavailable(
            "The database does not answer.", code="database_unavailable", service="database"
        ) from error
