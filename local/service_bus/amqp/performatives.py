"""The frame bodies of AMQP 1.0 (part 2 of the specification) and the delivery states (part 3).

What comes in is decoded into one named tuple for each performative, with every field's type
checked; what goes out is built by `encode`. Field order and types are those of the specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from local.service_bus.amqp.codec import (
    EMPTY_LIST,
    NULL,
    DecodeError,
    Described,
    decode,
    decode_list,
    encode_described,
    encode_list,
    encode_string,
    encode_symbol,
)


class Code:
    """Descriptors of composite types (the low 32 bits; the domain, 0x00000000, is left out)."""

    OPEN = 0x10
    BEGIN = 0x11
    ATTACH = 0x12
    FLOW = 0x13
    TRANSFER = 0x14
    DISPOSITION = 0x15
    DETACH = 0x16
    END = 0x17
    CLOSE = 0x18
    ERROR = 0x1D
    ACCEPTED = 0x24
    REJECTED = 0x25
    RELEASED = 0x26
    MODIFIED = 0x27
    SOURCE = 0x28
    SASL_MECHANISMS = 0x40
    SASL_INIT = 0x41
    SASL_OUTCOME = 0x44


class Composite(NamedTuple):
    """A field that is itself a described list: a source, a target, a delivery state, an error."""

    code: int
    fields: list[Any]
    raw: bytes
    """As it was encoded, to be sent back unchanged."""

    def field(self, index: int) -> Any:
        """The field at `index`, or None where the list is shorter."""
        return self.fields[index] if index < len(self.fields) else None


class Open(NamedTuple):
    """Starts a connection. `idle_time_out` is in milliseconds."""

    container_id: str
    hostname: str | None = None
    max_frame_size: int | None = None
    channel_max: int | None = None
    idle_time_out: int | None = None


class Begin(NamedTuple):
    """Starts a session on a channel."""

    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int | None = None


class Attach(NamedTuple):
    """Attaches a link to a session. `role` is True where the peer is the receiver."""

    name: str
    handle: int
    role: bool
    snd_settle_mode: int | None = None
    rcv_settle_mode: int | None = None
    source: Composite | None = None
    target: Composite | None = None
    unsettled: dict[Any, Any] | None = None
    incomplete_unsettled: bool | None = None
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: Any = None
    desired_capabilities: Any = None
    properties: dict[Any, Any] | None = None


class Flow(NamedTuple):
    """Updates the windows of a session and, where `handle` is set, the credit of a link."""

    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool | None = None
    echo: bool | None = None


class Transfer(NamedTuple):
    """One frame of a message; the payload follows it in the frame."""

    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool | None = None
    rcv_settle_mode: int | None = None
    state: Composite | None = None
    resume: bool | None = None
    aborted: bool | None = None


class Disposition(NamedTuple):
    """Tells the state of deliveries. `role` is True where the peer was their receiver."""

    role: bool
    first: int
    last: int | None = None
    settled: bool | None = None
    state: Composite | None = None


class Detach(NamedTuple):
    """Detaches a link from its session."""

    handle: int
    closed: bool | None = None
    error: Composite | None = None


class End(NamedTuple):
    """Ends a session."""

    error: Composite | None = None


class Close(NamedTuple):
    """Ends a connection."""

    error: Composite | None = None


Performative = Open | Begin | Attach | Flow | Transfer | Disposition | Detach | End | Close


class _Layout(NamedTuple):
    """How a performative is read: its class and, for each field, the accepted Python types."""

    build: type[Any]
    types: tuple[type | tuple[type, ...], ...]
    mandatory: tuple[int, ...]


_ANYTHING = object
_LAYOUTS: dict[int, _Layout] = {
    Code.OPEN: _Layout(Open, (str, str, int, int, int), (0,)),
    Code.BEGIN: _Layout(Begin, (int, int, int, int, int), (1, 2, 3)),
    Code.ATTACH: _Layout(
        Attach,
        (
            *(str, int, bool, int, int, Composite, Composite, dict),
            *(bool, int, int, _ANYTHING, _ANYTHING, dict),
        ),
        (0, 1, 2),
    ),
    Code.FLOW: _Layout(Flow, (int, int, int, int, int, int, int, int, bool, bool), (1, 2, 3)),
    Code.TRANSFER: _Layout(
        Transfer, (int, int, bytes, int, bool, bool, int, Composite, bool, bool), (0,)
    ),
    Code.DISPOSITION: _Layout(Disposition, (bool, int, int, bool, Composite), (0, 1)),
    Code.DETACH: _Layout(Detach, (int, bool, Composite), (0,)),
    Code.END: _Layout(End, (Composite,), ()),
    Code.CLOSE: _Layout(Close, (Composite,), ()),
}


def decode_performative(body: bytes) -> tuple[Performative, int]:
    """The performative a frame body starts with, and where its payload starts.

    Raises DecodeError for an unknown performative, and for a field that is missing or of another
    type than the specification gives it.
    """
    if body[:1] != b"\x00":
        raise DecodeError("a frame body has to start with a performative")
    code, position = decode(body, 1)
    layout = _LAYOUTS.get(code) if isinstance(code, int) else None
    if layout is None:
        raise DecodeError(f"{code!r} is not the descriptor of a performative")
    build, types, mandatory = layout
    fields, positions = decode_list(body, position)
    # Fields that are beyond those of the class are not needed, and are left out.
    del fields[len(types) :]
    for index, value in enumerate(fields):
        if value is None:
            continue
        if type(value) is Described:
            raw = body[positions[index] : positions[index + 1]]
            value = fields[index] = _composite(value, raw)
        if not isinstance(value, types[index]):
            raise DecodeError(
                f"{build.__name__.lower()}: {build._fields[index]} cannot be {value!r:.60}"
            )
    for index in mandatory:
        if index >= len(fields) or fields[index] is None:
            raise DecodeError(f"{build.__name__.lower()}: {build._fields[index]} is missing")
    return build(*fields), positions[-1]


def _composite(value: Described, raw: bytes) -> Composite:
    if not isinstance(value.descriptor, int) or not isinstance(value.value, list):
        raise DecodeError(f"{value.descriptor!r:.60} does not describe a composite type")
    return Composite(value.descriptor, value.value, raw)


# --- going out ------------------------------------------------------------------------


def encode(code: int, *fields: bytes) -> bytes:
    """The body of a performative from its fields, each encoded already, in their order."""
    return encode_described(code, encode_list(fields))


def encode_error(condition: str, description: str) -> bytes:
    """An error of a detach, an end, a close or a rejected delivery.

    The third field is written although it is null: azure-servicebus reads it by its index.
    """
    return encode(Code.ERROR, encode_symbol(condition), encode_string(description), NULL)


ACCEPTED = encode_described(Code.ACCEPTED, EMPTY_LIST)
REJECTED = encode_described(Code.REJECTED, EMPTY_LIST)


def encode_rejected(condition: str, description: str) -> bytes:
    """The outcome of a delivery that was refused, with the reason."""
    return encode(Code.REJECTED, encode_error(condition, description))


def encode_source(address: str, filters: bytes) -> bytes:
    """A source with an address and a filter set (encoded); its other fields are left at null."""
    unused: Sequence[bytes] = [NULL] * 6
    return encode(Code.SOURCE, encode_string(address), *unused, filters)
