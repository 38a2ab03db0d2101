"""What process_vector makes of real files, in a sandboxed child and without a database.

Run as a program this prints the table that `tests/data/vector_corpus.tsv` is made of; each line
of it is then to be looked at and cut down to what it must say::

    python -m tests.support.vector_corpus ../shared/data > tests/data/vector_corpus.tsv
"""

from __future__ import annotations

import itertools
import shutil
import struct
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import shapely

from core.errors import PermanentTaskError
from core.models.vector_report import RecordCounts
from infrastructure.file_cache import Entry
from infrastructure.sandbox import Limits, Sandbox
from services.vector import survey
from services.vector.formats.gdal_environment import ENVIRONMENT, PRELOAD
from services.vector.model import Note
from services.vector.parameters import ProcessVector
from services.vector.plan import LayerPlan
from services.vector.planning import plan_layers
from services.vector.source_files import LocalSource

FOLDERS = ("1_natural_earth", "2_broken_vector", "3_protected_areas", "6_events")

_PARTS_OF_A_SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj")
_OTHER_PARTS = (".sbn", ".sbx")
_LIMITS = Limits(cpu_seconds=120, wall_seconds=120.0, written_file_bytes=1 << 30, open_files=1024)
# An address asks for no settings of the app's; nothing is fetched from it.
_NOWHERE = "https://corpus.test/"
_HEADINGS = "path\toutcome\tread\tloaded\tquarantined\trepairs\tnotes\tmessage"


@dataclass(frozen=True)
class Outcome:
    """What became of a file. `message` is why it was refused, or of an expectation a part of
    it; `notes` are the codes of what was said of it besides."""

    path: str
    refused: bool = False
    read: int = 0
    loaded: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    message: str = ""

    def __str__(self) -> str:
        figures = [self.path, "refused" if self.refused else "read", self.read, self.loaded]
        figures += [_counts_text(self.quarantined), _counts_text(self.repairs)]
        return "\t".join(str(each) for each in (*figures, ", ".join(self.notes), self.message))

    @classmethod
    def parse(cls, line: str) -> Self:
        """The outcome that a line of the table tells."""
        path, outcome, read, loaded, quarantined, repairs, notes, message = line.split("\t")
        return cls(
            path,
            outcome == "refused",
            int(read),
            int(loaded),
            _counts(quarantined),
            _counts(repairs),
            tuple(notes.split(", ")) if notes else (),
            message,
        )


@dataclass(frozen=True)
class Loaded:
    """An outcome with the geometries that would be loaded, by the records' numbers from 1."""

    outcome: Outcome
    geometries: dict[int, list[shapely.Geometry]]


def expected(table: Path) -> dict[str, Outcome]:
    """The expectations of a table by their files' paths."""
    headings, *lines = table.read_text(encoding="utf-8").splitlines()
    assert headings == _HEADINGS
    return {each.path: each for each in map(Outcome.parse, lines)}


def sources(data: Path) -> list[str]:
    """The vector files below the sample data, each with its sidecars taken as one."""
    aside = {*_PARTS_OF_A_SHAPEFILE, *_OTHER_PARTS} - {".shp"}
    return sorted(
        path.relative_to(data).as_posix()
        for folder in FOLDERS
        for path in (data / folder).rglob("*")
        if path.is_file() and path.suffix not in aside
    )


class Corpus:
    """Takes files through inspection, planning and cleaning as a job's tasks do."""

    def __init__(self, data: Path, child: Sandbox, scratch: Path) -> None:
        self._data = data
        self._child = child
        self._scratch = scratch
        self._numbers = itertools.count()

    @classmethod
    @contextmanager
    def of(cls, data: Path) -> Iterator[Self]:
        """With a child and a folder of its own."""
        with (
            tempfile.TemporaryDirectory(prefix="geoforge-corpus-") as scratch,
            Sandbox(_LIMITS, environment=ENVIRONMENT, preload=PRELOAD) as child,
        ):
            yield cls(data, child, Path(scratch))

    def take(self, path: str, **parameters: object) -> Loaded:
        """What becomes of a file. Raises `SandboxError` where the parser dies on it."""
        source = self._copy(self._data / path)
        wanted = ProcessVector.model_validate({"source_url": _NOWHERE, **parameters})
        try:
            found = survey.look(self._child, source, wanted)
            root = survey.root_of(source, self._child)
        except PermanentTaskError as error:
            return Loaded(Outcome(path, refused=True, message=error.message), {})
        plans = plan_layers(
            wanted,
            found.layers,
            base_name="corpus",
            staged_name="layer_{}_{}".format,
            published=lambda _name: None,
        )
        total = RecordCounts()
        geometries: dict[int, list[shapely.Geometry]] = defaultdict(list)
        for plan in plans:
            for chunk in range(len(plan.layer.chunks)):
                total += self._clean(root, plan, chunk, wanted, geometries)
        notes = _codes([*found.notes, *(n for plan in plans for n in plan.layer.notes)])
        outcome = Outcome(
            path, False, total.read, total.loaded, total.quarantined, total.repairs, notes
        )
        return Loaded(outcome, geometries)

    def _copy(self, path: Path) -> LocalSource:
        """The file, with its sidecars, where a job would have it."""
        folder = self._scratch / str(next(self._numbers))
        root = folder / "files"
        root.mkdir(parents=True)
        wanted = [path]
        if path.suffix == ".shp":
            parts = [path.with_suffix(suffix) for suffix in _PARTS_OF_A_SHAPEFILE]
            wanted = [part for part in parts if part.exists()]
        files = [Path(shutil.copy(part, root)) for part in wanted]
        return LocalSource(root, files, Entry(folder), _go_on)

    def _clean(
        self,
        root: Path,
        plan: LayerPlan,
        chunk: int,
        wanted: ProcessVector,
        geometries: dict[int, list[shapely.Geometry]],
    ) -> RecordCounts:
        sent: dict[str, bytearray] = defaultdict(bytearray)
        names = ["repairs", "quarantine", "progress"]
        names += [f"rows:{number}" for number in range(len(plan.tables))]
        answer = self._child.call(
            "services.vector.child.cleaning:clean",
            {
                "root": str(root),
                "plan": plan.model_dump(mode="json"),
                "chunk": chunk,
                "options": survey.read_options(wanted).model_dump(),
            },
            sinks={name: sent[name].extend for name in names},
        )
        for number, table in enumerate(plan.tables):
            place = 1 + len(table.shape.columns)
            for fields in tuples(bytes(sent[f"rows:{number}"])):
                if table.shape.geometry is not None and (wkb := fields[place]) is not None:
                    gid = int.from_bytes(fields[0] or b"")
                    geometries[gid].append(shapely.from_wkb(wkb))
        counts = RecordCounts.model_validate(answer)
        assert counts.balanced, f"{plan.layer.member}: {counts}"
        return counts


def tuples(data: bytes) -> Iterator[list[bytes | None]]:
    """The fields of tuples of binary COPY."""
    offset = 0
    while offset < len(data):
        (count,) = struct.unpack_from(">h", data, offset)
        offset += 2
        fields: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", data, offset)
            offset += 4
            fields.append(None if length < 0 else data[offset : offset + length])
            offset += max(length, 0)
        yield fields


def _codes(notes: list[Note]) -> tuple[str, ...]:
    return tuple(sorted({note.code for note in notes}))


def _counts_text(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}={count}" for name, count in sorted(counts.items()))


def _counts(text: str) -> dict[str, int]:
    pairs = (each.split("=") for each in text.split(", ") if each)
    return {name: int(count) for name, count in pairs}


def _go_on() -> None:
    """Nobody wants to stop."""


def main(data: Path) -> None:
    """Print the table of all sample files."""
    print(_HEADINGS)
    with Corpus.of(data) as corpus:
        for path in sources(data):
            print(corpus.take(path).outcome, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
