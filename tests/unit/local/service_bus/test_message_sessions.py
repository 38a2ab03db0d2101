"""Queues with sessions: who has which session, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from local.service_bus.config import QueueSpec
from local.service_bus.errors import ServiceBusError
from local.service_bus.message_sessions import MessageSession, SessionQueue
from local.service_bus.queues import Queue
from tests.unit.local.service_bus.conftest import (
    BEGINNING,
    FakeConsumer,
    ManualHost,
    messages,
    send,
)


@dataclass(eq=False)
class FakeSessionConsumer(FakeConsumer):
    """A receiver that knows which session it has."""

    session: MessageSession | None = None
    lost: list[str] = field(default_factory=list)

    def session_granted(self, session: MessageSession) -> None:
        assert self.session is None
        self.session = session

    def session_lost(self, session: MessageSession) -> None:
        assert self.session is session
        self.session = None
        self.lost.append(session.id)


@pytest.fixture
def queue(host: ManualHost) -> SessionQueue:
    """A queue that requires sessions, with locks of 30 s and three deliveries."""
    spec = QueueSpec("q", lock_seconds=30, max_delivery_count=3, requires_session=True)
    letters = Queue(spec.for_dead_letters(), host)
    queue = SessionQueue(spec, host, letters)
    host.queues += [queue, letters]
    return queue


def accept(queue: SessionQueue, host: ManualHost, session_id: str | None) -> FakeSessionConsumer:
    """A receiver that asks for a session."""
    consumer = FakeSessionConsumer()
    queue.accept(session_id, consumer)
    host.settle()
    return consumer


def test_a_receiver_has_the_messages_of_its_session_only(
    queue: SessionQueue, host: ManualHost
) -> None:
    send(queue, host, messages("a1", "a2", session_id="a"))
    send(queue, host, messages("b1", session_id="b"))
    first = accept(queue, host, "a")
    assert first.texts == ["a1", "a2"]
    send(queue, host, messages("b2", session_id="b") + messages("a3", session_id="a"))
    assert first.texts == ["a1", "a2", "a3"]
    with pytest.raises(ServiceBusError) as caught:
        accept(queue, host, "a")
    assert caught.value.condition == "com.microsoft:session-cannot-be-locked"
    assert accept(queue, host, None).texts == ["b1", "b2"]


def test_messages_without_a_session_are_refused_with_all_that_came_along(
    queue: SessionQueue, host: ManualHost
) -> None:
    with pytest.raises(ServiceBusError, match="SessionId was not set"):
        send(queue, host, messages("x", session_id="a") + messages("y"))
    assert not host.store.messages


def test_a_receiver_waits_for_the_next_session(queue: SessionQueue, host: ManualHost) -> None:
    first, second = accept(queue, host, None), accept(queue, host, None)
    assert first.session is None
    send(queue, host, messages("a", session_id="a"))
    send(queue, host, messages("b", session_id="b"))
    assert (first.texts, second.texts) == (["a"], ["b"])
    third = accept(queue, host, None)
    assert queue.stop_waiting(third)
    assert not queue.stop_waiting(third)
    send(queue, host, messages("c", session_id="c"))
    assert third.session is None


def test_a_released_session_goes_to_who_waits_with_what_is_left(
    queue: SessionQueue, host: ManualHost
) -> None:
    send(queue, host, messages("a1", "a2", session_id="a"))
    first = accept(queue, host, "a")
    waiting, next_waiting = accept(queue, host, None), accept(queue, host, None)
    queue.complete(first.token("a1"))
    assert first.session is not None
    queue.release(first.session, first)
    host.settle()
    assert waiting.texts == ["a2"]
    assert not host.store.updated  # a release is no failed delivery
    with pytest.raises(ServiceBusError):
        queue.complete(first.token("a2"))
    # Also where nothing was locked, but something had not been handed out yet:
    waiting.credit = 0
    send(queue, host, messages("a3", session_id="a"))
    queue.complete(waiting.token("a2"))
    assert waiting.session is not None
    queue.release(waiting.session, waiting)
    host.settle()
    assert next_waiting.texts == ["a3"]


def test_a_session_lock_ends_unless_it_is_renewed(queue: SessionQueue, host: ManualHost) -> None:
    send(queue, host, messages("a", session_id="a"))
    consumer = accept(queue, host, "a")
    host.wait(20)
    assert queue.renew_session_lock("a") == BEGINNING + 50_000
    host.wait(29)
    assert consumer.lost == []
    with pytest.raises(ServiceBusError):
        queue.renew_lock(consumer.token("a"))
    host.wait(1)
    assert consumer.lost == ["a"]
    for attempt in (
        lambda: queue.complete(consumer.token("a")),
        lambda: queue.renew_session_lock("a"),
        lambda: queue.set_state("a", b"x"),
    ):
        with pytest.raises(ServiceBusError):
            attempt()
    again = accept(queue, host, None)
    assert again.texts == ["a"]
    (message,) = host.store.messages
    assert message.delivery_count == 1


def test_of_several_session_locks_each_ends_in_its_time(
    queue: SessionQueue, host: ManualHost
) -> None:
    first, second = accept(queue, host, "a"), accept(queue, host, "b")
    host.wait(20)
    queue.renew_session_lock("a")
    host.wait(10)
    assert (first.lost, second.lost) == ([], ["b"])
    host.wait(20)
    assert first.lost == ["a"]


def test_a_session_that_fails_too_often_is_dead_lettered(
    queue: SessionQueue, host: ManualHost
) -> None:
    send(queue, host, messages("poison", session_id="a"))
    for _ in range(3):
        accept(queue, host, "a")
        host.wait(30)
    assert queue.depths().dead_letter == 1
    assert queue.session_ids(None) == []


def test_state_is_kept_and_forgotten(queue: SessionQueue, host: ManualHost) -> None:
    consumer = accept(queue, host, "a")
    assert queue.get_state("a") is None
    queue.set_state("a", b"half way")
    assert host.store.session_states == {("q", "a"): b"half way"}
    assert consumer.session is not None
    queue.release(consumer.session, consumer)
    assert queue.get_state("a") == b"half way"
    assert queue.session_ids(None) == ["a"]
    assert queue.session_ids(BEGINNING) == ["a"]
    assert queue.session_ids(BEGINNING + 1) == []
    consumer = accept(queue, host, "a")
    queue.set_state("a", None)
    assert host.store.session_states == {("q", "a"): None}
    assert consumer.session is not None
    queue.release(consumer.session, consumer)
    assert queue.session_ids(None) == []


def test_sessions_that_hold_nothing_are_forgotten(queue: SessionQueue, host: ManualHost) -> None:
    for number in range(100):
        send(queue, host, messages("x", session_id=f"{number}"))
        consumer = accept(queue, host, None)
        queue.complete(consumer.token("x"))
        assert consumer.session is not None
        queue.release(consumer.session, consumer)
    assert queue._sessions == {}


def test_deferred_messages_need_their_session(queue: SessionQueue, host: ManualHost) -> None:
    (number,) = send(queue, host, messages("x", session_id="a"))
    consumer = accept(queue, host, "a")
    queue.defer(consumer.token("x"))
    ((token, _),) = queue.receive_deferred([number], lock=True)
    assert token is not None
    assert consumer.session is not None
    queue.release(consumer.session, consumer)
    with pytest.raises(ServiceBusError) as caught:
        queue.receive_deferred([number], lock=True)
    assert caught.value.condition == "com.microsoft:session-lock-lost"
    assert queue.depths().deferred == 1
