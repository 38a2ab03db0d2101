"""The files of a shapefile, and its records below what OGR shows of them.

ESRI Shapefile Technical Description, July 1998. Numbers of the file's frame are big-endian,
those of shapes little-endian; lengths and offsets count 16-bit words.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from services.vector.batch import Fault
from services.vector.formats import dbase
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Reason

NAME: Final = "source"
_SUFFIXES: Final = (".shp", ".shx", ".dbf")
_TEXT_SUFFIXES: Final = (".prj", ".cpg", ".qpj")
_HEADER_BYTES: Final = 100
_INDEX_ENTRY: Final = 8
_RECORD_HEADER: Final = 8
_FARTHEST: Final = (1 << 31) - 1
_NULL_SHAPE: Final = 0
_SHAPE_NAMES: Final = {
    1: "Point", 3: "PolyLine", 5: "Polygon", 8: "MultiPoint", 11: "PointZ", 13: "PolyLineZ",
    15: "PolygonZ", 18: "MultiPointZ", 21: "PointM", 23: "PolyLineM", 25: "PolygonM",
    28: "MultiPointM", 31: "MultiPatch",
}  # fmt: skip
_POINTS: Final = (1, 11, 21)
_MULTIPOINTS: Final = (8, 18, 28)
_MOST_TEXT: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Parts:
    """The files that belong together, by suffix in lower case."""

    files: Mapping[str, Path]

    @classmethod
    def beside(cls, path: Path) -> Parts:
        """The parts beside a .shp, whatever the case of their names."""
        stem = path.stem.casefold() if path.suffix else path.name.casefold()
        files = {".shp": path}
        for file in sorted(path.parent.iterdir()):
            suffix = file.suffix.casefold()
            if file.stem.casefold() == stem and suffix in (*_SUFFIXES, *_TEXT_SUFFIXES):
                files.setdefault(suffix, file)
        return cls(files)

    def text(self, suffix: str) -> str | None:
        """The text of a small part; None where it is missing or blank."""
        path = self.files.get(suffix)
        if path is None:
            return None
        with path.open("rb") as file:
            data = file.read(_MOST_TEXT)
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = data.decode(encoding, "replace").strip(" \t\r\n\0")
        return text or None


@contextmanager
def assembled(parts: Parts) -> Generator[Path]:
    """The path of the .shp in a folder of its own where all parts have the names that OGR
    looks for.

    A missing or broken index is made there from the records. Where there are fewer shapes
    than rows of attributes, or the other way round, OGR leaves out the surplus: so the shorter
    file is lengthened, by shapes that are not there or by blank rows.
    """
    with tempfile.TemporaryDirectory(prefix="shp-") as folder:
        shp, shx, dbf = (Path(folder) / f"{NAME}{suffix}" for suffix in _SUFFIXES)
        shp.symlink_to(parts.files[".shp"].resolve())
        index = _entries(parts)
        table = _table(parts)
        if table is None:
            rows = len(index)
        else:
            rows = max(len(index), len(table))
            original = parts.files[".dbf"]
            if rows == len(table) == table.promised:
                dbf.symlink_to(original.resolve())
            else:
                table.copy_lengthened(original, dbf, rows)
        if len(index) == rows and has_index(parts):
            shx.symlink_to(parts.files[".shx"].resolve())
        else:
            _write_index(parts.files[".shp"], index, rows, shx)
        yield shp


def shapes(parts: Parts) -> int:
    """How many records the .shp has, by its index where there is one."""
    return len(_entries(parts))


def has_index(parts: Parts) -> bool:
    """Whether there is an index that can be one: as long as its header says."""
    file = parts.files.get(".shx")
    if file is None:
        return False
    size = file.stat().st_size
    if size < _HEADER_BYTES or (size - _HEADER_BYTES) % _INDEX_ENTRY:
        return False
    with file.open("rb") as opened:
        (words,) = struct.unpack(">i", opened.read(28)[24:])
    return bool(2 * words == size)


def _entries(parts: Parts) -> npt.NDArray[np.int32]:
    """Offset and length of each record, in 16-bit words."""
    if has_index(parts):
        words = np.fromfile(parts.files[".shx"], ">i4", offset=_HEADER_BYTES)
        return words.astype(np.int32).reshape(-1, 2)
    return _found_entries(parts.files[".shp"])


def _table(parts: Parts) -> dbase.Table | None:
    """The attributes; None where there are none that can be read."""
    path = parts.files.get(".dbf")
    if path is None:
        return None
    try:
        return dbase.Table(path)
    except ValueError:
        return None


def _write_index(shp: Path, entries: npt.NDArray[np.int32], rows: int, target: Path) -> None:
    """Write an index; the rows behind its entries point behind the end of the .shp."""
    behind = min(shp.stat().st_size // 2 + 1, _FARTHEST)
    missing = np.tile(np.array([[behind, 0]], dtype=np.int32), (rows - len(entries), 1))
    with shp.open("rb") as file:
        head = bytearray(file.read(_HEADER_BYTES))
    struct.pack_into(">i", head, 24, (_HEADER_BYTES + _INDEX_ENTRY * rows) // 2)
    body = np.concatenate((entries, missing)).astype(">i4")
    target.write_bytes(bytes(head) + body.tobytes())


def _found_entries(shp: Path) -> npt.NDArray[np.int32]:
    """The records of a .shp; behind a broken length it goes on at the next number."""
    size = shp.stat().st_size
    if size < _HEADER_BYTES:
        raise UnreadableFile("The .shp is cut short within its header.")
    entries: list[tuple[int, int]] = []
    with shp.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = _HEADER_BYTES
        while at + _RECORD_HEADER + 4 <= size:
            number, words = struct.unpack_from(">ii", data, at)
            entries.append((at // 2, max(words, 0)))
            following = at + _RECORD_HEADER + 2 * words
            if words < 2 or following > size:
                following = data.find(struct.pack(">i", number + 1), at + _RECORD_HEADER + 4)
                if following < 0:
                    break
            at = following
    return np.array(entries, dtype=np.int32).reshape(-1, 2)


class Records:
    """The records of a .shp by their place in the index."""

    def __init__(self, shp: Path) -> None:
        self._shp = shp
        entries = np.fromfile(shp.with_suffix(".shx"), ">i4", offset=_HEADER_BYTES)
        self._entries: npt.NDArray[np.int32] = entries[: len(entries) // 2 * 2].reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._entries)

    def fault(self, place: int) -> Fault | None:
        """Why a record has no geometry; None where the file says that it has none."""
        if place >= len(self):
            return Fault(Reason.UNREADABLE_GEOMETRY, "the .shp has no record for this row")
        start = 2 * int(self._entries[place, 0]) + 8
        length = 2 * int(self._entries[place, 1])
        with self._shp.open("rb") as file:
            file.seek(max(start, 0))
            shape = file.read(min(max(length, 0), 64))
        if start < _HEADER_BYTES or len(shape) < min(length, 64) or len(shape) < 4:
            return Fault(
                Reason.UNREADABLE_GEOMETRY,
                f"the .shp ends before the shape of this record (at byte {start:,})",
            )
        (kind,) = struct.unpack_from("<i", shape)
        if kind == _NULL_SHAPE:
            return None
        return _shape_fault(kind, shape)


def _shape_fault(kind: int, shape: bytes) -> Fault | None:
    name = _SHAPE_NAMES.get(kind)
    if name is None:
        return Fault(Reason.UNREADABLE_GEOMETRY, f"there is no shape type {kind}")
    if kind in _POINTS and len(shape) >= 20:
        return Fault(Reason.BAD_COORDINATE, "an ordinate of the point is not a number")
    if kind in _MULTIPOINTS and len(shape) >= 40:
        (points,) = struct.unpack_from("<i", shape, 36)
        if points == 0:
            return None
        return Fault(Reason.UNREADABLE_GEOMETRY, f"a {name} of {points:,} points is corrupt")
    if len(shape) >= 44:
        parts, points = struct.unpack_from("<ii", shape, 36)
        if points == 0:
            return None
        return Fault(
            Reason.UNREADABLE_GEOMETRY,
            f"a {name} of {parts:,} parts and {points:,} points is corrupt",
        )
    return Fault(Reason.UNREADABLE_GEOMETRY, f"a {name} is cut short")
