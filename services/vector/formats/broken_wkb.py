"""A careful reading of WKB that GEOS refuses: raw coordinates, for `geometry.building`.

Takes ISO WKB (OGC 06-103r4), PostGIS's EWKB and the older 2.5D flags, in both byte orders.
Nothing in it is believed: each count is held against the bytes that are left.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.vector.batch import Fault
from services.vector.formats import arcs
from services.vector.formats.wkb_types import split_word, type_name
from services.vector.geometry.building import RawGeometry
from services.vector.model import Reason, RepairKind

_MAX_NESTING: Final = 32
_SRID_FLAG: Final = 0x20000000
_LEAST_GEOMETRY: Final = 9  # byte order, type, and a count
_LEAST_RING: Final = 4  # its count

Coordinates = list[Any]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The coordinates as they are in the WKB, arcs drawn as lines, M left out."""

    raw: RawGeometry
    mended: list[RepairKind]


class BrokenWkb(Exception):
    """It cannot be read; `fault` says why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(reason, detail)


def parse(data: bytes) -> Parsed:
    """Read one geometry. Raises `BrokenWkb`."""
    reading = _Reading(data)
    raw = reading.geometry(nesting=0)
    return Parsed(raw, list(reading.mended))


class _Reading:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.mended: dict[RepairKind, None] = {}

    def geometry(self, nesting: int) -> RawGeometry:
        """The geometry at this place, with its header."""
        if nesting > _MAX_NESTING:
            raise BrokenWkb(
                Reason.UNSUPPORTED_GEOMETRY, f"geometries are nested more than {_MAX_NESTING} deep"
            )
        kind, ordinates, has_z, order = self._header()

        def positions() -> Coordinates:
            return self._positions(order, ordinates, has_z)

        def rings() -> Coordinates:
            return [positions() for _ in range(self._count(order, _LEAST_RING, "rings"))]

        def members() -> list[RawGeometry]:
            count = self._count(order, _LEAST_GEOMETRY, "parts")
            return [self.geometry(nesting + 1) for _ in range(count)]

        return self._of_kind(
            kind, lambda: self._point(order, ordinates, has_z), positions, rings, members
        )

    def _of_kind(
        self,
        kind: int,
        point: Callable[[], Coordinates],
        positions: Callable[[], Coordinates],
        rings: Callable[[], Coordinates],
        members: Callable[[], list[RawGeometry]],
    ) -> RawGeometry:
        match type_name(kind):
            case "Point":
                return _raw("Point", point())
            case "LineString":
                return _raw("LineString", positions())
            case "Polygon":
                return _raw("Polygon", rings())
            case "Triangle":
                self.mended[RepairKind.RETYPED] = None
                return _raw("Polygon", rings())
            case "CircularString":
                return _raw("LineString", self._drawn(positions()))
            case "CompoundCurve":
                return _raw("LineString", self._joined(members()))
            case "CurvePolygon":
                self.mended[RepairKind.LINEARISED] = None
                return _raw("Polygon", [_line(member) for member in members()])
            case "MultiPoint":
                return self._multi("Point", members())
            case "MultiLineString":
                return self._multi("LineString", members())
            case "MultiPolygon":
                return self._multi("Polygon", members())
            case "MultiCurve":
                self.mended[RepairKind.LINEARISED] = None
                return self._multi("LineString", members())
            case "MultiSurface":
                self.mended[RepairKind.LINEARISED] = None
                return self._multi("Polygon", members())
            case "PolyhedralSurface" | "TIN":
                self.mended[RepairKind.RETYPED] = None
                return self._multi("Polygon", members())
            case "GeometryCollection":
                return {"type": "GeometryCollection", "geometries": members()}
            case None:
                raise BrokenWkb(Reason.UNREADABLE_GEOMETRY, f"WKB has no geometry type {kind}")
            case name:
                raise BrokenWkb(
                    Reason.UNSUPPORTED_GEOMETRY, f"a table cannot hold a geometry of type {name}"
                )

    def _multi(self, part: str, members: list[RawGeometry]) -> RawGeometry:
        """A multi-geometry; a collection where its members are not of one type."""
        if all(member["type"] == part for member in members):
            return _raw(f"Multi{part}", [m["coordinates"] for m in members if m["coordinates"]])
        self.mended[RepairKind.RETYPED] = None
        return {"type": "GeometryCollection", "geometries": members}

    def _drawn(self, controls: Coordinates) -> Coordinates:
        self.mended[RepairKind.LINEARISED] = None
        if len({len(position) for position in controls}) > 1:
            controls = [position[:2] for position in controls]
        drawn: Coordinates = arcs.linearise(np.array(controls)).tolist() if controls else []
        return drawn

    def _joined(self, members: list[RawGeometry]) -> Coordinates:
        """The segments of a compound curve as one line; each begins where the last one ended."""
        self.mended[RepairKind.LINEARISED] = None
        joined: Coordinates = []
        for segment in map(_line, members):
            joined += segment[1:] if joined and segment[:1] == joined[-1:] else segment
        return joined

    def _header(self) -> tuple[int, int, bool, str]:
        """The type, how many ordinates a position has, whether one is Z, and the byte order."""
        (mark,) = self._unpack("B", "the byte order")
        if mark not in (0, 1):
            raise BrokenWkb(
                Reason.UNREADABLE_GEOMETRY, f"there is no byte order {mark} (0 or 1) in WKB"
            )
        order = "<" if mark else ">"
        (word,) = self._unpack(f"{order}I", "the type")
        kind, has_z, has_m = split_word(word)
        if word & _SRID_FLAG:
            self._unpack(f"{order}I", "the SRID")
        return kind, 2 + has_z + has_m, has_z, order

    def _point(self, order: str, ordinates: int, has_z: bool) -> Coordinates:
        """One position; the empty point is written as NaN in x and y."""
        values = self._unpack(f"{order}{ordinates}d", "the point")
        if values[0] != values[0] and values[1] != values[1]:
            return []
        return _without_nan_height(list(values[: 2 + has_z]))

    def _positions(self, order: str, ordinates: int, has_z: bool) -> Coordinates:
        count = self._count(order, 8 * ordinates, "points")
        values = np.frombuffer(self._data, f"{order}f8", count * ordinates, self._at)
        self._at += 8 * count * ordinates
        positions: Coordinates = values.reshape(count, ordinates)[:, : 2 + has_z].tolist()
        return [_without_nan_height(position) for position in positions] if has_z else positions

    def _count(self, order: str, least: int, name: str) -> int:
        (count,) = self._unpack(f"{order}I", f"the number of {name}")
        left = len(self._data) - self._at
        if count * least > left:
            raise BrokenWkb(
                Reason.UNREADABLE_GEOMETRY,
                f"the WKB says {count:,} {name} follow, and has {left:,} bytes left",
            )
        return int(count)

    def _unpack(self, layout: str, name: str) -> tuple[Any, ...]:
        size = struct.calcsize(layout)
        if self._at + size > len(self._data):
            raise BrokenWkb(Reason.UNREADABLE_GEOMETRY, f"the WKB ends before {name}")
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += size
        return values


def _raw(kind: str, coordinates: Coordinates) -> RawGeometry:
    return {"type": kind, "coordinates": coordinates}


def _line(member: RawGeometry) -> Coordinates:
    """The positions of a segment or a ring of a curve."""
    if member["type"] != "LineString":
        raise BrokenWkb(
            Reason.UNREADABLE_GEOMETRY, f"a {member['type']} stands where a curve is meant to be"
        )
    line: Coordinates = member["coordinates"]
    return line


def _without_nan_height(position: Coordinates) -> Coordinates:
    """NaN is how a missing height is written."""
    return position[:2] if len(position) > 2 and position[2] != position[2] else position
