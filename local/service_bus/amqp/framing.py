"""Frames and protocol headers on a connection (part 2, section 2.3 of AMQP 1.0)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"

AMQP_FRAME = 0
SASL_FRAME = 1

MIN_MAX_FRAME_SIZE = 512
"""Frames up to this size (bytes) are accepted by every peer, whatever it announced."""

_HEADER = struct.Struct(">IBBH")  # size, data offset in words of 4 bytes, type, channel
_WORDS = 2

TRANSFER_ROOM = 64
"""Bytes kept free in a frame for its header and the fields of a transfer."""


class FramingError(ValueError):
    """The bytes on the connection are not AMQP frames; nothing after them can be understood."""


class ProtocolHeader(NamedTuple):
    """The eight bytes by which a peer asks for a protocol layer."""

    data: bytes


class Frame(NamedTuple):
    """A frame without its header. An empty body is a sign of life."""

    type: int
    channel: int
    body: bytes


def encode_frame(body: bytes, channel: int = 0, frame_type: int = AMQP_FRAME) -> bytes:
    """A frame around `body`."""
    return _HEADER.pack(_HEADER.size + len(body), _WORDS, frame_type, channel) + body


HEARTBEAT = encode_frame(b"")


class FrameReader:
    """Cuts a stream of bytes into protocol headers and frames.

    `max_frame_size` (bytes) is what the own side announced: a peer that sends more is in error,
    and is found out by the frame's header, before the frame is gathered in memory.
    """

    def __init__(self, max_frame_size: int) -> None:
        self._max_frame_size = max_frame_size
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame | ProtocolHeader]:
        """Takes bytes from the wire; gives what they complete. Raises FramingError."""
        self._buffer += data
        position = 0
        try:
            while len(self._buffer) - position >= _HEADER.size:
                # "AMQP" read as a frame's size would be 1 GB, so the two cannot be mixed up.
                if self._buffer.startswith(b"AMQP", position):
                    end = position + _HEADER.size
                    item: Frame | ProtocolHeader = ProtocolHeader(bytes(self._buffer[position:end]))
                else:
                    size, words, kind, channel = _HEADER.unpack_from(self._buffer, position)
                    self._check(size, words)
                    end = position + size
                    if end > len(self._buffer):
                        break
                    item = Frame(kind, channel, bytes(self._buffer[position + 4 * words : end]))
                position = end
                yield item
        finally:
            del self._buffer[:position]

    def _check(self, size: int, words: int) -> None:
        if size > self._max_frame_size:
            raise FramingError(
                f"a frame of {size} bytes is larger than the {self._max_frame_size} bytes announced"
            )
        if words < _WORDS or 4 * words > size:
            raise FramingError(f"a frame of {size} bytes cannot have its body at {4 * words}")
