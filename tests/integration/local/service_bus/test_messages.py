"""Sending, receiving and settling through the SDK."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from tests.integration.local.service_bus.conftest import Links, receive

SECOND = timedelta(seconds=1)


def nothing_left(receiver: ServiceBusReceiver) -> bool:
    """Whether no message comes for a while."""
    return not receiver.receive_messages(1, max_wait_time=0.3)


def test_a_message_arrives_as_it_was_sent(links: Links, queue: str) -> None:
    before = datetime.now(UTC) - SECOND
    sender = links.sender(queue)
    sender.send_messages(
        ServiceBusMessage(
            b"\x00\xffbody",
            message_id="id-1",
            subject="task",
            content_type="application/json",
            correlation_id="job-1",
            reply_to="answers",
            time_to_live=timedelta(hours=1),
            application_properties={
                "text": "é",
                "whole": 7,
                "real": 1.5,
                "flag": True,
                "uuid": UUID(int=5),
            },
        )
    )
    receiver = links.receiver(queue)
    (message,) = receive(receiver, 1)
    receiver.complete_message(message)
    assert b"".join(message.body) == b"\x00\xffbody"
    assert (message.message_id, message.subject) == ("id-1", "task")
    assert message.content_type == "application/json"
    assert (message.correlation_id, message.reply_to) == ("job-1", "answers")
    assert message.application_properties == {
        b"text": "é".encode(),
        b"whole": 7,
        b"real": 1.5,
        b"flag": True,
        b"uuid": UUID(int=5),
    }
    assert message.sequence_number == 1
    assert message.delivery_count == 0
    assert before < message.enqueued_time_utc < datetime.now(UTC) + SECOND
    assert message.time_to_live == timedelta(hours=1)
    assert message.expires_at_utc == message.enqueued_time_utc + timedelta(hours=1)


def test_batches_keep_their_order(links: Links, queue: str) -> None:
    sender = links.sender(queue)
    sender.send_messages([ServiceBusMessage(f"{number}") for number in range(300)])
    sender.send_messages(ServiceBusMessage("300"))
    receiver = links.receiver(queue, prefetch_count=100)
    messages = receive(receiver, 301)
    for message in messages:
        receiver.complete_message(message)
    assert nothing_left(receiver)
    assert [str(message) for message in messages] == [f"{number}" for number in range(301)]


def test_large_messages_come_in_several_frames(links: Links) -> None:
    body = os.urandom(1_000_000)
    sender = links.sender("large")
    sender.send_messages(ServiceBusMessage(body))
    receiver = links.receiver("large")
    (message,) = receive(receiver, 1)
    receiver.complete_message(message)
    assert b"".join(message.body) == body


def test_a_poisoned_message_is_dead_lettered(links: Links) -> None:
    sender = links.sender("thrice")
    sender.send_messages(ServiceBusMessage("poison", application_properties={"key": "value"}))
    receiver = links.receiver("thrice")
    for attempt in range(3):
        (message,) = receive(receiver, 1)
        assert message.delivery_count == attempt
        receiver.abandon_message(message)
    assert nothing_left(receiver)
    receiver = links.receiver("thrice", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    (message,) = receive(receiver, 1)
    receiver.complete_message(message)
    assert message.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert "3 delivery attempts" in str(message.dead_letter_error_description)
    assert message.dead_letter_source == "thrice"
    assert message.application_properties[b"key"] == b"value"


def test_dead_lettering_by_the_receiver(links: Links, queue: str) -> None:
    links.send(queue, "bad")
    receiver = links.receiver(queue)
    (message,) = receive(receiver, 1)
    receiver.dead_letter_message(message, reason="Invalid", error_description="not JSON")
    assert nothing_left(receiver)
    receiver = links.receiver(queue, sub_queue="deadletter")
    (message,) = receive(receiver, 1)
    assert message.dead_letter_reason == "Invalid"
    assert message.dead_letter_error_description == "not JSON"
    receiver.abandon_message(message)
    (message,) = receive(receiver, 1)
    receiver.complete_message(message)
    assert nothing_left(receiver)


def test_a_lock_that_ends_gives_the_message_back(links: Links) -> None:
    links.send("brief-too", "slow")
    receiver = links.receiver("brief-too")
    (lost,) = receive(receiver, 1)
    (again,) = receive(receiver, 1)
    assert datetime.now(UTC) >= lost.locked_until_utc
    assert again.delivery_count == 1
    assert again.sequence_number == lost.sequence_number
    # The SDK would not even ask: only the endpoint's refusal is of interest here.
    lost._expiry = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(MessageLockLostError):
        receiver.complete_message(lost)
    with pytest.raises(MessageLockLostError):
        receiver.renew_message_lock(lost)
    receiver.complete_message(again)


def test_renewing_a_lock_keeps_the_message(links: Links) -> None:
    links.send("renewed", "renewed")
    receiver = links.receiver("renewed")
    (message,) = receive(receiver, 1)
    for _ in range(3):
        time.sleep(1.5)
        before = message.locked_until_utc
        assert receiver.renew_message_lock(message) > before
    receiver.complete_message(message)
    assert nothing_left(receiver)


def test_scheduled_messages(links: Links, queue: str) -> None:
    when = datetime.now(UTC) + timedelta(seconds=6)
    sender = links.sender(queue)
    kept, cancelled = sender.schedule_messages(
        [ServiceBusMessage("kept"), ServiceBusMessage("cancelled")], when
    )
    sender.cancel_scheduled_messages(cancelled)
    with pytest.raises(ServiceBusError, match="cancelled before"):
        sender.cancel_scheduled_messages(cancelled)
    annotated = ServiceBusMessage("annotated", scheduled_enqueue_time_utc=when)
    sender.send_messages([annotated, ServiceBusMessage("now")])
    receiver = links.receiver(queue)
    (message,) = receive(receiver, 1)
    assert str(message) == "now"
    receiver.complete_message(message)
    assert nothing_left(receiver)
    peeked = receiver.peek_messages(10, sequence_number=1)
    assert [message.state.name for message in peeked] == ["SCHEDULED", "SCHEDULED"]
    assert peeked[0].sequence_number == kept
    messages = receive(receiver, 2)
    for message in messages:
        receiver.complete_message(message)
    assert sorted(str(message) for message in messages) == ["annotated", "kept"]
    # The SDK cuts the time down to milliseconds.
    assert all(m.enqueued_time_utc > when - timedelta(milliseconds=2) for m in messages)


def test_peeking_takes_nothing(links: Links, queue: str) -> None:
    links.send(queue, *(f"{number}" for number in range(5)))
    receiver = links.receiver(queue)
    first = receiver.peek_messages(3)
    assert [str(message) for message in first] == ["0", "1", "2"]
    rest = receiver.peek_messages(10, sequence_number=first[-1].sequence_number + 1)
    assert [str(message) for message in rest] == ["3", "4"]
    assert receiver.peek_messages(10, sequence_number=rest[-1].sequence_number + 1) == []
    assert len(receive(receiver, 5)) == 5


def test_deferred_messages_come_by_their_number_only(links: Links, queue: str) -> None:
    links.send(queue, "first", "second")
    receiver = links.receiver(queue)
    first, second = receive(receiver, 2)
    receiver.defer_message(first)
    receiver.complete_message(second)
    assert nothing_left(receiver)
    (deferred,) = receiver.receive_deferred_messages(first.sequence_number)
    assert str(deferred) == "first"
    receiver.renew_message_lock(deferred)
    receiver.abandon_message(deferred)
    (deferred,) = receiver.receive_deferred_messages(first.sequence_number)
    assert deferred.delivery_count == 1
    receiver.complete_message(deferred)
    with pytest.raises(ServiceBusError, match="does not exist"):
        receiver.receive_deferred_messages(first.sequence_number)


def test_receive_and_delete(links: Links, queue: str) -> None:
    links.send(queue, *(f"{number}" for number in range(20)))
    receiver = links.receiver(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE)
    assert len(receive(receiver, 20)) == 20
    assert receiver.peek_messages() == []


def test_what_a_closed_receiver_had_ahead_is_available_at_once(links: Links, queue: str) -> None:
    links.send(queue, *(f"{number}" for number in range(30)))
    receiver = links.receiver(queue, prefetch_count=50)
    (message,) = receive(receiver, 1)
    receiver.complete_message(message)
    receiver.close()
    receiver = links.receiver(queue)
    rest = receive(receiver, 29)
    assert all(message.delivery_count == 0 for message in rest)


def test_expired_messages_are_dead_lettered_or_gone(links: Links) -> None:
    links.send("expiring", "old")
    links.send("forgetting", "old")
    receiver = links.receiver("expiring", sub_queue="deadletter")
    (message,) = receive(receiver, 1)
    assert message.dead_letter_reason == "TTLExpiredException"
    receiver = links.receiver("forgetting")
    deadline = time.monotonic() + 60
    while receiver.peek_messages():
        assert time.monotonic() < deadline, "it has not expired"
        time.sleep(0.05)
    receiver = links.receiver("forgetting", sub_queue="deadletter")
    assert receiver.peek_messages() == []
