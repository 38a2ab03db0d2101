"""Cells as polygons for others: geometries of GeoJSON, and WKB.

They are as RFC 7946 wants them: what crosses the antimeridian is cut there (section 3.1.9), rings
go round against the clock (3.1.6). The cell around a pole goes along the edge of the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import shapely

from services.h3.model import Cells, Indices, Numbers
from services.h3.outlines import outlines

# Decimals of a degree in GeoJSON: a centimetre, where the finest cells are metres wide.
_DIGITS: Final = 7
_ANTIMERIDIAN: Final = -180.0
_LITTLE_ENDIAN: Final = 1
_WKB_POLYGON: Final = 3
_WKB_HEADER: Final = (("order", "u1"), ("type", "<u4"), ("rings", "<u4"), ("points", "<u4"))


def geometries(cells: Cells) -> list[dict[str, Any]]:
    """A GeoJSON geometry for each cell. Its rings are numpy arrays, for orjson to write."""
    owners, rings, vertices = _rings(cells)
    rings = np.round(rings, _DIGITS)
    polygons: list[list[Numbers]] = [
        [ring] if number == rings.shape[1] else [np.ascontiguousarray(ring[:number])]
        for ring, number in zip(rings, vertices.tolist(), strict=True)
    ]
    if len(polygons) == len(cells):
        return [{"type": "Polygon", "coordinates": each} for each in polygons]
    parts: list[list[list[Numbers]]] = [[] for _ in range(len(cells))]
    for owner, polygon in zip(owners.tolist(), polygons, strict=True):
        parts[owner].append(polygon)
    return [
        {"type": "Polygon", "coordinates": each[0]}
        if len(each) == 1
        else {"type": "MultiPolygon", "coordinates": each}
        for each in parts
    ]


@dataclass(frozen=True, slots=True)
class Wkb:
    """Polygons as WKB (OGC 06-103r4, section 8.2), the types among them, and what they lie in:
    west, south, east, north."""

    polygons: pa.Array
    types: frozenset[str]
    bounds: tuple[float, float, float, float]


def wkb(cells: Cells) -> Wkb:
    """The polygon of each cell; at least one."""
    owners, rings, vertices = _rings(cells)
    found = np.empty(len(cells), object)
    is_whole = np.bincount(owners, minlength=len(cells))[owners] == 1
    for number in np.unique(vertices[is_whole]).tolist():
        of_them = np.flatnonzero(is_whole & (vertices == number))
        records = np.zeros(len(of_them), [*_WKB_HEADER, ("ring", "<f8", (number, 2))])
        records["order"], records["type"] = _LITTLE_ENDIAN, _WKB_POLYGON
        records["rings"], records["points"] = 1, number
        records["ring"] = rings[of_them, :number]
        found[owners[of_them]] = records.view(f"V{records.dtype.itemsize}").tolist()
    for owner in np.unique(owners[~is_whole]):
        pieces = [
            shapely.Polygon(rings[piece, : vertices[piece]])
            for piece in np.flatnonzero(owners == owner)
        ]
        found[owner] = shapely.to_wkb(shapely.MultiPolygon(pieces), byte_order=_LITTLE_ENDIAN)
    types = {"Polygon"} if is_whole.any() else set()
    return Wkb(
        pa.array(found, pa.binary()),
        frozenset(types if is_whole.all() else types | {"MultiPolygon"}),
        (*rings.min(axis=(0, 1)).tolist(), *rings.max(axis=(0, 1)).tolist()),
    )


def _rings(cells: Cells) -> tuple[Indices, Numbers, Indices]:
    """Rings that end where they begin, as (piece, vertex, longitude and latitude): the cell of
    each, and how many of its places count."""
    found = outlines(cells, _ANTIMERIDIAN)
    x, y = found.x, found.y
    # Twice the signed area. The vertices that fill a row are all the same, and add nothing.
    area = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    places = np.stack([x, y], axis=2)
    clockwise = area < 0
    places[clockwise] = _turned(places[clockwise], found.vertices[clockwise])
    rings = np.concatenate([places, places[:, -1:]], axis=1)
    rings[np.arange(len(rings)), found.vertices] = rings[:, 0]
    return found.cell, rings, found.vertices + 1


def _turned(places: Numbers, vertices: Indices) -> Numbers:
    """Rings the other way round, still filled up with their last vertex."""
    at = np.maximum(vertices[:, None] - 1 - np.arange(places.shape[1]), 0)
    return np.take_along_axis(places, at[:, :, None], axis=1)
