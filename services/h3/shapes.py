"""Cells as polygons for others: geometries of GeoJSON, and WKB.

They are as RFC 7946 wants them: what crosses the antimeridian is cut there (section 3.1.9), rings
go round against the clock (3.1.6). The cell around a pole goes along the edge of the map.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import shapely

from services.h3.model import Cells, Indices, Numbers
from services.h3.outlines import outlines

# Decimals of a degree in GeoJSON: a centimetre, where the finest cells are metres wide.
_DIGITS: Final = 7
_GRID: Final = 1e-9
_ANTIMERIDIAN: Final = -180.0
_LITTLE_ENDIAN: Final = 1
_WKB_POLYGON: Final = 3
_WKB_HEADER: Final = (("order", "u1"), ("type", "<u4"), ("rings", "<u4"), ("points", "<u4"))


def geometries(cells: Cells) -> list[dict[str, Any]]:
    """A GeoJSON geometry for each cell. Rings may be numpy arrays, for orjson to write."""
    pieces = _Pieces.of(cells)
    rings, most = np.round(pieces.rings, _DIGITS), pieces.rings.shape[1]
    found: list[dict[str, Any]] = [{}] * len(cells)
    for owner, ring, number in zip(
        pieces.cell.tolist(), rings, pieces.vertices.tolist(), strict=True
    ):
        # orjson writes arrays that are in one piece in memory.
        whole = ring if number == most else np.ascontiguousarray(ring[:number])
        found[owner] = {"type": "Polygon", "coordinates": [whole]}
    for owner, geometry in pieces.united():
        found[owner] = orjson.loads(shapely.to_geojson(shapely.transform(geometry, _rounded)))
    return found


@dataclass(frozen=True, slots=True)
class Wkb:
    """Polygons as WKB (OGC 06-103r4, section 8.2), the types among them, and what they lie in:
    west, south, east, north."""

    polygons: pa.Array
    types: frozenset[str]
    bounds: tuple[float, float, float, float]


def wkb(cells: Cells) -> Wkb:
    """The polygon of each cell; at least one."""
    pieces = _Pieces.of(cells)
    found = np.empty(len(cells), object)
    is_whole = pieces.is_whole
    for number in np.unique(pieces.vertices[is_whole]).tolist():
        of_them = np.flatnonzero(is_whole & (pieces.vertices == number))
        records = np.zeros(len(of_them), [*_WKB_HEADER, ("ring", "<f8", (number, 2))])
        records["order"], records["type"] = _LITTLE_ENDIAN, _WKB_POLYGON
        records["rings"], records["points"] = 1, number
        records["ring"] = pieces.rings[of_them, :number]
        found[pieces.cell[of_them]] = records.view(f"V{records.dtype.itemsize}").tolist()
    types = {"Polygon"} if is_whole.any() else set()
    for owner, geometry in pieces.united():
        found[owner] = shapely.to_wkb(geometry, byte_order=_LITTLE_ENDIAN)
        types.add(geometry.geom_type)
    sides = (*pieces.rings.min(axis=(0, 1)).tolist(), *pieces.rings.max(axis=(0, 1)).tolist())
    return Wkb(pa.array(found, pa.binary()), frozenset(types), sides)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Cells, or pieces of them: `rings` are (piece, vertex, longitude and latitude) and end where
    they begin, `vertices` says how many count, `cell` which cell each is of."""

    cell: Indices
    rings: Numbers
    vertices: Indices

    @classmethod
    def of(cls, cells: Cells) -> _Pieces:
        found = outlines(cells, _ANTIMERIDIAN)
        x, y = found.x, found.y
        # Twice the signed area. The vertices that fill a row are all the same, and add nothing.
        area = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
        places = np.stack([x, y], axis=2)
        clockwise = area < 0
        places[clockwise] = _turned(places[clockwise], found.vertices[clockwise])
        rings = np.concatenate([places, places[:, -1:]], axis=1)
        rings[np.arange(len(rings)), found.vertices] = rings[:, 0]
        return cls(found.cell, rings, found.vertices + 1)

    @property
    def is_whole(self) -> npt.NDArray[np.bool_]:
        """Which pieces are all of their cell."""
        whole: npt.NDArray[np.bool_] = np.bincount(self.cell)[self.cell] == 1
        return whole

    def united(self) -> Iterator[tuple[int, shapely.Geometry]]:
        """The cells of several pieces. Those of the cell around a pole have an edge in common,
        but for rounding."""
        is_whole = self.is_whole
        for owner in np.unique(self.cell[~is_whole]).tolist():
            polygons = [
                shapely.Polygon(self.rings[piece, : self.vertices[piece]])
                for piece in np.flatnonzero(self.cell == owner)
            ]
            yield owner, shapely.orient_polygons(shapely.union_all(polygons, grid_size=_GRID))


def _turned(places: Numbers, vertices: Indices) -> Numbers:
    """Rings the other way round, still filled up with their last vertex."""
    at = np.maximum(vertices[:, None] - 1 - np.arange(places.shape[1]), 0)
    return np.take_along_axis(places, at[:, :, None], axis=1)


def _rounded(places: Numbers) -> Numbers:
    return np.round(places, _DIGITS)
