"""Columns of WKB as shapely geometries: all good ones at once, the others with care."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from services.vector.batch import Fault, Geometries, SourceWkb
from services.vector.binary import layout
from services.vector.formats import broken_wkb, wkb_types
from services.vector.geometry import building
from services.vector.model import Reason, RepairKind

Mask = npt.NDArray[np.bool_]

_POINT, _LINE, _POLYGON, _MULTIPOLYGON = 1, 2, 3, 6
# The beginning of a multi-polygon; that of a simple geometry is the first two fields of it.
_HEAD = np.dtype(
    [
        ("order", "u1"),
        ("type", "<u4"),
        ("parts", "<u4"),
        ("part_order", "u1"),
        ("part_type", "<u4"),
        ("rings", "<u4"),
    ]
)


@dataclass(slots=True)
class Decoded:
    """Geometries by position, None where there is none; faults and mends by position; the WKB
    that they came in, if they did."""

    geometry: Geometries
    faults: dict[int, Fault] = field(default_factory=dict)
    mended: dict[int, list[RepairKind]] = field(default_factory=dict)
    source: SourceWkb | None = None


def decode(array: pa.Array[Any]) -> Decoded:
    """The geometries of a (large_)binary column of WKB.

    Those that GEOS reads cost about 1 microsecond each; the rest, curves among them, go
    through `broken_wkb` and `building` one by one.
    """
    data = array.to_numpy(zero_copy_only=False)
    plain = _is_plain(array)
    with np.errstate(invalid="ignore"):  # ordinates that are not finite: cleaning looks for them
        geometry: Geometries = shapely.from_wkb(
            data if plain.all() else np.where(plain, data, None), on_invalid="ignore"
        )
    decoded = Decoded(geometry, source=SourceWkb(array, _is_exact(array, geometry)))
    for position in np.flatnonzero(shapely.is_missing(geometry)).tolist():
        if data[position]:
            _decode_one(data[position], position, decoded)
    _check_points(data, decoded)
    return decoded


def _is_plain(array: pa.Array[Any]) -> Mask:
    """Which have a type that GEOS can be asked about: shapely gives up the whole column for
    one curve."""
    found = wkb_types.words(array)
    kinds = (found & 0x0FFFFFFF) % 1000
    return (kinds >= 1) & (kinds <= wkb_types.LAST_PLAIN)


def _is_exact(array: pa.Array[Any], geometry: Geometries) -> Mask:
    """Which values are flat, little-endian, and exactly as long as the geometry that was read
    from them: points, lines, polygons, and multipolygons of one polygon."""
    starts, lengths, data = layout(array)
    count = len(array)
    head = np.zeros((count, _HEAD.itemsize), dtype=np.uint8)
    long_enough = np.flatnonzero(lengths >= _HEAD.itemsize)
    head[long_enough] = data[starts[long_enough, None] + np.arange(_HEAD.itemsize)]
    of_multi = head.view(_HEAD)[:, 0]
    little = of_multi["order"] == 1
    of_one_polygon = (of_multi["parts"] == 1) & (of_multi["part_order"] == 1)
    of_one_polygon &= of_multi["part_type"] == _POLYGON
    coordinates = 16 * shapely.get_num_coordinates(geometry)
    rings = shapely.get_num_interior_rings(geometry) + 1
    types = of_multi["type"]
    exact: Mask = ~shapely.is_missing(geometry) & little
    exact &= (
        (types == _POINT) & (lengths == 5 + coordinates)
        | (types == _LINE) & (lengths == 9 + coordinates)
        | (types == _POLYGON) & (lengths == 9 + 4 * rings + coordinates)
        | (types == _MULTIPOLYGON)
        & of_one_polygon
        & (lengths == 18 + 4 * of_multi["rings"].astype(np.int64) + coordinates)
    )
    return exact


def _decode_one(data: bytes, position: int, decoded: Decoded) -> None:
    try:
        parsed = broken_wkb.parse(data)
    except broken_wkb.BrokenWkb as broken:
        decoded.faults[position] = broken.fault
        return
    built = building.build(parsed.raw)
    decoded.geometry[position] = built.geometry
    if built.fault is not None:
        decoded.faults[position] = built.fault
    elif mended := [*parsed.mended, *built.mended]:
        decoded.mended[position] = list(dict.fromkeys(mended))


def _check_points(data: npt.NDArray[np.object_], decoded: Decoded) -> None:
    """A point with NaN in one ordinate only is no empty point, though GEOS may take it so."""
    points = np.flatnonzero(shapely.get_type_id(decoded.geometry) == shapely.GeometryType.POINT)
    xy, owners = shapely.get_coordinates(decoded.geometry[points], return_index=True)
    sound = np.zeros(len(points), dtype=bool)
    sound[owners[~np.isnan(xy).any(axis=1)]] = True
    for position in points[~sound].tolist():
        raw = broken_wkb.parse(data[position]).raw
        decoded.geometry[position] = None
        if raw["coordinates"]:
            decoded.faults[position] = Fault(
                Reason.BAD_COORDINATE, "an ordinate of the point is not a number"
            )
