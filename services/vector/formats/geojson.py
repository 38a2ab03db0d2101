"""GeoJSON, whole (RFC 7946 and the draft of 2008 before it) and as a sequence (RFC 8142, or
one feature a line).

The file is never parsed whole: a scanner cuts it into its features, a run of them at a time.
One that is broken is set aside, and reading goes on with the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa

from services.vector.batch import Batch
from services.vector.formats import utf8
from services.vector.formats.collector import without_collector
from services.vector.formats.geojson_features import FeatureParser, Features, id_column
from services.vector.formats.json_scan import Found, Scanner, Span, first_byte
from services.vector.formats.reader import UnreadableFile
from services.vector.geometry.building import build_many
from services.vector.geometry.surveying import Survey
from services.vector.inference.json_types import JsonTyper, convert_values
from services.vector.model import (
    Chunk,
    Finding,
    Kind,
    Note,
    ReadOptions,
    SourceColumn,
    SourceLayer,
)

DRIVER: Final = "geojson"
_FALLBACK_ENCODING: Final = "cp1252"
_MIN_CHUNK_ROWS: Final = 5_000
_MAX_CHUNK_ROWS: Final = 100_000
_SAMPLE_ROWS: Final = 5_000
_MAX_CHUNK_BYTES: Final = 256 << 20
_CRS_URN: Final = re.compile(r"^urn:(?:x-)?ogc:def:crs:([A-Za-z]+):[^:]*:([A-Za-z0-9]+)$", re.I)
_CRS_URL: Final = re.compile(r"^https?://www\.opengis\.net/def/crs/([A-Za-z]+)/[^/]+/(\w+)$", re.I)
# How the records lie in the file.
_IN_MEMBER: Final = "features"  # of a document's list
_IN_ROW: Final = "sequence"  # one behind the other, or in a list
_ALONE: Final = "document"  # the document is the record


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The one layer of a file; every record is parsed, so that its columns are exact."""
    encoding = options.encoding or _FALLBACK_ENCODING
    with utf8.readable(path, options.encoding) as (file, stated), without_collector():
        survey = _survey(file, options, encoding)
        layer = SourceLayer(
            name=survey.name or path.name.split(".", 1)[0],
            kind=Kind.GEOJSON_SEQ if survey.layout == _IN_ROW else Kind.GEOJSON,
            driver=DRIVER,
            member=path.name,
            features=survey.rows,
            columns=survey.columns(),
            geometry_types=dict(survey.geometries.types),
            has_z=survey.geometries.has_z,
            crs=survey.crs,
            encoding=stated,
            bbox=survey.geometries.bbox,
            chunks=survey.chunks,
            notes=survey.notes,
            details={"_id_column": survey.id_column, "_first_key": survey.first_key},
        )
    return [layer]


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The features of a chunk."""
    with utf8.readable(path, options.encoding) as (file, _), without_collector():
        row = chunk.first_row
        batches = _features(
            file,
            str(chunk.part["layout"]),
            options.encoding or _FALLBACK_ENCODING,
            start=int(chunk.part["start"]),
            end=int(chunk.part["end"]),
            lists=int(chunk.part["lists"]) if "lists" in chunk.part else None,
            first_key=layer.details.get("_first_key"),
        )
        for features, _, _ in batches:
            yield _batch(features, row, layer)
            row += len(features)


def _batch(features: Features, first_row: int, layer: SourceLayer) -> Batch:
    id_name = layer.details.get("_id_column")
    columns: dict[str, pa.Array[Any]] = {}
    value_faults: dict[tuple[str, str], int] = {}
    for column in layer.columns:
        values: Sequence[Any] = (
            features.ids
            if column.name == id_name
            else [properties.get(column.name) for properties in features.properties]
        )
        columns[column.name], failures = convert_values(values, column.type)
        if failures:
            value_faults[column.name, f"not_{column.type.name.lower()}"] = failures
    built = build_many(features.geometries)
    texts = features.texts
    return Batch(
        rows=np.arange(first_row, first_row + len(features), dtype=np.int64),
        columns=columns,
        geometry=built.geometry,
        faults=features.faults | built.faults,
        mended=built.mended,
        value_faults=value_faults,
        raw=lambda position: texts[position].decode(errors="replace"),
    )


def _features(
    path: Path,
    layout: str,
    encoding: str,
    *,
    start: int = 0,
    end: int | None = None,
    lists: int | None = None,
    first_key: str | None = None,
) -> Iterator[tuple[Features, Scanner, FeatureParser]]:
    """Batches of records from a part of a file."""
    scanner = Scanner(
        path,
        level=1 if layout == _IN_MEMBER else 0,
        start=start,
        end=end,
        lists=lists,
        first_key=first_key,
    )
    parser = FeatureParser(scanner, encoding, alone=layout == _ALONE)
    for run in scanner.runs():
        yield parser.parse(run), scanner, parser


@dataclass(slots=True)
class _Survey:
    """What one pass over a file finds."""

    layout: str
    name: str | None = None
    rows: int = 0
    typers: dict[str, JsonTyper] = field(default_factory=dict)
    ids: JsonTyper = field(default_factory=lambda: JsonTyper("id"))
    has_ids: bool = False
    geometries: Survey = field(default_factory=Survey)
    crs: Finding = field(default_factory=lambda: Finding(value=None, confidence=0, source="file"))
    chunks: list[Chunk] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    first_key: str | None = None

    @property
    def id_column(self) -> str | None:
        return id_column(list(self.typers)) if self.has_ids else None

    def columns(self) -> list[SourceColumn]:
        """The id first, then the properties in the order in which they came up."""
        columns = [typer.result(self.rows) for typer in self.typers.values()]
        if (name := self.id_column) is not None:
            columns.insert(0, self.ids.result(self.rows).model_copy(update={"name": name}))
        return columns

    def observe(self, features: Features) -> None:
        """Take in a batch of records."""
        self.rows += len(features)
        good = [i for i in range(len(features)) if i not in features.faults]
        names: dict[str, None] = {}
        for properties in features.properties:
            names.update(dict.fromkeys(properties))
        for name in names:
            typer = self.typers.get(name) or self.typers.setdefault(name, JsonTyper(name))
            typer.observe([properties.get(name) for properties in features.properties])
        if any(identifier is not None for identifier in features.ids):
            self.has_ids = True
            self.ids.observe(features.ids)
        self.geometries.add([features.geometries[i] for i in good])


def _survey(path: Path, options: ReadOptions, encoding: str) -> _Survey:
    first = first_byte(path)
    if not first:
        raise UnreadableFile("The file is empty, or holds nothing but blanks.")
    if first == b"{":
        survey, scanner = _pass(path, _IN_MEMBER, options, encoding)
        root = scanner.root
        if survey.rows or (root.listed and _kind(root.members) == "featurecollection"):
            if (
                root.end is not None
                and (left := path.stat().st_size - root.end)
                and (_holds_text(path, root.end))
            ):
                message = f"{left:,} bytes behind the end of the document are not read"
                survey.notes.append(Note(code="text_after_end", message=message))
            return survey
        if root.end is not None and _holds_text(path, root.end, b"{"):
            return _pass(path, _IN_ROW, options, encoding)[0]
        alone, _ = _pass(path, _ALONE, options, encoding)
        _describe_root(alone, scanner)
        return alone
    return _pass(path, _IN_ROW, options, encoding)[0]


def _pass(path: Path, layout: str, options: ReadOptions, encoding: str) -> tuple[_Survey, Scanner]:
    """Read all records (or the first ones, for a sample) under the assumption of a layout."""
    survey = _Survey(layout)
    scanner = Scanner(path, level=1 if layout == _IN_MEMBER else 0)
    parser = FeatureParser(scanner, encoding, alone=layout == _ALONE, outlined=layout != _ALONE)
    cutter = _Cutter(path.stat().st_size, layout, options)
    for run in scanner.runs():
        features = parser.parse(run)
        survey.observe(features)
        cutter.add(run[: len(features)])
        if options.sample and survey.rows >= _SAMPLE_ROWS:
            break
    survey.chunks = cutter.chunks()
    survey.first_key = scanner.first_key
    survey.notes = parser.notes
    _describe_root(survey, scanner)
    return survey, scanner


class _Cutter:
    """Cuts a file into chunks, between records."""

    def __init__(self, size: int, layout: str, options: ReadOptions) -> None:
        self._size = size
        self._layout = layout
        self._options = options
        self._bounds: list[tuple[int, int, int | None]] = [(0, 0, None)]  # byte, row, lists
        self._rows = 0

    def add(self, spans: Sequence[Span]) -> None:
        """Take in the records of a run; the next record begins behind the last one's end."""
        for span in spans:
            byte, row, _ = self._bounds[-1]
            # Only where an object begins the scanner can begin anew.
            if span.found is Found.OBJECT and self._is_full(span.start - byte, self._rows - row):
                self._bounds.append((span.start, self._rows, span.lists))
            self._rows += 1

    def _is_full(self, size: int, rows: int) -> bool:
        wanted = self._options.chunk_rows
        if wanted is not None:
            return rows >= wanted
        share = min(self._size // max(1, self._options.target_chunks), _MAX_CHUNK_BYTES)
        return rows >= _MAX_CHUNK_ROWS or (rows >= _MIN_CHUNK_ROWS and size >= share)

    def chunks(self) -> list[Chunk]:
        """From each bound to the next; the last one goes to the end of the file."""
        if not self._rows:
            return []
        following = [*self._bounds[1:], (self._size, self._rows, None)]
        chunks = []
        for (byte, row, lists), (next_byte, next_row, _) in zip(
            self._bounds, following, strict=True
        ):
            part: dict[str, int | str] = {"start": byte, "end": next_byte, "layout": self._layout}
            if lists is not None:
                part["lists"] = lists
            chunks.append(Chunk(first_row=row, rows=next_row - row, part=part))
        return chunks


def _describe_root(survey: _Survey, scanner: Scanner) -> None:
    root = scanner.root
    members = {name: _value(text) for name, text in root.members.items()}
    if isinstance(members.get("name"), str):
        survey.name = members["name"] or None
    if "crs" in members:
        survey.crs = _crs(members["crs"])
    repeated = sorted(set(root.repeated))
    if repeated:
        message = f"members that the document has more than once: {', '.join(repeated)}; "
        message += "the last one counts"
        survey.notes.append(Note(code="repeated_members", message=message, count=len(repeated)))
    if root.stray:
        message = "braces that close nothing: left out"
        survey.notes.append(Note(code="stray_braces", message=message, count=root.stray))
    if members.get("type") == "Topology":
        raise UnreadableFile("This is TopoJSON, which is not read: convert it to GeoJSON.")


def _crs(member: object) -> Finding:
    """The CRS that the draft of 2008 had a member for."""
    if member is None:
        said = "the member crs is null: by the draft of 2008 the CRS is unknown"
        return Finding(value=None, confidence=0, source="file", evidence=[said])
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        said = "the member crs does not name a CRS, or only by a link, which is not followed"
        return Finding(value=None, confidence=0, source="file", evidence=[said])
    match = _CRS_URN.match(name) or _CRS_URL.match(name)
    value = f"{match[1].upper()}:{match[2]}" if match else name
    return Finding(
        value=value, confidence=1.0, source="file", evidence=[f"the member crs names {name}"]
    )


def _kind(members: dict[str, bytes]) -> str | None:
    kind = _value(members.get("type", b"null"))
    return kind.casefold() if isinstance(kind, str) else None


def _value(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _holds_text(path: Path, start: int, beginning: bytes = b"") -> bool:
    """Whether something follows that is not blank, and how it begins."""
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(1 << 20):
            if rest := block.lstrip(b" \t\r\n\x00\x1e,"):
                return rest.startswith(beginning)
    return False
