"""Sending task messages through azure-servicebus.

Opening a sender takes about half a second, so each queue's sender stays open.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusError

from config import Settings, get_settings
from core.errors import Unavailable
from core.job_definition import Queue
from core.messages import TaskMessage
from infrastructure.service_bus import LoopThread, close_link, connect

_SEND_TIMEOUT_SECONDS = 20.0


class TaskQueue:
    """The two task queues. Thread-safe; `close` ends the thread and the connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = {Queue.LIGHT: settings.light_queue, Queue.HEAVY: settings.heavy_queue}
        self._client: ServiceBusClient | None = None
        self._senders: dict[Queue, ServiceBusSender] = {}
        self._loop = LoopThread("task-queue")
        self._sending: dict[Queue, asyncio.Lock] = {queue: asyncio.Lock() for queue in Queue}

    def send(
        self, queue: Queue, messages: Sequence[TaskMessage], *, delay_seconds: float = 0
    ) -> None:
        """Send messages, to be delivered now or after a delay. Raises `Unavailable`.

        After an error some of the messages may have been sent: sending again is harmless,
        since the ledger decides who runs a task.
        """
        if not messages:
            return
        try:
            self._loop.run(
                self._send(queue, messages, delay_seconds), timeout=2 * _SEND_TIMEOUT_SECONDS
            )
        except (ServiceBusError, OSError, TimeoutError) as error:
            raise Unavailable(
                f"Service Bus does not take messages for queue {self._names[queue]!r}: "
                f"{type(error).__name__}.",
                code="service_bus_unavailable",
                service="service_bus",
            ) from error

    def close(self) -> None:
        self._loop.run(self._drop_connections(), timeout=_SEND_TIMEOUT_SECONDS)
        self._loop.close()

    async def _send(
        self, queue: Queue, messages: Sequence[TaskMessage], delay_seconds: float
    ) -> None:
        when = datetime.now(UTC) + timedelta(seconds=delay_seconds) if delay_seconds else None
        async with self._sending[queue]:
            try:
                await asyncio.wait_for(self._send_all(queue, messages, when), _SEND_TIMEOUT_SECONDS)
            except Exception:
                # A sender that failed once may hold a dead link: the next send opens afresh.
                await self._drop_connections()
                raise

    async def _send_all(
        self, queue: Queue, messages: Sequence[TaskMessage], when: datetime | None
    ) -> None:
        sender = await self._sender(queue)
        batch = await sender.create_message_batch()
        for message in messages:
            outgoing = _message(message, when)
            try:
                batch.add_message(outgoing)
            except MessageSizeExceededError:  # the batch is full
                await sender.send_messages(batch)
                batch = await sender.create_message_batch()
                batch.add_message(outgoing)
        await sender.send_messages(batch)

    async def _sender(self, queue: Queue) -> ServiceBusSender:
        if queue not in self._senders:
            if self._client is None:
                self._client = connect(self._settings, retry_total=2, retry_backoff_factor=0.3)
            sender = self._client.get_queue_sender(self._names[queue])
            self._senders[queue] = await sender.__aenter__()
        return self._senders[queue]

    async def _drop_connections(self) -> None:
        senders, self._senders = list(self._senders.values()), {}
        client, self._client = self._client, None
        for link in (*senders, *((client,) if client else ())):
            await close_link(link)


def _message(message: TaskMessage, when: datetime | None) -> ServiceBusMessage:
    return ServiceBusMessage(
        message.encode(),
        content_type="application/json",
        subject=f"{message.job_id[:12]}/{message.stage}",
        scheduled_enqueue_time_utc=when,
    )


_queue: TaskQueue | None = None
_guard = threading.Lock()


def task_queue() -> TaskQueue:
    """The process's task queue, connected at its first use."""
    global _queue
    with _guard:
        if _queue is None:
            _queue = TaskQueue(get_settings())
        return _queue


def close_task_queue() -> None:
    global _queue
    with _guard:
        if _queue is not None:
            _queue.close()
            _queue = None
