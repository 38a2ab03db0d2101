"""The types of geometries in WKB, by their code and by whole columns of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.vector.binary import layout

# OGC 06-103r4, table 7.
NAMES: Final = {
    1: "Point",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
    8: "CircularString",
    9: "CompoundCurve",
    10: "CurvePolygon",
    11: "MultiCurve",
    12: "MultiSurface",
    13: "Curve",
    14: "Surface",
    15: "PolyhedralSurface",
    16: "TIN",
    17: "Triangle",
}
# Above these GEOS has no classes that shapely knows of.
LAST_PLAIN: Final = 7
NO_GEOMETRY: Final = "None"
UNREADABLE: Final = "Unreadable"

_Z_FLAG: Final = 0x80000000
_M_FLAG: Final = 0x40000000
_FLAGS: Final = 0xF0000000
_THOUSAND: Final = 1000  # ISO: 1001 is a point with Z, 2001 with M, 3001 with both


def type_name(kind: int) -> str | None:
    """The name of a type's code; None where there is no such type."""
    return NAMES.get(kind)


def split_word(word: int) -> tuple[int, bool, bool]:
    """The type's code, whether there is Z, whether there is M: by ISO or by EWKB's flags."""
    plain = word & ~_FLAGS
    dimensions = plain // _THOUSAND
    return (
        plain % _THOUSAND,
        bool(word & _Z_FLAG) or dimensions in (1, 3),
        bool(word & _M_FLAG) or dimensions in (2, 3),
    )


def words(array: pa.Array[Any]) -> npt.NDArray[np.uint32]:
    """The type words of a (large_)binary column, 0 where there is none. No WKB is decoded."""
    starts, lengths, data = layout(array)
    found = np.zeros(len(starts), dtype=np.uint32)
    present = np.flatnonzero(lengths >= 5)
    if not len(present):
        return found
    at = starts[present]
    bytes_ = data[at[:, None] + np.arange(1, 5)]
    little = np.ascontiguousarray(bytes_).view("<u4").ravel()
    big = np.ascontiguousarray(bytes_).view(">u4").ravel()
    found[present] = np.where(data[at] == 0, big, little)
    return found


@dataclass(slots=True)
class TypeCounts:
    """How many records of each type were seen, and whether any has Z or M."""

    by_name: Counter[str] = field(default_factory=Counter)
    has_z: bool = False
    has_m: bool = False

    def add(self, array: pa.Array[Any]) -> None:
        """Count a column of WKB."""
        codes, counts = np.unique(words(array), return_counts=True)
        for word, count in zip(codes.tolist(), counts.tolist(), strict=True):
            kind, has_z, has_m = split_word(word)
            name = NAMES.get(kind, UNREADABLE) if word else NO_GEOMETRY
            self.by_name[name] += count
            self.has_z |= has_z
            self.has_m |= has_m
