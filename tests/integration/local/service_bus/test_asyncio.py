"""The asyncio SDK, which the local Functions host uses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError

from tests.integration.local.service_bus.conftest import EndpointProcess, receive_async


async def drain(receiver: ServiceBusReceiver, seconds: float = 3) -> list[str]:
    """Receives and completes whatever comes until nothing does for a while."""
    bodies: list[str] = []
    while messages := await receiver.receive_messages(200, max_wait_time=seconds):
        for message in messages:
            await receiver.complete_message(message)
        bodies += [str(message) for message in messages]
    return bodies


async def test_a_queue_from_end_to_end(endpoint: EndpointProcess, queue: str) -> None:
    async with ServiceBusClient.from_connection_string(endpoint.connection_string) as client:
        sender = client.get_queue_sender(queue)
        batch = await sender.create_message_batch()
        for number in range(100):
            batch.add_message(ServiceBusMessage(f"{number}"))
        await sender.send_messages(batch)
        later = datetime.now(UTC) + timedelta(hours=1)
        numbers = await sender.schedule_messages([ServiceBusMessage("later")] * 3, later)
        await sender.cancel_scheduled_messages(numbers)

        receiver = client.get_queue_receiver(queue, prefetch_count=30)
        first, *rest = await receive_async(receiver, 3)
        await receiver.dead_letter_message(first, reason="Unwanted")
        await receiver.renew_message_lock(rest[0])
        await asyncio.gather(*(receiver.abandon_message(message) for message in rest))
        first._settled = False  # as if by a client that lost count
        with pytest.raises(MessageLockLostError):
            await receiver.renew_message_lock(first)
        assert sorted(await drain(receiver), key=int) == [f"{n}" for n in range(1, 100)]

        dead = client.get_queue_receiver(queue, sub_queue="deadletter")
        (message,) = await dead.receive_messages(5, max_wait_time=30)
        assert (str(message), message.dead_letter_reason) == ("0", "Unwanted")
        await dead.complete_message(message)
        await asyncio.gather(sender.close(), receiver.close(), dead.close())


async def test_locks_renewed_while_a_long_task_runs(endpoint: EndpointProcess) -> None:
    client = ServiceBusClient.from_connection_string(endpoint.connection_string)
    async with client, AutoLockRenewer() as renewer:
        sender = client.get_queue_sender("held")
        await sender.send_messages(ServiceBusMessage("long"))
        receiver = client.get_queue_receiver("held")
        (message,) = await receive_async(receiver, 1)
        renewer.register(receiver, message, max_lock_renewal_duration=30)
        await asyncio.sleep(5.3)
        await receiver.complete_message(message)
        await asyncio.gather(sender.close(), receiver.close())


async def test_competing_receivers_get_each_message_once(
    endpoint: EndpointProcess, queue: str
) -> None:
    async with ServiceBusClient.from_connection_string(endpoint.connection_string) as client:
        receivers = [
            client.get_queue_receiver(queue, prefetch_count=count) for count in (0, 30, 100)
        ]
        sender = client.get_queue_sender(queue)
        for hundred in range(4):
            bodies = [f"{100 * hundred + number}" for number in range(100)]
            await sender.send_messages([ServiceBusMessage(body) for body in bodies])
        received = await asyncio.gather(*(drain(receiver) for receiver in receivers))
        bodies = [body for each in received for body in each]
        assert len(bodies) == 400
        assert len(set(bodies)) == 400
        await asyncio.gather(sender.close(), *(receiver.close() for receiver in receivers))
