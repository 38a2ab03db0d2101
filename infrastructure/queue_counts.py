"""How many messages are in the queues.

Service Bus itself knows, and tells by its management API over HTTPS, where the app's credential
may manage the namespace (the role "Azure Service Bus Data Owner", or a connection string with
Manage). An emulator has no such API: there the first messages of the queue are looked at, which
takes nothing out, and counted by their state.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.servicebus import ServiceBusMessageState, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusError
from azure.servicebus.management import ServiceBusAdministrationClient

from config import Settings
from core.errors import Unavailable
from core.models.queue import QueueCounts
from infrastructure.service_bus import LoopThread, close_link, connect

log = logging.getLogger(__name__)

MOST_SEEN = 1_000
"""Messages that are looked at in a queue of an emulator; that there are more is all that is known
of more."""

_AT_ONCE = 250
_BOUND_SECONDS = 5.0
_CLOSE_SECONDS = 3.0


class QueueCounter(Protocol):
    """Counts the messages of queues. Raises `Unavailable`, whose message may be shown."""

    def counts(self, queue: str) -> QueueCounts: ...

    def close(self) -> None: ...


def queue_counter(settings: Settings) -> QueueCounter:
    """The way in which messages can be counted with these settings."""
    connection = settings.service_bus_connection_string
    if connection is not None and _is_emulator(connection.get_secret_value()):
        return PeekedCounts(settings)
    return ManagedCounts(settings)


def _is_emulator(connection_string: str) -> bool:
    fields = dict(part.partition("=")[::2] for part in connection_string.split(";"))
    return fields.get("UseDevelopmentEmulator", "").strip().lower() == "true"


class ManagedCounts:
    """By the management API."""

    def __init__(self, settings: Settings) -> None:
        options: dict[str, Any] = {"retry_total": 0, "connection_timeout": _BOUND_SECONDS}
        if settings.service_bus_connection_string is not None:
            self._client = ServiceBusAdministrationClient.from_connection_string(
                settings.service_bus_connection_string.get_secret_value(), **options
            )
        else:
            assert settings.service_bus_namespace is not None  # Settings requires one of the two.
            self._client = ServiceBusAdministrationClient(
                settings.service_bus_namespace, DefaultAzureCredential(), **options
            )

    def counts(self, queue: str) -> QueueCounts:
        try:
            found = self._client.get_queue_runtime_properties(queue)
        except ClientAuthenticationError as error:
            raise Unavailable("The app's credential may not manage the namespace.") from error
        except HttpResponseError as error:
            if error.status_code in (401, 403):
                raise Unavailable("The app's credential may not manage the namespace.") from error
            raise Unavailable(f"Service Bus does not say ({error.status_code}).") from error
        except AzureError as error:
            # The SDK's text names addresses, and this is shown to everyone.
            log.info("counting messages of queue %r: %s", queue, error)
            raise Unavailable("Service Bus does not answer.") from error
        return QueueCounts(
            active=found.active_message_count or 0,
            scheduled=found.scheduled_message_count or 0,
            dead_letter=found.dead_letter_message_count or 0,
        )

    def close(self) -> None:
        self._client.close()


class PeekedCounts:
    """By looking at the messages. Each queue's receivers stay open: opening one takes long."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: ServiceBusClient | None = None
        self._receivers: dict[tuple[str, ServiceBusSubQueue | None], ServiceBusReceiver] = {}
        self._loop = LoopThread("queue-counts")

    def counts(self, queue: str) -> QueueCounts:
        try:
            return self._loop.run(self._counts(queue), timeout=2 * _BOUND_SECONDS + _CLOSE_SECONDS)
        except (ServiceBusError, TimeoutError) as error:
            log.info("looking at messages of queue %r: %s", queue, error)
            raise Unavailable("Service Bus does not answer.") from error

    def close(self) -> None:
        self._loop.run(self._close(), timeout=_BOUND_SECONDS + _CLOSE_SECONDS)
        self._loop.close()

    async def _counts(self, queue: str) -> QueueCounts:
        messages = await self._seen(queue, None)
        dead = await self._seen(queue, ServiceBusSubQueue.DEAD_LETTER)
        scheduled = sum(each.state is ServiceBusMessageState.SCHEDULED for each in messages)
        deferred = sum(each.state is ServiceBusMessageState.DEFERRED for each in messages)
        return QueueCounts(
            active=len(messages) - scheduled - deferred,
            scheduled=scheduled,
            dead_letter=len(dead),
            at_least=max(len(messages), len(dead)) >= MOST_SEEN,
        )

    async def _seen(
        self, queue: str, sub_queue: ServiceBusSubQueue | None
    ) -> list[ServiceBusReceivedMessage]:
        """The first messages of a queue, up to `MOST_SEEN`."""
        receiver = self._receivers.pop((queue, sub_queue), None) or self._open(queue, sub_queue)
        found: list[ServiceBusReceivedMessage] = []
        try:
            async with asyncio.timeout(_BOUND_SECONDS):
                while len(found) < MOST_SEEN:
                    after = (found[-1].sequence_number or 0) + 1 if found else 1
                    page = await receiver.peek_messages(_AT_ONCE, sequence_number=after)
                    if not page:
                        break
                    found += page
        except BaseException:
            # It may hold a dead link: the next look opens one afresh.
            await close_link(receiver)
            raise
        self._receivers[queue, sub_queue] = receiver
        return found[:MOST_SEEN]

    def _open(self, queue: str, sub_queue: ServiceBusSubQueue | None) -> ServiceBusReceiver:
        if self._client is None:
            self._client = connect(self._settings, retry_total=0)
        return self._client.get_queue_receiver(queue, sub_queue=sub_queue)

    async def _close(self) -> None:
        for receiver in self._receivers.values():
            await close_link(receiver)
        if self._client is not None:
            await close_link(self._client)
