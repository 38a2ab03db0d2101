"""Values survive encoding, and broken bytes are refused in one way only."""

from __future__ import annotations

import math
import struct
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.service_bus.amqp import codec
from local.service_bus.amqp.codec import DecodeError, Described, Opaque, RawMap, Symbol

symbols = st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol)
texts = st.text(st.characters(codec="utf-8"), max_size=300)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | texts
    | symbols
    | st.binary(max_size=300)
    | st.uuids()
    | st.binary(min_size=4, max_size=4).map(lambda data: Opaque(0x74, data))
)
keys = st.integers(-(2**63), 2**63 - 1) | texts | symbols | st.uuids()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=20)
        | st.dictionaries(keys, inner, max_size=8)
        | st.builds(Described, symbols, inner)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(values, st.binary(max_size=3), st.binary(max_size=3))
@example([None] * 256, b"", b"")
@example({"k" * 255: "v" * 256}, b"", b"")
def test_a_value_is_decoded_as_it_was_encoded(value: Any, before: bytes, after: bytes) -> None:
    buffer = before + codec.encode(value) + after
    end = len(buffer) - len(after)
    decoded, position = codec.decode(buffer, len(before))
    assert position == end
    assert decoded == value
    assert type(decoded) is type(value)
    assert codec.skip(buffer, len(before)) == end


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (codec.encode_ubyte(255), 255),
        (codec.encode_ushort(65535), 65535),
        (codec.encode_uint(0), 0),
        (codec.encode_uint(255), 255),
        (codec.encode_uint(2**32 - 1), 2**32 - 1),
        (codec.encode_ulong(0), 0),
        (codec.encode_ulong(2**64 - 1), 2**64 - 1),
        (codec.encode_int(-(2**31)), -(2**31)),
        (codec.encode_long(-(2**63)), -(2**63)),
        (codec.encode_timestamp(1_700_000_000_000), 1_700_000_000_000),
        (codec.encode_double(math.inf), math.inf),
        (codec.encode_symbols(["a", "bc"]), ["a", "bc"]),
        (codec.encode_longs([1, -1]), [1, -1]),
        (codec.encode_timestamps([]), []),
        # As other encoders write them:
        (b"\x56\x01", True),
        (b"\x51\xff", -1),
        (b"\x54\x80", -128),
        (b"\x55\x7f", 127),
        (b"\x61\xff\xfe", -2),
        (b"\x72\x3f\x80\x00\x00", 1.0),
        (b"\x73\x00\x01\xf6\x00", "\N{GRINNING FACE}"),
        (b"\xe0\x06\x02\xa1\x01a\x01b", ["a", "b"]),
        (b"\xe0\x07\x02\x00\x53\x24\x50\x01\x02", [Described(0x24, 1), Described(0x24, 2)]),
    ],
)
def test_encodings_of_each_width(encoded: bytes, value: Any) -> None:
    assert codec.decode(encoded) == (value, len(encoded))
    assert codec.skip(encoded, 0) == len(encoded)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
@example(b"\x00" * 60)
@example(b"\xc0\x02\x01" * 20)
@example(b"\x73\x80\x00\x00\x00")  # a character beyond what Python has numbers for
@example(b"\xd1\x00\x00\x00\x06\x00\x00\x00\x02\x45\x40")  # a map with a list as its key
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    for read in (codec.decode, lambda buffer: (None, codec.skip(buffer, 0))):
        try:
            _, end = read(data)
        except DecodeError:
            continue
        assert 0 < end <= len(data)


@settings(max_examples=200, deadline=None)
@given(values, st.data())
def test_a_value_cut_short_is_refused(value: Any, data: st.DataObject) -> None:
    encoded = codec.encode(value)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    with pytest.raises(DecodeError):
        codec.decode(cut)
    with pytest.raises(DecodeError):
        codec.skip(cut, 0)


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",  # four billion nulls
        b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff",  # four billion items
        b"\xc0\x03\x01\x40\x40",  # a list that is shorter than its size
        b"\xc1\x02\x01\x40",  # a key without a value
        b"\xa1\x02\xff\xff",  # not UTF-8
        b"\xa3\x01\xff",  # not ASCII
        b"\x3f",  # no constructor
        b"\x73\x00\x11\x00\x00",  # no character
        b"\xc0\xff\x01" * 40,
    ],
)
def test_hostile_values_are_refused(hostile: bytes) -> None:
    with pytest.raises(DecodeError):
        codec.decode(hostile)


def test_nesting_is_limited() -> None:
    value: Any = None
    for _ in range(codec.MAX_DEPTH):
        value = [value]
    assert codec.decode(codec.encode(value))[0] == value
    for deeper in ([value], {"key": value}, Described(1, value)):
        with pytest.raises(DecodeError, match="nested"):
            codec.decode(codec.encode(deeper))
    with pytest.raises(DecodeError, match="nested"):
        codec.skip(b"\x00" * 100, 0)


@settings(deadline=None)
@given(st.dictionaries(symbols, scalars, max_size=10), st.sets(symbols, max_size=3))
def test_a_map_is_split_without_touching_what_is_kept(
    content: dict[str, Any], wanted: set[str]
) -> None:
    wanted |= set(list(content)[::2])
    kept, found = codec.split_map(codec.encode(content), 0, frozenset(wanted))
    assert codec.decode(codec.encode_raw_map(kept))[0] == {
        key: value for key, value in content.items() if key not in wanted
    }
    assert {key: codec.decode(raw)[0] for key, raw in found.items()} == {
        key: value for key, value in content.items() if key in wanted
    }


def test_a_list_is_decoded_with_the_positions_of_its_items() -> None:
    items = [b"\x40", codec.encode_string("text"), codec.encode_uint(7)]
    encoded = b"\x00" + codec.encode_list(items)
    decoded, positions = codec.decode_list(encoded, 1)
    assert decoded == [None, "text", 7]
    assert [encoded[a:b] for a, b in pairwise(positions)] == items
    assert codec.decode_list(codec.EMPTY_LIST) == ([], [1])


def test_what_has_no_type_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="set has no AMQP type"):
        codec.encode({1, 2})


def test_long_maps_have_the_long_form() -> None:
    content = RawMap(codec.encode_symbol("k" * 200) + codec.encode_string("v" * 200), 2)
    encoded = codec.encode_raw_map(content)
    assert encoded[0] == 0xD1
    assert struct.unpack_from(">II", encoded, 1) == (len(content.pairs) + 4, 2)
    assert codec.decode(encoded)[0] == {"k" * 200: "v" * 200}


def test_uuids_are_big_endian() -> None:
    assert codec.encode_uuid(UUID(int=1)) == b"\x98" + b"\x00" * 15 + b"\x01"
