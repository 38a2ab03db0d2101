"""Dimensions of geometries: heights and measures, and collections taken apart by dimension.

All functions take and return arrays of geometries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely import GeometryType

from services.vector.batch import Geometries

# OGC's names by GEOS's numbers of types.
TYPE_NAMES: Final = (
    "Point",
    "LineString",
    "LinearRing",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
)

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]

_MULTI_OF_DIMENSION = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)
# What GEOS knows beyond these (curves) is made linear by the readers.
_LAST_TYPE = GeometryType.GEOMETRYCOLLECTION


def as_array(geometries: Iterable[shapely.Geometry | None]) -> Geometries:
    """An array of geometries; numpy by itself would look into them."""
    found = list(geometries)
    result = np.empty(len(found), dtype=object)
    result[:] = found
    return result


def unsupported(geometry: Geometries) -> Mask:
    """Where the type is none that a table of simple features holds."""
    return np.asarray(shapely.get_type_id(geometry) > _LAST_TYPE)


def without_measures(geometry: Geometries) -> tuple[Geometries, int]:
    """Leave out M. Returns the geometries and how many had it."""
    measured = np.flatnonzero(shapely.has_m(geometry))
    if not len(measured):
        return geometry, 0
    result = geometry.copy()
    with_z = shapely.has_z(geometry[measured])
    high, flat = measured[with_z], measured[~with_z]
    result[flat] = shapely.force_2d(geometry[flat])
    # force_3d loses the heights that are beside measures; WKB of three ordinates keeps them.
    result[high] = shapely.from_wkb(shapely.to_wkb(geometry[high], output_dimension=3))
    return result, len(measured)


def without_heights(geometry: Geometries) -> tuple[Geometries, int]:
    """Leave out Z. Returns the geometries and how many had it."""
    high = np.flatnonzero(shapely.has_z(geometry))
    if not len(high):
        return geometry, 0
    result = geometry.copy()
    result[high] = shapely.force_2d(geometry[high])
    return result, len(high)


def with_heights(geometry: Geometries) -> tuple[Geometries, int]:
    """Give height 0 to every point without one. Returns how many geometries lacked some."""
    present = geometry != np.array(None)
    flat = np.flatnonzero(present & ~shapely.has_z(geometry))
    high = np.flatnonzero(shapely.has_z(geometry))
    points, owners = shapely.get_coordinates(geometry[high], include_z=True, return_index=True)
    unknown = high[np.unique(owners[~np.isfinite(points[:, 2])])]
    if not len(flat) and not len(unknown):
        return geometry, 0
    result = geometry.copy()
    result[flat] = shapely.force_3d(geometry[flat], z=0.0)
    result[unknown] = shapely.transform(geometry[unknown], _known_heights, include_z=True)
    return result, len(flat) + len(unknown)


def _known_heights(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    points[:, 2] = np.where(np.isfinite(points[:, 2]), points[:, 2], 0.0)
    return points


def without_empty_parts(geometry: Geometries) -> tuple[Geometries, Positions]:
    """Leave out empty parts of multi-geometries, and empty holes, which PostGIS refuses.

    Returns the positions that had some.
    """
    types = shapely.get_type_id(geometry)
    # A multi-geometry of one part is empty when that part is; its part may have empty holes.
    candidates = np.flatnonzero(
        ((types == GeometryType.MULTIPOINT) | (types == GeometryType.MULTILINESTRING))
        & (shapely.get_num_geometries(geometry) > 1)
        | (types == GeometryType.MULTIPOLYGON)
        | (shapely.get_num_interior_rings(geometry) > 0)
    )
    parts, owners = shapely.get_parts(geometry[candidates], return_index=True)
    empty = shapely.is_empty(parts)
    holed = np.flatnonzero(shapely.get_num_interior_rings(parts) > 0)
    rings, ring_owners = shapely.get_rings(parts[holed], return_index=True)
    hollow = holed[np.unique(ring_owners[shapely.is_empty(rings)])]
    touched = np.unique(np.concatenate([owners[empty], owners[hollow]]))
    if not len(touched):
        return geometry, touched
    for part in hollow:
        holes = [ring for ring in parts[part].interiors if not ring.is_empty]
        parts[part] = shapely.Polygon(parts[part].exterior, holes)
    result = geometry.copy()
    for index in touched:
        kept = parts[(owners == index) & ~empty]
        position = candidates[index]
        is_multi = types[position] != GeometryType.POLYGON
        dimension = int(shapely.get_dimensions(kept[0]))
        result[position] = _MULTI_OF_DIMENSION[dimension](kept) if is_multi else kept[0]
    return result, candidates[touched]


def by_dimension(geometry: Geometries) -> tuple[Geometries, Positions, int]:
    """Take collections apart: one geometry for each dimension that they hold.

    Nested collections are flattened; several members of a dimension become one
    multi-geometry. Returns the geometries, the position that each came from (in order), and
    how many collections there were. An empty collection becomes None.
    """
    types = shapely.get_type_id(geometry)
    collections = np.flatnonzero(types == GeometryType.GEOMETRYCOLLECTION)
    everything = np.arange(len(geometry), dtype=np.int64)
    if not len(collections):
        return _lines_for_rings(geometry, types), everything, 0
    plain = np.delete(everything, collections)
    pieces: list[shapely.Geometry | None] = []
    owners: list[int] = []
    for position in collections:
        parts = _split(geometry[position]) or [None]
        pieces.extend(parts)
        owners.extend([int(position)] * len(parts))
    result = np.empty(len(plain) + len(pieces), dtype=object)
    result[: len(plain)] = geometry[plain]
    result[len(plain) :] = pieces
    positions = np.concatenate([plain, np.array(owners, dtype=np.int64)])
    order = np.argsort(positions, kind="stable")
    result = result[order]
    return _lines_for_rings(result, shapely.get_type_id(result)), positions[order], len(collections)


def _lines_for_rings(geometry: Geometries, types: npt.NDArray[np.int32]) -> Geometries:
    """WKB has no rings of their own: a ring is a closed line."""
    rings = np.flatnonzero(types == GeometryType.LINEARRING)
    if not len(rings):
        return geometry
    result = geometry.copy()
    for position in rings:
        result[position] = shapely.LineString(geometry[position])
    return result


def _split(collection: shapely.Geometry) -> list[shapely.Geometry]:
    members = single_parts(collection)
    dimensions = shapely.get_dimensions(members)
    return [joined(members[dimensions == d]) for d in range(3) if (dimensions == d).any()]


def single_parts(geometry: shapely.Geometry) -> Geometries:
    """The points, lines and polygons that a geometry is made of, without empty ones."""
    if geometry.geom_type in ("Point", "LineString", "Polygon") and not geometry.is_empty:
        return as_array([geometry])
    parts: Geometries = shapely.get_parts(as_array([geometry]))
    while (shapely.get_type_id(parts) >= GeometryType.MULTIPOINT).any():
        parts = shapely.get_parts(parts)
    present: Geometries = parts[~shapely.is_empty(parts)]
    return present


def parts_of(geometry: Geometries) -> tuple[Geometries, Positions]:
    """All points, lines and polygons that some geometries are made of, and whose each is."""
    parts, owners = geometry, np.arange(len(geometry))
    while (shapely.get_type_id(parts) >= GeometryType.MULTIPOINT).any():
        parts, index = shapely.get_parts(parts, return_index=True)
        owners = owners[index]
    return parts, owners


def joined(parts: Geometries) -> shapely.Geometry:
    """Single geometries of one dimension as one geometry.

    Valid polygons that overlap or share an edge, as members of a collection may, are merged:
    a multipolygon of them would be invalid.
    """
    if len(parts) == 1:
        return parts[0]
    dimension = int(shapely.get_dimensions(parts[0]))
    result = _MULTI_OF_DIMENSION[dimension](parts)
    if dimension == 2 and not shapely.is_valid(result) and shapely.is_valid(parts).all():
        return shapely.union_all(parts)
    return result
