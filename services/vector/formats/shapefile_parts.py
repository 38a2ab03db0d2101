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
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Reason

NAME: Final = "source"
_SUFFIXES: Final = (".shp", ".shx", ".dbf")
_TEXT_SUFFIXES: Final = (".prj", ".cpg", ".qpj")
_HEADER_BYTES: Final = 100
_INDEX_ENTRY: Final = 8
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
    looks for. A missing or broken index is made there from the records."""
    with tempfile.TemporaryDirectory(prefix="shp-") as folder:
        for suffix in _SUFFIXES:
            file = parts.files.get(suffix)
            if file is not None and (suffix != ".shx" or _is_index(file)):
                (Path(folder) / f"{NAME}{suffix}").symlink_to(file.resolve())
        index = Path(folder) / f"{NAME}.shx"
        if not index.exists():
            index.write_bytes(_built_index(parts.files[".shp"]))
        yield Path(folder) / f"{NAME}.shp"


def _is_index(path: Path) -> bool:
    size = path.stat().st_size
    return size >= _HEADER_BYTES and (size - _HEADER_BYTES) % _INDEX_ENTRY == 0


def has_index(parts: Parts) -> bool:
    """Whether there is an index that can be one."""
    file = parts.files.get(".shx")
    return file is not None and _is_index(file)


def _built_index(shp: Path) -> bytes:
    """An index of the records of a .shp; behind a broken length it goes on at the next number."""
    size = shp.stat().st_size
    if size < _HEADER_BYTES:
        raise UnreadableFile("The .shp is cut short within its header.")
    entries = bytearray()
    with shp.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = _HEADER_BYTES
        while at + 12 <= size:
            number, words = struct.unpack_from(">ii", data, at)
            entries += struct.pack(">ii", at // 2, max(words, 0))
            following = at + 8 + 2 * words
            if words < 2 or following > size or (following < size and following + 8 > size):
                found = data.find(struct.pack(">i", number + 1), at + 12)
                if found < 0:
                    break
                following = found
            at = following
        head = bytearray(data[:_HEADER_BYTES])
    struct.pack_into(">i", head, 24, (_HEADER_BYTES + len(entries)) // 2)
    return bytes(head + entries)


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
