"""A message as Service Bus keeps it: what the broker may change, and the rest byte for byte.

An AMQP message is a row of sections (part 3, section 3.2): header, delivery annotations, message
annotations, then the bare message (properties, application properties, body, footer). The broker
owns the header and some annotations and never decodes the body. Annotation names are those of
"AMQP 1.0 in Azure Service Bus and Event Hubs protocol guide" (Microsoft Learn).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from uuid import UUID

from local.service_bus.amqp import codec
from local.service_bus.amqp.codec import EMPTY_MAP, DecodeError, RawMap

BATCH_FORMAT = 0x80013700
"""The message-format of a transfer whose data sections are each an encoded message."""


class Section:
    """Descriptors of the sections of a message."""

    HEADER = 0x70
    DELIVERY_ANNOTATIONS = 0x71
    MESSAGE_ANNOTATIONS = 0x72
    PROPERTIES = 0x73
    APPLICATION_PROPERTIES = 0x74
    DATA = 0x75
    AMQP_SEQUENCE = 0x76
    AMQP_VALUE = 0x77
    FOOTER = 0x78


class State(IntEnum):
    """What x-opt-message-state says about a message."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


_SCHEDULED_ENQUEUE_TIME = "x-opt-scheduled-enqueue-time"
_BROKER_ANNOTATIONS = frozenset(
    {
        "x-opt-enqueued-time",
        "x-opt-sequence-number",
        "x-opt-enqueue-sequence-number",
        "x-opt-message-state",
        "x-opt-locked-until",
        "x-opt-lock-token",
        "x-opt-deadletter-source",
        _SCHEDULED_ENQUEUE_TIME,
    }
)
_ENQUEUED_TIME = codec.encode_symbol("x-opt-enqueued-time")
_SEQUENCE_NUMBER = codec.encode_symbol("x-opt-sequence-number")
_ENQUEUE_SEQUENCE_NUMBER = codec.encode_symbol("x-opt-enqueue-sequence-number")
_MESSAGE_STATE = codec.encode_symbol("x-opt-message-state")
_LOCKED_UNTIL = codec.encode_symbol("x-opt-locked-until")
_LOCK_TOKEN = codec.encode_symbol("x-opt-lock-token")
_DEADLETTER_SOURCE = codec.encode_symbol("x-opt-deadletter-source")
_SCHEDULED_TIME = codec.encode_symbol(_SCHEDULED_ENQUEUE_TIME)

_DEFAULT_PRIORITY = 4
_GROUP_ID = 10  # index of group-id, the session id of Service Bus, among the properties


@dataclass(slots=True, eq=False)
class Message:
    """A message in a queue. Times are in milliseconds since 1970, UTC.

    `sequence`, `queue` and `record` are given by the queue and the journal when it is stored.
    """

    bare: bytes
    annotations: RawMap = EMPTY_MAP
    durable: bool = True
    priority: int = _DEFAULT_PRIORITY
    time_to_live: int | None = None
    """Milliseconds from becoming active."""
    session_id: str | None = None
    scheduled_for: int | None = None

    record: int = 0
    queue: str = ""
    sequence: int = 0
    state: State = State.ACTIVE
    enqueued_at: int = 0
    expires_at: int | None = None
    delivery_count: int = 0
    dead_letter_source: str | None = None

    # A lock lives in memory only: after a restart the message is available again.
    lock_token: UUID | None = None
    locked_until: int = 0

    def encode(self, *, with_lock: bool = False) -> bytes:
        """The message as a client gets it; with its lock for the receiver that holds it."""
        ttl = codec.NULL if self.time_to_live is None else codec.encode_uint(self.time_to_live)
        parts = [
            codec.encode_described(
                Section.HEADER,
                codec.encode_list(
                    (
                        codec.encode_boolean(self.durable),
                        codec.encode_ubyte(self.priority),
                        ttl,
                        codec.FALSE,
                        codec.encode_uint(self.delivery_count),
                    )
                ),
            )
        ]
        added = [
            *(_ENQUEUED_TIME, codec.encode_timestamp(self.enqueued_at)),
            *(_SEQUENCE_NUMBER, codec.encode_long(self.sequence)),
            *(_ENQUEUE_SEQUENCE_NUMBER, codec.encode_long(self.sequence)),
            *(_MESSAGE_STATE, codec.encode_int(self.state)),
        ]
        if self.scheduled_for is not None:
            added += _SCHEDULED_TIME, codec.encode_timestamp(self.scheduled_for)
        if self.dead_letter_source is not None:
            added += _DEADLETTER_SOURCE, codec.encode_string(self.dead_letter_source)
        if with_lock and self.lock_token is not None:
            added += _LOCKED_UNTIL, codec.encode_timestamp(self.locked_until)
            token = RawMap(_LOCK_TOKEN + codec.encode_uuid(self.lock_token), 2)
            parts.append(
                codec.encode_described(Section.DELIVERY_ANNOTATIONS, codec.encode_raw_map(token))
            )
        own, count = self.annotations
        annotations = RawMap(own + b"".join(added), count + len(added))
        parts.append(
            codec.encode_described(Section.MESSAGE_ANNOTATIONS, codec.encode_raw_map(annotations))
        )
        parts.append(self.bare)
        return b"".join(parts)

    def set_application_properties(self, values: Mapping[str, bytes]) -> None:
        """Sets application properties; the values are encoded already."""
        bare = self.bare
        start = codec.skip(bare, 0) if _section_code(bare, 0) == Section.PROPERTIES else 0
        end = start
        kept = EMPTY_MAP
        if start < len(bare) and _section_code(bare, start) == Section.APPLICATION_PROPERTIES:
            kept, _ = codec.split_map(bare, start + 3, frozenset(values))
            end = codec.skip(bare, start)
        pairs = b"".join(codec.encode_string(key) + value for key, value in values.items())
        section = codec.encode_described(
            Section.APPLICATION_PROPERTIES,
            codec.encode_raw_map(RawMap(kept.pairs + pairs, kept.length + 2 * len(values))),
        )
        self.bare = bare[:start] + section + bare[end:]


def _section_code(payload: bytes, position: int) -> int | None:
    """The descriptor of the section at `position`; None at the end of the payload."""
    if position == len(payload):
        return None
    if payload[position : position + 2] != b"\x00\x53" or position + 3 > len(payload):
        raise DecodeError("a message has to be a row of sections")
    return payload[position + 2]


def parse_messages(payload: bytes, message_format: int) -> list[Message]:
    """The messages of a transfer: one, or those of a batch. Raises DecodeError."""
    if message_format != BATCH_FORMAT:
        return [parse_message(payload)]
    messages = []
    position = 0
    while (code := _section_code(payload, position)) is not None:
        if code == Section.DATA:
            data, position = codec.decode(payload, position + 3)
            if not isinstance(data, bytes):
                raise DecodeError("a data section has to hold binary data")
            messages.append(parse_message(data))
        else:
            position = codec.skip(payload, position)
    return messages


def parse_message(payload: bytes) -> Message:
    """The message that `payload` is the encoding of. Raises DecodeError."""
    message = Message(b"")
    position = 0
    bare_at: int | None = None
    while (code := _section_code(payload, position)) is not None:
        if code == Section.HEADER:
            _read_header(message, payload, position + 3)
        elif code == Section.MESSAGE_ANNOTATIONS:
            _read_annotations(message, payload, position + 3)
        elif code != Section.DELIVERY_ANNOTATIONS:
            bare_at = position if bare_at is None else bare_at
            if code == Section.PROPERTIES:
                message.session_id = _read_session_id(payload, position + 3)
            elif not Section.APPLICATION_PROPERTIES <= code <= Section.FOOTER:
                raise DecodeError(f"0x{code:02x} is not the descriptor of a message section")
        position = codec.skip(payload, position)
    if bare_at is None:
        raise DecodeError("the message has no body")
    message.bare = payload[bare_at:]
    return message


def _read_header(message: Message, payload: bytes, position: int) -> None:
    fields, _ = codec.decode(payload, position)
    if not isinstance(fields, list):
        raise DecodeError("the header of a message has to be a list")
    durable, priority, ttl = (fields + [None] * 3)[:3]
    # Service Bus stores every message durably, whatever its header asks for.
    message.durable = True if durable is None else bool(durable)
    message.priority = priority if isinstance(priority, int) else _DEFAULT_PRIORITY
    message.time_to_live = ttl if isinstance(ttl, int) else None
    if not 0 <= message.priority <= 255 or not 0 <= (message.time_to_live or 0) < 2**32:
        raise DecodeError("the header of a message has a number out of its range")


def _read_annotations(message: Message, payload: bytes, position: int) -> None:
    message.annotations, own = codec.split_map(payload, position, _BROKER_ANNOTATIONS)
    if _SCHEDULED_ENQUEUE_TIME in own:
        when, _ = codec.decode(own[_SCHEDULED_ENQUEUE_TIME])
        message.scheduled_for = when if isinstance(when, int) else None


def _read_session_id(payload: bytes, position: int) -> str | None:
    count, position = codec.list_header(payload, position)
    if count <= _GROUP_ID:
        return None
    position = codec.skip(payload, position, values=_GROUP_ID)
    session_id: Any
    session_id, _ = codec.decode(payload, position)
    return session_id if isinstance(session_id, str) else None
