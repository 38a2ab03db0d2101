"""Finds the objects of a JSON document without parsing it, in bounded memory at any size.

A window of the file is searched for quotes and braces at once; the few bytes between objects
are read token by token. Objects are counted at one level: 0 for a sequence of them or a list,
1 for the members of a document such as a FeatureCollection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import orjson

from services.vector.formats.reader import UnreadableFile

WINDOW_BYTES: Final = 4 << 20
# An object that is still open after so many bytes is checked for one that begins inside it.
_SUSPICIOUS_BYTES: Final = 4 << 20
# A single object beyond this is not taken into memory.
MAX_OBJECT_BYTES: Final = 128 << 20
_MAX_MEMBER_BYTES: Final = 1 << 20
_KEY_BYTES: Final = 1 << 10

_QUOTE, _BACKSLASH, _OPEN, _CLOSE = b'"\\{}'
_KEY: Final = re.compile(rb'\{\s*("(?:[^"\\]|\\.){0,100}")\s*:')
_TOKENS: Final = re.compile(
    rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\[\]{},:"\s\x00\x1e\xef\xbb\xbf]+|"', re.DOTALL
)
_BLANK: Final = b" \t\r\n\x00\x1e\xef\xbb\xbf"


class Found(StrEnum):
    """What a span of the file holds."""

    OBJECT = "object"
    SCALAR = "scalar"  # something else than an object, where one belongs
    BROKEN = "broken"  # no JSON


@dataclass(frozen=True, slots=True)
class Span:
    """A record's bytes: `end` is behind the last one. `lists` is how many lists are around it."""

    found: Found
    start: int
    end: int
    text: bytes
    lists: int = 0


@dataclass(slots=True)
class Root:
    """What a document says beside its records: its members, as far as they are small."""

    members: dict[str, bytes] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    listed: bool = False  # whether a list of records was seen
    end: int | None = None  # behind its closing brace
    stray: int = 0  # braces that close nothing


class Scanner:
    """Yields the records of bytes `start` to `end` of a file, in runs that lie together.

    `level` is 0 or 1, see above; `list_name` is the member that holds the records at level 1;
    `lists` is how many lists are around `start`, where that lies between two records (else
    None). `first_key` is the key that records
    begin with, by which the next one is found behind a broken one; it is taken from the first
    record where it is not given.
    """

    def __init__(
        self,
        path: Path,
        *,
        level: int,
        list_name: str = "features",
        start: int = 0,
        end: int | None = None,
        lists: int | None = None,
        first_key: str | None = None,
    ) -> None:
        self.root = Root()
        self.first_key = first_key
        self._path = path
        self._level = level
        self._list = list_name
        self._end = path.stat().st_size if end is None else end
        self._base = start  # the byte of the file that the buffer begins with
        self._buffer = b""
        self._window = WINDOW_BYTES
        self._lists = lists or 0
        self._key: str | None = list_name if lists is not None and level else None
        self._awaits_root = bool(level) and lists is None
        self._at_end = False
        self._resume_at: int | None = None

    def runs(self) -> Iterator[list[Span]]:
        """Runs of records in the file's order, of about a window each.

        Raises `UnreadableFile` for an object that is too large to be taken into memory.
        """
        with self._path.open("rb") as file:
            file.seek(self._base)
            while self.root.end is None:
                at_end = self._at_end = self._fill(file)
                if not self._buffer:
                    return
                lists = self._lists
                run, used = self._scan(at_end)
                if run:
                    yield run
                if self._resume_at is not None:
                    used, self._resume_at = self._resume_at - self._base, None
                    self._lists, self.root.end = lists or self._level, None
                    self._key = self._list if self._level else None
                self._buffer = self._buffer[used:]
                self._base += used
                if used:
                    self._window = WINDOW_BYTES
                elif at_end:
                    return
                else:
                    self._window *= 2

    def broken(self, span: Span) -> Span:
        """What is lost of an object of the last run that turned out to be no JSON.

        Where another object begins inside of it the scanner goes on there: what follows in
        the run is void.
        """
        again = self._next_object(span.text, 1)
        begin, end = span.start - self._base, span.end - self._base
        if again is not None:
            end = begin + again
        elif not self._is_separated(end):
            # It ended too early: what follows is the rest of it.
            end = self._next_object(self._buffer, end) or (
                len(self._buffer) if self._at_end else end
            )
        if end != span.end - self._base:
            self._resume_at = self._base + end
        return Span(Found.BROKEN, span.start, self._base + end, self._buffer[begin:end])

    @property
    def resumes(self) -> bool:
        """Whether the rest of the last run is void."""
        return self._resume_at is not None

    def _fill(self, file: BinaryIO) -> bool:
        """Read on to a full window; whether the end is reached."""
        wanted = min(self._window - len(self._buffer), self._end - self._base - len(self._buffer))
        if wanted > 0:
            self._buffer += file.read(wanted)
        return self._base + len(self._buffer) >= self._end

    def _scan(self, at_end: bool) -> tuple[list[Span], int]:
        """The records that are complete in the buffer, and how much of it is done with."""
        run: list[Span] = []
        done = 0
        if self._awaits_root:
            done = self._buffer.index(b"{") + 1
            self._awaits_root = False
        starts, ends, closing = _objects(self._buffer, done)
        for start, end in zip(starts, ends, strict=False):
            self._read_between(done, start, run)
            self._take(start, end, run)
            done = end
        if closing is not None:
            self._read_between(done, closing, run)
            if self._level and not self._lists:
                self.root.end = self._base + closing + 1
            else:
                self.root.stray += 1
            return run, closing + 1
        if len(starts) > len(ends):
            return self._leave_open(starts[-1], done, at_end, run)
        if at_end:
            self._read_between(done, len(self._buffer), run)
            return run, len(self._buffer)
        return run, done

    def _take(self, start: int, end: int, run: list[Span]) -> None:
        text = self._buffer[start:end]
        if self._in_list:
            self._learn(text)
            run.append(Span(Found.OBJECT, self._base + start, self._base + end, text, self._lists))
        elif self._key is not None and not self._lists:
            self._keep(self._key, text)

    def _learn(self, record: bytes) -> None:
        if self.first_key is None and (key := _KEY.match(record)):
            self.first_key = key[1].decode(errors="replace")

    def _leave_open(
        self, start: int, done: int, at_end: bool, run: list[Span]
    ) -> tuple[list[Span], int]:
        """An object that does not end in the buffer: read on, or go on behind its beginning."""
        self._read_between(done, start, run)
        size = len(self._buffer) - start
        if not at_end and size < _SUSPICIOUS_BYTES:
            return run, start
        if self._in_list:
            self._learn(self._buffer[start : start + _KEY_BYTES])
        again = self._next_object(self._buffer, start + 1)
        if again is None and not at_end:
            if size > MAX_OBJECT_BYTES:
                raise UnreadableFile(
                    f"The object at byte {self._base + start:,} has more than "
                    f"{MAX_OBJECT_BYTES >> 20} MB: it cannot be read as one record"
                )
            return run, start
        stop = len(self._buffer) if again is None else again
        if self._in_list:
            text = self._buffer[start:stop]
            run.append(Span(Found.BROKEN, self._base + start, self._base + stop, text))
        return run, stop

    @property
    def _in_list(self) -> bool:
        return not self._level or (self._lists > 0 and self._key == self._list)

    def _is_separated(self, at: int) -> bool:
        """Whether a record could end here: another one follows, or the list's end."""
        following = self._buffer[at : at + _KEY_BYTES].lstrip(_BLANK)
        if not following.startswith(b","):
            return not following or following[:1] in b"]{"
        return following[1:].lstrip(_BLANK)[:1] in (b"", b"{", b"]")

    def _next_object(self, text: bytes, after: int) -> int | None:
        """Where the next record seems to begin: a brace and the key that they begin with."""
        if self.first_key is None:
            return None
        key = re.escape(self.first_key.encode())
        value = rb"\s*\"(?i:feature)\"" if self.first_key == '"type"' else b""
        found = re.compile(rb"[,\[\s\x1e}](\{\s*" + key + rb"\s*:" + value + rb")").search(
            text, after - 1
        )
        return found.start(1) if found else None

    # The text between objects.

    def _read_between(self, start: int, end: int, run: list[Span]) -> None:
        between = self._buffer[start:end]
        if self._in_list and between.strip(_BLANK) in (b"", b","):
            return
        name: bytes | None = None
        is_value = False
        for match in _TOKENS.finditer(between):
            token = match[0]
            match token:
                case b"[":
                    self._lists += 1
                    if self._in_list:
                        self.root.listed = True
                case b"]":
                    self._lists = max(0, self._lists - 1)
                case b",":
                    is_value = False
                    if not self._lists and self._level:
                        self._key = None
                case b":":
                    is_value = True
                    if name is not None and not self._lists and self._level:
                        self._enter(name)
                case b"{" | b"}":
                    self.root.stray += 1
                case _ if self._in_list:
                    run.append(self._bit(token, self._base + start + match.start()))
                case _:
                    if is_value and not self._lists and self._key is not None:
                        self._keep(self._key, token)
                    name = token

    def _enter(self, name: bytes) -> None:
        key = _text(name)
        if key in self.root.members or (key == self._list and self.root.listed):
            self.root.repeated.append(key)
        self._key = key

    def _bit(self, token: bytes, at: int) -> Span:
        try:
            orjson.loads(token)
        except orjson.JSONDecodeError:
            return Span(Found.BROKEN, at, at + len(token), token)
        return Span(Found.SCALAR, at, at + len(token), token)

    def _keep(self, key: str, value: bytes) -> None:
        self.root.members[key] = value if len(value) <= _MAX_MEMBER_BYTES else b"null"


def first_byte(path: Path) -> bytes:
    """The first byte of a file that is no blank, as far as 64 KB; empty where there is none."""
    with path.open("rb") as file:
        return file.read(64 << 10).lstrip(_BLANK)[:1]


def _text(token: bytes) -> str:
    try:
        return str(orjson.loads(token))
    except orjson.JSONDecodeError:
        return token.decode(errors="replace")


def _objects(buffer: bytes, begin: int) -> tuple[list[int], list[int], int | None]:
    """Of the outermost objects from `begin` on where they start and (behind it) end.

    The last one may have no end. What comes behind a brace that closes none of them is left
    out; its place is the third value.
    """
    array = np.frombuffer(buffer, dtype=np.uint8)[begin:]
    quotes = np.flatnonzero(array == _QUOTE)
    if b"\\" in buffer:
        quotes = _without_escaped(array, quotes)
    braces = np.flatnonzero((array == _OPEN) | (array == _CLOSE))
    braces = braces[np.searchsorted(quotes, braces) % 2 == 0]
    opens = array[braces] == _OPEN
    depth = np.cumsum(np.where(opens, 1, -1))
    closing = None
    below = np.flatnonzero(depth < 0)
    if len(below):
        closing = begin + int(braces[below[0]])
        braces, opens, depth = braces[: below[0]], opens[: below[0]], depth[: below[0]]
    starts = braces[opens & (depth == 1)] + begin
    ends = braces[~opens & (depth == 0)] + begin + 1
    return starts.tolist(), ends.tolist(), closing


def _without_escaped(
    array: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """The quotes that have an even number of backslashes before them."""
    suspects = np.flatnonzero((quotes > 0) & (array[quotes - 1] == _BACKSLASH))
    keep = np.ones(len(quotes), dtype=bool)
    for index in suspects.tolist():
        at = int(quotes[index])
        before = at - 1
        while before >= 0 and array[before] == _BACKSLASH:
            before -= 1
        keep[index] = (at - before - 1) % 2 == 0
    return quotes[keep]
