"""Where the grids of rasters lie on the Earth, how large their pixels are, and what overlaps.

Rasters whose pixels are those of one grid are read as one, a `Mosaic`; see `mosaics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import shapely
import shapely.affinity
from pyproj import Geod

from core.errors import PermanentTaskError
from services.h3.model import Box, Grid, Mosaic, Numbers, SourceRaster
from services.h3.mosaicking import go_on, mosaics
from services.h3.planes import Plane

__all__ = ["bounds", "mosaics", "overlapping", "pixel_size_m"]

_HALF, _TURN, _POLE = 180.0, 360.0, 90.0
# Points along each side of a grid, and along the sides of a net over it where its edge is not on
# the Earth.
_EDGE, _NET = 257, 129
# Along each side: pixels whose size is looked at.
_SIZED = 5
# Of a pixel: rasters that lie over each other no deeper touch, and nothing more.
_TOUCHING = 0.05
# Degrees between places of the same longitude and latitude in two datums, and more.
_DATUM = 0.02
_ROUNDING = 1e-9
_GEOD = Geod(ellps="WGS84")


def bounds(grid: Grid) -> list[Box]:
    """Boxes that hold all pixels of a grid: one, or two across the antimeridian.

    A grid with a pole in it takes all longitudes up to there. Where part of the grid's edge is
    not on the Earth, as that of a full disk, the boxes are somewhat larger than need be.
    """
    plane = Plane(grid)
    columns, rows = _edge(grid, _EDGE)
    longitudes, latitudes = plane.places(columns, rows)
    poles = _poles_within(plane)
    is_finite = bool(np.isfinite(longitudes).all())
    if is_finite and not _goes_round(plane):
        unwrapped = np.unwrap(longitudes, period=_TURN)
        west, east = float(unwrapped.min()), float(unwrapped.max())
        south, north = float(latitudes.min()), float(latitudes.max())
        pad = max(_bulge(latitudes), 0.0 if poles else _bulge(unwrapped))
    elif plane.turn is not None and not np.isnan(latitudes).all():
        # What lies beyond a whole turn, or a pole, has no place, and adds nothing.
        west, east = plane.span
        south, north = float(np.nanmin(latitudes)), float(np.nanmax(latitudes))
        pad = _bulge(latitudes) + (0.0 if plane.is_plain else _DATUM)
    else:
        west, south, east, north, pad = _net(plane)
    if poles:
        west, east = -_HALF, _HALF
        south, north = (-_POLE if -1 in poles else south), (_POLE if 1 in poles else north)
    return list(_boxes(west - pad, south - pad, east + pad, north + pad))


def pixel_size_m(grid: Grid) -> float:
    """Metres along the side of a square as large as the mean pixel.

    Raises `PermanentTaskError` (not_on_earth) for a grid of which no pixel is on the Earth.
    """
    plane = Plane(grid)
    shares = (np.arange(_SIZED) + 0.5) / _SIZED
    columns, rows = np.meshgrid(
        np.floor(shares * grid.width) + 0.5, np.floor(shares * grid.height) + 0.5
    )
    right, down = np.array([-0.5, 0.5, 0.5, -0.5]), np.array([-0.5, -0.5, 0.5, 0.5])
    longitudes, latitudes = plane.places(columns.reshape(-1, 1) + right, rows.reshape(-1, 1) + down)
    areas = [
        abs(_GEOD.polygon_area_perimeter(around, up)[0])
        for around, up in zip(longitudes, latitudes, strict=True)
        if np.isfinite(around).all()
    ]
    if not areas or not sum(areas) > 0:
        raise PermanentTaskError(
            f"The grid of {grid.width:,} x {grid.height:,} pixels in {grid.crs[:40]} has no place "
            "on the Earth: its coordinates are not those of its CRS.",
            code="not_on_earth",
        )
    return math.sqrt(sum(areas) / len(areas))


def overlapping(
    rasters: Sequence[SourceRaster],
    mosaics: Sequence[Mosaic],
    check: Callable[[], None] = go_on,
) -> tuple[int, int] | None:
    """Two rasters, by their numbers, that are in different mosaics and lie over each other; None
    where there are none. What one has of the other's ground counts for both. `check` may raise,
    to stop."""
    if len(mosaics) < 2:
        return None
    owners, mosaic_of, shapes = [], [], []
    for number, mosaic in enumerate(mosaics):
        for member in mosaic.members:
            check()
            for shape in _outline(rasters[member.raster].grid):
                owners.append(member.raster)
                mosaic_of.append(number)
                shapes.append(shape)
    outlines, belongs = np.array(shapes), np.array(mosaic_of)
    tree = shapely.STRtree(outlines)
    pixel = cache(lambda raster: _pixel_degrees(rasters[raster].grid))
    # One at a time: of a thousand rasters of one place all million pairs need not be found.
    for one, outline in enumerate(outlines):
        check()
        near = tree.query(outline, predicate="intersects")
        for other in near[(near > one) & (belongs[near] != belongs[one])]:
            first, second = sorted((owners[one], owners[other]))
            if _depth(outline, outlines[other]) > _TOUCHING * min(pixel(first), pixel(second)):
                return first, second
    return None


def _edge(grid: Grid, points: int) -> tuple[Numbers, Numbers]:
    """Columns and rows of points along the edge of a grid, around it once, up to where they
    began."""
    along = np.linspace(0.0, 1.0, points)
    none, all_ = np.zeros(points), np.ones(points)
    columns = np.concatenate((along, all_, along[::-1], none)) * grid.width
    rows = np.concatenate((none, along, all_, along[::-1])) * grid.height
    return columns, rows


def _goes_round(plane: Plane) -> bool:
    if plane.turn is None:
        return False
    west, east = plane.span
    return east - west >= _TURN - _ROUNDING


def _bulge(along: Numbers) -> float:
    """How far, at most, the sides of an edge may reach between the points at which it is known,
    four times over."""
    sides = along.reshape(4, -1)
    bends = np.abs(np.diff(sides, n=2, axis=1))
    return _ROUNDING + (float(np.nanmax(bends)) if np.isfinite(bends).any() else 0.0)


def _poles_within(plane: Plane) -> set[int]:
    """1 for the North Pole, -1 for the South Pole, if they lie in the grid or at its edge."""
    found = set()
    for sign in (1, -1):
        # From any side: of a pole that is a line, the one that the grid is at.
        longitudes = np.linspace(plane.seam, plane.seam + _TURN, 5)
        columns, rows = plane.pixels(longitudes, np.full(5, sign * _POLE))
        inside = (columns >= -1) & (columns <= plane.grid.width + 1)
        inside &= (rows >= -1) & (rows <= plane.grid.height + 1)
        if inside.any() and (plane.turn is None or inside.all()):
            found.add(sign)
    return found


def _net(plane: Plane) -> tuple[float, float, float, float, float]:
    """West, south, east, north of the points of a net that are on the Earth, and how far what
    lies between two of them may be beyond."""
    columns, rows = np.meshgrid(
        np.linspace(0, plane.grid.width, _NET), np.linspace(0, plane.grid.height, _NET)
    )
    longitudes, latitudes = plane.places(columns, rows)
    if np.isnan(longitudes).all():
        return -_HALF, -_POLE, _HALF, _POLE, 0.0
    middle = float(longitudes[np.isfinite(longitudes)][0])
    around = longitudes - _TURN * np.round((longitudes - middle) / _TURN)
    steps = [
        np.abs(np.diff(values, axis=axis)) for values in (around, latitudes) for axis in (0, 1)
    ]
    pad = max((float(np.nanmax(each)) for each in steps if np.isfinite(each).any()), default=_TURN)
    west, east = float(np.nanmin(around)), float(np.nanmax(around))
    return west, float(np.nanmin(latitudes)), east, float(np.nanmax(latitudes)), pad


def _boxes(west: float, south: float, east: float, north: float) -> Iterator[Box]:
    """The box, or the two that it takes across the antimeridian."""
    south, north = max(south, -_POLE), min(north, _POLE)
    if not south < north:
        return
    if east - west >= _TURN:
        yield Box(west=-_HALF, south=south, east=_HALF, north=north)
        return
    turns = _TURN * math.floor((west + _HALF) / _TURN)
    west, east = west - turns, east - turns
    if east <= _HALF:
        yield Box(west=west, south=south, east=east, north=north)
        return
    yield Box(west=west, south=south, east=_HALF, north=north)
    yield Box(west=-_HALF, south=south, east=east - _TURN, north=north)


def _outline(grid: Grid) -> list[shapely.Geometry]:
    """What a grid covers, as polygons between -180 and 180 degrees."""
    plane = Plane(grid)
    columns, rows = _edge(grid, _EDGE)
    longitudes, latitudes = plane.places(columns, rows)
    if plane.is_separable or not np.isfinite(longitudes).all():
        return [shapely.box(b.west, b.south, b.east, b.north) for b in bounds(grid)]
    return _split(shapely.Polygon(_ring(np.unwrap(longitudes, period=_TURN), latitudes)))


def _ring(longitudes: Numbers, latitudes: Numbers) -> npt.NDArray[np.float64]:
    """An edge as a ring; one that goes round a pole is closed along the pole's line."""
    points = np.column_stack((longitudes, latitudes))
    if abs(longitudes[-1] - longitudes[0]) < _HALF:
        return points
    pole = math.copysign(_POLE, float(latitudes.mean()))
    return np.concatenate((points, [[longitudes[-1], pole], [longitudes[0], pole]]))


def _split(polygon: shapely.Geometry) -> list[shapely.Geometry]:
    """The parts of an unwrapped polygon, each moved to between -180 and 180."""
    whole = shapely.make_valid(polygon)
    world = shapely.box(-_HALF, -_POLE, _HALF, _POLE)
    parts = []
    for turn in (-2 * _TURN, -_TURN, 0.0, _TURN, 2 * _TURN):
        moved = shapely.affinity.translate(whole, turn)
        part = shapely.intersection(moved, world)
        if part.area > 0:
            parts.append(part)
    return parts


def _depth(one: shapely.Geometry, other: shapely.Geometry) -> float:
    """How deep two polygons reach into each other, in degrees: the width of a strip that is as
    large, and as long around, as what they have in common."""
    common = shapely.intersection(one, other)
    around = float(shapely.length(common))
    return 2 * float(shapely.area(common)) / around if around else 0.0


def _pixel_degrees(grid: Grid) -> float:
    """Degrees of latitude along the side of a mean pixel."""
    return pixel_size_m(grid) / 111_195.0
