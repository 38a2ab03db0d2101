"""What AMQP values are in Python, beside the types that Python has itself.

None, bool, int (every integer width, and timestamp in milliseconds since 1970), float, str,
`Symbol`, bytes, UUID, list (list and array), dict (map), `Described`, and `Opaque` for the
decimal types, which Python has no counterpart for.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class DecodeError(ValueError):
    """The bytes are not a well-formed AMQP value."""


class Symbol(str):
    """A name from a constrained domain; the encoding is ASCII and differs from that of str."""

    __slots__ = ()


class Described(NamedTuple):
    """A value with the descriptor that tells what it means."""

    descriptor: Any
    value: Any


class Opaque(NamedTuple):
    """A value of a type kept as it came: its constructor byte and its bytes."""

    constructor: int
    data: bytes


class RawMap(NamedTuple):
    """Keys and values in their encoded form, ready for `encode_raw_map`."""

    pairs: bytes
    length: int
    """Keys plus values, as AMQP counts them."""


EMPTY_MAP = RawMap(b"", 0)
