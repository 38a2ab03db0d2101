"""Cuts the bytes of a KML file into the elements that are worth parsing.

An XML parser stops for good at the first fault. A KML file of a hundred thousand placemarks
with one fault in it has still all the others, so the file is not parsed as one document: it is
cut at the tags of features, and each feature is parsed alone. The scanner knows of comments and
CDATA sections, and keeps the Folders and Documents that are open; what stands between features
it does not check. Where the end of a feature is missing, it says so and goes on at the next.

Offsets count the bytes of the stream, from 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from typing import Final

from services.vector.formats.kml.source import Stream
from services.vector.formats.reader import UnreadableFile

# A feature that is larger than this is taken for one whose end is missing.
MAX_FEATURE_BYTES: Final = 64 << 20
_MAX_SMALL_BYTES: Final = 1 << 20
_MAX_TAG_BYTES: Final = 64 << 10
_READ_BYTES: Final = 1 << 20
# Features are no children of features: some in one can be nonsense that is well-formed,
# many are the features that follow one without an end.
_MAX_NESTED: Final = 8


class Kind(Enum):
    """What an element is to the reader."""

    PLACEMARK = auto()
    GROUND_OVERLAY = auto()
    SCREEN_OVERLAY = auto()
    PHOTO_OVERLAY = auto()
    NETWORK_LINK = auto()
    NETWORK_LINK_CONTROL = auto()
    UPDATE = auto()
    TOUR = auto()
    STYLE = auto()
    STYLE_MAP = auto()
    SCHEMA = auto()
    GEOMETRY = auto()  # the root of a document that has no feature


_KINDS: Final = {
    "placemark": Kind.PLACEMARK,
    "groundoverlay": Kind.GROUND_OVERLAY,
    "screenoverlay": Kind.SCREEN_OVERLAY,
    "photooverlay": Kind.PHOTO_OVERLAY,
    "networklink": Kind.NETWORK_LINK,
    "networklinkcontrol": Kind.NETWORK_LINK_CONTROL,
    "update": Kind.UPDATE,
    "tour": Kind.TOUR,
    "style": Kind.STYLE,
    "cascadingstyle": Kind.STYLE,
    "stylemap": Kind.STYLE_MAP,
    "schema": Kind.SCHEMA,
}
_CONTAINERS: Final = ("folder", "document", "kml")
_FRAME: Final = (*_CONTAINERS, "placemark")
_SPELLINGS: Final = frozenset(
    b"kml Document Folder Placemark GroundOverlay ScreenOverlay PhotoOverlay NetworkLink "
    b"NetworkLinkControl Update Tour Style CascadingStyle StyleMap Schema Point LineString "
    b"LinearRing Polygon MultiGeometry Track MultiTrack".split()
)
_LARGE: Final = (Kind.PLACEMARK, Kind.GEOMETRY, Kind.TOUR, Kind.UPDATE, Kind.NETWORK_LINK_CONTROL)
_RECORDS: Final = (Kind.PLACEMARK, Kind.GEOMETRY)
# Elements that have features in them by right.
_WITH_FEATURES: Final = (Kind.TOUR, Kind.UPDATE, Kind.NETWORK_LINK_CONTROL)
_PREFIX: Final = rb"(?:[\w.-]{1,60}:)?"


def _tokens(*names: str) -> re.Pattern[bytes]:
    """The tags of these names in any namespace and case, and what can hide tags."""
    either = "|".join(names).encode()
    return re.compile(
        rb"<(?:(!--)|(!\[CDATA\[)|(!DOCTYPE|!ENTITY)|(/?)" + _PREFIX + rb"((?i:" + either + rb"))"
        rb"(?=[\s/>]))"
    )


_tokens_of = cache(_tokens)
_TAG: Final = re.compile(rb"<(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*+>")
_PLACEMARK: Final = re.compile(rb"<" + _PREFIX + rb"(?i:placemark)(?=[\s/>])")
_NAME: Final = re.compile(rb"<([\w.:-]+)")
_DISTURBING: Final = re.compile(rb"<!--|<Placemark|<[Ff]older|</Folder|</Document|<Document")


@dataclass(slots=True)
class Container:
    """An open kml, Document or Folder, numbered in the order of the start tags."""

    number: int
    tag: str
    name: str | None = None
    features: int = 0
    containers: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """An element, or what is there of it: `fault` says why it is not whole."""

    kind: Kind
    offset: int
    data: bytes
    fault: str | None = None


@dataclass(slots=True)
class Census:
    """What was seen of the document's frame."""

    document_name: str | None = None
    folders: int = 0
    empty: int = 0
    redundant: int = 0
    late_names: dict[int, str] = field(default_factory=dict)
    misspelt: int = 0
    broken: int = 0
    unclosed: bool = False
    junk_behind: int = 0


class Scanner:
    """Iterates over the units of a stream in its order.

    While a unit is out, `open` holds the containers around it, outermost first, and
    `started` the number of containers that have begun; `version` changes whenever these do. A
    scan can begin at the offset of any unit of an earlier one, given these two. `text` decodes
    the names of containers.

    Raises UnreadableFile where a DOCTYPE declares entities.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        text: Callable[[bytes], str],
        start: int = 0,
        containers: list[Container] | None = None,
        started: int = 0,
        root_geometry: str | None = None,
    ) -> None:
        self.open = containers or []
        self.started = started
        self.version = 0
        self.census = Census()
        self._stream = stream
        self._text = text
        self._kinds = _KINDS if root_geometry is None else {root_geometry: Kind.GEOMETRY}
        self._gap = _tokens_of(*_CONTAINERS, "name", *self._kinds)
        self._buffer = b""
        self._base = start  # the offset of the buffer's first byte
        self._at = 0  # where the scan is, in the buffer
        self._gap_start = 0  # where the last unit or tag of a container ended
        self._exhausted = False
        self._absent: dict[bytes, tuple[int, int]] = {}

    def __iter__(self) -> Iterator[Unit]:
        while (token := self._next()) is not None:
            comment, cdata, doctype, slash, name = token.groups()
            behind = token.end()
            if comment or cdata:
                end = self._hidden_end(behind, bool(comment), MAX_FEATURE_BYTES)
                self._at = behind if end is None else end
            elif doctype:
                self._refuse_entities(token.start())
                self._at = behind
            else:
                yield from self._tag(token.start(), name.decode().lower(), bool(slash))
            self._trim()
        while self.open:
            self._close(len(self.open) - 1)
            self.census.unclosed = True
        if self.started:
            self.census.junk_behind = len(self._buffer[self._at :].strip(b"\0 \t\r\n"))

    def _tag(self, at: int, name: str, closing: bool) -> Iterator[Unit]:
        before, end = self._gap_start, self._tag_end(at)
        self._at = end
        hollow = self._buffer[end - 2 : end - 1] == b"/"
        if name in _CONTAINERS:
            if closing:
                matching = [n for n, each in enumerate(self.open) if each.tag == name]
                while matching and len(self.open) > matching[-1]:
                    self._close(len(self.open) - 1)
            else:
                self._begin(at, name)
                if hollow:
                    self._close(len(self.open) - 1)
        elif name == "name":
            if not closing and not hollow:
                self._name(at, end)
            return
        elif closing:
            if self._kinds[name] in _RECORDS:
                start = max(before, at - _MAX_TAG_BYTES)
                data = self._buffer[start:end]
                yield Unit(self._kinds[name], self._base + start, data, "its start tag is missing")
                self._count()
        else:
            yield from self._unit(at, end, name, hollow)
        self._gap_start = self._at

    def _unit(self, at: int, body: int, name: str, hollow: bool) -> Iterator[Unit]:
        kind = self._kinds[name]
        self._note_case(at)
        fault = None
        end: int | None = body
        if not hollow:
            end, fault = self._end_of(at, body, name, kind)
        if end is None:
            if kind not in _RECORDS:
                self.census.broken += 1
                return  # what is in it is read as if it stood alone
            end = self._resume(body)
        self._at = end
        yield Unit(kind, self._base + at, self._buffer[at:end], fault)
        if kind in _RECORDS or kind in (Kind.GROUND_OVERLAY, Kind.NETWORK_LINK):
            self._count()

    # Containers.

    def _begin(self, at: int, tag: str) -> None:
        self._note_case(at)
        if tag != "kml" and self.open:
            self.open[-1].containers += 1
        self.open.append(Container(self.started, tag))
        if tag != "kml" and self.first_document != self.started:
            self.census.folders += 1
        self.started += 1
        self.version += 1

    def _close(self, position: int) -> None:
        closed = self.open.pop(position)
        self.version += 1
        if closed.tag == "kml":
            return
        if not closed.features and not closed.containers:
            self.census.empty += 1
        if not closed.features and closed.containers == 1:
            self.census.redundant += 1

    def _count(self) -> None:
        if self.open:
            self.open[-1].features += 1

    def _name(self, at: int, body: int) -> None:
        """The first name in a container is its own; those of its atom:author are not."""
        if not self.open or self.open[-1].name is not None or self.open[-1].tag == "kml":
            return
        if self._buffer[at + 1 : at + 6].lower() == b"atom:":
            return
        end, _ = self._end_of(at, body, "name", None)
        if end is None:
            return
        container = self.open[-1]
        container.name = self._text(self._buffer[at:end])
        self.version += 1
        if container.number == self.first_document:
            self.census.document_name = container.name
        elif container.features or container.containers:
            self.census.late_names[container.number] = container.name
        self._at = end

    @property
    def first_document(self) -> int | None:
        """The number of the Document that stands for the whole file, where it is open."""
        for container in self.open:
            if container.tag != "kml":
                whole = container.tag == "document" and container.number <= 1
                return container.number if whole else None
        return None

    def _note_case(self, at: int) -> None:
        written = _NAME.match(self._buffer, at)
        if written is not None and written[1].rpartition(b":")[2] not in _SPELLINGS:
            self.census.misspelt += 1

    def _refuse_entities(self, at: int) -> None:
        self._ensure(at + _MAX_TAG_BYTES)
        declaration = self._buffer[at : at + _MAX_TAG_BYTES]
        subset = declaration.partition(b"[")[2].partition(b"]>")[0]
        if declaration.startswith(b"<!ENTITY") or b"<!ENTITY" in subset:
            raise UnreadableFile(
                "the file declares XML entities in a DOCTYPE, which KML has no use for and which "
                "can expand to any size; it is not read"
            )

    # Ends.

    def _tag_end(self, at: int) -> int:
        self._ensure(at + _MAX_TAG_BYTES)
        if tag := _TAG.match(self._buffer, at, at + _MAX_TAG_BYTES):
            return tag.end()
        end = self._buffer.find(b">", at, at + _MAX_TAG_BYTES)
        return end + 1 if end >= 0 else min(at + 1, len(self._buffer))

    def _end_of(
        self, at: int, body: int, name: str, kind: Kind | None
    ) -> tuple[int | None, str | None]:
        """Where an element ends that began at `at`, or why that cannot be said."""
        limit = MAX_FEATURE_BYTES if kind in _LARGE else _MAX_SMALL_BYTES
        if kind is Kind.PLACEMARK and (quick := self._quick_end(at, body)) is not None:
            return quick, None
        tokens = _tokens_of(name) if kind in _WITH_FEATURES else _tokens_of(name, *_FRAME)
        depth, nested, position = 1, 0, body
        while (token := self._search(tokens, position, at + limit)) is not None:
            comment, cdata, doctype, slash, found = token.groups()
            position = token.end()
            if comment or cdata:
                end = self._hidden_end(position, bool(comment), limit)
                if end is None and cdata:
                    return None, "a CDATA section in it is not closed"
                position = position if end is None else end
            elif doctype:
                continue
            elif found.decode().lower() != name:
                return None, f"{'</' if slash else '<'}{found.decode()}> comes before its end"
            elif slash:
                depth -= 1
                if not depth:
                    return self._tag_end(token.start()), None
            else:
                position = self._tag_end(token.start())
                if self._buffer[position - 2 : position - 1] != b"/":
                    depth += 1
                    nested += 1
                    if nested > _MAX_NESTED:
                        return None, "its end tag is missing"
        if self._exhausted and at + limit >= len(self._buffer):
            return None, "the file ends before it does"
        return None, f"it has no end within {limit >> 20} MB"

    def _quick_end(self, at: int, body: int) -> int | None:
        """The end of a placemark in which nothing hides or disturbs its end tag."""
        written = _NAME.match(self._buffer, at)
        if written is None:
            return None
        closing = b"</" + written[1] + b">"
        end = self._find(closing, body, _MAX_SMALL_BYTES)
        if end is None:
            return None
        data = self._buffer[body:end]
        if _DISTURBING.search(data):
            return None
        opened = data.count(b"<![CDATA[")
        if opened and (
            opened != data.count(b"]]>") or data.rfind(b"<![CDATA[") > data.rfind(b"]]>")
        ):
            return None
        return end + len(closing)

    def _hidden_end(self, start: int, comment: bool, limit: int) -> int | None:
        """Where a comment or a CDATA section ends.

        None where it does not, or swallows the beginning of a later one with its placemark.
        """
        opening, closing = (b"<!--", b"-->") if comment else (b"<![CDATA[", b"]]>")
        end = self._find(closing, start, limit)
        if end is None:
            return None
        runs_over = self._buffer.find(opening, start, end) >= 0
        if runs_over and _PLACEMARK.search(self._buffer, start, end) is not None:
            return None
        return end + 3

    def _resume(self, position: int) -> int:
        """Where to go on after a record that does not end: the next one, or the end."""
        tokens = _tokens_of(*_FRAME)
        stop = position + MAX_FEATURE_BYTES
        while (token := self._search(tokens, position, stop)) is not None:
            if (name := token.group(5)) is not None:
                closes_record = token.group(4) and name.lower() == b"placemark"
                return self._tag_end(token.start()) if closes_record else token.start()
            position = token.end()
        return min(len(self._buffer), stop)

    # The buffer.

    def _next(self) -> re.Match[bytes] | None:
        """The next tag between units; what was searched in vain is let go, but for its end."""
        start = self._at
        while (match := self._gap.search(self._buffer, start)) is None:
            end = len(self._buffer)
            start = self._partial_tag(start, end)
            if start > _READ_BYTES:
                self._at = max(self._at, start - 2 * _MAX_TAG_BYTES)
                start -= self._at
                self._drop()
            if not self._grow():
                return None
        return match

    def _search(self, pattern: re.Pattern[bytes], start: int, stop: int) -> re.Match[bytes] | None:
        """The first match at or behind `start` that begins before `stop`."""
        while (match := pattern.search(self._buffer, start)) is None:
            end = len(self._buffer)
            start = self._partial_tag(start, end)
            if end >= stop + _MAX_TAG_BYTES or not self._grow():
                return None
        return match if match.start() < stop else None

    def _partial_tag(self, start: int, end: int) -> int:
        """Where a tag may begin whose name is cut by the end of the buffer."""
        tail = self._buffer.rfind(b"<", max(start, end - 200))
        return tail if tail >= 0 else end

    def _find(self, literal: bytes, start: int, limit: int) -> int | None:
        """The first of `literal` behind `start`, within `limit` bytes.

        What was searched in vain is remembered, so that a file in which nothing is ever closed
        is not searched to its end again and again.
        """
        low, high = self._absent.get(literal, (0, 0))
        origin = start
        if low <= self._base + start < high:
            start = min(high - self._base, len(self._buffer))
        while True:
            found = self._buffer.find(literal, start, origin + limit)
            if found >= 0:
                return found
            end = min(len(self._buffer), origin + limit)
            start = max(origin, end - len(literal) + 1)
            if end >= origin + limit or not self._grow():
                low = low if low <= self._base + origin < high else self._base + origin
                self._absent[literal] = (low, max(high, self._base + start))
                return None

    def _ensure(self, length: int) -> None:
        while len(self._buffer) < length and self._grow():
            pass

    def _grow(self) -> bool:
        """Read as much again as there is, so that a long search copies little."""
        data = b"" if self._exhausted else self._stream.read(max(_READ_BYTES, len(self._buffer)))
        if not data:
            self._exhausted = True
            return False
        self._buffer += data
        return True

    def _trim(self) -> None:
        if self._at >= max(_READ_BYTES, len(self._buffer) // 2):
            self._drop()

    def _drop(self) -> None:
        self._buffer = self._buffer[self._at :]
        self._base += self._at
        self._gap_start = max(0, self._gap_start - self._at)
        self._at = 0
