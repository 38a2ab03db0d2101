"""The records of a KML file, one behind the other, wherever in it one begins to read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.vector.batch import Fault
from services.vector.formats.kml.features import Feature, Observations, read_feature
from services.vector.formats.kml.markup import MarkupParser, NotWellFormed
from services.vector.formats.kml.scanner import Container, Kind, Scanner, Unit
from services.vector.formats.kml.source import Encoding, open_stream
from services.vector.model import Reason

# What a record's row in quarantine shows of its source, at most.
_MAX_RAW_BYTES: Final = 1 << 20
_MAX_PATH_DEPTH: Final = 64
_FOOTPRINT: Final = re.compile(rb"<(?:[\w.-]+:)?(?:LatLonQuad|LatLonBox)[\s>]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two units from which a file can be read on; travels in a chunk's part."""

    offset: int = 0
    started: int = 0
    containers: str = "[]"

    @classmethod
    def of(cls, scanner: Scanner, offset: int) -> Position:
        around = [(each.number, each.tag, each.name) for each in scanner.open]
        return cls(offset, scanner.started, json.dumps(around, ensure_ascii=False))

    @classmethod
    def from_part(cls, part: dict[str, int | str]) -> Position:
        return cls(int(part["start"]), int(part["started"]), str(part["containers"]))

    def as_part(self) -> dict[str, int | str]:
        return {"start": self.offset, "started": self.started, "containers": self.containers}

    def open_containers(self) -> list[Container]:
        return [Container(number, tag, name) for number, tag, name in json.loads(self.containers)]


@dataclass(frozen=True, slots=True)
class Record:
    """A feature, where it is in the file, and its source."""

    offset: int
    data: bytes
    feature: Feature


class RecordReader:
    """Reads one file's records; what is no record goes to `other`.

    `late_names` are names that stand behind the first feature of their Folder, by the
    Folder's number.
    """

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        *,
        position: Position | None = None,
        root_geometry: str | None = None,
        late_names: dict[str, str] | None = None,
        other: Callable[[Unit], None] | None = None,
    ) -> None:
        self.parser = MarkupParser(encoding.name)
        self.seen = Observations()
        position = position or Position()
        self._stream = open_stream(path, encoding, position.offset)
        self.scanner = Scanner(
            self._stream,
            text=self.parser.text,
            start=position.offset,
            containers=position.open_containers(),
            started=position.started,
            root_geometry=root_geometry,
        )
        self._late_names = late_names or {}
        self._other = other
        self._path = ""
        self._path_version = -1

    def __iter__(self) -> Iterator[Record]:
        """Raises UnreadableFile as the scanner does."""
        try:
            for unit in self.scanner:
                if _is_record(unit):
                    yield Record(unit.offset, unit.data, self._feature(unit))
                elif self._other is not None:
                    self._other(unit)
        finally:
            self._stream.close()

    def position_of(self, record: Record) -> Position:
        """Where a later reading can begin with this record, which is the one just read."""
        return Position.of(self.scanner, record.offset)

    def raw(self, data: bytes) -> str:
        """The source text of a record, verbatim, cut at a megabyte."""
        return self.parser.decode(data[:_MAX_RAW_BYTES])

    def _feature(self, unit: Unit) -> Feature:
        feature = self._malformed(unit, unit.fault) if unit.fault else self._parsed(unit)
        if path := self._folder_path():
            feature.texts["folder_path"] = path
        return feature

    def _parsed(self, unit: Unit) -> Feature:
        try:
            element = self.parser.parse(unit.data)
            if unit.kind is Kind.GEOMETRY:
                element = _as_placemark(element)
            feature = read_feature(element, self.seen)
        except NotWellFormed as error:
            return self._malformed(unit, f"it is not well-formed: {error}")
        if not feature.raw_markup:
            return feature
        try:
            return read_feature(self.parser.parse_literally(unit.data), Observations())
        except NotWellFormed:
            return feature  # its texts without the markup

    def _malformed(self, unit: Unit, why: str | None) -> Feature:
        detail = f"the placemark at byte {unit.offset:,} cannot be read: {why}"
        return Feature(fault=Fault(Reason.MALFORMED, detail))

    def _folder_path(self) -> str:
        """The names of the Folders around, without the Document that is the whole file."""
        if self._path_version != self.scanner.version:
            whole = self.scanner.first_document
            names = [
                each.name or self._late_names.get(str(each.number))
                for each in self.scanner.open[:_MAX_PATH_DEPTH]
                if each.number != whole
            ]
            self._path = " / ".join(name.replace(" / ", " \\/ ") for name in names if name)
            self._path_version = self.scanner.version
        return self._path


def _is_record(unit: Unit) -> bool:
    """Placemarks, and overlays whose footprint is given: those are polygons on the map."""
    if unit.kind is Kind.GROUND_OVERLAY:
        return _FOOTPRINT.search(unit.data) is not None
    return unit.kind in (Kind.PLACEMARK, Kind.GEOMETRY)


def _as_placemark(geometry: Any) -> Any:
    """A document's root that is a geometry, as the only child of a placemark."""
    placemark = geometry.makeelement("Placemark", {})
    placemark.append(geometry)
    return placemark
