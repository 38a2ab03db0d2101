"""Where a raster lies on a map of one turn, from 180 degrees west to 180 degrees east.

Rasters do not end where such a map does: some cross the antimeridian, and the longitudes of some
grids run from 0 to 360. What lies beyond the map's edge is seen on its other side, a turn away.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from morecantile import Tile
from pyproj import Geod
from rasterio.io import DatasetReader
from rasterio.rio.overview import get_maximum_overview_level
from rasterio.warp import transform, transform_bounds
from rio_tiler.constants import WGS84_CRS
from rio_tiler.io import Reader

Bounds = tuple[float, float, float, float]

_HALF, _TURN = 180.0, 360.0
# Beyond it web Mercator has no tiles.
_HIGHEST_LATITUDE = 85.06
# Of a raster's width and height: where its resolution is looked at, from edge to edge.
_SHARES = (1 / 6, 1 / 2, 5 / 6)
_GEOD = Geod(ellps="WGS84")


def geographic_bounds(reader: Reader) -> Bounds | None:
    """West, south, east and north in degrees; None where the CRS cannot tell them.

    West lies beyond east for what crosses the antimeridian (RFC 7946, section 5.2).
    """
    west, south, east, north = map(float, reader.get_geographic_bounds(WGS84_CRS))
    if not all(map(math.isfinite, (west, south, east, north))):
        return None
    # Pixels whose middles lie on the pole reach half beyond it.
    south, north = max(south, -90.0), min(north, 90.0)
    turn = _turn(reader)
    if turn is not None and reader.bounds[2] - reader.bounds[0] >= turn - _sliver(reader):
        return -_HALF, south, _HALF, north
    if not -_HALF <= west < _HALF:
        west = (west + _HALF) % _TURN - _HALF
    if not -_HALF < east <= _HALF:
        east = _HALF - (_HALF - east) % _TURN
    return west, south, east, north


def zooms(reader: Reader) -> tuple[int, int]:
    """The zooms of tiles at which the raster is about one tile, and at which it has its pixels.

    By the finest of its pixels, in metres on the ground and by web Mercator's scale there: the
    box of what crosses the antimeridian, or holds a pole, is that of a whole turn.
    """
    sizes = [size for down in _SHARES for right in _SHARES for size in _sizes(reader, down, right)]
    if not sizes:
        return int(reader.tms.minzoom), int(reader.tms.maxzoom)
    finest = min(sizes)
    grid = _grid(reader)
    level = get_maximum_overview_level(
        grid.width, grid.height, reader.tms.tileMatrices[0].tileWidth
    )
    return (
        int(reader.tms.zoom_for_res(finest * 2**level)),
        int(reader.tms.zoom_for_res(finest)),
    )


def turns_to(reader: Reader, tile: Tile) -> list[float]:
    """By how much (in the raster's own units) it is moved to the east to be seen in a tile.

    It may be seen there twice, as at the seam of a grid of 0 to 360 degrees in the tile of the
    whole world, or not at all.
    """
    turn = _turn(reader)
    if turn is None:
        return [0.0] if reader.tile_exists(tile.x, tile.y, tile.z) else []
    west, south, east, north = transform_bounds(
        reader.tms.rasterio_crs, reader.crs, *reader.tms.xy_bounds(tile), densify_pts=21
    )
    if east < west:
        east += turn
    left, bottom, right, top = reader.bounds
    if not (min(bottom, top) < north and max(bottom, top) > south):
        return []
    sliver = _sliver(reader)
    return [
        shift
        for shift in (0.0, -turn, turn)
        if left + shift < east - sliver and right + shift > west + sliver
    ]


def pixel_at(reader: Reader, longitude: float, latitude: float) -> tuple[float, float] | None:
    """The middle of the pixel at a place, in the raster's own coordinates; None outside of it."""
    xs, ys = transform(WGS84_CRS, reader.crs, [longitude], [latitude])
    if not (math.isfinite(xs[0]) and math.isfinite(ys[0])):
        return None
    turn = _turn(reader) or 0.0
    grid = _grid(reader)
    for shift in (0.0, turn, -turn):
        column, row = map(math.floor, ~grid.transform @ (xs[0] + shift, ys[0]))
        if 0 <= column < grid.width and 0 <= row < grid.height:
            x, y = grid.transform @ (column + 0.5, row + 0.5)
            return float(x), float(y)
    return None


def _grid(reader: Reader) -> DatasetReader:
    """The dataset, which a reader always has once it is open."""
    return cast(DatasetReader, reader.dataset)


def _turn(reader: Reader) -> float | None:
    """A turn around the Earth in the units of a geographic CRS; None for another CRS."""
    if not reader.crs.is_geographic:
        return None
    _, radians = reader.crs.units_factor
    return float(round(math.tau / radians, 6))


def _sliver(reader: Reader) -> float:
    """What is not worth a second look: a tenth of a pixel."""
    left, _, right, _ = reader.bounds
    return float(right - left) / float(_grid(reader).width) / 10


def _sizes(reader: Reader, down: float, right: float) -> list[float]:
    """The side of a pixel in web Mercator's metres; empty where it is not on the Earth."""
    grid = _grid(reader)
    column, row = right * grid.width, down * grid.height
    corners = ((column - 0.5, row), (column + 0.5, row), (column, row - 0.5), (column, row + 0.5))
    xs, ys = zip(*(grid.transform @ corner for corner in corners), strict=True)
    longitudes, latitudes = map(np.asarray, transform(reader.crs, WGS84_CRS, xs, ys))
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        return []
    latitudes = np.clip(latitudes, -90.0, 90.0)
    _, _, sides = _GEOD.inv(longitudes[::2], latitudes[::2], longitudes[1::2], latitudes[1::2])
    shown = min(abs(float(latitudes.mean())), _HIGHEST_LATITUDE)
    side = math.sqrt(sides[0] * sides[1]) / math.cos(math.radians(shown))
    return [side] if side > 0 else []
