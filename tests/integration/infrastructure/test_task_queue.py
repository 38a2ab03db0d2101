"""Sending through the Service Bus SDK to a real endpoint."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender

from config import Settings, get_settings
from core.errors import Unavailable
from core.job_definition import Queue
from core.messages import TaskMessage
from infrastructure import task_queue
from infrastructure.task_queue import TaskQueue
from tests.servers import ScratchDirectory, ServiceBus
from tests.support.engine import Mailbox
from tests.support.settings import app_settings

JOB = "1" * 64


@pytest.fixture
def bus() -> Iterator[ServiceBus]:
    """An endpoint that the test may kill."""
    with ScratchDirectory() as directory:
        server = ServiceBus(directory, "light", "heavy")
        yield server
        server.stop()


@pytest.fixture
def settings(bus: ServiceBus) -> Iterator[Settings]:
    with app_settings(
        SERVICE_BUS_CONNECTION_STRING=bus.connection_string,
        GEOFORGE_LIGHT_QUEUE="light",
        GEOFORGE_HEAVY_QUEUE="heavy",
    ):
        yield get_settings()


@pytest.fixture
def queue(settings: Settings) -> Iterator[TaskQueue]:
    queue = TaskQueue(settings)
    yield queue
    queue.close()


def received(bus: ServiceBus, tasks: int, *queues: str) -> list[TaskMessage]:
    mailbox = Mailbox(bus.connection_string, queues)
    try:
        return [TaskMessage.decode(body) for body in mailbox.take(JOB, tasks)]
    finally:
        mailbox.close()


def test_messages_arrive_on_the_queue_they_were_sent_to(bus: ServiceBus, queue: TaskQueue) -> None:
    queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [1, 2]), TaskMessage(JOB, 0, [5])])
    queue.send(Queue.HEAVY, [TaskMessage(JOB, 1, [9])])
    assert received(bus, 3, "light") == [TaskMessage(JOB, 0, [1, 2]), TaskMessage(JOB, 0, [5])]
    assert received(bus, 1, "heavy") == [TaskMessage(JOB, 1, [9])]


def test_more_messages_than_a_batch_holds(bus: ServiceBus, queue: TaskQueue) -> None:
    """A batch has at most 256 KB (standard) or 1 MB (premium)."""
    spread = range(0, 4000, 2)
    queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, spread) for _ in range(60)])
    assert len(received(bus, 60 * len(spread), "light")) == 60


def test_nothing_to_send_needs_no_connection() -> None:
    with app_settings():
        queue = TaskQueue(get_settings())
        queue.send(Queue.LIGHT, [])
        queue.schedule(Queue.LIGHT, [])
        queue.close()


def test_a_delayed_message_comes_later(bus: ServiceBus, queue: TaskQueue) -> None:
    queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [0])])  # the sender is open now
    began = time.monotonic()
    queue.schedule(Queue.LIGHT, [(TaskMessage(JOB, 0, [1]), 3.0)])
    queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [2])])
    assert [list(m.indexes) for m in received(bus, 3, "light")] == [[0], [2], [1]]
    assert time.monotonic() - began >= 3.0


def test_each_message_has_its_own_delay(bus: ServiceBus, queue: TaskQueue) -> None:
    delays = {0: 3.0, 1: 0.0, 2: 1.5}
    queue.schedule(Queue.LIGHT, [(TaskMessage(JOB, 0, [i]), delay) for i, delay in delays.items()])
    assert [list(m.indexes) for m in received(bus, 3, "light")] == [[1], [2], [0]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queues to which senders were opened, one entry for each time."""
    names: list[str] = []
    get_queue_sender = ServiceBusClient.get_queue_sender

    def noted(client: ServiceBusClient, name: str) -> ServiceBusSender:
        names.append(name)
        return get_queue_sender(client, name)

    monkeypatch.setattr(ServiceBusClient, "get_queue_sender", noted)
    return names


def test_a_queue_that_fails_leaves_the_other_connected(
    bus: ServiceBus, settings: Settings, opened: list[str]
) -> None:
    """Closing the other's sender would cut off what it is sending at that moment."""
    queue = TaskQueue(settings.model_copy(update={"heavy_queue": "missing"}))
    try:
        queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [1])])
        with pytest.raises(Unavailable, match="missing"):
            queue.send(Queue.HEAVY, [TaskMessage(JOB, 1, [0])])
        queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [2])])
    finally:
        queue.close()
    assert opened == ["light", "missing"]
    assert [list(m.indexes) for m in received(bus, 2, "light")] == [[1], [2]]


def test_a_send_that_was_cut_off_leaves_its_connection(
    bus: ServiceBus, queue: TaskQueue, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [1])])
    with bus.frozen(), monkeypatch.context() as impatient:
        impatient.setattr(task_queue, "_CALL_TIMEOUT_SECONDS", 1.0)
        with pytest.raises(Unavailable, match="TimeoutError"):
            queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [2])])
    queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [3])])
    assert opened == ["light", "light"]
    assert [3] in [list(m.indexes) for m in received(bus, 2, "light")]


def test_an_endpoint_that_is_down_is_unavailable() -> None:
    with app_settings():
        queue = TaskQueue(get_settings())
        with pytest.raises(Unavailable, match="geoforge-light") as error:
            queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [1])])
        assert error.value.error_code == "service_bus_unavailable"
        queue.close()


# The SDK leaves the socket of a lost connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_endpoint_that_was_killed_is_used_again(bus: ServiceBus, queue: TaskQueue) -> None:
    queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [1])])
    bus.kill()
    with pytest.raises(Unavailable):
        queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [2])])
    bus.start()
    queue.send(Queue.LIGHT, [TaskMessage(JOB, 0, [3])])
    assert [list(m.indexes) for m in received(bus, 2, "light")] == [[1], [3]]
    gc.collect()
