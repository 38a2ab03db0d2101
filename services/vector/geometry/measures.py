"""Areas and lengths on the WGS 84 ellipsoid, of arrays of geometries.

Coordinates are WGS 84 longitudes and latitudes. Edges are straight in longitude and latitude,
as PostGIS has them, and not geodesics, which matters for edges of hundreds of kilometres only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod

from services.vector.batch import Geometries
from services.vector.geometry.dimensions import parts_of

Numbers = npt.NDArray[np.float64]
Measure = Callable[[Geometries], Numbers]

# New points, where edges cross, are rounded: so small a share is no change of an area.
ROUNDING = 1e-6
_EDGE_ROUNDING = 1e-10

_GEOD = Geod(ellps="WGS84")


def areas(geometry: Geometries) -> Numbers:
    """Square metres: of each polygon its shell less its holes, whatever way the rings go.

    For an invalid ring this is what it winds around: loops of opposite directions cancel out,
    overlapping ones count twice. Longitudes may run beyond 180 degrees, but not jump.
    """
    return planar_areas(shapely.transform(geometry, _equal_area))


def planar_areas(geometry: Geometries) -> Numbers:
    """As `areas`, in the square of the coordinates' unit."""
    found: Numbers = np.nan_to_num(shapely.area(geometry))
    return found


def _equal_area(points: Numbers) -> Numbers:
    """Metres in the cylindrical equal-area projection (Snyder 1987, formulas 10-14, 10-15, 3-12).

    PROJ's would bring longitudes beyond 180 degrees back.
    """
    longitude, sine = np.radians(points[:, 0]), np.sin(np.radians(points[:, 1]))
    square = _GEOD.es
    eccentricity = np.sqrt(square)
    q = (1 - square) * (
        sine / (1 - square * sine**2)
        - np.log((1 - eccentricity * sine) / (1 + eccentricity * sine)) / (2 * eccentricity)
    )
    return np.column_stack([_GEOD.a * longitude, _GEOD.a * q / 2])


def lengths(geometry: Geometries) -> Numbers:
    """Metres: the length of lines, the perimeter of polygons, holes included."""
    parts, owners = parts_of(geometry)
    dimensions = shapely.get_dimensions(parts)
    polygons = np.flatnonzero(dimensions == 2)
    rings, of_ring = shapely.get_rings(parts[polygons], return_index=True)
    lines = np.concatenate([parts[dimensions == 1], rings])
    owners = np.concatenate([owners[dimensions == 1], owners[polygons][of_ring]])
    points, of_point = shapely.get_coordinates(lines, return_index=True)
    edges = np.flatnonzero(of_point[1:] == of_point[:-1])
    (x, y), (next_x, next_y) = points[edges].T, points[edges + 1].T
    metres = _GEOD.inv(x, y, next_x, next_y)[2]
    totals = np.bincount(owners[of_point[edges]], weights=metres, minlength=len(geometry))
    return totals.astype(np.float64)


def areas_before(
    invalid: Geometries, repaired: Geometries, areas_after: Numbers, measure: Measure = areas
) -> Numbers:
    """The areas of invalid polygons, of which there are two readings: the nearer one.

    What their rings wind around (shells less holes) misses loops that cancel out: a bow-tie
    has none. What they enclose by the even-odd rule misses where parts overlap.
    """
    result = measure(invalid)
    doubtful = np.flatnonzero(np.abs(result - areas_after) > ROUNDING * areas_after)
    wound, after = result[doubtful], areas_after[doubtful]
    # Where the repair kept every edge, each leads into an area or out of it: the even-odd rule.
    enclosed = after.copy()
    others = ~_have_as_much_edge(invalid[doubtful], repaired[doubtful])
    enclosed[others] = measure(_by_even_odd_rule(invalid[doubtful[others]]))
    nearer = share_changed(enclosed, after) < share_changed(wound, after)
    result[doubtful] = np.where(nearer, enclosed, wound)
    return result


def _have_as_much_edge(
    invalid: Geometries, repaired: Geometries
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which are as long around as before: nothing between areas, or there twice, was dropped."""
    before, after = shapely.length(invalid), shapely.length(repaired)
    return np.asarray(np.abs(before - after) <= _EDGE_ROUNDING * before)


def _by_even_odd_rule(invalid: Geometries) -> Geometries:
    try:
        built: Geometries = shapely.make_valid(invalid, method="linework")
        return built
    except shapely.GEOSException:
        return np.array([_even_odd(geometry) for geometry in invalid], dtype=object)


def _even_odd(geometry: shapely.Geometry) -> shapely.Geometry | None:
    try:
        return shapely.make_valid(geometry, method="linework")
    except shapely.GEOSException:
        # There is no second reading of what GEOS cannot node.
        return None


def share_changed(before: Numbers, after: Numbers) -> Numbers:
    """By what share of an area another one differs from it: 0.1 is 10%."""
    change = np.ones(len(before))
    np.divide(np.abs(after - before), before, out=change, where=before > 0)
    return change
