"""What is in a KML file, from one pass over all of it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import shapely

from services.vector.formats.kml import notes
from services.vector.formats.kml.batches import built, grouped
from services.vector.formats.kml.columns import ColumnFinder
from services.vector.formats.kml.geometry import GEOMETRIES
from services.vector.formats.kml.markup import Mend, NotWellFormed
from services.vector.formats.kml.names import local_name
from services.vector.formats.kml.records import Position, Record, RecordReader
from services.vector.formats.kml.scanner import Kind as UnitKind
from services.vector.formats.kml.scanner import Unit
from services.vector.formats.kml.source import Encoding, find_encoding
from services.vector.formats.kml.styles import StyleSheet
from services.vector.formats.reader import UnreadableFile
from services.vector.geometry.building import BuiltMany
from services.vector.geometry.dimensions import TYPE_NAMES
from services.vector.model import Chunk, Finding, Kind, ReadOptions, Reason, SourceLayer

# How much of a file is looked at before a job is submitted.
_SAMPLE_BYTES: Final = 16 << 20
# Places where a chunk may begin are remembered every so many rows or bytes.
_STEP_ROWS: Final = 2_500
_STEP_BYTES: Final = 4 << 20
_MIN_CHUNK_ROWS: Final = 5_000
_MAX_CHUNK_ROWS: Final = 100_000
_MIN_CHUNK_BYTES: Final = 8 << 20
_ROOT: Final = re.compile(rb"<([A-Za-z_][\w.:-]*)[\s/>]")
_HEAD_BYTES: Final = 64 << 10


@dataclass(slots=True)
class _Aside:
    """What is in the file beside its records."""

    path: Path
    styles: StyleSheet = field(default_factory=StyleSheet)
    schemas: dict[str, dict[str, str]] = field(default_factory=dict)
    counts: Counter[UnitKind] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    inner_links: int = 0
    broken: int = 0


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The one layer of a file. Raises UnreadableFile where there is no record in it."""
    encoding = find_encoding(path, options.encoding)
    survey = _Survey(path, encoding, options)
    if not survey.rows and (root := _root_geometry(path)):
        survey = _Survey(path, encoding, options, root_geometry=root)
    return [survey.layer()]


class _Survey:
    """One pass over a file."""

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        options: ReadOptions,
        root_geometry: str | None = None,
    ) -> None:
        self.rows = 0
        self._path = path
        self._encoding = encoding
        self._options = options
        self._root_geometry = root_geometry
        self._aside = _Aside(path)
        self._columns = ColumnFinder()
        self._types: Counter[str] = Counter()
        self._malformed = 0
        self._has_z = False
        self._bounds = (math.inf, math.inf, -math.inf, -math.inf)
        self._places: list[tuple[int, Position]] = []
        self._whole = True
        self._reader = RecordReader(
            path, encoding, root_geometry=root_geometry, other=self._set_aside
        )
        for group in grouped(self._passing()):
            self._observe(group)
            if options.sample and group[-1].offset > _SAMPLE_BYTES:
                self._whole = False
                break

    def layer(self) -> SourceLayer:
        census = self._reader.scanner.census
        if not self.rows:
            raise UnreadableFile(notes.nothing_to_load(self._aside.counts, self._aside.links))
        if census.late_names:
            self._columns.expect("folder_path")
        columns, sources = self._columns.result(self._declared_types(), self._reader.seen.labels)
        details = {
            "styles": self._aside.styles.resolved(),
            "_columns": [each.to_json() for each in sources],
            "_late_names": {str(number): name for number, name in census.late_names.items()},
            "_root_geometry": self._root_geometry,
        }
        return SourceLayer(
            name=census.document_name or self._path.stem,
            kind=Kind.KML,
            driver="kml",
            member=self._path.name,
            features=self.rows if self._whole else None,
            columns=columns,
            geometry_types=dict(self._types),
            has_z=self._has_z,
            crs=Finding(
                value="EPSG:4326",
                confidence=0.95,
                source="file",
                evidence=["OGC KML 2.2 says that coordinates are WGS 84 longitude and latitude"],
            ),
            encoding=self._found_encoding(),
            bbox=self._bounds if math.isfinite(self._bounds[0]) else None,
            chunks=self._chunks(),
            notes=notes.of_layer(
                census,
                self._reader.seen,
                self._reader.parser.mends,
                notes.Beside(
                    self._aside.counts,
                    self._aside.links,
                    self._aside.inner_links,
                    self._aside.broken + census.broken,
                    self._aside.styles.left_out,
                ),
                malformed=self._malformed,
            ),
            details=details,
        )

    # While the file goes by.

    def _observe(self, records: Sequence[Record]) -> None:
        shapes = built(records)
        readable = [
            record.feature
            for position, record in enumerate(records)
            if not _is_malformed(shapes, position)
        ]
        self._malformed += len(records) - len(readable)
        if readable:
            self._columns.observe(readable)
        self._observe_geometries(shapes)
        self.rows += len(records)

    def _observe_geometries(self, shapes: BuiltMany) -> None:
        kinds = shapely.get_type_id(shapes.geometry)
        kinds[list(shapes.faults)] = -2
        for kind, count in zip(*np.unique(kinds, return_counts=True), strict=True):
            if kind >= -1:
                name = "None" if kind < 0 else TYPE_NAMES[kind]
                self._types[name] += int(count)
        self._has_z = self._has_z or bool(shapely.has_z(shapes.geometry).any())
        west, south, east, north = shapely.total_bounds(shapes.geometry)
        if math.isfinite(west):
            known = self._bounds
            self._bounds = (
                min(known[0], float(west)),
                min(known[1], float(south)),
                max(known[2], float(east)),
                max(known[3], float(north)),
            )

    def _passing(self) -> Iterator[Record]:
        """The records; the places where a chunk may begin are remembered as they go by."""
        step = min(_STEP_ROWS, self._options.chunk_rows or _STEP_ROWS)
        for row, record in enumerate(self._reader):
            if not self._places or (
                row - self._places[-1][0] >= step
                or record.offset - self._places[-1][1].offset >= _STEP_BYTES
            ):
                self._places.append((row, self._reader.position_of(record)))
            yield record

    def _set_aside(self, unit: Unit) -> None:
        self._aside.counts[unit.kind] += 1
        if unit.kind not in (
            UnitKind.STYLE,
            UnitKind.STYLE_MAP,
            UnitKind.SCHEMA,
            UnitKind.NETWORK_LINK,
        ):
            return
        try:
            element = self._reader.parser.parse(unit.data)
        except NotWellFormed:
            self._aside.broken += 1
            return
        if unit.kind is UnitKind.NETWORK_LINK:
            for child in element.iter():
                if local_name(child.tag) == "href" and child.text and child.text.strip():
                    self._link(child.text.strip())
        elif unit.kind is UnitKind.SCHEMA:
            fields = {
                (child.get("name") or "").strip(): (child.get("type") or "").strip()
                for child in element
                if local_name(child.tag) == "SimpleField"
            }
            for name in {element.get("id"), element.get("name")} - {None}:
                self._aside.schemas.setdefault(str(name), fields)
        else:
            self._aside.styles.add(element)

    def _link(self, href: str) -> None:
        """A link to a file beside this one, in the same archive, leads to a layer of its own."""
        if "://" not in href and not href.startswith(("/", "..", "~")):
            target = self._path.parent / href.partition("#")[0].partition("?")[0]
            if len(href) < 1024 and target.is_file():
                self._aside.inner_links += 1
                return
        self._aside.links.append(href[:500])

    # When it is over.

    def _declared_types(self) -> dict[str, set[str]]:
        types: dict[str, set[str]] = {}
        for schema in self._reader.seen.schemas & self._aside.schemas.keys():
            for name, declared in self._aside.schemas[schema].items():
                types.setdefault(name, set()).add(declared)
        return types

    def _found_encoding(self) -> Finding:
        finding = self._encoding.finding
        others = self._reader.parser.mends[Mend.OTHER_ENCODING]
        if not others:
            return finding
        said = f"{others:,} elements are not {finding.value}, and are read as UTF-8 or cp1252"
        return finding.model_copy(
            update={
                "confidence": min(finding.confidence, 0.7),
                "evidence": [*finding.evidence, said],
            }
        )

    def _chunks(self) -> list[Chunk]:
        """Runs of about the wanted number of rows, and of not too many bytes."""
        wanted = max(1, self._options.target_chunks)
        rows = min(max(self.rows // wanted, _MIN_CHUNK_ROWS), _MAX_CHUNK_ROWS)
        size = max(self._places[-1][1].offset // wanted, _MIN_CHUNK_BYTES)
        if self._options.chunk_rows is not None:
            rows, size = self._options.chunk_rows, 1 << 62
        starts = [self._places[0]]
        for row, place in self._places[1:]:
            if row - starts[-1][0] >= rows or place.offset - starts[-1][1].offset >= size:
                starts.append((row, place))
        ends = [(row, place.offset) for row, place in starts[1:]] + [(self.rows, -1)]
        return [
            Chunk(first_row=row, rows=end - row, part={**place.as_part(), "stop": stop})
            for (row, place), (end, stop) in zip(starts, ends, strict=True)
        ]


def _is_malformed(shapes: BuiltMany, position: int) -> bool:
    fault = shapes.faults.get(position)
    return fault is not None and fault.reason is Reason.MALFORMED


def _root_geometry(path: Path) -> str | None:
    """The name of a root element that is a geometry and no feature, in lower case."""
    with path.open("rb") as file:
        root = _ROOT.search(file.read(_HEAD_BYTES))
    name = local_name(root[1].decode("ascii", "replace")) if root else ""
    return name.lower() if name in GEOMETRIES else None
