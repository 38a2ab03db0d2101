"""The one range of bytes that a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Unsatisfiable(Exception):
    """The range begins behind the end."""


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte; None for the whole, which is also the answer to what is no range.

    Raises `Unsatisfiable`.
    """
    match = _RANGE.fullmatch(header.strip()) if header is not None else None
    if match is None or match.group(0) == "bytes=-":
        return None
    start, end = match.groups()
    if not start:
        length = min(int(end), size)
        if length == 0:
            raise Unsatisfiable
        return size - length, size - 1
    first = int(start)
    if first >= size:
        raise Unsatisfiable
    last = min(int(end), size - 1) if end else size - 1
    return None if last < first else (first, last)
