"""The hub's PostgreSQL: pool, schema, notifications, and what happens when it is away.

Every access goes through `transaction`, which turns a lost server into `HubUnavailable`; callers
back off and try again, or answer 503. `Database` itself watches the server over its LISTEN
connection and logs one line when it is lost and one when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from itertools import count

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

log = logging.getLogger(__name__)

CHANNEL = "task_hub"
INSTANCES, ACTIVITIES = "instances", "activities"
"""Payloads of a notification: there are messages for instances; there are activities to run."""

_SCHEMA_LOCK = 0x67656F_687562  # "geohub"
_CHECKOUT_TIMEOUT_SECONDS = 5.0
_CHECKOUT_WHILE_LOST_SECONDS = 0.5
_RECONNECT_SECONDS = 2.0
"""After this long the pool forgets a failed attempt and its growing pauses, and starts afresh."""
_LISTEN_TIMEOUT_SECONDS = 5.0
_CONNECT_TIMEOUT_SECONDS = 5
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)

Connection = AsyncConnection[DictRow]


class HubUnavailable(Exception):
    """PostgreSQL cannot be reached, or was lost in the middle; the transaction did not commit.

    A commit whose confirmation was lost may have taken place: callers must be safe to repeat.
    """


class HubNameMismatch(Exception):
    """The database already holds a task hub of another name."""


class Database:
    """A pool, a schema and a listener."""

    def __init__(self, url: str, *, max_connections: int = 8) -> None:
        self._url = url
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=max_connections,
            open=False,
            check=AsyncConnectionPool.check_connection,
            reconnect_timeout=_RECONNECT_SECONDS,
            kwargs={
                "row_factory": dict_row,
                "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            },
            connection_class=AsyncConnection[DictRow],
        )
        self._lost = False
        self._listener: asyncio.Task[None] | None = None
        self._subscribers: list[Callable[[str | None], None]] = []

    async def open(self, hub_name: str) -> None:
        """Wait for the server, create the schema and start to listen.

        Raises HubNameMismatch.
        """
        # The pool complains about every attempt to connect; one line for each change is enough.
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        await self._pool.open()
        for attempt in count():
            try:
                await self._create_schema(hub_name)
                break
            except HubUnavailable as error:
                if not self._lost:
                    self._lost = True
                    log.warning("task hub database is not there yet: %s", error)
                await asyncio.sleep(_retry_delay(attempt))
        self._lost = False
        self._listener = asyncio.create_task(self._listen(), name="task-hub-listener")

    async def close(self) -> None:
        """Stop listening and give back all connections."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._pool.close(timeout=2)

    def subscribe(self, notified: Callable[[str | None], None]) -> None:
        """Call `notified` with the payload of each notification, and with None after a gap."""
        self._subscribers.append(notified)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, committed at the end. Raises HubUnavailable."""
        # Who asks while the server is known to be away is not kept waiting.
        timeout = _CHECKOUT_WHILE_LOST_SECONDS if self._lost else _CHECKOUT_TIMEOUT_SECONDS
        try:
            async with self._pool.connection(timeout=timeout) as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise HubUnavailable(_first_line(error)) from error

    @asynccontextmanager
    async def advisory_lock(self, key: str) -> AsyncIterator[bool]:
        """Hold the lock of this name if it is free; yields whether it is held.

        The lock lives on a connection of its own, so it can be held for long and ends with this
        process, however that ends. Raises HubUnavailable.
        """
        try:
            connection = await self._connect()
        except psycopg.OperationalError as error:
            raise HubUnavailable(_first_line(error)) from error
        try:
            cursor = await connection.execute(
                "select pg_try_advisory_lock(hashtextextended('task_hub:' || %s, 0)) as held",
                (key,),
            )
            row = await cursor.fetchone()
            yield bool(row and row["held"])
        except psycopg.OperationalError as error:
            raise HubUnavailable(_first_line(error)) from error
        finally:
            await connection.close()

    async def _connect(self) -> Connection:
        return await AsyncConnection[DictRow].connect(
            self._url,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        )

    async def _create_schema(self, hub_name: str) -> None:
        schema = resources.files("local.task_hub").joinpath("sql/schema.sql").read_text()
        async with self.transaction() as connection:
            await connection.execute("select pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            await connection.execute(schema.encode())
            await connection.execute(
                "insert into task_hub.hub (name) values (%s) on conflict do nothing",
                (hub_name,),
            )
            cursor = await connection.execute("select name from task_hub.hub")
            row = await cursor.fetchone()
        if row is None or row["name"] != hub_name:
            found = row["name"] if row else None
            raise HubNameMismatch(
                f"the database already holds the task hub {found!r}, and host.json names "
                f"{hub_name!r}: use another database, or the old name"
            )

    # -- notifications

    async def _listen(self) -> None:
        """Pass notifications on for ever; after any gap tell everyone to look for themselves."""
        attempts = count()
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(f"listen {CHANNEL}")
                    self._found_again()
                    attempts = count()
                    while True:
                        async for notice in connection.notifies(timeout=_LISTEN_TIMEOUT_SECONDS):
                            self._publish(notice.payload)
                        # Silence may be that of a server which is gone.
                        await connection.execute("select 1")
            except psycopg.OperationalError as error:
                if not self._lost:
                    self._lost = True
                    log.warning("task hub database lost: %s", _first_line(error))
                await asyncio.sleep(_retry_delay(next(attempts)))

    def _found_again(self) -> None:
        if self._lost:
            self._lost = False
            log.info("task hub database is back")
        self._publish(None)

    def _publish(self, payload: str | None) -> None:
        for notified in self._subscribers:
            notified(payload)


async def notify(connection: Connection, payload: str) -> None:
    """Tell the other hosts, once the transaction commits, that there is work for them."""
    await connection.execute("select pg_notify(%s, %s)", (CHANNEL, payload))


def _retry_delay(attempt: int) -> float:
    return _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
