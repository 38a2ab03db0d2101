"""Looking into Service Bus queues without taking anything out.

Each queue's receiver stays open: opening one takes about half a second.
"""

from __future__ import annotations

import asyncio
import logging

from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from config import Settings
from core.errors import Unavailable
from infrastructure.service_bus import LoopThread, close_link, connect

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 3.0


class QueueProbe:
    """Peeks into queues; each look may take `bound_seconds`. Thread-safe."""

    def __init__(self, settings: Settings, bound_seconds: float) -> None:
        self._settings = settings
        self._bound = bound_seconds
        self._client: ServiceBusClient | None = None
        self._receivers: dict[str, ServiceBusReceiver] = {}
        self._loop = LoopThread("queue-probe")

    def check(self, queue: str) -> str:
        """That the queue exists and can be read; raises where it cannot."""
        try:
            self._loop.run(self._peek(queue), timeout=self._bound + _CLOSE_SECONDS)
        except MessagingEntityNotFoundError:
            raise Unavailable(f"There is no queue {queue!r} in the namespace.") from None
        except (ServiceBusAuthenticationError, ServiceBusAuthorizationError) as error:
            raise Unavailable(f"Service Bus refused the app's credential ({queue!r}).") from error
        except (ServiceBusError, TimeoutError) as error:
            # The SDK's text names addresses, and this is shown to everyone.
            log.warning("looking into queue %r: %s", queue, error)
            raise Unavailable(f"Service Bus does not answer (queue {queue!r}).") from error
        return f"queue {queue} can be read"

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._loop.run(self._close(), timeout=self._bound + _CLOSE_SECONDS)
        self._loop.close()

    async def _peek(self, queue: str) -> None:
        receiver = self._receivers.pop(queue, None) or self._open(queue)
        try:
            async with asyncio.timeout(self._bound):
                await receiver.peek_messages(1, timeout=self._bound)
        except BaseException:
            # It may hold a dead link: the next look opens one afresh.
            await close_link(receiver)
            raise
        self._receivers[queue] = receiver

    def _open(self, queue: str) -> ServiceBusReceiver:
        if self._client is None:
            self._client = connect(self._settings, retry_total=0)
        return self._client.get_queue_receiver(queue)

    async def _close(self) -> None:
        for receiver in self._receivers.values():
            await close_link(receiver)
        if self._client is not None:
            await close_link(self._client)
