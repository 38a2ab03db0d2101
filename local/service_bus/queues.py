"""The rules of a queue: peek-lock, delivery counts, dead-lettering, schedule, deferral, expiry.

Nothing here knows AMQP frames, sockets, SQLite or the event loop. A queue is given a `Host`,
which tells the time, keeps what has to outlive the process, and calls back when there is
something to hand out or something is due. All times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID, uuid4

from local.service_bus import errors
from local.service_bus.amqp.codec import encode_string
from local.service_bus.config import QueueSpec
from local.service_bus.due_times import DueTimes
from local.service_bus.messages import Message, State


class Store(Protocol):
    """Where messages are kept; what is told here is durable once the store has committed."""

    def insert(self, message: Message) -> None:
        """A new message."""

    def update(self, message: Message) -> None:
        """A stored message whose fields have changed."""

    def delete(self, message: Message) -> None:
        """A message that is gone."""

    def save_next_sequence(self, queue: str, sequence: int) -> None:
        """The sequence number that the next message of a queue will have."""

    def save_session_state(
        self, queue: str, session_id: str, state: bytes | None, updated_at: int
    ) -> None:
        """What a client wants remembered of a message session; None to forget it."""


class Host(Protocol):
    """What a queue needs around it."""

    @property
    def store(self) -> Store:
        """Where the queue's messages are kept."""

    def now(self) -> int:
        """The time."""

    def pump_later(self, queue: Queue) -> None:
        """Calls `queue.pump` soon, once what was stored until now is durable."""

    def wake_at(self, due: int) -> None:
        """Calls `queue.run_due` at that time."""


class Consumer(Protocol):
    """A receiver that has attached to a queue."""

    @property
    def settles_on_send(self) -> bool:
        """Whether messages are gone once handed out (receive and delete)."""

    def can_take(self) -> bool:
        """Whether a message would be sent at once: there is credit, and room on the wire."""

    def deliver(self, payload: bytes, lock_token: UUID | None) -> None:
        """Takes a message; without a lock it is deleted and waits for that to be durable."""


class Depths(NamedTuple):
    """How many messages a queue holds, by what can be done with them."""

    active: int
    locked: int
    scheduled: int
    deferred: int
    dead_letter: int


class Queue:
    """A queue with peek-lock."""

    def __init__(self, spec: QueueSpec, host: Host, dead_letters: Queue | None = None) -> None:
        self.spec = spec
        self.dead_letters = dead_letters
        self._host = host
        self._messages: dict[int, Message] = {}
        self._next_sequence = 1
        self._ready: list[int] = []
        self._due = DueTimes()
        # Ordered by the end of the lock, as all locks of a queue last equally long.
        self._locked: OrderedDict[UUID, Message] = OrderedDict()
        self._consumers: deque[Consumer] = deque()

    @property
    def name(self) -> str:
        """The queue's path."""
        return self.spec.name

    @property
    def holds_dead_letters(self) -> bool:
        """Whether this is the dead-letter queue of another, to which nothing can be sent."""
        return self.dead_letters is None

    def depths(self) -> Depths:
        """How many messages there are, counted now."""
        states = [message.state for message in self._messages.values()]
        return Depths(
            active=states.count(State.ACTIVE) - len(self._locked) + self._locked_deferred(),
            locked=len(self._locked),
            scheduled=states.count(State.SCHEDULED),
            deferred=states.count(State.DEFERRED) - self._locked_deferred(),
            dead_letter=len(self.dead_letters._messages) if self.dead_letters else 0,
        )

    def _locked_deferred(self) -> int:
        return sum(message.state == State.DEFERRED for message in self._locked.values())

    # --- coming in --------------------------------------------------------------------

    def enqueue(self, messages: Sequence[Message]) -> list[int]:
        """Stores messages, all or none, and gives their sequence numbers.

        Raises ServiceBusError where one of them cannot be in this queue.
        """
        for message in messages:
            self._check(message)
        now = self._host.now()
        for message in messages:
            message.sequence = self._next_sequence
            self._next_sequence += 1
            message.queue = self.name
            message.enqueued_at = now
            self._add(message)
            if message.scheduled_for is not None and message.scheduled_for > now:
                message.state = State.SCHEDULED
                self._set_due(message.sequence, message.scheduled_for)
            else:
                self._activate(message, now)
            self._host.store.insert(message)
        self._host.store.save_next_sequence(self.name, self._next_sequence)
        return [message.sequence for message in messages]

    def restore(self, messages: Iterable[Message], next_sequence: int) -> None:
        """Takes back what the store held when the process started."""
        self._next_sequence = next_sequence
        for message in sorted(messages, key=lambda message: message.sequence):
            self._next_sequence = max(self._next_sequence, message.sequence + 1)
            self._add(message)
            if message.state == State.ACTIVE:
                self._make_ready(message)
            elif message.state == State.SCHEDULED and message.scheduled_for is not None:
                self._set_due(message.sequence, message.scheduled_for)

    def _check(self, message: Message) -> None:
        """Raises ServiceBusError where the message cannot be in this queue."""

    def _add(self, message: Message) -> None:
        self._messages[message.sequence] = message

    def _forget(self, message: Message) -> None:
        """Takes a message, which is not locked, out of this queue but not out of the store."""
        del self._messages[message.sequence]
        self._due.discard(message.sequence)

    def _remove(self, message: Message) -> None:
        self._forget(message)
        self._host.store.delete(message)

    def _activate(self, message: Message, now: int) -> None:
        """Makes a new message available; its time to live starts."""
        message.state = State.ACTIVE
        message.enqueued_at = now
        limits = [ttl for ttl in (message.time_to_live, self.spec.ttl_ms) if ttl is not None]
        if limits:
            message.time_to_live = min(*limits, 2**32 - 1)
            message.expires_at = now + min(limits)
        self._make_ready(message)

    def _make_ready(self, message: Message) -> None:
        heapq.heappush(self._heap_of(message), message.sequence)
        if message.expires_at is not None:
            self._set_due(message.sequence, message.expires_at)
        self._host.pump_later(self)

    def _heap_of(self, message: Message) -> list[int]:  # noqa: ARG002
        """The sequence numbers among which a message waits; stale ones may be in it."""
        return self._ready

    # --- due times --------------------------------------------------------------------

    def _set_due(self, sequence: int, due: int) -> None:
        self._due.set(sequence, due)
        self._host.wake_at(due)

    def next_due(self) -> int | None:
        """When `run_due` will have something to do."""
        times = [self._due.earliest(), self._first_lock_end()]
        return min((time for time in times if time is not None), default=None)

    def run_due(self) -> None:
        """Ends locks, activates scheduled messages and expires old ones, as the time has come."""
        now = self._host.now()
        self._end_locks(now)
        for sequence in self._due.take(now):
            message = self._messages[sequence]
            if message.state == State.SCHEDULED:
                self._activate(message, now)
                self._host.store.update(message)
            elif message.state == State.ACTIVE and message.lock_token is None:
                heap = self._heap_of(message)
                self._expire(message)
                self._drop_stale(heap)

    def _first_lock_end(self) -> int | None:
        return next(iter(self._locked.values())).locked_until if self._locked else None

    def _end_locks(self, now: int) -> None:
        while (end := self._first_lock_end()) is not None and end <= now:
            message = next(iter(self._locked.values()))
            self._unlock(message)
            self._give_back(message, failed=True)

    def _expire(self, message: Message) -> None:
        if self.spec.dead_letter_on_expiration and self.dead_letters is not None:
            self._move_to_dead_letters(
                message, "TTLExpiredException", "The message expired and was dead lettered."
            )
        else:
            self._remove(message)

    # --- going out --------------------------------------------------------------------

    def attach(self, consumer: Consumer) -> None:
        """Lets a receiver take part; it is served in turn with the others."""
        self._consumers.append(consumer)

    def detach(self, consumer: Consumer) -> None:
        """Takes a receiver out. Its locks stay until they are settled or end."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def pump(self) -> None:
        """Hands out what is available to the receivers that can take it."""
        now = self._host.now()
        passed_over = 0
        while passed_over < len(self._consumers):
            consumer = self._consumers[0]
            self._consumers.rotate(-1)
            if not consumer.can_take():
                passed_over += 1
                continue
            message = self._take_ready(self._ready, now)
            if message is None:
                return
            passed_over = 0
            self._hand_out(message, consumer, now)

    def _drop_stale(self, heap: list[int]) -> Message | None:
        """Drops numbers that are not available any more; gives the message then in front."""
        while heap:
            message = self._messages.get(heap[0])
            if message is not None and message.state == State.ACTIVE and message.lock_token is None:
                return message
            heapq.heappop(heap)
        return None

    def _take_ready(self, heap: list[int], now: int) -> Message | None:
        while (message := self._drop_stale(heap)) is not None:
            heapq.heappop(heap)
            if message.expires_at is None or message.expires_at > now:
                return message
            self._expire(message)
        return None

    def _hand_out(self, message: Message, consumer: Consumer, now: int) -> None:
        if consumer.settles_on_send:
            self._remove(message)
            consumer.deliver(message.encode(), None)
        else:
            token = self._lock(message, now)
            consumer.deliver(message.encode(with_lock=True), token)

    def _lock(self, message: Message, now: int) -> UUID:
        token = message.lock_token = uuid4()
        message.locked_until = now + self.spec.lock_ms
        self._locked[token] = message
        self._host.wake_at(message.locked_until)
        return token

    def _unlock(self, message: Message) -> None:
        if message.lock_token is not None:
            self._locked.pop(message.lock_token, None)
            message.lock_token = None

    # --- settlement; each raises ServiceBusError where the lock is lost ---------------

    def complete(self, lock_token: UUID) -> None:
        """The message was processed: it is removed."""
        message = self._locked_message(lock_token)
        self._unlock(message)
        self._remove(message)

    def abandon(
        self,
        lock_token: UUID,
        *,
        failed: bool = True,
        properties: Mapping[str, bytes] | None = None,
    ) -> None:
        """The message is available again; a failed delivery counts.

        `properties` (encoded values) become application properties, as they do in `defer` and
        `dead_letter`.
        """
        message = self._settle(lock_token, properties)
        self._give_back(message, failed=failed, changed=bool(properties))

    def defer(self, lock_token: UUID, *, properties: Mapping[str, bytes] | None = None) -> None:
        """The message is set aside, to be received by its sequence number only."""
        message = self._settle(lock_token, properties)
        message.state = State.DEFERRED
        self._host.store.update(message)

    def dead_letter(
        self,
        lock_token: UUID,
        reason: str | None,
        description: str | None,
        *,
        properties: Mapping[str, bytes] | None = None,
    ) -> None:
        """The message is moved to the dead-letter queue."""
        message = self._settle(lock_token, properties)
        self._move_to_dead_letters(message, reason, description)

    def is_locked(self, lock_token: UUID) -> bool:
        """Whether a message is locked under this token, or was until a moment ago."""
        return lock_token in self._locked

    def renew_lock(self, lock_token: UUID) -> int:
        """The lock starts anew; gives its end."""
        message = self._locked_message(lock_token)
        message.locked_until = self._host.now() + self.spec.lock_ms
        self._locked.move_to_end(lock_token)
        return message.locked_until

    def _locked_message(self, lock_token: UUID) -> Message:
        message = self._locked.get(lock_token)
        if message is None or message.locked_until <= self._host.now():
            raise errors.message_lock_lost()
        return message

    def _settle(self, lock_token: UUID, properties: Mapping[str, bytes] | None) -> Message:
        message = self._locked_message(lock_token)
        if properties:
            message.set_application_properties(properties)
        self._unlock(message)
        return message

    def _give_back(self, message: Message, *, failed: bool, changed: bool = False) -> None:
        """Makes a message that was just unlocked available, unless it failed too often."""
        if failed:
            message.delivery_count += 1
            limit = self.spec.max_delivery_count
            if limit is not None and message.delivery_count >= limit:
                self._move_to_dead_letters(
                    message,
                    "MaxDeliveryCountExceeded",
                    f"Message could not be consumed after {limit} delivery attempts.",
                )
                return
        if failed or changed:
            self._host.store.update(message)
        if message.state == State.DEFERRED:
            return
        if message.expires_at is not None and message.expires_at <= self._host.now():
            self._expire(message)
        else:
            self._make_ready(message)

    def _move_to_dead_letters(
        self, message: Message, reason: str | None, description: str | None
    ) -> None:
        told = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        properties = {key: encode_string(text) for key, text in told.items() if text is not None}
        if properties:
            message.set_application_properties(properties)
        self._forget(message)
        target = self
        if self.dead_letters is not None:
            target = self.dead_letters
            message.dead_letter_source = self.name
        message.queue = target.name
        message.state = State.ACTIVE
        message.expires_at = None
        target._add(message)
        target._make_ready(message)
        self._host.store.update(message)

    # --- by sequence number -----------------------------------------------------------

    def peek(
        self, first: int, count: int, max_bytes: int, session_id: str | None = None
    ) -> list[bytes]:
        """Up to `count` messages from the sequence number `first` on, in any state, unlocked.

        Stops before `max_bytes` are exceeded, but gives at least one message.
        """
        numbers = heapq.nsmallest(
            count,
            (
                number
                for number, message in self._messages.items()
                if number >= first and (session_id is None or message.session_id == session_id)
            ),
        )
        payloads: list[bytes] = []
        size = 0
        for number in numbers:
            payload = self._messages[number].encode()
            size += len(payload)
            if payloads and size > max_bytes:
                break
            payloads.append(payload)
        return payloads

    def receive_deferred(
        self, sequences: Iterable[int], *, lock: bool
    ) -> list[tuple[UUID | None, bytes]]:
        """Deferred messages, all or none, locked or else removed."""
        messages = self._in_state(
            sequences,
            lambda message: message.state == State.DEFERRED and message.lock_token is None,
            "Failed to lock one or more specified messages. The message does not exist.",
        )
        now = self._host.now()
        received: list[tuple[UUID | None, bytes]] = []
        for message in messages:
            if lock:
                token = self._lock(message, now)
                received.append((token, message.encode(with_lock=True)))
            else:
                self._remove(message)
                received.append((None, message.encode()))
        return received

    def cancel_scheduled(self, sequences: Iterable[int]) -> None:
        """Removes scheduled messages, all or none."""
        for message in self._in_state(
            sequences,
            lambda message: message.state == State.SCHEDULED,
            "The scheduled message was not found: it was cancelled before, or is active already.",
        ):
            self._remove(message)

    def _in_state(
        self, sequences: Iterable[int], matches: Callable[[Message], bool], otherwise: str
    ) -> list[Message]:
        found = []
        for sequence in dict.fromkeys(sequences):
            message = self._messages.get(sequence)
            if message is None or not matches(message):
                raise errors.message_not_found(otherwise)
            found.append(message)
        return found
