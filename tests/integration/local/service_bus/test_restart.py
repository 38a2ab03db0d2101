"""What survives the death of the process."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

from tests.integration.local.service_bus.conftest import EndpointProcess, receive_async

ENOUGH_SENT, ENOUGH_COMPLETED = 500, 200
LOAD_SECONDS = 60  # within which that much has to be done, on the slowest of machines

# The SDK leaves the sockets of connections that broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning", "ignore:loop is closed:ResourceWarning"
)


@pytest.fixture(autouse=True)
async def _collect_broken_connections() -> AsyncIterator[None]:
    """Collects them while their warnings are expected, not in some later test."""
    yield
    gc.collect()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[EndpointProcess]:
    """An endpoint of the test's own."""
    queues = ["work:lock_seconds=120", "sessions:requires_session=true"]
    process = EndpointProcess(tmp_path, queues).start()
    yield process
    process.stop()


class Load:
    """Senders and receivers that note what the endpoint has acknowledged."""

    def __init__(self, client: ServiceBusClient) -> None:
        self.sent: set[str] = set()
        self.completed: set[str] = set()
        self._client = client
        self._stopped = False

    async def send(self, sender_number: int) -> None:
        """Sends batches until the endpoint is gone."""
        sender = self._client.get_queue_sender("work")
        batch = 0
        while not self._stopped:
            bodies = [f"{sender_number}-{batch}-{number}" for number in range(20)]
            await sender.send_messages([ServiceBusMessage(body) for body in bodies])
            self.sent.update(bodies)
            batch += 1

    async def receive(self) -> None:
        """Completes messages until the endpoint is gone."""
        receiver = self._client.get_queue_receiver("work", prefetch_count=50)
        while not self._stopped:
            for message in await receiver.receive_messages(20, max_wait_time=1):
                await receiver.complete_message(message)
                self.completed.add(str(message))

    async def run_until_killed(self, endpoint: EndpointProcess) -> None:
        """Runs two of each, and kills the endpoint under them."""
        workers = [self.send(0), self.send(1), self.receive(), self.receive()]
        tasks = [asyncio.create_task(worker) for worker in workers]
        async with asyncio.timeout(LOAD_SECONDS):
            while len(self.sent) < ENOUGH_SENT or len(self.completed) < ENOUGH_COMPLETED:
                await asyncio.sleep(0.01)
        endpoint.kill()
        self._stopped = True
        await asyncio.wait(tasks, timeout=20)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            assert result is None or isinstance(
                result, (ServiceBusError, OSError, asyncio.CancelledError)
            ), result


async def test_kill_under_load_loses_nothing_and_returns_nothing(mortal: EndpointProcess) -> None:
    client = ServiceBusClient.from_connection_string(mortal.connection_string, retry_total=0)
    when = datetime.now(UTC) + timedelta(seconds=5)
    async with client.get_queue_sender("work") as sender:
        await sender.schedule_messages(ServiceBusMessage("scheduled"), when)
    load = Load(client)
    await load.run_until_killed(mortal)
    with suppress(ServiceBusError, OSError):
        await client.close()

    mortal.start()
    left: list[str] = []
    async with (
        ServiceBusClient.from_connection_string(mortal.connection_string) as client,
        client.get_queue_receiver("work", prefetch_count=200) as receiver,
    ):
        while messages := await receiver.receive_messages(
            200, max_wait_time=3 if "scheduled" in left else 30
        ):
            for message in messages:
                await receiver.complete_message(message)
            left += [str(message) for message in messages]

    assert "scheduled" in left
    assert load.completed.isdisjoint(left), "a completed message came back"
    assert load.sent <= load.completed | set(left), "an acknowledged message is lost"
    assert len(left) == len(set(left)), "a message is there twice"


async def test_every_kind_of_state_survives(mortal: EndpointProcess) -> None:
    when = datetime.now(UTC) + timedelta(hours=1)
    client = ServiceBusClient.from_connection_string(mortal.connection_string)
    sender = client.get_queue_sender("work")
    bodies = ["deferred", "dead", "abandoned", "locked", "untouched"]
    await sender.send_messages([ServiceBusMessage(body) for body in bodies])
    (scheduled,) = await sender.schedule_messages(ServiceBusMessage("scheduled"), when)
    receiver = client.get_queue_receiver("work")
    deferred, dead, abandoned, _locked = await receive_async(receiver, 4)
    await receiver.defer_message(deferred)
    await receiver.dead_letter_message(dead, reason="Because", error_description="of this")
    await receiver.abandon_message(abandoned)
    with_session = client.get_queue_receiver("sessions", session_id="s")
    async with with_session:
        await with_session.session.set_state(b"half way")

    mortal.kill()
    mortal.start()
    receiver = client.get_queue_receiver("work")
    messages = await receive_async(receiver, 3)
    assert [(str(message), message.delivery_count) for message in messages] == [
        ("abandoned", 1),
        ("locked", 0),
        ("untouched", 0),
    ]
    (again,) = await receiver.receive_deferred_messages(deferred.sequence_number)
    assert str(again) == "deferred"
    peeked = await receiver.peek_messages(10, sequence_number=scheduled)
    assert [(str(message), message.state.name) for message in peeked] == [
        ("scheduled", "SCHEDULED")
    ]
    letters = client.get_queue_receiver("work", sub_queue="deadletter")
    (letter,) = await letters.receive_messages(10, max_wait_time=30)
    assert letter.dead_letter_reason == "Because"
    assert letter.dead_letter_error_description == "of this"
    assert letter.dead_letter_source == "work"
    with_session = client.get_queue_receiver("sessions", session_id="s")
    async with with_session:
        assert await with_session.session.get_state() == b"half way"
    sender = client.get_queue_sender("work")
    (next_number,) = await sender.schedule_messages(ServiceBusMessage("x"), when)
    assert next_number == scheduled + 1
    await asyncio.gather(sender.close(), receiver.close(), letters.close())
    await client.close()


def test_an_operator_can_ask_for_depths_and_stop(mortal: EndpointProcess) -> None:
    with mortal.client() as client, client.get_queue_sender("work") as sender:
        sender.send_messages([ServiceBusMessage("x")] * 3)
    mortal.process.send_signal(signal.SIGUSR1)
    line = "queue work: active 3, locked 0, scheduled 0, deferred 0, dead_letter 0"
    deadline = time.monotonic() + 60
    while line not in mortal.log.read_text():
        assert time.monotonic() < deadline, mortal.log.read_text()
        time.sleep(0.02)
    assert mortal.stop() == 0
    assert "Traceback" not in mortal.log.read_text()
    mortal.start()
    assert mortal.log.read_text().count(line) == 2
