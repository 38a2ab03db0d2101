"""From one CRS to another, whole arrays of geometries at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from pyproj.exceptions import ProjError

from services.vector.batch import Geometries
from services.vector.geometry.dimensions import parts_of
from services.vector.geometry.ordinates import without_negative_zeros
from services.vector.inference.crs import WGS84, parse_crs, same_crs

Points = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

_HALF_TURN_DEGREES = 180.0
_RING_POINTS = 4


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(parse_crs(source), parse_crs(target), always_xy=True)


def project(geometry: Geometries, source: str, target: str) -> tuple[Geometries, Positions]:
    """Geometries in another CRS; heights stay as they are.

    Returns them and the positions of those that have no place in it, which keep the
    coordinates that they had.
    """
    if same_crs(source, target):
        return geometry, np.empty(0, dtype=np.int64)
    points, owners = shapely.get_coordinates(geometry, return_index=True)
    if not len(points):
        return geometry, np.empty(0, dtype=np.int64)
    x, y = _transformer(source, target).transform(points[:, 0], points[:, 1])
    projected = np.column_stack([x, y])
    finite = np.isfinite(projected).all(axis=1)
    failed = np.unique(owners[~finite])
    if len(failed):
        lost = np.isin(owners, failed)
        projected[lost] = points[lost]
    result = geometry.copy()
    # set_coordinates writes into the array, and leaves out heights that it is not given.
    high = shapely.has_z(geometry)
    result[~high] = _with_points(geometry[~high], projected[~high[owners]])
    if high.any():
        heights = shapely.get_coordinates(geometry[high], include_z=True)[:, 2:]
        result[high] = _with_points(
            geometry[high], np.column_stack([projected[high[owners]], heights])
        )
    return result, failed


def _with_points(geometry: Geometries, points: Points) -> Geometries:
    replaced: Geometries = shapely.set_coordinates(geometry.copy(), points)
    return replaced


def to_wgs84(geometry: Geometries, source: str | None) -> Geometries:
    """Flat geometries in WGS 84, for the map; None where there is no such place.

    Longitudes may run beyond 180 degrees, as in geometries that cross the antimeridian. What
    PostGIS refuses to take in, rings of fewer than four points, is None as well.
    """
    result = shapely.force_2d(geometry)
    if source is None:
        return np.full(len(geometry), None, dtype=object)
    bounds = shapely.bounds(result)
    drawable = np.isfinite(bounds).all(axis=1) & _finite(result) & ~_has_short_rings(result)
    result[~drawable] = None
    result, failed = project(result, source, WGS84)
    result[failed] = None
    west, south, east, north = shapely.bounds(result).T
    with np.errstate(invalid="ignore"):
        off = (west < -540) | (east > 540) | (south < -90) | (north > 90)
    result[off] = None
    return without_negative_zeros(result)


def _has_short_rings(geometry: Geometries) -> npt.NDArray[np.bool_]:
    short = np.zeros(len(geometry), dtype=bool)
    parts, owners = parts_of(geometry)
    rings, index = shapely.get_rings(parts, return_index=True)
    points = shapely.get_num_coordinates(rings)
    short[owners[index[(points > 0) & (points < _RING_POINTS)]]] = True
    return short


def _finite(geometry: Geometries) -> npt.NDArray[np.bool_]:
    points, owners = shapely.get_coordinates(geometry, return_index=True)
    finite = np.ones(len(geometry), dtype=bool)
    finite[owners[~np.isfinite(points).all(axis=1)]] = False
    return finite


@dataclass(frozen=True, slots=True)
class Range:
    """Where the coordinates of a CRS can be.

    `degrees`: they are longitudes and latitudes. `limits`: the box (xmin, ymin, xmax, ymax),
    in the CRS's unit, that they must be in; None where it is unknown.
    """

    degrees: bool
    limits: tuple[float, float, float, float] | None


@lru_cache(maxsize=64)
def range_of(crs_text: str) -> Range:
    """The range of a CRS: degrees, or a box far beyond its area of use.

    National grids and UTM zones are used beyond their area of use, so the box is three times
    as wide and as high as that: it keeps out what has no meaning at all.
    """
    crs = parse_crs(crs_text)
    if crs.is_geographic:
        factor = crs.axis_info[0].unit_conversion_factor
        half_turn = pi / factor if factor else _HALF_TURN_DEGREES
        if abs(half_turn - _HALF_TURN_DEGREES) < 1e-6:
            return Range(degrees=True, limits=None)
        return Range(False, (-2 * half_turn, -half_turn / 2, 2 * half_turn, half_turn / 2))
    area = crs.area_of_use
    if area is None:
        return Range(degrees=False, limits=None)
    east = area.east + 360 if area.east < area.west else area.east
    try:
        west_x, south_y, east_x, north_y = _transformer(WGS84, crs_text).transform_bounds(
            area.west, area.south, east, area.north, densify_pts=21
        )
    except ProjError:
        return Range(degrees=False, limits=None)
    if not np.isfinite([west_x, south_y, east_x, north_y]).all():
        return Range(degrees=False, limits=None)
    width, height = abs(east_x - west_x), abs(north_y - south_y)
    return Range(
        degrees=False,
        limits=(
            min(west_x, east_x) - width,
            min(south_y, north_y) - height,
            max(west_x, east_x) + width,
            max(south_y, north_y) + height,
        ),
    )
