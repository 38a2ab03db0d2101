"""A host for queues whose time and work the test decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from local.service_bus.amqp import codec
from local.service_bus.messages import Message, Section
from local.service_bus.queues import Queue

BEGINNING = 1_700_000_000_000


def body(text: str) -> bytes:
    """The body of a message."""
    return codec.encode_described(Section.DATA, codec.encode_binary(text.encode()))


def text_of(payload: bytes) -> str:
    """The body of an encoded message."""
    position = 0
    while True:
        section, position = codec.decode(payload, position)
        if section.descriptor == Section.DATA:
            return str(section.value, "utf-8")


def annotations_of(payload: bytes) -> dict[str, object]:
    """The message annotations of an encoded message."""
    position = 0
    while position < len(payload):
        section, position = codec.decode(payload, position)
        if section.descriptor == Section.MESSAGE_ANNOTATIONS:
            return dict(section.value)
    return {}


class RecordingStore:
    """A store that knows what would be on disk."""

    def __init__(self) -> None:
        self.messages: set[Message] = set()
        self.updated: list[Message] = []
        self.next_sequences: dict[str, int] = {}
        self.session_states: dict[tuple[str, str], bytes | None] = {}

    def insert(self, message: Message) -> None:
        assert message not in self.messages
        self.messages.add(message)

    def update(self, message: Message) -> None:
        assert message in self.messages
        self.updated.append(message)

    def delete(self, message: Message) -> None:
        self.messages.remove(message)

    def save_next_sequence(self, queue: str, sequence: int) -> None:
        self.next_sequences[queue] = sequence

    def save_session_state(
        self, queue: str, session_id: str, state: bytes | None, updated_at: int
    ) -> None:
        self.session_states[queue, session_id] = state


class ManualHost:
    """Time passes by `wait` only; a queue hands out at once when it asks to."""

    def __init__(self) -> None:
        self.store = RecordingStore()
        self.queues: list[Queue] = []
        self.time = BEGINNING
        self.wakes: list[int] = []
        self._pumping: list[Queue] = []

    def now(self) -> int:
        return self.time

    def pump_later(self, queue: Queue) -> None:
        if queue not in self._pumping:
            self._pumping.append(queue)

    def wake_at(self, due: int) -> None:
        self.wakes.append(due)

    def settle(self) -> None:
        """Lets the queues hand out what they asked to."""
        while self._pumping:
            self._pumping.pop(0).pump()

    def wait(self, seconds: float) -> None:
        """Lets time pass, and all happen that is due at its moment.

        What is due has to have been asked for by `wake_at`, or it does not happen.
        """
        end = self.time + round(seconds * 1000)
        self.settle()
        while (due := min((w for w in self.wakes if w <= end), default=None)) is not None:
            self.time = max(self.time, due)
            self.wakes = [wake for wake in self.wakes if wake > due]
            for queue in self.queues:
                queue.run_due()
                if (following := queue.next_due()) is not None:
                    self.wakes.append(following)
                    assert following > self.time, "what is due was not done"
            self.settle()
        self.time = end


@dataclass(eq=False)
class FakeConsumer:
    """A receiver with credit, which keeps what it gets."""

    credit: int = 1000
    settles_on_send: bool = False
    received: list[tuple[str, UUID | None]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def can_take(self) -> bool:
        return self.credit > 0

    def deliver(self, payload: bytes, lock_token: UUID | None) -> None:
        assert self.credit > 0
        self.credit -= 1
        self.payloads.append(payload)
        self.received.append((text_of(payload), lock_token))

    @property
    def texts(self) -> list[str]:
        """The bodies received so far."""
        return [text for text, _ in self.received]

    def token(self, text: str) -> UUID:
        """The lock under which a body was last received."""
        found = [token for each, token in self.received if each == text]
        assert found, f"{text} was not received"
        assert found[-1] is not None
        return found[-1]


@pytest.fixture
def host() -> ManualHost:
    """A host at the beginning of time."""
    return ManualHost()


def messages(*texts: str, session_id: str | None = None) -> list[Message]:
    """New messages."""
    return [Message(body(text), session_id=session_id) for text in texts]


def send(queue: Queue, host: ManualHost, new: Iterable[Message]) -> list[int]:
    """Enqueues, and lets the queue hand out."""
    numbers = queue.enqueue(list(new))
    host.settle()
    return numbers
