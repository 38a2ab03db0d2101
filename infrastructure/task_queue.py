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

# What a caller waits at most: its own send, and one that is before it in the lane.
_CALL_TIMEOUT_SECONDS = 2 * _SEND_TIMEOUT_SECONDS


class TaskQueue:
    """The two task queues. Thread-safe; `close` ends the thread and the connections."""

    def __init__(self, settings: Settings) -> None:
        names = {Queue.LIGHT: settings.light_queue, Queue.HEAVY: settings.heavy_queue}
        self._lanes = {queue: _Lane(settings, name) for queue, name in names.items()}
        self._loop = LoopThread("task-queue")

    def send(self, queue: Queue, messages: Sequence[TaskMessage]) -> None:
        """Send messages, to be delivered now. Raises `Unavailable`.

        After an error some of the messages may have been sent: sending again is harmless,
        since the ledger decides who runs a task.
        """
        self._send(queue, [_message(message) for message in messages])

    def schedule(self, queue: Queue, messages: Sequence[tuple[TaskMessage, float]]) -> None:
        """Send messages together, each to be delivered after its own delay in seconds.

        Raises `Unavailable`, as `send` does.
        """
        now = datetime.now(UTC)
        self._send(
            queue,
            [_message(message, now + timedelta(seconds=delay)) for message, delay in messages],
        )

    def close(self) -> None:
        """End the connections and the thread. What is being sent meanwhile fails."""
        for lane in self._lanes.values():
            self._loop.run(lane.close(), timeout=_SEND_TIMEOUT_SECONDS)
        self._loop.close()

    def _send(self, queue: Queue, messages: Sequence[ServiceBusMessage]) -> None:
        if not messages:
            return
        lane = self._lanes[queue]
        try:
            self._loop.run(lane.send(messages), timeout=_CALL_TIMEOUT_SECONDS)
        except (ServiceBusError, OSError, TimeoutError) as error:
            raise Unavailable(
                f"Service Bus does not take messages for queue {lane.name!r}: "
                f"{type(error).__name__}.",
                code="service_bus_unavailable",
                service="service_bus",
            ) from error


class _Lane:
    """One queue's client and sender, used by one send at a time.

    Each queue has its own, so that a queue which fails does not close the connection on which
    the other is sending.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self._settings = settings
        self._client: ServiceBusClient | None = None
        self._sender: ServiceBusSender | None = None
        self._sending = asyncio.Lock()

    async def send(self, messages: Sequence[ServiceBusMessage]) -> None:
        """Send messages, in batches as large as the namespace takes."""
        async with self._sending:
            try:
                await asyncio.wait_for(self._send_all(messages), _SEND_TIMEOUT_SECONDS)
            except BaseException:  # a cancel, too, leaves the link in the middle of something
                # A sender that failed once may hold a dead link: the next send opens afresh.
                await self.close()
                raise

    async def close(self) -> None:
        """Close the connection; the next send opens another."""
        links = (self._sender, self._client)
        self._sender = self._client = None
        for link in links:
            if link is not None:
                await close_link(link)

    async def _send_all(self, messages: Sequence[ServiceBusMessage]) -> None:
        sender = await self._open_sender()
        batch = await sender.create_message_batch()
        for message in messages:
            try:
                batch.add_message(message)
            except MessageSizeExceededError:  # the batch is full
                await sender.send_messages(batch)
                batch = await sender.create_message_batch()
                batch.add_message(message)
        await sender.send_messages(batch)

    async def _open_sender(self) -> ServiceBusSender:
        if self._sender is None:
            self._client = connect(self._settings, retry_total=2, retry_backoff_factor=0.3)
            self._sender = self._client.get_queue_sender(self.name)
            await self._sender.__aenter__()
        return self._sender


def _message(message: TaskMessage, when: datetime | None = None) -> ServiceBusMessage:
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
    """Close the process's task queue; the next use connects again."""
    global _queue
    with _guard:
        if _queue is not None:
            _queue.close()
            _queue = None
