"""Service Bus queue triggers, over the unmodified azure-servicebus SDK.

As in the Functions host: with cardinality one, each message is an invocation of its own, success
completes it and an exception abandons it, up to maxConcurrentCalls at a time under renewed locks.
With cardinality many, one batch is one invocation, one at a time, without lock renewal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusError

from local.functions_host.bindings import Function
from local.functions_host.service_bus_messages import message_batch, single_message
from local.functions_host.settings import (
    ServiceBusSettings,
    SettingsError,
    connection_setting,
    resolve_setting_names,
)
from local.functions_host.worker import InvocationFailed, Worker

log = logging.getLogger(__name__)

_DEAD_LETTER_SUFFIX = "/$deadletterqueue"
_RECEIVE_SECONDS = 1.0
_GATHER_SECONDS = 0.02
"""How long a batch waits for more once it has its first message, unless minMessageBatchSize asks
for more. The SDK's own wait is 0.2 s, which would be most of a short batch's time."""
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_DRAIN_SECONDS = 3.0


class ServiceBusTrigger:
    """Receives from one queue and calls one function."""

    def __init__(
        self,
        function: Function,
        worker: Worker,
        settings: ServiceBusSettings,
        *,
        client: str | None,
        environment: Mapping[str, str],
    ) -> None:
        """Raises SettingsError for a queue or a connection that is not set or not valid."""
        self._function = function
        self._worker = worker
        self._settings = settings
        self._client = client
        trigger = function.trigger
        try:
            queue = resolve_setting_names(str(trigger["queueName"]), environment)
            self._connection = connection_setting(str(trigger["connection"]), environment)
            ServiceBusClient.from_connection_string(self._connection)
        except (SettingsError, ValueError) as error:
            raise SettingsError(f"function '{function.name}': {error}") from error
        self._is_dead_letter = queue.lower().endswith(_DEAD_LETTER_SUFFIX)
        self._queue = queue[: -len(_DEAD_LETTER_SUFFIX)] if self._is_dead_letter else queue
        self.queue_name = queue
        self._many = str(trigger.get("cardinality") or "one").lower() == "many"
        own = trigger.get("autoCompleteMessages")
        self._auto_complete = settings.auto_complete_messages if own is None else bool(own)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self.connected = False
        self.messages = 0

    @property
    def name(self) -> str:
        """Name of the function."""
        return self._function.name

    async def run(self) -> None:
        """Receive until stopped. A lost endpoint is connected to again, for as long as it takes."""
        attempts = count()
        complained = False
        while not self._stopping.is_set():
            try:
                async with self._open_client() as client, self._open_receiver(client) as receiver:
                    log.info("'%s' listens to queue '%s'", self.name, self.queue_name)
                    self.connected, complained, attempts = True, False, count()
                    await self._receive(receiver)
            except Exception as error:
                if self.connected or not complained:
                    log.warning(
                        "'%s' lost queue '%s' and goes on trying: %s",
                        self.name,
                        self.queue_name,
                        _first_line(error),
                    )
                complained = True
                delay = _RETRY_SECONDS[min(next(attempts), len(_RETRY_SECONDS) - 1)]
                await self._pause(delay)
            finally:
                self.connected = False

    def stop(self) -> None:
        """Receive no more; `run` returns once what is in hand is settled, or after some seconds."""
        self._stopping.set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _open_client(self) -> ServiceBusClient:
        # The SDK's own retries are kept short: this class tries for ever.
        return ServiceBusClient.from_connection_string(
            self._connection, retry_total=1, retry_backoff_factor=0.2
        )

    def _open_receiver(self, client: ServiceBusClient) -> ServiceBusReceiver:
        return client.get_queue_receiver(
            self._queue,
            sub_queue=ServiceBusSubQueue.DEAD_LETTER if self._is_dead_letter else None,
            prefetch_count=self._settings.prefetch_count,
        )

    async def _receive(self, receiver: ServiceBusReceiver) -> None:
        if self._many:
            await self._receive_batches(receiver)
        else:
            await self._receive_singles(receiver)

    # -- one message, one invocation

    async def _receive_singles(self, receiver: ServiceBusReceiver) -> None:
        renewer = AutoLockRenewer(
            max_lock_renewal_duration=self._settings.max_auto_lock_renewal_seconds
        )
        try:
            async with renewer:
                while not self._stopping.is_set():
                    if len(self._running) >= self._settings.max_concurrent_calls:
                        await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                        continue
                    for message in await receiver.receive_messages(
                        max_message_count=1, max_wait_time=_RECEIVE_SECONDS
                    ):
                        if self._settings.max_auto_lock_renewal_seconds:
                            renewer.register(receiver, message)
                        self._start(self._process_one(receiver, message))
                await self._drain()
        finally:
            # The link is gone, and with it the locks: what still runs is delivered again.
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _process_one(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage
    ) -> None:
        body, metadata = single_message(message)
        self.messages += 1
        try:
            await self._worker.invoke(
                self._function, body, client=self._client, trigger_metadata=metadata
            )
        except InvocationFailed as error:
            self._report(error)
            await self._settle(receiver, [message], complete=False)
        else:
            if self._auto_complete:
                await self._settle(receiver, [message], complete=True)

    # -- one batch, one invocation

    async def _receive_batches(self, receiver: ServiceBusReceiver) -> None:
        while not self._stopping.is_set():
            batch = await self._gather(receiver)
            if not batch:
                continue
            self.messages += len(batch)
            bodies, metadata = message_batch(batch)
            try:
                await self._worker.invoke(
                    self._function, bodies, client=self._client, trigger_metadata=metadata
                )
            except InvocationFailed as error:
                self._report(error)
                await self._settle(receiver, batch, complete=False)
            else:
                if self._auto_complete:
                    await self._settle(receiver, batch, complete=True)

    async def _gather(self, receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
        """A batch: what is there, or after the first message what comes within the wait."""
        largest = self._settings.max_message_batch_size
        batch = await receiver.receive_messages(max_message_count=1, max_wait_time=_RECEIVE_SECONDS)
        if batch and largest > 1:
            batch += await receiver.receive_messages(
                max_message_count=largest - 1, max_wait_time=_GATHER_SECONDS
            )
        deadline = datetime.now(UTC).timestamp() + self._settings.max_batch_wait_seconds
        while batch and len(batch) < self._settings.min_message_batch_size:
            remaining = deadline - datetime.now(UTC).timestamp()
            if remaining <= 0 or self._stopping.is_set():
                break
            batch += await receiver.receive_messages(
                max_message_count=largest - len(batch),
                max_wait_time=min(remaining, _RECEIVE_SECONDS),
            )
        return batch

    # -- settling

    async def _settle(
        self,
        receiver: ServiceBusReceiver,
        messages: Sequence[ServiceBusReceivedMessage],
        *,
        complete: bool,
    ) -> None:
        """Complete or abandon; a message whose lock was lost is delivered again anyway."""
        settle = receiver.complete_message if complete else receiver.abandon_message
        lost = 0
        for message in messages:
            try:
                await settle(message)
            except ServiceBusError as error:
                lost += 1
                reason = _first_line(error)
        if lost:
            log.warning(
                "'%s' could not settle %d of %d messages, which will come again: %s",
                self.name,
                lost,
                len(messages),
                reason,
            )

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=f"service-bus-{self.name}")
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("'%s' could not settle a message: %s", self.name, _first_line(error))

    async def _drain(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=_DRAIN_SECONDS)

    def _report(self, error: InvocationFailed) -> None:
        log.error("'%s' failed on a message: %s\n%s", self.name, error, error.details)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
