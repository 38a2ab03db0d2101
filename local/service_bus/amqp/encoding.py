"""AMQP values to bytes (part 1 of the specification).

The encoders of lists and maps take parts that are encoded already, so that what a client sent
can be sent on byte for byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from local.service_bus.amqp.values import Described, Opaque, RawMap, Symbol

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_F64 = struct.Struct(">d")


NULL = b"\x40"
TRUE = b"\x41"
FALSE = b"\x42"
EMPTY_LIST = b"\x45"


def encode_boolean(value: bool) -> bytes:
    """A boolean."""
    return TRUE if value else FALSE


def encode_ubyte(value: int) -> bytes:
    """An unsigned integer of 8 bits."""
    return bytes((0x50, value))


def encode_ushort(value: int) -> bytes:
    """An unsigned integer of 16 bits."""
    return b"\x60" + _U16.pack(value)


def encode_uint(value: int) -> bytes:
    """An unsigned integer of 32 bits."""
    if value == 0:
        return b"\x43"
    return bytes((0x52, value)) if value < 256 else b"\x70" + _U32.pack(value)


def encode_ulong(value: int) -> bytes:
    """An unsigned integer of 64 bits."""
    if value == 0:
        return b"\x44"
    return bytes((0x53, value)) if value < 256 else b"\x80" + _U64.pack(value)


def encode_int(value: int) -> bytes:
    """A signed integer of 32 bits."""
    return b"\x71" + _I32.pack(value)


def encode_long(value: int) -> bytes:
    """A signed integer of 64 bits."""
    return b"\x81" + _I64.pack(value)


def encode_double(value: float) -> bytes:
    """A 64-bit floating-point number."""
    return b"\x82" + _F64.pack(value)


def encode_timestamp(milliseconds: int) -> bytes:
    """A point in time, in milliseconds since 1970 (UTC)."""
    return b"\x83" + _I64.pack(milliseconds)


def encode_uuid(value: UUID) -> bytes:
    """A UUID, most significant byte first."""
    return b"\x98" + value.bytes


def encode_binary(value: bytes) -> bytes:
    """A sequence of bytes."""
    size = len(value)
    return bytes((0xA0, size)) + value if size < 256 else b"\xb0" + _U32.pack(size) + value


def encode_string(value: str) -> bytes:
    """A text."""
    data = value.encode("utf-8")
    size = len(data)
    return bytes((0xA1, size)) + data if size < 256 else b"\xb1" + _U32.pack(size) + data


def encode_symbol(value: str) -> bytes:
    """A symbol; the value must be ASCII."""
    data = value.encode("ascii")
    size = len(data)
    return bytes((0xA3, size)) + data if size < 256 else b"\xb3" + _U32.pack(size) + data


def encode_list(items: Sequence[bytes]) -> bytes:
    """A list of items that are encoded already."""
    return _compound(0xC0, b"".join(items), len(items)) if items else EMPTY_LIST


def encode_map(pairs: Mapping[bytes, bytes]) -> bytes:
    """A map whose keys and values are encoded already."""
    return _compound(0xC1, b"".join(key + value for key, value in pairs.items()), 2 * len(pairs))


def encode_raw_map(content: RawMap) -> bytes:
    """A map from pairs that are encoded already."""
    return _compound(0xC1, content.pairs, content.length)


def _compound(short: int, body: bytes, count: int) -> bytes:
    if len(body) < 255 and count < 256:
        return bytes((short, len(body) + 1, count)) + body
    return bytes((short + 0x10,)) + _U32.pack(len(body) + 4) + _U32.pack(count) + body


def encode_symbols(values: Iterable[str]) -> bytes:
    """An array of symbols."""
    items = [value.encode("ascii") for value in values]
    return _array(0xB3, [_U32.pack(len(item)) + item for item in items])


def encode_longs(values: Iterable[int]) -> bytes:
    """An array of signed integers of 64 bits."""
    return _array(0x81, [_I64.pack(value) for value in values])


def encode_timestamps(values: Iterable[int]) -> bytes:
    """An array of timestamps, in milliseconds since 1970 (UTC)."""
    return _array(0x83, [_I64.pack(value) for value in values])


def _array(constructor: int, elements: Sequence[bytes]) -> bytes:
    body = bytes((constructor,)) + b"".join(elements)
    return b"\xf0" + _U32.pack(len(body) + 4) + _U32.pack(len(elements)) + body


def encode_described(code: int, value: bytes) -> bytes:
    """A value, encoded already, under a numeric descriptor below 256."""
    return bytes((0x00, 0x53, code)) + value


def encode(value: Any) -> bytes:
    """A Python value in an AMQP type that holds it; a whole number becomes a long.

    Raises TypeError for a value without an AMQP type.
    """
    match value:
        case None:
            return NULL
        case bool():
            return encode_boolean(value)
        case Symbol():
            return encode_symbol(value)
        case str():
            return encode_string(value)
        case bytes():
            return encode_binary(value)
        case int():
            return encode_long(value) if value < 2**63 else encode_ulong(value)
        case float():
            return encode_double(value)
        case UUID():
            return encode_uuid(value)
        case Opaque():
            return bytes((value.constructor,)) + value.data
        case Described():
            return b"\x00" + encode(value.descriptor) + encode(value.value)
        case list() | tuple():
            return encode_list([encode(item) for item in value])
        case dict():
            return encode_map({encode(key): encode(item) for key, item in value.items()})
    raise TypeError(f"{type(value).__name__} has no AMQP type")
