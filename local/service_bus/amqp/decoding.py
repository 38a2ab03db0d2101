"""Bytes to AMQP values (part 1 of the specification).

A broker passes message bodies on without understanding them. Besides `decode`, which builds
Python values, there is therefore `skip`, which finds where a value ends without building it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

from local.service_bus.amqp.values import DecodeError, Described, Opaque, RawMap, Symbol

MAX_DEPTH = 32
"""Nesting of lists, maps and described values beyond which a value is refused."""

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_I16 = struct.Struct(">h")
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_F32 = struct.Struct(">f")
_F64 = struct.Struct(">d")


Decoded = tuple[Any, int]
_MALFORMED = (IndexError, struct.error, TypeError, ValueError, OverflowError)
"""What decoders raise: at a missing end, for a map's key without a hash, for what is no text."""

_TRUNCATED = "the value ends before its bytes do"

_Decoder = Callable[[bytes, int, int], Decoded]
"""(buffer, position after the constructor, depth) -> (value, position after the value)"""


def decode(buffer: bytes, position: int = 0) -> Decoded:
    """The value that starts at `position` and the position just after it.

    Raises DecodeError for anything that is not a complete, well-formed value.
    """
    try:
        value, end = _decode(buffer, position, 0)
    except _MALFORMED as error:
        raise _decode_error(error) from None
    # Slices of bytes do not complain about a missing end, so a truncated value shows here.
    if end > len(buffer):
        raise DecodeError(_TRUNCATED)
    return value, end


def decode_list(buffer: bytes, position: int = 0) -> tuple[list[Any], list[int]]:
    """The items of the list that starts at `position`, and the positions around them.

    Item number n is encoded between positions number n and n + 1. Raises DecodeError.
    """
    length, position = list_header(buffer, position)
    if length > len(buffer):
        raise DecodeError("a list or map is longer than its bytes")
    items: list[Any] = []
    positions = [position]
    try:
        for _ in range(length):
            value, position = _decode(buffer, position, 1)
            items.append(value)
            positions.append(position)
    except _MALFORMED as error:
        raise _decode_error(error) from None
    if position > len(buffer):
        raise DecodeError(_TRUNCATED)
    return items, positions


def _decode_error(error: Exception) -> DecodeError:
    if isinstance(error, DecodeError):
        return error
    truncated = isinstance(error, IndexError | struct.error)
    return DecodeError(_TRUNCATED if truncated else str(error))


def _decode(buffer: bytes, position: int, depth: int) -> Decoded:
    return _DECODERS[buffer[position]](buffer, position + 1, depth)


def _constant(value: Any) -> _Decoder:
    return lambda _buffer, position, _depth: (value, position)


def _empty_list(_buffer: bytes, position: int, _depth: int) -> Decoded:
    return [], position


def _fixed(layout: struct.Struct) -> _Decoder:
    width, unpack = layout.size, layout.unpack_from
    return lambda buffer, position, _depth: (unpack(buffer, position)[0], position + width)


def _unsigned_byte(buffer: bytes, position: int, _depth: int) -> Decoded:
    return buffer[position], position + 1


def _signed_byte(buffer: bytes, position: int, _depth: int) -> Decoded:
    value = buffer[position]
    return (value - 256 if value > 127 else value), position + 1


def _boolean_byte(buffer: bytes, position: int, _depth: int) -> Decoded:
    return buffer[position] != 0, position + 1


def _character(buffer: bytes, position: int, _depth: int) -> Decoded:
    return chr(_U32.unpack_from(buffer, position)[0]), position + 4


def _uuid(buffer: bytes, position: int, _depth: int) -> Decoded:
    return UUID(bytes=buffer[position : position + 16]), position + 16


def _opaque(constructor: int, width: int) -> _Decoder:
    return lambda buffer, position, _depth: (
        Opaque(constructor, buffer[position : position + width]),
        position + width,
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8")


def _symbol(data: bytes) -> Symbol:
    return Symbol(data.decode("ascii"))


def _variable8(convert: Callable[[bytes], Any]) -> _Decoder:
    def decoder(buffer: bytes, position: int, _depth: int) -> Decoded:
        end = position + 1 + buffer[position]
        return convert(buffer[position + 1 : end]), end

    return decoder


def _variable32(convert: Callable[[bytes], Any]) -> _Decoder:
    def decoder(buffer: bytes, position: int, _depth: int) -> Decoded:
        end = position + 4 + _U32.unpack_from(buffer, position)[0]
        return convert(buffer[position + 4 : end]), end

    return decoder


def _list8(buffer: bytes, position: int, depth: int) -> Decoded:
    end = position + 1 + buffer[position]
    return _items(buffer, position + 2, buffer[position + 1], end, depth), end


def _list32(buffer: bytes, position: int, depth: int) -> Decoded:
    end = position + 4 + _U32.unpack_from(buffer, position)[0]
    count = _U32.unpack_from(buffer, position + 4)[0]
    return _items(buffer, position + 8, count, end, depth), end


def _map8(buffer: bytes, position: int, depth: int) -> Decoded:
    items, end = _list8(buffer, position, depth)
    return _paired(items), end


def _map32(buffer: bytes, position: int, depth: int) -> Decoded:
    items, end = _list32(buffer, position, depth)
    return _paired(items), end


def _items(buffer: bytes, position: int, count: int, end: int, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"values are nested more than {MAX_DEPTH} deep")
    if end > len(buffer) or count > end - position:
        raise DecodeError("a list or map is longer than its bytes")
    items = []
    for _ in range(count):
        value, position = _decode(buffer, position, depth + 1)
        items.append(value)
    if position != end:
        raise DecodeError("a list or map does not end where its size says")
    return items


def _paired(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise DecodeError("a map has a key without a value")
    pairs = iter(items)
    return dict(zip(pairs, pairs, strict=True))


def _array8(buffer: bytes, position: int, depth: int) -> Decoded:
    end = position + 1 + buffer[position]
    return _elements(buffer, position + 2, buffer[position + 1], end, depth), end


def _array32(buffer: bytes, position: int, depth: int) -> Decoded:
    end = position + 4 + _U32.unpack_from(buffer, position)[0]
    count = _U32.unpack_from(buffer, position + 4)[0]
    return _elements(buffer, position + 8, count, end, depth), end


def _elements(buffer: bytes, position: int, count: int, end: int, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"values are nested more than {MAX_DEPTH} deep")
    # The count is checked against the bytes even though elements such as null take none: a few
    # bytes must not be able to ask for four billion elements.
    if end > len(buffer) or count > end - position:
        raise DecodeError("an array is longer than its bytes")
    constructor = buffer[position]
    position += 1
    descriptor = None
    if constructor == 0x00:
        descriptor, position = _decode(buffer, position, depth + 1)
        constructor = buffer[position]
        position += 1
    decoder = _DECODERS[constructor]
    elements = []
    for _ in range(count):
        value, position = decoder(buffer, position, depth + 1)
        elements.append(value if descriptor is None else Described(descriptor, value))
    if position != end:
        raise DecodeError("an array does not end where its size says")
    return elements


def _described(buffer: bytes, position: int, depth: int) -> Decoded:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"values are nested more than {MAX_DEPTH} deep")
    descriptor, position = _decode(buffer, position, depth + 1)
    value, position = _decode(buffer, position, depth + 1)
    return Described(descriptor, value), position


def _unknown(buffer: bytes, position: int, _depth: int) -> Decoded:
    raise DecodeError(f"0x{buffer[position - 1]:02x} is not the constructor of an AMQP type")


_DECODERS: list[_Decoder] = [_unknown] * 256
for _constructor, _decoder in {
    0x00: _described,
    0x40: _constant(None),
    0x41: _constant(True),
    0x42: _constant(False),
    0x43: _constant(0),  # uint 0
    0x44: _constant(0),  # ulong 0
    0x45: _empty_list,
    0x50: _unsigned_byte,
    0x51: _signed_byte,
    0x52: _unsigned_byte,  # smalluint
    0x53: _unsigned_byte,  # smallulong
    0x54: _signed_byte,  # smallint
    0x55: _signed_byte,  # smalllong
    0x56: _boolean_byte,
    0x60: _fixed(_U16),
    0x61: _fixed(_I16),
    0x70: _fixed(_U32),
    0x71: _fixed(_I32),
    0x72: _fixed(_F32),
    0x73: _character,
    0x74: _opaque(0x74, 4),
    0x80: _fixed(_U64),
    0x81: _fixed(_I64),
    0x82: _fixed(_F64),
    0x83: _fixed(_I64),  # timestamp
    0x84: _opaque(0x84, 8),
    0x94: _opaque(0x94, 16),
    0x98: _uuid,
    0xA0: _variable8(bytes),
    0xA1: _variable8(_text),
    0xA3: _variable8(_symbol),
    0xB0: _variable32(bytes),
    0xB1: _variable32(_text),
    0xB3: _variable32(_symbol),
    0xC0: _list8,
    0xC1: _map8,
    0xD0: _list32,
    0xD1: _map32,
    0xE0: _array8,
    0xF0: _array32,
}.items():
    _DECODERS[_constructor] = _decoder

# --- passing over values --------------------------------------------------------------

_FIXED_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
"""By the high half of the constructor, which the specification makes the width's code."""


def skip(buffer: bytes, position: int, values: int = 1) -> int:
    """The position just after the value, or several, at `position`; they are not decoded."""
    end = position
    try:
        for _ in range(values):
            end = _skip(buffer, end, 0)
    except (IndexError, struct.error):
        raise DecodeError(_TRUNCATED) from None
    if end > len(buffer):
        raise DecodeError(_TRUNCATED)
    return end


def _skip(buffer: bytes, position: int, depth: int) -> int:
    constructor = buffer[position]
    if constructor == 0x00:
        if depth >= MAX_DEPTH:
            raise DecodeError(f"values are nested more than {MAX_DEPTH} deep")
        return _skip(buffer, _skip(buffer, position + 1, depth + 1), depth + 1)
    kind = constructor >> 4
    if kind in (0xA, 0xC, 0xE):
        return position + 2 + buffer[position + 1]
    if kind in (0xB, 0xD, 0xF):
        return position + 5 + int(_U32.unpack_from(buffer, position + 1)[0])
    if kind in _FIXED_WIDTHS:
        return position + 1 + _FIXED_WIDTHS[kind]
    raise DecodeError(f"0x{constructor:02x} is not the constructor of an AMQP type")


def list_header(buffer: bytes, position: int) -> tuple[int, int]:
    """How many items the list at `position` has, and where the first one starts."""
    return _compound_header(buffer, position, 0xC0, "list")


def map_header(buffer: bytes, position: int) -> tuple[int, int]:
    """How many keys and values the map at `position` has, and where the first key starts."""
    return _compound_header(buffer, position, 0xC1, "map")


def _compound_header(buffer: bytes, position: int, short: int, name: str) -> tuple[int, int]:
    try:
        constructor = buffer[position]
        if constructor == short:
            return buffer[position + 2], position + 3
        if constructor == short + 0x10:
            return _U32.unpack_from(buffer, position + 5)[0], position + 9
        if constructor == 0x45 and name == "list":
            return 0, position + 1
    except (IndexError, struct.error):
        raise DecodeError(f"the {name} ends before its bytes do") from None
    raise DecodeError(f"a {name} was expected, not constructor 0x{constructor:02x}")


def split_map(
    buffer: bytes, position: int, wanted: frozenset[str]
) -> tuple[RawMap, dict[str, bytes]]:
    """The map at `position` without the `wanted` keys, and the wanted ones' encoded values."""
    count, position = map_header(buffer, position)
    if count % 2:
        raise DecodeError("a map has a key without a value")
    kept = bytearray()
    kept_count = 0
    found: dict[str, bytes] = {}
    for _ in range(count // 2):
        key, value_at = decode(buffer, position)
        end = skip(buffer, value_at)
        if isinstance(key, str) and key in wanted:
            found[key] = buffer[value_at:end]
        else:
            kept += buffer[position:end]
            kept_count += 2
        position = end
    return RawMap(bytes(kept), kept_count), found
