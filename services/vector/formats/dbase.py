"""The attribute file of a shapefile (.dbf), below what OGR shows of it.

dBase III, as in https://www.loc.gov/preservation/digital/formats/fdd/fdd000325.shtml: a header,
field descriptors of 32 bytes, then records of one length, each begun by a mark of deletion.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

_HEADER: Final = struct.Struct("<BBBBIHH16xxB2x")
_DESCRIPTOR_BYTES: Final = 32
_END_OF_DESCRIPTORS: Final = 0x0D
_DELETED: Final = ord("*")
_OVERFLOW: Final = ord("*")
_NUMERIC: Final = "NF"
_BLANKS: Final = b" \0"


def _table(allowed: bytes) -> Mask:
    table = np.ones(256, dtype=bool)
    table[list(allowed)] = False
    return table


_NOT_NUMERIC: Final = _table(b"0123456789+-.eE \0")
_NOT_DIGIT: Final = _table(b"0123456789")
_NOT_EMPTY_DATE: Final = _table(b"0 \0*-/")


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name's bytes, type letter, and place in a record."""

    name: bytes
    type: str
    start: int
    width: int


class Table:
    """The records of a .dbf as an array of bytes, on disk. Raises ValueError for what is none."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size:
                raise ValueError("the .dbf is cut short within its header")
            _, _, _, _, self.promised, header_bytes, width, language = _HEADER.unpack(head)
            descriptors = file.read(max(0, header_bytes - _HEADER.size))
        if width < 1 or header_bytes < _HEADER.size:
            raise ValueError("the header of the .dbf makes no sense")
        self.language = int(language)
        self._header_bytes, self._width = header_bytes, width
        self.fields = list(_fields(descriptors, width))
        present = max(0, path.stat().st_size - header_bytes) // width
        count = min(present, self.promised)
        self._records: npt.NDArray[np.uint8] = (
            np.memmap(path, np.uint8, "r", header_bytes, (count, width))
            if count
            else np.zeros((0, width), dtype=np.uint8)
        )

    def __len__(self) -> int:
        return len(self._records)

    @property
    def deleted(self) -> int:
        """How many records are marked as deleted; OGR leaves them out."""
        return int((self._records[:, 0] == _DELETED).sum())

    def copy_lengthened(self, original: Path, target: Path, rows: int) -> None:
        """Write the table with so many records, blank behind those that there are."""
        with original.open("rb") as source, target.open("wb") as copy:
            head = bytearray(source.read(self._header_bytes))
            struct.pack_into("<I", head, 4, rows)
            copy.write(head)
            shutil.copyfileobj(source, copy)
            copy.truncate(self._header_bytes + len(self) * self._width)
            copy.seek(0, os.SEEK_END)
            blank = b" " * self._width
            for _ in range(rows - len(self)):
                copy.write(blank)

    def texts(self, limit: int) -> Iterator[bytes]:
        """The bytes of the text fields of the first records, without blanks around them."""
        columns = [field for field in self.fields if field.type == "C"]
        for record in self._records[:limit]:
            line = record.tobytes()
            for field in columns:
                text = line[field.start : field.start + field.width].strip(_BLANKS)
                if text:
                    yield text

    def unfit(self, field: Field, rows: npt.NDArray[np.int64]) -> dict[str, Mask]:
        """By reason, which of the records have a value there that is none of the field's type."""
        known = rows < len(self)
        values = np.full((len(rows), field.width), ord(" "), dtype=np.uint8)
        stop = field.start + field.width
        values[known] = self._records[rows[known], field.start : stop]
        if field.type in _NUMERIC:
            overflow = (values == _OVERFLOW).any(axis=1)
            garbage = _NOT_NUMERIC[values].any(axis=1) & ~overflow
            return {"too wide for its field (***)": overflow, "not a number": garbage}
        if field.type == "D":
            written = _NOT_EMPTY_DATE[values].any(axis=1)
            return {"not a date": written & ~_is_date(values)}
        return {}


def _fields(descriptors: bytes, record_width: int) -> Iterator[Field]:
    start = 1
    for at in range(0, len(descriptors) - _DESCRIPTOR_BYTES + 1, _DESCRIPTOR_BYTES):
        if descriptors[at] == _END_OF_DESCRIPTORS:
            return
        name = descriptors[at : at + 11].split(b"\0")[0]
        width = descriptors[at + 16]
        if start + width > record_width:
            return
        yield Field(name, chr(descriptors[at + 11]), start, width)
        start += width


def _is_date(values: npt.NDArray[np.uint8]) -> Mask:
    """Which are eight digits with a month and a day that exist."""
    if values.shape[1] < 8:
        return np.zeros(len(values), dtype=bool)
    digits = values[:, :8]
    written = ~_NOT_DIGIT[digits].any(axis=1)
    numbers = digits.astype(np.int64) - ord("0")
    month = numbers[:, 4] * 10 + numbers[:, 5]
    day = numbers[:, 6] * 10 + numbers[:, 7]
    return np.asarray(written & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31))
