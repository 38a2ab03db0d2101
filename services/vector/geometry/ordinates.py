"""What can be wrong with coordinates before there is any shape: order, range, repetition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely import GeometryType

from services.vector.batch import Geometries

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]
Points = npt.NDArray[np.float64]

# Rounding beyond the limits: about 10 cm on the ground.
_EXCESS_DEGREES = 1e-6
_RING_POINTS = 4
_NEGATIVE_ZERO = np.iinfo(np.int64).min  # as an integer: the sign bit and no other
_LINE_POINTS = 2


def swapped(geometry: Geometries) -> Geometries:
    """y, x in place of x, y; heights stay."""
    high = shapely.has_z(geometry)
    result = geometry.copy()
    for chosen, ordinates in ((high, [1, 0, 2]), (~high, [1, 0])):
        if chosen.any():
            result[chosen] = shapely.transform(
                geometry[chosen],
                lambda points, o=ordinates: points[:, o],
                include_z=len(ordinates) == 3,
            )
    return result


def not_finite(geometry: Geometries) -> Positions:
    """The positions of geometries with an x or y that is no finite number."""
    points, owners = shapely.get_coordinates(geometry, return_index=True)
    finite = np.isfinite(points)
    if finite.all():
        return np.empty(0, dtype=np.int64)
    return np.unique(owners[~finite.all(axis=1)])


def without_negative_zeros(geometry: Geometries) -> Geometries:
    """0.0 in place of -0.0: PostGIS compares the ends of a ring by their bytes, and would call
    one that goes from 0.0 to -0.0 unclosed."""
    points, owners = shapely.get_coordinates(geometry, return_index=True)
    negative = np.ascontiguousarray(points).view(np.int64) == _NEGATIVE_ZERO
    if not negative.any():
        return geometry
    result = geometry.copy()
    for position in np.unique(owners[negative.any(axis=1)]):
        result[position] = shapely.transform(
            geometry[position],
            lambda points: points + 0.0,
            include_z=bool(shapely.has_z(geometry[position])),
        )
    return result


@dataclass(frozen=True, slots=True)
class Ranged:
    """Geographic geometries against their range. The fields after `geometry` are positions:
    `clamped` ones were beyond it by rounding, `outside` ones are beyond it, `beyond_half_turn`
    ones have longitudes of more than 180 degrees that mean something (190 is -170).
    """

    geometry: Geometries
    clamped: Positions
    outside: Positions
    beyond_half_turn: Positions


def in_degrees(geometry: Geometries) -> Ranged:
    """Judge longitudes and latitudes, in degrees, by the bounds of each geometry."""
    west, south, east, north = shapely.bounds(geometry).T
    reach = np.fmax(np.abs(west), np.abs(east))
    height = np.fmax(np.abs(south), np.abs(north))
    excess = _EXCESS_DEGREES
    outside = (reach > 360 + excess) | (height > 90 + excess)
    slightly = (
        ((reach > 180) & (reach <= 180 + excess)) | ((height > 90) & (height <= 90 + excess))
    ) & ~outside
    clamped = np.flatnonzero(slightly)
    if len(clamped):
        geometry = geometry.copy()
        geometry[clamped] = shapely.transform(geometry[clamped], _clamp)
    return Ranged(
        geometry=geometry,
        clamped=clamped,
        outside=np.flatnonzero(outside),
        beyond_half_turn=np.flatnonzero((reach > 180 + excess) & ~outside),
    )


def _clamp(points: Points) -> Points:
    longitude, latitude = points[:, 0], points[:, 1]
    reach = np.abs(longitude)
    slightly = (reach > 180) & (reach <= 180 + _EXCESS_DEGREES)
    points[:, 0] = np.where(slightly, np.sign(longitude) * 180.0, longitude)
    points[:, 1] = np.clip(latitude, -90.0, 90.0)
    return points


def outside(geometry: Geometries, limits: tuple[float, float, float, float]) -> Positions:
    """The positions of geometries that reach out of a box (xmin, ymin, xmax, ymax)."""
    west, south, east, north = shapely.bounds(geometry).T
    return np.flatnonzero(
        (west < limits[0]) | (south < limits[1]) | (east > limits[2]) | (north > limits[3])
    )


@dataclass(frozen=True, slots=True)
class Repeated:
    """Geometries without repeated points: the positions that had some, and where the first
    one of each was."""

    geometry: Geometries
    positions: Positions
    first: Points


def without_repeated_points(geometry: Geometries) -> Repeated:
    """Leave out points of lines and rings that equal the one before in every ordinate.

    A ring or line that would be left with too few points is kept as it is: it has no area or
    no length, and is judged as such.
    """
    candidates = _with_equal_neighbours(geometry)
    result, positions, first = geometry, [], []
    for chosen in _by_kind(geometry, candidates):
        thinned, changed, at = _thin(geometry[chosen])
        if len(changed):
            result = result.copy() if result is geometry else result
            result[chosen[changed]] = thinned[changed]
            positions.append(chosen[changed])
            first.append(at)
    if not positions:
        return Repeated(geometry, np.empty(0, dtype=np.int64), np.empty((0, 2)))
    return Repeated(result, np.concatenate(positions), np.concatenate(first))


def _with_equal_neighbours(geometry: Geometries) -> Positions:
    """Where two points in a row are equal in x and y, be it across parts."""
    lines = np.flatnonzero(shapely.get_dimensions(geometry) > 0)
    points, owners = shapely.get_coordinates(geometry[lines], return_index=True)
    if len(points) < 2:
        return np.empty(0, dtype=np.int64)
    x, y = points[:, 0], points[:, 1]
    equal = (x[1:] == x[:-1]) & (y[1:] == y[:-1])
    equal &= owners[1:] == owners[:-1]
    found: Positions = lines[np.unique(owners[1:][equal])]
    return found


def _by_kind(geometry: Geometries, positions: Positions) -> list[Positions]:
    """The positions in groups of one type and one number of ordinates."""
    types = shapely.get_type_id(geometry[positions])
    high = shapely.has_z(geometry[positions])
    return [
        group
        for type_id in (
            GeometryType.LINESTRING,
            GeometryType.POLYGON,
            GeometryType.MULTILINESTRING,
            GeometryType.MULTIPOLYGON,
        )
        for with_z in (False, True)
        if len(group := positions[(types == type_id) & (high == with_z)])
    ]


def _thin(geometry: Geometries) -> tuple[Geometries, Positions, Points]:
    """Of geometries of one type: those without repeats, which ones changed, and where first."""
    high = bool(shapely.has_z(geometry[0]))
    kind, points, offsets = shapely.to_ragged_array(geometry, include_z=high)
    runs, outer = offsets[0], offsets[1:]
    keep = np.ones(len(points), dtype=bool)
    keep[1:] = (points[1:] != points[:-1]).any(axis=1)
    starts = runs[:-1]
    keep[starts[starts < len(points)]] = True
    least = _RING_POINTS if "POLYGON" in kind.name else _LINE_POINTS
    run_of_point = np.repeat(np.arange(len(runs) - 1), np.diff(runs))
    left = np.bincount(run_of_point, weights=keep, minlength=len(runs) - 1)
    keep |= (left < least)[run_of_point]
    if keep.all():
        return geometry, np.empty(0, dtype=np.int64), np.empty((0, 2))
    before = np.concatenate([[0], np.cumsum(keep)])
    thinned = shapely.from_ragged_array(kind, points[keep], (before[runs], *outer))
    dropped = np.flatnonzero(~keep)
    owners = shapely.get_coordinates(geometry, return_index=True)[1][dropped]
    changed, first = np.unique(owners, return_index=True)
    return thinned, changed, points[dropped[first], :2]
