"""What goes over the pipe between a sandboxed child and its parent.

Each frame is a header (4 bytes of length, big-endian, 1 byte of kind) and a body: JSON, the
bytes of a range, or the number of a sink (1 byte) and bytes for it.
"""

from __future__ import annotations

import struct
from enum import IntEnum

HEADER = struct.Struct(">IB")
MAX_FRAME_BYTES = 64 << 20
EMITTED_FRAME_BYTES = 256 << 10


class Frame(IntEnum):
    """The kinds of frames."""

    START = 1
    READY = 2
    CALL = 3
    READ = 4
    DATA = 5
    EMIT = 6
    RESULT = 7
