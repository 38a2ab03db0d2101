"""Queues with sessions, through the SDK."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from tests.integration.local.service_bus.conftest import Links, receive


def test_a_session_has_one_receiver_and_its_messages_in_order(
    client: ServiceBusClient, links: Links
) -> None:
    sender = links.sender("sessions")
    sender.send_messages(
        [ServiceBusMessage(f"{key}{n}", session_id=key) for n in range(3) for key in "ab"]
    )
    with pytest.raises(ServiceBusError, match="SessionId was not set"):
        sender.send_messages(ServiceBusMessage("of no session"))
    with client.get_queue_receiver("sessions", session_id="a") as receiver:
        with pytest.raises(SessionCannotBeLockedError):
            links.receiver("sessions", session_id="a")
        messages = receive(receiver, 3)
        assert [str(message) for message in messages] == ["a0", "a1", "a2"]
        receiver.session.set_state(b"half way")
        assert receiver.session.get_state() == b"half way"
        assert receiver.session.renew_lock() > datetime.now(UTC)
        for message in messages[:2]:
            receiver.complete_message(message)
    # "a2" was not settled, so the session of "a" is the next one with messages, and "b" the other.
    taken = {}
    for _ in "ab":
        receiver = links.receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5)
        messages = receive(receiver, {"a": 1, "b": 3}[receiver.session.session_id])
        taken[receiver.session.session_id] = [str(message) for message in messages]
        for message in messages:
            receiver.complete_message(message)
    assert taken == {"a": ["a2"], "b": ["b0", "b1", "b2"]}
    with (
        pytest.raises(OperationTimeoutError),
        client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=0.5),
    ):
        pass


def test_a_session_lock_that_ends_gives_the_messages_back(links: Links) -> None:
    sender = links.sender("more-sessions")
    sender.send_messages(ServiceBusMessage("x", session_id="s"))
    receiver = links.receiver("more-sessions", session_id="s")
    (message,) = receive(receiver, 1)
    time.sleep(3.3)
    with pytest.raises(SessionLockLostError):
        receiver.complete_message(message)
    receiver = links.receiver("more-sessions", session_id="s")
    (message,) = receive(receiver, 1)
    assert message.delivery_count == 1


def test_a_queue_with_sessions_needs_them_and_another_has_none(links: Links, queue: str) -> None:
    with pytest.raises(ServiceBusError, match="non-sessionful"):
        links.receiver("sessions")
    with pytest.raises(ServiceBusError, match="does not require sessions"):
        links.receiver(queue, session_id="a")
