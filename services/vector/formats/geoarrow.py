"""Geometries as nested Arrow lists of coordinates: GeoParquet's native encodings.

https://geoarrow.org/format: a point is a struct of x, y (z, m) or a fixed list of them; lines
are lists of points, polygons lists of rings, and so on.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from services.vector.formats.wkb import Decoded
from services.vector.geometry import building

# The encodings of GeoParquet 1.1: the type, and how many lists are around a position.
ENCODINGS: Final = {
    "point": ("Point", 0),
    "linestring": ("LineString", 1),
    "polygon": ("Polygon", 2),
    "multipoint": ("MultiPoint", 1),
    "multilinestring": ("MultiLineString", 2),
    "multipolygon": ("MultiPolygon", 3),
}
_ORDINATES: Final = ("x", "y", "z")


def decode(array: pa.Array[Any], encoding: str) -> Decoded:
    """The geometries of a column; those with flaws are built one by one."""
    name, depth = ENCODINGS[encoding]
    present = np.asarray(array.is_valid())
    decoded = Decoded(np.full(len(array), None, dtype=object))
    chosen = array.filter(pa.array(present))
    try:
        coordinates, offsets = _ragged(chosen, depth)
        if not np.isfinite(coordinates).all():
            raise ValueError("ordinates are missing")
        if name.endswith("Polygon") and not _is_closed(coordinates, offsets[0]):
            raise ValueError("a ring is open")  # shapely would close it without a word
        decoded.geometry[present] = shapely.from_ragged_array(
            shapely.GeometryType[name.upper()], coordinates, offsets or None
        )
    except (ValueError, shapely.errors.GEOSException):
        _decode_each(chosen, name, np.flatnonzero(present).tolist(), decoded)
    return decoded


def _ragged(
    array: pa.Array[Any], depth: int
) -> tuple[npt.NDArray[np.float64], tuple[npt.NDArray[np.int64], ...]]:
    """The positions of all, and the offsets of each level of lists, innermost first."""
    offsets = []
    for _ in range(depth):
        if array.null_count:
            raise ValueError("a part is null")
        level = np.asarray(array.offsets).astype(np.int64)
        offsets.append(level - level[0])
        array = array.flatten()
    return _positions(array), tuple(reversed(offsets))


def _is_closed(coordinates: npt.NDArray[np.float64], rings: npt.NDArray[np.int64]) -> bool:
    """Whether each ring ends where it begins; an empty one does not."""
    first, last = rings[:-1], rings[1:] - 1
    if (last < first).any():
        return False
    return bool((coordinates[first] == coordinates[last]).all())


def _positions(array: pa.Array[Any]) -> npt.NDArray[np.float64]:
    if pa.types.is_struct(array.type):
        names = [field.name for field in array.type]
        columns = [array.field(names.index(name)) for name in _ORDINATES if name in names]
        return np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
    width = array.type.list_size
    values = array.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    kept = width if width == len(_ORDINATES) else 2
    return np.asarray(values[:, :kept], dtype=np.float64)


def _decode_each(array: pa.Array[Any], name: str, positions: list[int], decoded: Decoded) -> None:
    built = building.build_many(
        [{"type": name, "coordinates": _plain(value)} for value in array.to_pylist()]
    )
    for at, position in enumerate(positions):
        decoded.geometry[position] = built.geometry[at]
        if at in built.faults:
            decoded.faults[position] = built.faults[at]
        if at in built.mended:
            decoded.mended[position] = built.mended[at]


def _plain(value: Any) -> Any:
    """Structs of ordinates as lists, as GeoJSON has them."""
    if isinstance(value, dict):
        return [value[name] for name in _ORDINATES if name in value]
    return [_plain(each) for each in value] if isinstance(value, list) else value


def has_z(kind: pa.DataType) -> bool:
    """Whether the positions of a column have a height."""
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        return any(field.name == "z" for field in kind)
    return bool(pa.types.is_fixed_size_list(kind) and kind.list_size == len(_ORDINATES))
