"""Finds the records of delimited text without parsing it, window by window.

A record ends at the end of a line, unless a quoted field goes on. A quote has a meaning only
at the beginning of a field; one that is never closed costs its own line and no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from services.vector.formats.dialect import Dialect

_Offsets = npt.NDArray[np.int64]

WINDOW_BYTES: Final = 4 << 20
# A quoted field that is still open after so many bytes was never meant to be one.
_MAX_QUOTED_BYTES: Final = 1 << 20
_QUOTE: Final = ord('"')
_LINE_FEED: Final = ord("\n")
_CARRIAGE_RETURN: Final = ord("\r")


@dataclass(slots=True)
class Window:
    """Some records that follow each other: `text` from byte `start` of the file.

    Record i goes from `starts[i]` to `ends[i]` in the text, without the line's end; `fields`
    is how many it has and `suspect` whether its quotes, or a stray carriage return, need a
    careful look.
    """

    start: int
    text: bytes
    starts: _Offsets
    ends: _Offsets
    fields: _Offsets
    suspect: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    def record(self, index: int) -> bytes:
        """The text of one record."""
        return self.text[self.starts[index] : self.ends[index]]


def windows(
    path: Path, dialect: Dialect, *, start: int = 0, end: int | None = None
) -> Iterator[Window]:
    """The records between two bytes of a file, without blank lines."""
    stop = path.stat().st_size if end is None else end
    base, buffer, wanted = start, b"", WINDOW_BYTES
    with path.open("rb") as file:
        file.seek(start)
        while True:
            missing = min(wanted - len(buffer), stop - base - len(buffer))
            if missing > 0:
                buffer += file.read(missing)
            if not buffer:
                return
            at_end = base + len(buffer) >= stop
            bounds = _bounds(buffer, dialect, at_end)
            if not len(bounds):
                wanted *= 2
                continue
            done = int(bounds[-1])
            yield _window(base, buffer[:done], bounds, dialect)
            buffer, base, wanted = buffer[done:], base + done, WINDOW_BYTES
            if at_end and not buffer:
                return


def _bounds(buffer: bytes, dialect: Dialect, at_end: bool) -> _Offsets:
    """Where the records end (behind the line's end), as far as they are complete."""
    array = np.frombuffer(buffer, dtype=np.uint8)
    lines = np.flatnonzero(array == _line_end(buffer)) + 1
    if at_end and (not len(lines) or lines[-1] != len(buffer)):
        lines = np.append(lines, len(buffer))
    if not dialect.quotes or b'"' not in buffer:
        return lines
    quotes = np.flatnonzero(array == _QUOTE)
    per_line = np.diff(np.searchsorted(quotes, lines), prepend=0)
    odd = np.flatnonzero(per_line % 2)
    if not len(odd):
        return lines
    keep = np.ones(len(lines), dtype=bool)
    delimiter = dialect.delimiter.encode()
    position = 0
    while position < len(odd):
        line = int(odd[position])
        position += 1
        begin = int(lines[line - 1]) if line else 0
        if not _is_open(buffer[begin : lines[line]], delimiter):
            continue
        quoted = np.flatnonzero(per_line[line + 1 :]) + line + 1
        closing = _closing_line(buffer, lines, quoted, int(lines[line]), delimiter)
        if closing is not None:
            keep[line:closing] = False
            position += int(np.searchsorted(odd[position:], closing, side="right"))
        elif not at_end and len(buffer) - begin < _MAX_QUOTED_BYTES:
            # It may be closed in what has not been read yet.
            return lines[:line][keep[:line]]
    return lines[keep]


def _closing_line(
    buffer: bytes, lines: _Offsets, quoted: _Offsets, opened: int, delimiter: bytes
) -> int | None:
    """The line that ends the field which is open at a byte, of those with quotes in them.

    None where there is none, or where the next quote does not end a field: then the one that
    opened it did not mean to.
    """
    for line in quoted.tolist():
        if lines[line - 1] - opened > _MAX_QUOTED_BYTES:
            return None
        text = buffer[lines[line - 1] : lines[line]]
        if not _closes_well(text, delimiter):
            return None
        if not _is_open(text, delimiter, quoted=True):
            return int(line)
    return None


def _closes_well(line: bytes, delimiter: bytes) -> bool:
    """Whether, within a quoted field, the first single quote is followed by a field's end."""
    text = line.rstrip(b"\r\n")
    at = text.find(b'"')
    while text[at + 1 : at + 2] == b'"':
        at = text.find(b'"', at + 2)
        if at < 0:
            return True
    return text[at + 1 : at + 2] in (b"", delimiter)


def _is_open(line: bytes, delimiter: bytes, *, quoted: bool = False) -> bool:
    """Whether a quoted field is open at the end of a line."""
    text = line.rstrip(b"\r\n")
    at = 0
    while True:
        if quoted:
            at = text.find(b'"', at)
            if at < 0:
                return True
            if text[at + 1 : at + 2] == b'"':
                at += 2
                continue
            quoted = False
            at += 1
        if text[at : at + 1] == b'"' and (at == 0 or text[at - 1 : at] == delimiter):
            quoted = True
            at += 1
            continue
        following = text.find(delimiter, at)
        if following < 0:
            return False
        at = following + 1


def _window(base: int, text: bytes, bounds: _Offsets, dialect: Dialect) -> Window:
    array = np.frombuffer(text, dtype=np.uint8)
    starts = np.concatenate(([0], bounds[:-1])).astype(np.int64)
    ends = bounds.astype(np.int64)
    for end_of_line in (_LINE_FEED, _CARRIAGE_RETURN):
        ends = ends - ((ends > starts) & (array[ends - 1] == end_of_line))
    filled = ends > starts
    if b"\0" in text:  # what a crash or a copy left at the end of a file
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        filled &= [bool(text[start:end].strip(b"\0 \t")) for start, end in spans]
    starts, ends = starts[filled], ends[filled]
    delimiters = np.flatnonzero(array == ord(dialect.delimiter))
    suspect = np.zeros(len(starts), dtype=bool)
    if dialect.quotes and b'"' in text:
        quotes = np.flatnonzero(array == _QUOTE)
        first = np.searchsorted(quotes, starts)
        suspect = (np.searchsorted(quotes, ends) - first) % 2 == 1
        # A delimiter between quotes divides nothing.
        owner = np.clip(np.searchsorted(starts, delimiters, side="right") - 1, 0, None)
        before = np.searchsorted(quotes, delimiters)
        if len(starts):
            delimiters = delimiters[(before - first[owner]) % 2 == 0]
        suspect |= _has_inner_quotes(array, quotes, starts, ends, ord(dialect.delimiter))
    if b"\r" in text:
        returns = np.flatnonzero(array == _CARRIAGE_RETURN)
        suspect |= np.searchsorted(returns, ends) > np.searchsorted(returns, starts)
    fields = np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts) + 1
    return Window(base, text, starts, ends, fields, suspect)


def _has_inner_quotes(
    array: npt.NDArray[np.uint8],
    quotes: _Offsets,
    starts: _Offsets,
    ends: _Offsets,
    delimiter: int,
) -> npt.NDArray[np.bool_]:
    """Which records have a quote that neither opens, closes nor doubles another one."""
    before = array[np.maximum(quotes - 1, 0)]
    after = array[np.minimum(quotes + 1, len(array) - 1)]
    borders = (delimiter, _QUOTE, _LINE_FEED, _CARRIAGE_RETURN)
    proper = (quotes == 0) | (quotes == len(array) - 1)
    proper |= np.isin(before, borders) | np.isin(after, borders)
    strange = quotes[~proper]
    return np.searchsorted(strange, ends) > np.searchsorted(strange, starts)


def _line_end(buffer: bytes) -> int:
    """The byte that ends lines: a line feed, or in very old files a carriage return."""
    return _LINE_FEED if b"\n" in buffer or b"\r" not in buffer else _CARRIAGE_RETURN
