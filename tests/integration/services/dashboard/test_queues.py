"""Messages in the queues as they are counted, and what is told of those that were given up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode
from azure.servicebus.aio import ServiceBusClient

from config import Settings, get_settings
from core.errors import InvalidParameters, Unavailable
from core.models.queue import QueueCounts
from infrastructure import database
from infrastructure.queue_counts import ManagedCounts, PeekedCounts, queue_counter
from services.dashboard import queues
from tests.servers import ScratchDirectory, ServiceBus
from tests.support.engine import eventually
from tests.support.ledger import Stage, add_job
from tests.support.settings import app_settings


@pytest.fixture(scope="module")
def bus() -> Iterator[ServiceBus]:
    with ScratchDirectory() as directory:
        server = ServiceBus(directory, "light", "heavy")
        yield server
        server.stop()


@pytest.fixture
def settings(bus: ServiceBus) -> Iterator[Settings]:
    with app_settings(SERVICE_BUS_CONNECTION_STRING=bus.connection_string):
        yield get_settings()


async def test_messages_are_counted_by_state_and_stay(settings: Settings) -> None:
    connection = settings.service_bus_connection_string
    assert connection is not None
    counter = queue_counter(settings)
    assert isinstance(counter, PeekedCounts)
    async with ServiceBusClient.from_connection_string(connection.get_secret_value()) as client:
        async with client.get_queue_sender("light") as sender:
            await sender.send_messages([ServiceBusMessage(b"x") for _ in range(300)])
            later = datetime.now(UTC) + timedelta(days=1)
            await sender.schedule_messages([ServiceBusMessage(b"y") for _ in range(4)], later)
        async with client.get_queue_receiver(
            "light", receive_mode=ServiceBusReceiveMode.PEEK_LOCK
        ) as receiver:
            for message in await receiver.receive_messages(3, max_wait_time=30):
                await receiver.dead_letter_message(message, reason="a test")
    try:
        for _ in range(2):  # looking takes nothing out
            found = counter.counts("light")
            assert (found.scheduled, found.at_least) == (4, False)
            assert found.active + found.dead_letter == 300
            assert 1 <= found.dead_letter <= 3
        assert counter.counts("heavy") == QueueCounts(0, 0, 0)
    finally:
        counter.close()


def test_a_queue_that_is_not_there_is_told(settings: Settings) -> None:
    counter = queue_counter(settings)
    with pytest.raises(Unavailable, match="does not answer"):
        counter.counts("nothing")
    counter.close()


def test_where_nothing_is_an_emulator_service_bus_is_asked() -> None:
    with app_settings(
        SERVICE_BUS_CONNECTION_STRING="Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;"
        "SharedAccessKey=c2VjcmV0"
    ):
        counter = queue_counter(get_settings())
        assert isinstance(counter, ManagedCounts)
        with pytest.raises(Unavailable, match="does not answer"):
            counter.counts("light")
        counter.close()


def test_a_page_does_not_wait_for_a_bus_that_is_gone(
    ledger: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_job(ledger, Stage(total=90, completed=20))
    ledger.execute("UPDATE app.job_stages SET in_flight = 8")
    counts = queues._Counts()
    monkeypatch.setattr(queues, "_counts", counts)
    light, heavy = queues.states()
    assert (light.work.in_flight, light.work.waiting, light.work.stages) == (8, 62, 1)
    assert (heavy.work.in_flight, heavy.work.waiting) == (0, 0)
    assert light.messages.value is None
    eventually(
        "it is told why",
        lambda: queues.states()[0].messages.problem == "Service Bus does not answer.",
    )


def test_dead_letters_come_in_pages_newest_first(ledger: database.Connection) -> None:
    ledger.execute("TRUNCATE app.dead_letters")
    job_id = add_job(ledger, job_type="process_vector")
    for number in range(7):
        ledger.execute(
            "INSERT INTO app.dead_letters (queue, reason, job_id, body) VALUES (%s, %s, %s, %s)",
            ("heavy" if number == 3 else "light", f"reason {number}", job_id, "x" * 5000),
        )
    seen, cursor = [], None
    while True:
        page = queues.dead_letters(limit=3, cursor=cursor)
        seen += [row["reason"] for row in page.letters]
        assert all(len(row["body"]) <= 400 for row in page.letters)
        if (cursor := page.next) is None:
            break
    assert seen == [f"reason {number}" for number in reversed(range(7))]
    [heavy] = queues.dead_letters(queue="heavy").letters
    assert (heavy["reason"], heavy["job_type"]) == ("reason 3", "process_vector")
    with pytest.raises(InvalidParameters):
        queues.dead_letters(queue="nowhere")


def test_how_many_were_given_up_lately_is_counted_by_queue(ledger: database.Connection) -> None:
    ledger.execute("TRUNCATE app.dead_letters")
    ledger.execute(
        "INSERT INTO app.dead_letters (received_at, queue, body)"
        " SELECT now() - age, 'light', 'x'"
        " FROM unnest(ARRAY[interval '1 hour', '2 hours', '2 days']) AS age"
    )
    assert {state.queue: state.dead_letters for state in queues.states()} == {
        "light": 2,
        "heavy": 0,
    }
