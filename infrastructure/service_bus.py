"""Connections to Service Bus, and a thread for the SDK's asyncio client to live on.

The asyncio client is used throughout, also from synchronous code: the synchronous client's
keep-alive thread touches frames without a lock.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from azure.identity.aio import DefaultAzureCredential
from azure.servicebus.aio import ServiceBusClient

from config import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

_CLOSE_SECONDS = 3.0


class LoopThread:
    """An event loop on a thread of its own, for coroutines that synchronous code waits for."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
        """The coroutine's result. Raises TimeoutError, and cancels it, after `timeout` seconds."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread; what still runs on it is dropped."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Link(Protocol):
    """A client, sender or receiver of the SDK."""

    async def close(self) -> None: ...


def connect(settings: Settings, **options: Any) -> ServiceBusClient:
    """A client of the namespace, by connection string or managed identity."""
    if settings.service_bus_connection_string is not None:
        return ServiceBusClient.from_connection_string(
            settings.service_bus_connection_string.get_secret_value(), **options
        )
    assert settings.service_bus_namespace is not None  # Settings requires one of the two.
    return ServiceBusClient(settings.service_bus_namespace, DefaultAzureCredential(), **options)


async def close_link(link: Link) -> None:
    """Close what may be broken already."""
    try:
        await asyncio.wait_for(link.close(), _CLOSE_SECONDS)
    except Exception as error:  # it was broken already; there is nothing to save
        log.debug("closing a Service Bus link: %r", error)
