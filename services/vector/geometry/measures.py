"""Areas and lengths on the WGS 84 ellipsoid, of the few geometries that were changed."""

from __future__ import annotations

from collections.abc import Callable

import shapely
from pyproj import Geod
from shapely import GeometryType

from services.vector.geometry.dimensions import single_parts

Measure = Callable[[shapely.Geometry], float]

# New points, where edges cross, are rounded: so small a share is no change of an area.
ROUNDING = 1e-6

_GEOD = Geod(ellps="WGS84")


def area(geometry: shapely.Geometry | None) -> float:
    """Square metres: of each polygon its shell less its holes, whatever way the rings go.

    Coordinates are WGS 84 longitudes and latitudes. For an invalid ring this is what it winds
    around: loops of opposite directions cancel out, overlapping ones count twice.
    """
    if geometry is None:
        return 0.0
    return sum(
        _ring_area(polygon.exterior) - sum(_ring_area(hole) for hole in polygon.interiors)
        for polygon in single_parts(geometry)
        if shapely.get_type_id(polygon) == GeometryType.POLYGON
    )


def length(geometry: shapely.Geometry | None) -> float:
    """Metres: the length of lines, the perimeter of polygons, holes included."""
    if geometry is None:
        return 0.0
    return sum(_line_length(line) for part in single_parts(geometry) for line in _lines(part))


def planar_area(geometry: shapely.Geometry) -> float:
    """The area in the square of the coordinates' unit."""
    return float(geometry.area)


def area_before(invalid: shapely.Geometry, area_after: float, measure: Measure = area) -> float:
    """The area of an invalid polygon, of which there are two readings: the nearer one.

    What its rings wind around (shells less holes) misses loops that cancel out: a bow-tie has
    none. What they enclose by the even-odd rule misses where parts overlap.
    """
    wound = measure(invalid)
    if abs(wound - area_after) <= ROUNDING * area_after:
        return wound
    try:
        enclosed = measure(shapely.make_valid(invalid, method="linework"))
    except shapely.GEOSException:
        return wound
    return min(wound, enclosed, key=lambda reading: share_changed(reading, area_after))


def share_changed(before: float, after: float) -> float:
    """By what share of an area another one differs from it: 0.1 is 10%."""
    return abs(after - before) / before if before > 0 else 1.0


def _lines(part: shapely.Geometry) -> list[shapely.Geometry]:
    if shapely.get_type_id(part) == GeometryType.POLYGON:
        return [part.exterior, *part.interiors]
    return [part] if shapely.get_dimensions(part) == 1 else []


def _ring_area(ring: shapely.LinearRing) -> float:
    x, y = shapely.get_coordinates(ring).T
    return abs(float(_GEOD.polygon_area_perimeter(x, y)[0]))


def _line_length(line: shapely.Geometry) -> float:
    x, y = shapely.get_coordinates(line).T
    return float(_GEOD.line_length(x, y))
