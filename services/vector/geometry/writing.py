"""Geometries as WKB, as PostGIS takes them in.

What came as WKB and was not touched is not written again, and a single geometry becomes a
multi-geometry by a few bytes before it: geometries that are as they should be cost no more than
the copy of their bytes.
"""

from __future__ import annotations

import operator
import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from shapely import GeometryType

from services.vector.batch import Batch, Geometries, Rows

Mask = npt.NDArray[np.bool_]

_MULTI_OF: Final = {
    GeometryType.POINT: GeometryType.MULTIPOINT,
    GeometryType.LINESTRING: GeometryType.MULTILINESTRING,
    GeometryType.POLYGON: GeometryType.MULTIPOLYGON,
}
_LITTLE_ENDIAN: Final = 1
_Z_FLAG: Final = 0x80000000  # EWKB's, as shapely writes it


def written(batch: Batch, positions: Rows, geometry: Geometries) -> pa.Array[Any]:
    """WKB without an SRID (large_binary), null where there is no geometry.

    `positions` says which of the batch's geometries each was.
    """
    kept = _as_they_came(batch, positions, geometry)
    if batch.wkb is None or not kept.any():
        return _to_wkb(geometry)
    source = batch.wkb.values.cast(pa.large_binary())
    if len(positions) != len(batch) or (positions != np.arange(len(batch))).any():
        source = source.take(pa.array(positions))
    if kept.all():
        return source
    others = geometry.copy()
    others[kept] = None
    return pc.if_else(pa.array(kept), source, _to_wkb(others))


def promoted(
    wkb: pa.Array[Any], geometry: Geometries, *, points: bool, others: bool
) -> tuple[pa.Array[Any], int]:
    """WKB of multi-geometries in place of single ones. Returns it and how many were single.

    A multi-geometry is its byte order, its type, how many parts it has, and the parts, each of
    which is WKB itself (OGC 06-103r4, clause 8.2.3).
    """
    types, high = shapely.get_type_id(geometry), shapely.has_z(geometry)
    headers = [b""]
    chosen = np.zeros(len(geometry), dtype=np.int64)
    for single, multi in _MULTI_OF.items():
        if not (points if single == GeometryType.POINT else others):
            continue
        for flag, alike in ((0, ~high), (_Z_FLAG, high)):
            chosen[(types == single) & alike] = len(headers)
            # GEOS numbers its types from 0 and has rings among them; WKB does not.
            headers.append(struct.pack("<BII", _LITTLE_ENDIAN, flag | int(multi), 1))
    if not chosen.any():
        return wkb, 0
    before = pa.array(headers, pa.large_binary()).take(pa.array(chosen))
    nothing = pa.scalar(b"", pa.large_binary())
    return pc.binary_join_element_wise(before, wkb, nothing), int(np.count_nonzero(chosen))


def _as_they_came(batch: Batch, positions: Rows, geometry: Geometries) -> Mask:
    """Which are the very objects that were read from WKB that can be passed on."""
    if batch.wkb is None:
        return np.zeros(len(geometry), dtype=bool)
    same = map(operator.is_, geometry, batch.geometry[positions])
    kept: Mask = np.fromiter(same, dtype=bool, count=len(geometry))
    kept &= batch.wkb.exact[positions]
    return kept


def _to_wkb(geometry: Geometries) -> pa.Array[Any]:
    encoded = shapely.to_wkb(geometry, output_dimension=4, include_srid=False)
    return pa.array(encoded, pa.large_binary())
