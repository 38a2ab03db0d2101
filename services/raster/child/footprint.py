"""The outline of a raster's valid data, in longitude and latitude of WGS84.

It is drawn from the mask of an overview, so it is as exact as that overview's pixels; where the
mask is too ragged for that, from a coarser one, whose pixels are valid where any pixel in them
is. So an outline has some `MAX_POINTS` points at most.

Reprojected, an edge is a curve: edges are cut into short pieces first. What crosses the
antimeridian or goes around a pole is cut there, as RFC 7946 (section 3.1.9) asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.features import shapes

from services.raster.child.refusals import UnreadableRaster
from services.vector.geometry import antimeridian

Mask: TypeAlias = npt.NDArray[np.bool_]
Points: TypeAlias = npt.NDArray[np.float64]
Bbox = tuple[float, float, float, float]

# The longer side of the overview whose mask is read, in pixels.
OVERVIEW_PIXELS = 1024
MAX_POINTS = 1000
_COARSEST_PIXELS = 32
# Holes of less than so many pixels of the overview are specks, not shape.
_SMALLEST_HOLE = 16
# Pieces that the raster's longer side is cut into before it is reprojected.
_PIECES = 64
# Degrees that coordinates are rounded to: a centimetre.
_DECIMALS = 7
_GRID = 10.0**-_DECIMALS
_TURN, _HALF = 360.0, 180.0


class NoFootprint(UnreadableRaster):
    """No pixel of the raster has a place on Earth that its CRS can tell."""

    code = "not_on_earth"


@dataclass(frozen=True, slots=True)
class Footprint:
    """`covers_all` says that it is the whole extent: all pixels are valid, or none is."""

    geometry: shapely.Geometry
    bbox: Bbox
    covers_all: bool


def footprint(dataset: Any) -> Footprint:
    """The footprint of an open rasterio dataset with a CRS and a transform.

    Raises `NoFootprint`, and what rasterio raises where pixels cannot be read.
    """
    mask = _valid(dataset)
    covers_all = bool(mask.all()) or not mask.any()
    if covers_all:
        mask = np.ones_like(mask)
    place = _Placement(dataset, mask.shape)
    geometry = _outline(mask, place)
    if geometry.is_empty:
        # Some CRSs show half of the Earth, and pixels beside it.
        seen = _on_earth(place)
        geometry = _outline(mask & seen, place)
    if geometry.is_empty:
        raise NoFootprint("No pixel of the raster has a longitude and latitude.")
    return Footprint(geometry, bbox_of(geometry), covers_all)


def bbox_of(geometry: shapely.Geometry) -> Bbox:
    """West, south, east and north of a geometry in degrees that is cut at the antimeridian.

    West lies beyond east where it touches the antimeridian from both sides and leaves a gap
    elsewhere (RFC 7946, section 5.2).
    """
    parts = shapely.get_parts(geometry)
    west, south, east, north = (float(side) for side in shapely.bounds(geometry))
    if west <= -_HALF and east >= _HALF:
        spans = sorted((float(a), float(c)) for a, _, c, _ in shapely.bounds(parts))
        reached, gap = spans[0][1], (0.0, 0.0)
        for first, last in spans[1:]:
            if first - reached > gap[1] - gap[0]:
                gap = (reached, first)
            reached = max(reached, last)
        if gap[1] > gap[0]:
            west, east = gap[1], gap[0]
    return west, south, east, north


class _Placement:
    """Where the pixels of a mask lie: rows and columns of it to longitude and latitude."""

    def __init__(self, dataset: Any, shape: tuple[int, ...]) -> None:
        rows, columns = shape
        self.shape = (rows, columns)
        self._transform = dataset.transform @ Affine.scale(
            dataset.width / columns, dataset.height / rows
        )
        crs = CRS.from_wkt(dataset.crs.to_wkt())
        self.is_geographic = crs.is_geographic
        self._in_degrees = crs.is_geographic and crs.axis_info[0].unit_name == "degree"
        try:
            self._to_degrees = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
        except ProjError as error:
            raise NoFootprint(f"The CRS {crs.name} cannot be told in degrees.") from error

    def degrees(self, points: Points) -> Points:
        """Longitudes and latitudes of (column, row) points; infinite where there are none."""
        x, y = self._transform @ (points[:, 0], points[:, 1])
        if self._in_degrees:
            # Pixels whose middles lie on the pole reach half beyond it.
            y = np.clip(y, -90.0, 90.0)
        longitude, latitude = self._to_degrees.transform(x, y)
        if self.is_geographic:
            # PROJ brings longitudes into one turn, and would tear what runs on beyond it.
            longitude = longitude + np.round((x - longitude) / _TURN) * _TURN
        return np.column_stack([longitude, latitude])

    @property
    def longest_piece(self) -> float:
        return max(self.shape) / _PIECES


def _valid(dataset: Any) -> Mask:
    """Which pixels of an overview hold data, in any band."""
    scale = min(1.0, OVERVIEW_PIXELS / max(dataset.width, dataset.height))
    shape = (
        max(1, math.ceil(dataset.height * scale)),
        max(1, math.ceil(dataset.width * scale)),
    )
    valid = np.zeros(shape, dtype=bool)
    for number in dataset.indexes:
        if dataset.colorinterp[number - 1] is not ColorInterp.alpha:
            valid |= _valid_in(dataset, number, shape)
    for number in dataset.indexes:
        if dataset.colorinterp[number - 1] is ColorInterp.alpha:
            # Beside a declared nodata value GDAL would not ask the alpha band.
            valid &= dataset.read(number, out_shape=shape) > 0
    return valid


def _valid_in(dataset: Any, number: int, shape: tuple[int, int]) -> Mask:
    """Which pixels of a band hold data."""
    valid: Mask = np.ones(shape, dtype=bool)
    if MaskFlags.all_valid not in dataset.mask_flag_enums[number - 1]:
        valid = dataset.read_masks(number, out_shape=shape) > 0
    if dataset.dtypes[number - 1].startswith("float"):
        # NaN is nobody's measurement, even where the file does not say so or names another value.
        valid &= ~np.isnan(dataset.read(number, out_shape=shape))
    return valid


def _outline(mask: Mask, place: _Placement) -> shapely.Geometry:
    """The valid pixels' outline in degrees; empty where a part of it has no place on Earth."""
    rows, columns = place.shape
    side = 1
    while True:
        polygons = _polygons(mask, side)
        coarse = max(mask.shape) <= _COARSEST_PIXELS
        if sum(int(shapely.get_num_coordinates(each)) for each in polygons) <= MAX_POINTS or coarse:
            break
        mask, side = _halved(mask), side * 2
    polygons = [shapely.clip_by_rect(each, 0, 0, columns, rows) for each in polygons]
    located = [_located(part, place) for each in polygons for part in shapely.get_parts(each)]
    if any(each.is_empty for each in located):
        return shapely.Polygon()
    return _tidy(shapely.union_all(located, grid_size=_GRID), place)


def _polygons(mask: Mask, side: int) -> list[shapely.Geometry]:
    """The mask's outline in columns and rows of the overview, of which its pixels have `side`."""
    found = shapes(
        mask.astype(np.uint8), mask=mask, connectivity=8, transform=Affine.scale(side, side)
    )
    smallest = _SMALLEST_HOLE * side * side
    polygons = []
    for outline, _ in found:
        shell, *holes = outline["coordinates"]
        holes = [hole for hole in holes if shapely.Polygon(hole).area >= smallest]
        polygon = shapely.simplify(shapely.Polygon(shell, holes), side)
        polygons += [
            part
            for part in shapely.get_parts(shapely.make_valid(polygon))
            if shapely.get_dimensions(part) == 2
        ]
    return polygons


def _halved(mask: Mask) -> Mask:
    """Half as many rows and columns, valid where any of the four pixels is."""
    rows, columns = mask.shape
    even = np.pad(mask, ((0, rows % 2), (0, columns % 2)))
    return even[0::2, 0::2] | even[1::2, 0::2] | even[0::2, 1::2] | even[1::2, 1::2]


def _located(polygon: shapely.Polygon, place: _Placement) -> shapely.Geometry:
    """A polygon of columns and rows in degrees, cut where the map ends.

    Its holes are placed by themselves: around a pole a shell and its hole lie on the map as two
    areas that share an edge.
    """
    shell, *holes = [_located_ring(ring, place) for ring in (polygon.exterior, *polygon.interiors)]
    return shapely.difference(shell, shapely.union_all(holes)) if holes else shell


def _located_ring(ring: shapely.LinearRing, place: _Placement) -> shapely.Geometry:
    cut = ring if place.is_geographic else shapely.segmentize(ring, place.longest_piece)
    points = place.degrees(shapely.get_coordinates(cut))
    if not np.isfinite(points).all():
        return shapely.Polygon()
    area = shapely.Polygon(points.round(_DECIMALS))
    if not place.is_geographic:
        area = antimeridian.unwrap(area)
    on_map, _ = antimeridian.cut(_areas(shapely.make_valid(area)))
    return on_map


def _areas(geometry: shapely.Geometry) -> shapely.Geometry:
    parts = shapely.get_parts(geometry)
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


def _tidy(geometry: shapely.Geometry, place: _Placement) -> shapely.Geometry:
    """Without the points that say nothing within a tenth of a pixel, and within the world."""
    within = _areas(shapely.clip_by_rect(geometry, -_HALF, -90.0, _HALF, 90.0))
    pixels = place.shape[0] * place.shape[1]
    tolerance = 0.1 * math.sqrt(max(float(within.area), 1e-18) / pixels)
    simple = _areas(shapely.make_valid(shapely.simplify(within, tolerance)))
    return shapely.orient_polygons(within if simple.is_empty else simple)


def _on_earth(place: _Placement) -> Mask:
    """The pixels all corners of which have a longitude and latitude."""
    rows, columns = place.shape
    row, column = np.mgrid[0 : rows + 1, 0 : columns + 1]
    points = place.degrees(np.column_stack([column.ravel(), row.ravel()]).astype(float))
    seen = np.isfinite(points).all(axis=1).reshape(rows + 1, columns + 1)
    on_earth: Mask = seen[:-1, :-1] & seen[1:, :-1] & seen[:-1, 1:] & seen[1:, 1:]
    return on_earth
