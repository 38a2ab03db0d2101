"""The rules of a queue, with a clock that the test sets."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from local.service_bus.amqp import codec
from local.service_bus.config import QueueSpec
from local.service_bus.errors import ServiceBusError
from local.service_bus.messages import State
from local.service_bus.queues import Depths, Queue
from tests.unit.local.service_bus.conftest import (
    BEGINNING,
    FakeConsumer,
    ManualHost,
    annotations_of,
    body,
    messages,
    send,
    text_of,
)


def make(host: ManualHost, **rules: object) -> Queue:
    """A queue with its dead-letter queue."""
    spec = QueueSpec("q", **rules)  # type: ignore[arg-type]
    queue = Queue(spec, host, Queue(spec.for_dead_letters(), host))
    assert queue.dead_letters is not None
    host.queues += [queue, queue.dead_letters]
    return queue


def attach(queue: Queue, host: ManualHost, **options: object) -> FakeConsumer:
    """A receiver of a queue."""
    consumer = FakeConsumer(**options)  # type: ignore[arg-type]
    queue.attach(consumer)
    host.pump_later(queue)
    host.settle()
    return consumer


def dead_letters(queue: Queue, host: ManualHost) -> FakeConsumer:
    """A receiver of a queue's dead letters."""
    assert queue.dead_letters is not None
    return attach(queue.dead_letters, host)


def test_messages_go_out_in_order_and_are_gone_when_completed(host: ManualHost) -> None:
    queue = make(host)
    assert send(queue, host, messages("a", "b", "c")) == [1, 2, 3]
    assert host.store.next_sequences == {"q": 4}
    consumer = attach(queue, host)
    assert consumer.texts == ["a", "b", "c"]
    queue.complete(consumer.token("b"))
    assert queue.depths() == Depths(active=0, locked=2, scheduled=0, deferred=0, dead_letter=0)
    assert len(host.store.messages) == 2
    with pytest.raises(ServiceBusError, match="lock supplied is invalid"):
        queue.complete(consumer.token("b"))


def test_credit_limits_what_goes_out_and_receivers_take_turns(host: ManualHost) -> None:
    queue = make(host)
    first, second = attach(queue, host, credit=2), attach(queue, host)
    send(queue, host, messages(*"abcdef"))
    assert sorted(first.texts + second.texts) == list("abcdef")
    assert len(first.texts) == 2
    queue.detach(second)
    send(queue, host, messages("g"))
    assert "g" not in second.texts
    first.credit = 1
    host.pump_later(queue)
    host.settle()
    assert first.texts[-1] == "g"


def test_a_lock_ends_unless_it_is_renewed(host: ManualHost) -> None:
    queue = make(host, lock_seconds=30)
    consumer = attach(queue, host)
    send(queue, host, messages("a", "b"))
    host.wait(20)
    assert queue.renew_lock(consumer.token("a")) == BEGINNING + 50_000
    lost = consumer.token("b")
    host.wait(10)
    assert consumer.texts == ["a", "b", "b"]
    for attempt in (queue.complete, queue.abandon, queue.defer, queue.renew_lock):
        with pytest.raises(ServiceBusError) as caught:
            attempt(lost)
        assert caught.value.condition == "com.microsoft:message-lock-lost"
    queue.complete(consumer.token("b"))
    host.wait(19.9)
    assert consumer.texts == ["a", "b", "b"]
    host.wait(0.1)
    assert consumer.texts == ["a", "b", "b", "a"]


def test_a_lock_is_over_at_its_end_even_before_that_is_noticed(host: ManualHost) -> None:
    queue = make(host, lock_seconds=30)
    consumer = attach(queue, host)
    send(queue, host, messages("a"))
    host.time += 30_000
    with pytest.raises(ServiceBusError):
        queue.complete(consumer.token("a"))
    assert len(host.store.messages) == 1


def test_a_failed_delivery_counts_and_the_last_one_dead_letters(host: ManualHost) -> None:
    queue = make(host, max_delivery_count=3)
    consumer = attach(queue, host)
    send(queue, host, messages("poison"))
    queue.abandon(consumer.token("poison"))
    host.settle()
    queue.abandon(consumer.token("poison"), failed=False)
    host.settle()
    host.wait(60)  # the lock ends, which counts as well
    assert len(consumer.texts) == 4
    queue.abandon(consumer.token("poison"))
    host.settle()
    assert len(consumer.texts) == 4
    letters = dead_letters(queue, host)
    assert letters.texts == ["poison"]
    assert annotations_of(letters.payloads[0])["x-opt-deadletter-source"] == "q"
    assert b"MaxDeliveryCountExceeded" in letters.payloads[0]
    assert {message.queue for message in host.store.messages} == {"q/$deadletterqueue"}


def test_dead_letters_are_a_queue_without_an_end(host: ManualHost) -> None:
    queue = make(host, max_delivery_count=1, ttl_seconds=10)
    consumer = attach(queue, host)
    send(queue, host, messages("x"))
    queue.dead_letter(consumer.token("x"), "Why", None)
    letters = dead_letters(queue, host)
    assert queue.dead_letters is not None
    for _ in range(5):
        queue.dead_letters.abandon(letters.token("x"))
        host.wait(100)
    queue.dead_letters.dead_letter(letters.token("x"), "Again", "and again")
    host.settle()
    assert letters.texts[-1] == "x"
    assert b"Again" in letters.payloads[-1]
    queue.dead_letters.complete(letters.token("x"))
    assert not host.store.messages


def test_a_message_expires_unless_it_is_locked(host: ManualHost) -> None:
    queue = make(host, ttl_seconds=10, lock_seconds=60)
    short, long, locked = messages("short", "long", "locked")
    short.time_to_live = 5_000
    long.time_to_live = 100_000
    consumer = attach(queue, host, credit=1)
    send(queue, host, [locked, short, long])
    letters = dead_letters(queue, host)
    host.wait(5)
    assert letters.texts == ["short"]
    host.wait(5)
    assert letters.texts == ["short", "long"]
    assert consumer.texts == ["locked"]
    queue.abandon(consumer.token("locked"))
    host.settle()
    assert letters.texts == ["short", "long", "locked"]
    assert b"TTLExpiredException" in letters.payloads[0]


def test_expired_messages_are_removed_where_they_are_not_dead_lettered(host: ManualHost) -> None:
    queue = make(host, ttl_seconds=10, dead_letter_on_expiration=False)
    send(queue, host, messages(*"abc"))
    host.wait(10)
    assert not host.store.messages
    assert queue.depths() == Depths(0, 0, 0, 0, 0)
    assert queue._ready == []


def test_scheduled_messages_wait_for_their_time(host: ManualHost) -> None:
    queue = make(host, ttl_seconds=60)
    consumer = attach(queue, host)
    later, past = messages("later", "past")
    later.scheduled_for = BEGINNING + 30_000
    past.scheduled_for = BEGINNING - 1
    send(queue, host, [later, past])
    assert consumer.texts == ["past"]
    assert queue.depths().scheduled == 1
    host.wait(29.9)
    assert consumer.texts == ["past"]
    host.wait(0.1)
    assert consumer.texts == ["past", "later"]
    assert later.enqueued_at == BEGINNING + 30_000
    assert later.expires_at == BEGINNING + 90_000
    assert later in host.store.updated


def test_scheduled_messages_are_cancelled_all_or_none(host: ManualHost) -> None:
    queue = make(host)
    new = messages("a", "b", "active")
    for message in new[:2]:
        message.scheduled_for = BEGINNING + 30_000
    numbers = send(queue, host, new)
    with pytest.raises(ServiceBusError) as caught:
        queue.cancel_scheduled(numbers)
    assert caught.value.condition == "com.microsoft:message-not-found"
    assert queue.depths().scheduled == 2
    queue.cancel_scheduled(numbers[:2])
    host.wait(60)
    assert attach(queue, host).texts == ["active"]


def test_deferred_messages_come_by_number_all_or_none(host: ManualHost) -> None:
    queue = make(host)
    consumer = attach(queue, host)
    first, second = send(queue, host, messages("first", "second"))
    queue.complete(consumer.token("second"))
    queue.defer(consumer.token("first"))
    host.wait(1000)
    assert queue.depths() == Depths(active=0, locked=0, scheduled=0, deferred=1, dead_letter=0)
    with pytest.raises(ServiceBusError, match="does not exist"):
        queue.receive_deferred([first, second], lock=True)
    ((token, payload),) = queue.receive_deferred([first, first], lock=True)
    assert token is not None
    assert annotations_of(payload)["x-opt-message-state"] == State.DEFERRED
    assert queue.depths() == Depths(active=0, locked=1, scheduled=0, deferred=0, dead_letter=0)
    with pytest.raises(ServiceBusError):
        queue.receive_deferred([first], lock=True)
    host.wait(60)  # the lock ends: it is deferred as before
    assert consumer.texts == ["first", "second"]
    ((token, _),) = queue.receive_deferred([first], lock=False)
    assert token is None
    assert not host.store.messages


def test_deferred_messages_do_not_expire(host: ManualHost) -> None:
    queue = make(host, ttl_seconds=10)
    consumer = attach(queue, host)
    (number,) = send(queue, host, messages("x"))
    queue.defer(consumer.token("x"))
    host.wait(100)
    ((token, _),) = queue.receive_deferred([number], lock=True)
    assert token is not None
    queue.abandon(token)
    host.wait(100)
    assert queue.depths() == Depths(active=0, locked=0, scheduled=0, deferred=1, dead_letter=0)


def test_receive_and_delete_removes_before_it_hands_out(host: ManualHost) -> None:
    queue = make(host)
    consumer = attach(queue, host, settles_on_send=True)
    send(queue, host, messages("a", "b"))
    assert consumer.received == [("a", None), ("b", None)]
    assert not host.store.messages
    assert "x-opt-locked-until" not in annotations_of(consumer.payloads[0])


def test_peeking_is_by_number_and_bounded(host: ManualHost) -> None:
    queue = make(host)
    send(queue, host, messages(*"abcde"))
    attach(queue, host, credit=2)
    assert len(queue.peek(1, 3, 10**6)) == 3
    payloads = queue.peek(4, 10, 10**6)
    assert [annotations_of(each)["x-opt-sequence-number"] for each in payloads] == [4, 5]
    assert len(queue.peek(1, 10, 1)) == 1
    assert len(queue.peek(1, 10, 2 * len(payloads[0]))) == 2
    assert queue.peek(6, 10, 10**6) == []
    assert queue.depths().locked == 2
    assert b"x-opt-lock" not in b"".join(queue.peek(1, 10, 10**6))


def test_what_a_message_carries(host: ManualHost) -> None:
    queue = make(host, lock_seconds=30)
    consumer = attach(queue, host)
    send(queue, host, messages("x"))
    assert annotations_of(consumer.payloads[0]) == {
        "x-opt-enqueued-time": BEGINNING,
        "x-opt-sequence-number": 1,
        "x-opt-enqueue-sequence-number": 1,
        "x-opt-message-state": 0,
        "x-opt-locked-until": BEGINNING + 30_000,
    }
    properties = {"attempt": codec.encode_int(2)}
    queue.abandon(consumer.token("x"), properties=properties)
    host.settle()
    assert consumer.payloads[1].endswith(
        codec.encode_described(
            0x74, codec.encode_map({codec.encode_string("attempt"): b"\x71\0\0\0\2"})
        )
        + body("x")
    )


def test_an_unknown_token_is_refused(host: ManualHost) -> None:
    queue = make(host)
    with pytest.raises(ServiceBusError):
        queue.complete(uuid4())
    assert not queue.is_locked(uuid4())


class AnyHistory(RuleBasedStateMachine):
    """No order of events loses a message, hands one out twice, or leaves the store behind."""

    tokens = Bundle("tokens")
    deferred = Bundle("deferred")
    scheduled = Bundle("scheduled")

    @initialize()
    def begin(self) -> None:
        self.host = ManualHost()
        self.queue = make(self.host, lock_seconds=30, max_delivery_count=3, ttl_seconds=300)
        self.consumer = FakeConsumer(credit=0)
        self.queue.attach(self.consumer)
        self.alive: set[str] = set()
        self.count = 0

    @rule(target=scheduled, delay=st.none() | st.integers(1, 100))
    def send(self, delay: int | None) -> object:
        self.count += 1
        (message,) = messages(f"{self.count}")
        if delay is not None:
            message.scheduled_for = self.host.now() + 1000 * delay
        (number,) = send(self.queue, self.host, [message])
        self.alive.add(f"{self.count}")
        return multiple() if delay is None else (number, f"{self.count}")

    @rule(target=tokens, credit=st.integers(1, 3))
    def receive(self, credit: int) -> object:
        before = len(self.consumer.received)
        self.consumer.credit = credit
        self.host.pump_later(self.queue)
        self.host.settle()
        self.consumer.credit = 0
        return multiple(*self.consumer.received[before:])

    @rule(held=consumes(tokens))
    def complete(self, held: tuple[str, UUID]) -> None:
        text, token = held
        try:
            self.queue.complete(token)
            self.alive.remove(text)
        except ServiceBusError:
            assert not self.queue.is_locked(token)

    @rule(held=tokens, how=st.sampled_from(["abandon", "release", "renew", "dead-letter"]))
    def settle(self, held: tuple[str, UUID], how: str) -> None:
        token = held[1]
        was_locked = self.queue.is_locked(token)
        try:
            match how:
                case "abandon":
                    self.queue.abandon(token)
                case "release":
                    self.queue.abandon(token, failed=False)
                case "renew":
                    self.queue.renew_lock(token)
                case "dead-letter":
                    self.queue.dead_letter(token, "r", "d")
        except ServiceBusError:
            assert not was_locked

    @rule(target=deferred, held=tokens)
    def defer(self, held: tuple[str, UUID]) -> object:
        locked = [m for m in self.host.store.messages if m.lock_token == held[1]]
        try:
            self.queue.defer(held[1])
        except ServiceBusError:
            return multiple()
        return locked[0].sequence

    @rule(target=tokens, number=deferred)
    def receive_deferred(self, number: int) -> object:
        try:
            ((token, payload),) = self.queue.receive_deferred([number], lock=True)
        except ServiceBusError:
            return multiple()
        return (text_of(payload), token)

    @rule(entry=scheduled)
    def cancel(self, entry: tuple[int, str]) -> None:
        try:
            self.queue.cancel_scheduled([entry[0]])
            self.alive.remove(entry[1])
        except ServiceBusError:
            pass

    @rule(seconds=st.sampled_from([1, 10, 31, 400]))
    def wait(self, seconds: int) -> None:
        self.host.wait(seconds)

    @invariant()
    def every_message_is_stored_once_and_nothing_else_is(self) -> None:
        assert len(self.host.store.messages) == len(self.alive)
        assert sum(self.queue.depths()) == len(self.alive)

    @invariant()
    def no_lock_is_shared_or_over(self) -> None:
        locked = [m for m in self.host.store.messages if m.lock_token is not None]
        assert len({m.lock_token for m in locked}) == len(locked)
        assert all(m.locked_until > self.host.now() for m in locked)

    def teardown(self) -> None:
        """All that is alive can be received: from the queue, its dead letters, or by number."""
        if not hasattr(self, "host"):
            return
        self.host.wait(500)
        texts = set()
        for message in list(self.host.store.messages):
            if message.state == State.DEFERRED:
                ((_, payload),) = self.queue.receive_deferred([message.sequence], lock=True)
                texts.add(text_of(payload))
        self.consumer.credit = 10**6
        self.consumer.received.clear()
        self.host.pump_later(self.queue)
        self.host.settle()
        letters = dead_letters(self.queue, self.host)
        texts.update(self.consumer.texts, letters.texts)
        assert texts == self.alive


AnyHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase
