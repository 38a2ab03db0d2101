"""The endpoint as a server: listens, stops, and stops at once where its disk fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from local.service_bus.config import AccessKey, QueueSpec
from local.service_bus.connection import Connection, Endpoint
from local.service_bus.journal import Journal, JournalError, Synchronous
from local.service_bus.namespace import Namespace

logger = logging.getLogger(__name__)


class Server:
    """A Service Bus endpoint for `queues`, with its state in `data_directory`."""

    def __init__(
        self,
        queues: Iterable[QueueSpec],
        data_directory: Path,
        key: AccessKey,
        *,
        synchronous: Synchronous = "normal",
    ) -> None:
        """Needs a running event loop. Raises JournalError where the state cannot be read."""
        self._loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._listener: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        journal = Journal(
            data_directory,
            schedule=self._loop.call_soon,
            failed=self._fail,
            synchronous=synchronous,
        )
        self.namespace = Namespace(queues, journal, self._loop)
        self._endpoint = Endpoint(self.namespace, key)

    async def start(self, host: str, port: int) -> int:
        """Listens; gives the port, which the system chooses where 0 is asked for.

        Raises OSError where the address cannot be had.
        """
        self._listener = await self._loop.create_server(
            lambda: Connection(self._endpoint, self._connections), host, port, backlog=512
        )
        return int(self._listener.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Lets `run` return."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def run(self) -> None:
        """Serves until `stop`. Raises JournalError where messages cannot be written any more."""
        try:
            await self._stopped
        finally:
            await self.close()

    async def close(self) -> None:
        """Commits, acknowledges what that makes durable, and closes all connections."""
        if self._listener is not None:
            self._listener.close()
        self.namespace.close()
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)  # in which the transports close

    def log_depths(self) -> None:
        """Writes what each queue holds to the log."""
        for name, depths in self.namespace.depths():
            counts = ", ".join(f"{key} {value}" for key, value in depths._asdict().items())
            logger.info("queue %s: %s", name, counts)

    def _fail(self, error: JournalError) -> None:
        if not self._stopped.done():
            self._stopped.set_exception(error)
