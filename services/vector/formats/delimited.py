"""Delimited text: CSV, TSV and their relatives, with the place in some of the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import shapely

from core.counting import counted
from services.vector.batch import Batch
from services.vector.formats import delimited_rows, delimited_scan, utf8
from services.vector.formats import dialect as dialects
from services.vector.formats.delimited_rows import Rows
from services.vector.formats.dialect import Dialect
from services.vector.formats.reader import UnreadableFile
from services.vector.geometry.dimensions import TYPE_NAMES
from services.vector.geometry.located import Placed, place
from services.vector.inference import encoding as encodings
from services.vector.inference import locations
from services.vector.inference.locations import Form, Location
from services.vector.inference.text_forms import TextForm
from services.vector.inference.types import TextTyper, convert
from services.vector.model import (
    Chunk,
    Finding,
    Kind,
    Note,
    ReadOptions,
    SourceColumn,
    SourceLayer,
)

DRIVER: Final = "delimited"
_SAMPLE_BYTES: Final = 1 << 20
_MAX_CHUNK_ROWS: Final = 250_000
_MIN_CHUNK_ROWS: Final = 5_000
_BATCH_ROWS: Final = 50_000
_MAX_COLUMNS: Final = 1_500
_MESSAGES: Final = {
    "fields_missing": "records with fewer fields than columns: what is missing is null",
    "fields_cut": "records with empty fields beyond the last column: left out",
    "undecodable": "parts of the file with bytes that are not in the encoding: replaced by U+FFFD",
}


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The one layer of a file; every record is looked at, so that its types hold for all."""
    encoding = _encoding(path, options)
    with utf8.narrow(path, str(encoding.value)) as file:
        survey = _survey(file, encoding, options)
        location = survey.location
        columns, forms = survey.columns()
        details: dict[str, Any] = {
            "dialect": survey.dialect.model_dump(),
            "_header_end": survey.header_end,
            "_forms": forms,
            "_location": None if location is None else _location_json(location),
        }
        layer = SourceLayer(
            name=path.name.rsplit(".", 1)[0],
            kind=Kind.CSV,
            driver=DRIVER,
            member=path.name,
            features=survey.rows,
            columns=columns,
            geometry_types=dict(survey.geometry_types),
            has_z=survey.has_z,
            crs=survey.crs(),
            encoding=encoding,
            location=None if location is None else _location_finding(location),
            bbox=survey.bbox,
            chunks=survey.chunks,
            notes=survey.notes(),
            details=details,
        )
    return [layer]


def read(
    path: Path,
    layer: SourceLayer,
    chunk: Chunk,
    options: ReadOptions,  # noqa: ARG001  # of every reader; what they say is in the layer
) -> Iterator[Batch]:
    """The records of a chunk."""
    dialect = Dialect.model_validate(layer.details["dialect"])
    stored = layer.details["_location"]
    location = None if stored is None else _location_of(stored)
    forms = {name: TextForm.model_validate(form) for name, form in layer.details["_forms"].items()}
    encoding = str(layer.encoding.value) if layer.encoding is not None else "utf-8"
    with utf8.narrow(path, encoding) as file:
        row = chunk.first_row
        for window in delimited_scan.windows(
            file, dialect, start=int(chunk.part["start"]), end=int(chunk.part["end"])
        ):
            if not len(window):
                continue
            rows = delimited_rows.parse(window, dialect, _text_encoding(encoding))
            yield _batch(rows, window, row, layer, location, forms, dialect, encoding)
            row += len(window)


def _batch(
    rows: Rows,
    window: delimited_scan.Window,
    first_row: int,
    layer: SourceLayer,
    location: Location | None,
    forms: dict[str, TextForm],
    dialect: Dialect,
    encoding: str,
) -> Batch:
    texts = dict(zip((column.name for column in layer.columns), rows.columns, strict=True))
    placed = (
        Placed(np.full(len(window), None, dtype=object))
        if location is None
        else place(texts, location, decimal_comma=dialect.decimal_comma)
    )
    columns: dict[str, pa.Array[Any]] = {}
    value_faults: dict[tuple[str, str], int] = {}
    for column in layer.columns:
        columns[column.name], failures = convert(
            texts[column.name], column.type, forms.get(column.name)
        )
        if failures:
            value_faults[column.name, f"not_{column.type.name.lower()}"] = failures
    decoded = _text_encoding(encoding)
    return Batch(
        rows=np.arange(first_row, first_row + len(window), dtype=np.int64),
        columns=columns,
        geometry=placed.geometry,
        faults=placed.faults | rows.faults,
        mended=placed.mended,
        value_faults=value_faults,
        raw=lambda position: window.record(position).decode(decoded, errors="replace"),
    )


@dataclass(slots=True)
class _Survey:
    """What one pass over a file finds."""

    dialect: Dialect
    header_end: int
    names: list[str]
    typers: list[TextTyper]
    location: Location | None = None
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    said: list[Note] = field(default_factory=list)
    geometry_types: Counter[str] = field(default_factory=Counter)
    has_z: bool = False
    bbox: tuple[float, float, float, float] | None = None
    srids: set[int] = field(default_factory=set)
    chunks: list[Chunk] = field(default_factory=list)

    def observe(self, rows: Rows) -> None:
        """Take in the records of a window."""
        for typer, texts in zip(self.typers, rows.columns, strict=True):
            typer.observe(texts)
        count = len(rows.columns[0])
        self.rows += count
        self.counts.update(rows.counts)
        if self.location is None:
            self.geometry_types["None"] += count
            return
        texts = dict(zip(self.names, rows.columns, strict=True))
        placed = place(texts, self.location, decimal_comma=self.dialect.decimal_comma)
        self.srids |= placed.srids
        self._observe_geometry(placed)

    def _observe_geometry(self, placed: Placed) -> None:
        kinds, counts = np.unique(shapely.get_type_id(placed.geometry), return_counts=True)
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
            name = "None" if kind < 0 else TYPE_NAMES[kind]
            self.geometry_types[name] += count
        self.has_z |= bool(shapely.has_z(placed.geometry).any())
        west, south, east, north = shapely.total_bounds(placed.geometry).tolist()
        if np.isfinite(west):
            if self.bbox is not None:
                west, south = min(west, self.bbox[0]), min(south, self.bbox[1])
                east, north = max(east, self.bbox[2]), max(north, self.bbox[3])
            self.bbox = (west, south, east, north)

    def columns(self) -> tuple[list[SourceColumn], dict[str, dict[str, Any]]]:
        """The columns, and the forms of those whose texts are not written plainly."""
        results = [typer.result() for typer in self.typers]
        forms = {
            typed.column.name: typed.form.model_dump(exclude_defaults=True)
            for typed in results
            if typed.form != TextForm()
        }
        return [typed.column for typed in results], forms

    def crs(self) -> Finding:
        """What the columns say of the CRS: an SRID, or degrees by their names."""
        if len(self.srids) == 1:
            (srid,) = self.srids
            return Finding(
                value=f"EPSG:{srid}",
                confidence=0.95,
                source="content",
                evidence=[f"all geometries that name an SRID name {srid}"],
            )
        if self.srids:
            listed = ", ".join(str(srid) for srid in sorted(self.srids)[:5])
            return Finding(
                value=None,
                confidence=0,
                source="content",
                evidence=[f"the geometries name different SRIDs: {listed}"],
            )
        if self.location is None:
            return Finding(value=None, confidence=0, source="assumption")
        evidence = list(self.location.evidence)
        named = self.location.source == "name" and self.location.confidence >= _SURELY_DEGREES
        if self.location.geographic and (named or self.location.form in _DEGREES):
            return Finding(value="EPSG:4326", confidence=0.9, source="name", evidence=evidence)
        return Finding(value=None, confidence=0, source="content", evidence=evidence)

    def notes(self) -> list[Note]:
        """What is worth knowing."""
        notes = [*self.said]
        notes += [
            Note(code=code, message=_MESSAGES[code], count=count)
            for code, count in self.counts.items()
        ]
        if self.location is None:
            notes.append(Note(code="no_location", message=locations.looked_for()))
        elif self.location.swapped:
            notes.append(Note(code="columns_swapped", message="; ".join(self.location.evidence)))
        return notes


_DEGREES: Final = (Form.GEOJSON, Form.PAIR)
# Names such as longitude; x and y alone are coordinates of any CRS.
_SURELY_DEGREES: Final = 0.85


def _survey(path: Path, encoding: Finding, options: ReadOptions) -> _Survey:
    text_encoding = _text_encoding(str(encoding.value))
    survey = _begin(path, text_encoding)
    cutter = _Cutter(path.stat().st_size, options)
    for window in delimited_scan.windows(path, survey.dialect, start=survey.header_end):
        if not len(window):
            continue
        rows = delimited_rows.parse(window, survey.dialect, text_encoding)
        if not survey.rows:
            survey.location = _locate(survey, rows.columns, options)
        survey.observe(rows)
        cutter.add(window)
        if options.sample:
            break
    if not survey.rows:
        nothing = [pa.array([], type=pa.string()) for _ in survey.names]
        survey.location = _locate(survey, nothing, options)
    survey.chunks = cutter.chunks(survey.header_end)
    return survey


def _locate(survey: _Survey, columns: list[pa.Array[Any]], options: ReadOptions) -> Location | None:
    return locations.find(
        dict(zip(survey.names, columns, strict=True)),
        x_column=options.x_column,
        y_column=options.y_column,
        wkt_column=options.wkt_column,
        decimal_comma=survey.dialect.decimal_comma,
        has_header=survey.dialect.header,
    )


def _begin(path: Path, encoding: str) -> _Survey:
    """Find out the dialect and read the header."""
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
    mark = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    sample = head[mark:].decode(encoding, errors="replace")
    if not sample.strip("\x00 \t\r\n"):
        raise UnreadableFile("The file is empty, or holds nothing but blanks.")
    dialect = dialects.detect(sample)
    if dialect.fields > _MAX_COLUMNS:
        raise UnreadableFile(
            f"The file has {dialect.fields:,} columns, more than the {_MAX_COLUMNS:,} that a "
            "table can have"
        )
    begin = mark + _bytes_of_lines(head[mark:], dialect.skip)
    header: list[str] | None = None
    if dialect.header:
        window = next(delimited_scan.windows(path, dialect, start=begin), None)
        if window is not None and len(window):
            record = window.record(0).decode(encoding, errors="replace")
            header = delimited_rows.split(record, dialect) or None
            begin = window.start + int(window.starts[1] if len(window) > 1 else len(window.text))
    if header is not None and len(header) > dialect.fields:
        dialect = dialect.model_copy(update={"fields": len(header)})
    names, said = delimited_rows.column_names(header, dialect.fields)
    survey = _Survey(
        dialect,
        begin,
        names,
        [TextTyper(name, commas=dialect.decimal_comma) for name in names],
    )
    survey.said = [Note(code="column_names", message=sentence) for sentence in said]
    if dialect.skip:
        message = f"{counted(dialect.skip, 'line')} before the header without data"
        survey.said.append(Note(code="preamble", message=message, count=dialect.skip))
    return survey


def _bytes_of_lines(text: bytes, lines: int) -> int:
    """How many bytes the first lines have."""
    return sum(map(len, text.splitlines(keepends=True)[:lines]))


class _Cutter:
    """Cuts a file into chunks, between the windows that it is read in."""

    def __init__(self, size: int, options: ReadOptions) -> None:
        share = size // max(1, options.target_chunks)
        self._chunk_bytes = share
        self._chunk_rows = options.chunk_rows
        self._bounds: list[tuple[int, int]] = []  # byte, row
        self._rows = 0
        self._end = 0

    def add(self, window: delimited_scan.Window) -> None:
        """Take in a window."""
        if self._chunk_rows is None:
            if not self._bounds or self._is_full(window.start):
                self._bounds.append((window.start, self._rows))
        else:
            due = self._bounds[-1][1] + self._chunk_rows if self._bounds else 0
            for row in range(due, self._rows + len(window), self._chunk_rows):
                start = window.start + int(window.starts[row - self._rows])
                self._bounds.append((start, row))
        self._rows += len(window)
        self._end = window.start + len(window.text)

    def _is_full(self, byte: int) -> bool:
        start, row = self._bounds[-1]
        rows = self._rows - row
        return rows >= _MAX_CHUNK_ROWS or (
            rows >= _MIN_CHUNK_ROWS and byte - start >= self._chunk_bytes
        )

    def chunks(self, begin: int) -> list[Chunk]:
        """From each bound to the next."""
        if not self._rows:
            return []
        following = [*self._bounds[1:], (self._end, self._rows)]
        return [
            Chunk(
                first_row=row,
                rows=next_row - row,
                part={"start": max(byte, begin), "end": next_byte},
            )
            for (byte, row), (next_byte, next_row) in zip(self._bounds, following, strict=True)
        ]


def _encoding(path: Path, options: ReadOptions) -> Finding:
    """The encoding of the file, by the parameter or by its bytes."""
    if options.encoding is not None:
        return encodings.override(options.encoding)
    wide = utf8.wide_encoding(path)
    if wide is not None:
        return wide
    with path.open("rb") as file:
        return encodings.guess(iter(lambda: file.read(_SAMPLE_BYTES), b""))


def _text_encoding(encoding: str) -> str:
    """What the opened file is in: wide encodings have been turned into UTF-8."""
    plain = utf8.is_wide(encoding) or encoding in ("utf-8", "utf-8-sig", "ascii")
    return "utf-8" if plain else encoding


def _location_finding(location: Location) -> Finding:
    return Finding(
        value={"form": location.form.value, "columns": list(location.columns)},
        confidence=location.confidence,
        source=location.source,
        evidence=list(location.evidence),
    )


def _location_json(location: Location) -> dict[str, Any]:
    return {"form": location.form.value, "columns": list(location.columns)}


def _location_of(stored: dict[str, Any]) -> Location:
    return Location(Form(stored["form"]), tuple(stored["columns"]), 1.0, "file", ())
