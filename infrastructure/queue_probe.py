"""Looking into Service Bus queues without taking anything out.

The SDK's asyncio client runs on an event loop in a thread of its own, and each queue's receiver
stays open: opening one takes about half a second.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from config import Settings
from core.errors import Unavailable

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 2.0


class QueueProbe:
    """Peeks into queues; each look may take `bound_seconds`. Thread-safe."""

    def __init__(self, settings: Settings, bound_seconds: float) -> None:
        self._settings = settings
        self._bound = bound_seconds
        self._client: ServiceBusClient | None = None
        self._receivers: dict[str, ServiceBusReceiver] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="queue-probe", daemon=True
        )
        self._thread.start()

    def check(self, queue: str) -> str:
        """That the queue exists and can be read; raises where it cannot."""
        peek = asyncio.run_coroutine_threadsafe(self._peek(queue), self._loop)
        try:
            peek.result(self._bound + _CLOSE_SECONDS)
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
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _peek(self, queue: str) -> None:
        receiver = self._receivers.pop(queue, None) or self._open(queue)
        try:
            async with asyncio.timeout(self._bound):
                await receiver.peek_messages(1, timeout=self._bound)
        except BaseException:
            # It may hold a dead link: the next look opens one afresh.
            await _closed(receiver)
            raise
        self._receivers[queue] = receiver

    def _open(self, queue: str) -> ServiceBusReceiver:
        if self._client is None:
            self._client = _client(self._settings)
        return self._client.get_queue_receiver(queue)

    async def _close(self) -> None:
        for receiver in self._receivers.values():
            await _closed(receiver)
        if self._client is not None:
            await _closed(self._client)


async def _closed(connection: ServiceBusReceiver | ServiceBusClient) -> None:
    try:
        await asyncio.wait_for(connection.close(), _CLOSE_SECONDS)
    except Exception as error:  # it was broken already; there is nothing to save
        log.debug("closing a Service Bus link: %r", error)


def _client(settings: Settings) -> ServiceBusClient:
    options: dict[str, Any] = {"retry_total": 0}
    if settings.service_bus_connection_string is not None:
        return ServiceBusClient.from_connection_string(
            settings.service_bus_connection_string.get_secret_value(), **options
        )
    assert settings.service_bus_namespace is not None  # Settings requires one of the two.
    return ServiceBusClient(settings.service_bus_namespace, DefaultAzureCredential(), **options)
