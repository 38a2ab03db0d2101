"""Bytes on the wire become frames, however they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.service_bus.amqp import framing, serial_numbers
from local.service_bus.amqp.framing import Frame, FrameReader, FramingError, ProtocolHeader

bodies = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=80)), max_size=10)


@settings(deadline=None)
@given(bodies, st.integers(1, 50))
def test_frames_do_not_depend_on_how_bytes_arrive(sent: list[tuple[int, bytes]], cut: int) -> None:
    wire = framing.SASL_HEADER + b"".join(framing.encode_frame(b, c) for c, b in sent)
    reader = FrameReader(512)
    received = [
        item
        for start in range(0, len(wire), cut)
        for item in reader.feed(wire[start : start + cut])
    ]
    assert received == [
        ProtocolHeader(framing.SASL_HEADER),
        *(Frame(framing.AMQP_FRAME, channel, body) for channel, body in sent),
    ]


def test_an_extended_header_is_passed_over() -> None:
    data = b"\x00\x00\x00\x0e\x03\x00\x00\x05extnxx"
    assert list(FrameReader(512).feed(data)) == [Frame(0, 5, b"xx")]


def test_a_frame_over_the_limit_is_found_by_its_header() -> None:
    with pytest.raises(FramingError, match="513 bytes is larger than the 512"):
        list(FrameReader(512).feed(b"\x00\x00\x02\x01\x02\x00\x00\x00"))


@pytest.mark.parametrize("header", [b"\x00\x00\x00\x07\x02", b"\x00\x00\x00\x08\x01"])
def test_impossible_headers_are_refused(header: bytes) -> None:
    with pytest.raises(FramingError):
        list(FrameReader(512).feed(header + b"\x00\x00\x00"))


def test_what_came_before_an_error_is_given() -> None:
    frames = FrameReader(512).feed(framing.HEARTBEAT + b"\xff" * 8)
    assert next(frames) == Frame(0, 0, b"")
    with pytest.raises(FramingError):
        next(frames)


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31) + 1, 2**31 - 1))
def test_serial_numbers_go_round(start: int, steps: int) -> None:
    end = serial_numbers.after(start, steps)
    assert 0 <= end < 2**32
    assert serial_numbers.distance(start, end) == steps
