"""A file to seek and read in, of which only what is read is fetched."""

from __future__ import annotations

import io
import os
from typing import Protocol

# One part holds the end of a zip archive with the longest comment, so its directory mostly too.
PART_BYTES = 128 << 10


class Ranges(Protocol):
    """Where bytes are fetched from."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end."""
        ...


class TooMuchWanted(Exception):
    """More was to be read than the reader was allowed."""


class RangeFile(io.RawIOBase):
    """A file over ranges. They are fetched in parts of 128 KiB, counted from its end, each once.

    At most `limit_bytes` are fetched: reading beyond raises `TooMuchWanted`.
    """

    def __init__(self, ranges: Ranges, *, limit_bytes: int) -> None:
        super().__init__()
        self._ranges = ranges
        self._left = limit_bytes
        self._position = 0
        self._parts: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._ranges.size}
        wanted = start[whence] + offset
        if wanted < 0:
            raise ValueError(f"a file has no place {wanted}")
        self._position = wanted
        return wanted

    def readall(self) -> bytes:
        return self.read(max(self._ranges.size - self._position, 0))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        end = min(self._position + size, self._ranges.size)
        data = bytearray()
        while self._position < end:
            start, part = self._part_at(self._position, end)
            taken = part[self._position - start : end - start]
            data += taken
            self._position += len(taken)
        return bytes(data)

    def _part_at(self, position: int, end: int) -> tuple[int, bytes]:
        """Where the part begins that has this byte, and the part. `end` is where reading ends."""
        size = self._ranges.size
        number = (size - 1 - position) // PART_BYTES
        start = max(size - (number + 1) * PART_BYTES, 0)
        if number not in self._parts:
            length = size - number * PART_BYTES - start
            # Of what is too much for all that is left, nothing is fetched.
            if max(length, end - position) > self._left:
                raise TooMuchWanted
            self._left -= length
            self._parts[number] = self._ranges.read(start, length)
        return start, self._parts[number]
