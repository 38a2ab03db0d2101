"""How far a raster is warped: a projection is made for a part of the Earth, beyond which its
coordinates grow without bounds.

Web Mercator ends at 85.06 degrees: GDAL, which fits a grid to all that it is given, would make a
raster of the whole world 33 pixels wide there. So a raster that reaches beyond what its new CRS
can show is clipped to the area of use that the CRS's registry states. One that lies a little
beyond it, as beside a zone of UTM, is warped whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer

from core.errors import PermanentTaskError
from services.raster.model import Facts
from services.vector.inference.crs import WGS84, parse_crs

Bounds = tuple[float, float, float, float]
Window = tuple[int, int, int, int]
Points = npt.NDArray[np.float64]

# Along each side of a raster, and of the area of use.
_GRID = 33
# An area of use that goes around the Earth and to these latitudes is all that the CRS can show.
_AROUND, _HIGH_LATITUDE = 360.0, 60.0
# Regional grids are used beyond their areas, though hardly by more than the area's own size.
_BESIDE = 1.0
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Reach:
    """What is warped of a raster.

    `bounds`: (xmin, ymin, xmax, ymax) in the new CRS. `window`: (column, row, columns, rows) of
    the raster, the part that lies in it, from which the resolution is computed.
    """

    bounds: Bounds
    window: Window


def reach(facts: Facts, source_crs: str, target_crs: str) -> Reach | None:
    """The part of a raster that is warped to a CRS; None for one that is warped whole.

    Raises `PermanentTaskError` (warp_out_of_range) for a raster that lies beyond what the CRS can
    show.
    """
    source, target = parse_crs(source_crs), parse_crs(target_crs)
    # Longitudes and latitudes are known everywhere.
    if facts.transform is None or target.is_geographic:
        return None
    area = _area_of_use(target)
    if area is None:
        return None
    bounds, is_the_world = area
    if _within(_warped(facts, source, target), bounds, 0.0 if is_the_world else _BESIDE):
        return None
    window = _window(facts, bounds, source, target)
    if window is None:
        raise PermanentTaskError(
            f"target_crs: the raster lies beyond the area where {target_crs}, {target.name}, is "
            "used, and has no place in it. Name a CRS of where the raster lies.",
            code="warp_out_of_range",
            field="target_crs",
        )
    return Reach(bounds, window)


def _area_of_use(target: CRS) -> tuple[Bounds, bool] | None:
    """The area of use of a CRS in its own coordinates, and whether it is all of the world; None
    where it is unknown."""
    area = target.area_of_use
    if area is None:
        return None
    east = area.east + _AROUND if area.east < area.west else area.east
    longitudes, latitudes = np.meshgrid(
        np.linspace(area.west, east, _GRID), np.linspace(area.south, area.north, _GRID)
    )
    points = _transformed(
        np.column_stack([longitudes.ravel(), latitudes.ravel()]), parse_crs(WGS84), target
    )
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return None
    (xmin, ymin), (xmax, ymax) = points.min(axis=0), points.max(axis=0)
    is_the_world = (
        east - area.west >= _AROUND
        and area.south <= -_HIGH_LATITUDE
        and area.north >= _HIGH_LATITUDE
    )
    return (float(xmin), float(ymin), float(xmax), float(ymax)), is_the_world


def _within(points: Points, bounds: Bounds, beside: float) -> bool:
    """Whether all points lie in a box that is so much larger, by shares of its size, at each
    side."""
    xmin, ymin, xmax, ymax = bounds
    across, up = ((beside + _ROUNDING) * side for side in (xmax - xmin, ymax - ymin))
    x, y = points.T
    # What has no place in the CRS is not a number, or infinite, and lies in no box.
    inside = (x >= xmin - across) & (x <= xmax + across) & (y >= ymin - up) & (y <= ymax + up)
    return bool(inside.all())


def _warped(facts: Facts, source: CRS, target: CRS) -> Points:
    """Points spread over the raster from edge to edge, in the new CRS."""
    assert facts.transform is not None
    a, b, c, d, e, f = facts.transform
    column, row = np.meshgrid(
        np.linspace(0, facts.width, _GRID), np.linspace(0, facts.height, _GRID)
    )
    x, y = a * column + b * row + c, d * column + e * row + f
    return _transformed(np.column_stack([x.ravel(), y.ravel()]), source, target)


def _window(facts: Facts, bounds: Bounds, source: CRS, target: CRS) -> Window | None:
    """The part of the raster that lies in a box of the new CRS; None where there is none."""
    xmin, ymin, xmax, ymax = bounds
    x, y = np.meshgrid(np.linspace(xmin, xmax, _GRID), np.linspace(ymin, ymax, _GRID))
    points = _transformed(np.column_stack([x.ravel(), y.ravel()]), target, source)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return None
    boxes = []
    # A raster may have its longitudes from 0 to 360.
    for turn in (-_turn(source), 0.0, _turn(source)):
        columns, rows = _pixels(points + np.array([turn, 0.0]), facts)
        left, right = max(0.0, columns.min()), min(float(facts.width), columns.max())
        top, bottom = max(0.0, rows.min()), min(float(facts.height), rows.max())
        if left < right and top < bottom:
            boxes.append((left, top, right, bottom))
    if not boxes:
        return None
    (left, top), (right, bottom) = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    first_column, first_row = math.floor(left), math.floor(top)
    return first_column, first_row, math.ceil(right) - first_column, math.ceil(bottom) - first_row


def _turn(crs: CRS) -> float:
    """Once around the Earth, in the unit of a geographic CRS; 0 in others."""
    return 2 * math.pi / crs.axis_info[0].unit_conversion_factor if crs.is_geographic else 0.0


def _pixels(points: Points, facts: Facts) -> Points:
    """Columns and rows, with fractions, of points in the raster's CRS."""
    assert facts.transform is not None
    a, b, c, d, e, f = facts.transform
    pixels: Points = np.linalg.solve(np.array([[a, b], [d, e]]), (points - (c, f)).T)
    return pixels


def _transformed(points: Points, source: CRS, target: CRS) -> Points:
    transformer = Transformer.from_crs(source, target, always_xy=True)
    return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))
