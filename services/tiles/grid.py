"""The tiles of the web Mercator grid, and how large their pixels are.

https://docs.ogc.org/is/17-083r4/17-083r4.html, WebMercatorQuad: at zoom z the square world of
EPSG:3857 has 2^z by 2^z tiles, counted from the north-west. Maps draw vector tiles 512 pixels
wide.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from pyproj import CRS
from pyproj.exceptions import CRSError

from core.errors import FieldError, InvalidParameters, NotFound
from infrastructure.features_selection import WGS84, Bounds

MAX_ZOOM = 22
WEB_MERCATOR = 3857

# The grid that a tile's coordinates are on, and how far beyond its edges geometries go, so that
# outlines have no seams: both in units of the tile.
EXTENT = 4096
BUFFER = 64

# What geometries are simplified by: less than anybody sees.
TOLERANCE_PIXELS = 0.5

_PIXELS = 512
_RADIUS = 6_378_137.0
_HALF_WORLD = math.pi * _RADIUS
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile, by zoom, column from the west and row from the north."""

    z: int
    x: int
    y: int

    @classmethod
    def parse(cls, z: str, x: str, y: str) -> Tile:
        """The tile that an address names.

        Raises `InvalidParameters` for what is no number or no zoom, `NotFound` (unknown_tile)
        for a column or row that the zoom does not have.
        """
        errors: list[FieldError] = [
            {"loc": ["path", name], "msg": "must be a whole number"}
            for name, text in (("z", z), ("x", x), ("y", y))
            if not _NUMBER.fullmatch(text)
        ]
        if not errors and int(z) > MAX_ZOOM:
            errors = [{"loc": ["path", "z"], "msg": f"must be between 0 and {MAX_ZOOM}"}]
        if errors:
            raise InvalidParameters("A tile is named by whole numbers: z/x/y.pbf.", errors)
        tile = cls(int(z), int(x), int(y))
        last = 2**tile.z - 1
        if max(tile.x, tile.y) > last:
            raise NotFound(
                f"There is no tile {tile}: at zoom {tile.z} columns and rows go from 0 to {last}.",
                code="unknown_tile",
            )
        return tile

    def __str__(self) -> str:
        return f"{self.z}/{self.x}/{self.y}"

    @property
    def width(self) -> float:
        """In metres of EPSG:3857, which are true to scale at the equator only."""
        return float(2 * _HALF_WORLD / 2**self.z)

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north in EPSG:3857, without the buffer."""
        west = -_HALF_WORLD + self.x * self.width
        north = _HALF_WORLD - self.y * self.width
        return west, north - self.width, west + self.width, north

    @property
    def drawn_bounds(self) -> Bounds:
        """What of the world the tile shows with its buffer, in EPSG:3857."""
        west, south, east, north = self.bounds
        buffer = self.width * BUFFER / EXTENT
        return west - buffer, south - buffer, east + buffer, north + buffer

    @property
    def drawn_degrees(self) -> Bounds:
        """`drawn_bounds` in degrees. It never reaches a pole, which the projection cannot show."""
        west, south, east, north = self.drawn_bounds
        return _degrees(west), _latitude(south), _degrees(east), _latitude(north)

    @property
    def pixel(self) -> float:
        """The width of a pixel in EPSG:3857."""
        return self.width / _PIXELS

    @property
    def stretch(self) -> float:
        """How much longer everything is in EPSG:3857 than on the ground, in the tile's middle."""
        _, south, _, north = self.bounds
        return math.cosh((south + north) / 2 / _RADIUS)


@dataclass(frozen=True, slots=True)
class Pixel:
    """About the width and height of a pixel in the units of a CRS, in the middle of a tile."""

    width: float
    height: float


def pixel_in(srid: int, tile: Tile) -> Pixel:
    """A tile's pixel in the units of a CRS."""
    if srid == WEB_MERCATOR:
        return Pixel(tile.pixel, tile.pixel)
    metres = tile.pixel / tile.stretch
    unit = _unit_metres(srid)
    if unit is None:
        return Pixel(_degrees(tile.pixel), _degrees(metres))
    return Pixel(metres / unit, metres / unit)


def is_geographic(srid: int) -> bool:
    """Whether a CRS has degrees; one that is not known is taken to have."""
    return srid != WEB_MERCATOR and _unit_metres(srid) is None


@lru_cache(maxsize=64)
def _unit_metres(srid: int) -> float | None:
    """The unit of a CRS in metres; None for degrees, which what is not known is taken for."""
    if srid == WGS84:
        return None
    try:
        crs = CRS.from_epsg(srid)
    except CRSError:
        return None
    return None if crs.is_geographic else float(crs.axis_info[0].unit_conversion_factor)


def _degrees(metres: float) -> float:
    """A length along the equator."""
    return math.degrees(metres / _RADIUS)


def _latitude(y: float) -> float:
    return math.degrees(math.atan(math.sinh(y / _RADIUS)))
