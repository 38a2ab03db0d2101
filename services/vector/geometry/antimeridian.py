"""Geometries that cross the antimeridian, cut there.

Two things are met in files: coordinates that run on beyond 180 degrees (175, 185), and ones
that jump (175, -175), which drawn as they are would go once around the Earth. Jumping ones
are first unwrapped, so that they run on; what reaches beyond 180 degrees is then cut at it by
plain intersection and brought back into -180 to 180. Edges are straight in longitude and
latitude, as RFC 7946 (section 3.1.1) and PostGIS have them.

**When a jump is a crossing.** In a geometry whose longitudes are all from -180 to 180, or all
from 0 to 360, an edge of more than 180 degrees crosses the map's edge, with three exceptions.
One of exactly 360 degrees lies along that edge. A geometry that touches the edge on both
sides is laid out for the whole map already (Russia, Antarctica, an outline of the world).
And a rectangle of at least 90 degrees of latitude is the extent of something world-wide, not
a strip from pole to pole. Longitudes of any other range run on already.

A ring that goes around a pole does not close once unwrapped: it is closed over the pole that
it is nearer to.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import shapely
from shapely import GeometryType

from services.vector.batch import Geometries
from services.vector.geometry.dimensions import joined, single_parts

Positions = npt.NDArray[np.int64]
Points = npt.NDArray[np.float64]

_TURN = 360.0
_HALF = 180.0
_ROUNDING = 1e-9
_WORLD_WIDE_LATITUDES = 90.0
_RING_POINTS = 4


def crossing(geometry: Geometries) -> Positions:
    """The positions of lines and polygons with longitudes that jump over the antimeridian."""
    west, south, east, north = shapely.bounds(geometry).T
    wide = (east - west > _HALF) & (shapely.get_dimensions(geometry) > 0)
    within = np.zeros(len(geometry), dtype=bool)
    for edge in (-_HALF, 0.0):
        far = edge + _TURN
        laid_out = (west <= edge + _ROUNDING) & (east >= far - _ROUNDING)
        within |= (west >= edge - _ROUNDING) & (east <= far + _ROUNDING) & ~laid_out
    candidates = np.flatnonzero(wide & within)
    jumping = [
        position
        for position in candidates
        if any(_jumps(run) for run in _runs(geometry[position]))
        and not (
            north[position] - south[position] >= _WORLD_WIDE_LATITUDES
            and _is_rectangle(geometry[position])
        )
    ]
    return np.array(jumping, dtype=np.int64)


def unwrap(geometry: shapely.Geometry) -> shapely.Geometry:
    """A line or polygon that jumps, with longitudes that run on beyond 180 degrees.

    The result may be invalid where the geometry was.
    """
    parts = single_parts(geometry)
    unwrapped = [
        _unwrap_polygon(part)
        if shapely.get_type_id(part) == GeometryType.POLYGON
        else shapely.LineString(_unwrapped(_points(part)))
        for part in parts
    ]
    if len(unwrapped) == 1:
        return unwrapped[0]
    if shapely.get_dimensions(geometry) == 2:
        return shapely.MultiPolygon(unwrapped)
    return shapely.MultiLineString(unwrapped)


def cut(geometry: shapely.Geometry) -> tuple[shapely.Geometry, int]:
    """A valid geometry brought into -180 to 180 degrees, cut where it has to be.

    Returns it and the number of turns of the map that it lay on: with one it was moved as a
    whole, with more it was cut.
    """
    west, _, east, _ = shapely.bounds(geometry)
    if shapely.get_dimensions(geometry) == 0:
        return shapely.transform(
            geometry, _wrapped_points, include_z=bool(shapely.has_z(geometry))
        ), 1
    first = math.floor((west + _HALF) / _TURN)
    last = math.ceil((east - _HALF) / _TURN)
    if first >= last:
        return _moved(geometry, first), 1
    dimension = shapely.get_dimensions(geometry)
    pieces = []
    for turn in range(first, last + 1):
        window = shapely.box(turn * _TURN - _HALF, -_HALF, turn * _TURN + _HALF, _HALF)
        parts = single_parts(shapely.intersection(geometry, window))
        parts = parts[shapely.get_dimensions(parts) == dimension]
        if len(parts):
            pieces.append(_moved(joined(parts), turn))
    together = joined(np.concatenate([single_parts(piece) for piece in pieces]))
    return together, len(pieces)


def _runs(geometry: shapely.Geometry) -> list[Points]:
    """The longitudes and latitudes of each ring or line."""
    runs: list[Points] = []
    for part in single_parts(geometry):
        if shapely.get_type_id(part) == GeometryType.POLYGON:
            runs.extend(_points(ring) for ring in (part.exterior, *part.interiors))
        else:
            runs.append(_points(part))
    return runs


def _points(line: shapely.Geometry) -> Points:
    return np.asarray(shapely.get_coordinates(line, include_z=bool(shapely.has_z(line))))


def _jumps(run: Points) -> bool:
    step = np.abs(np.diff(run[:, 0]))
    return bool(((step > _HALF) & (step < _TURN - _ROUNDING)).any())


def _is_rectangle(geometry: shapely.Geometry) -> bool:
    return bool(
        shapely.get_dimensions(geometry) == 2
        and shapely.get_num_coordinates(geometry) == 5
        and shapely.equals(geometry, shapely.envelope(geometry))
    )


def _unwrapped(run: Points) -> Points:
    """A run of points whose longitudes have no step of more than half a turn."""
    result = run.copy()
    step = np.diff(run[:, 0])
    turns = np.where(np.abs(step) > _HALF, np.round(step / _TURN), 0.0)
    result[1:, 0] -= np.cumsum(turns) * _TURN
    return result


def _unwrap_polygon(polygon: shapely.Polygon) -> shapely.Polygon:
    shell = _closed_over_pole(_unwrapped(_points(polygon.exterior)))
    west, east = shell[:, 0].min(), shell[:, 0].max()
    holes = []
    for ring in polygon.interiors:
        hole = _closed_over_pole(_unwrapped(_points(ring)))
        middle = (hole[:, 0].min() + hole[:, 0].max()) / 2
        # The hole's turn is the one on which it lies within its shell.
        turns = [t for t in (0, -1, 1) if west <= middle + t * _TURN <= east]
        hole[:, 0] += (turns[0] if turns else 0) * _TURN
        holes.append(hole)
    return shapely.Polygon(shell, holes)


def _closed_over_pole(ring: Points) -> Points:
    """An unwrapped ring, closed along the pole where it does not end where it began."""
    if abs(ring[-1, 0] - ring[0, 0]) < _HALF:
        return ring
    pole = 90.0 if ring[:, 1].mean() > 0 else -90.0
    over = ring[[-1, 0]].copy()
    over[:, 1] = pole
    return np.concatenate([ring, over, ring[:1]])


def _moved(geometry: shapely.Geometry, turns: int) -> shapely.Geometry:
    if turns == 0:
        return geometry
    return shapely.transform(
        geometry,
        lambda points: np.column_stack([points[:, 0] - turns * _TURN, points[:, 1:]]),
        include_z=bool(shapely.has_z(geometry)),
    )


def _wrapped_points(points: Points) -> Points:
    x = points[:, 0]
    beyond = np.abs(x) > _HALF
    points[:, 0] = np.where(beyond, (x + _HALF) % _TURN - _HALF, x)
    return points
