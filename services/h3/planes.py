"""Between places on the Earth and the pixels of a grid.

Longitudes come unwrapped: from `Plane.seam` on, a whole turn at most. That is the meridian at
which outlines are cut, so that each piece of one is a polygon in the plane of the grid. Where x
goes with longitude (longitudes and latitudes themselves, Mercator and its kin) a grid may begin
anywhere and go round the world: the seam is in the middle of what it leaves out, or at its edge.
All other projections are torn, if at all, opposite to their central meridian.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from pyproj import CRS, Transformer
from pyproj.enums import TransformDirection

from services.h3.model import Grid, Numbers
from services.vector.inference.crs import WGS84, parse_crs, same_crs

_HALF, _TURN, _POLE = 180.0, 360.0, 90.0
# Where Mercator has its poles is infinitely far away.
_NEARLY_THE_POLE = _POLE - 1e-7
# Shares of a turn around the central meridian, and latitudes, at which is looked whether x goes
# with longitude; by how much it may not, as datums differ by a hundred metres or two.
_LOOKED_AT = np.array([-0.49, -0.25, -0.02, 0.0, 0.02, 0.25, 0.49])
_LATITUDES = np.array([0.0, 45.0, -60.0])
_UNEVEN = 1e-4
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class _Meridians:
    """x = `x` + `slope` * (longitude - `longitude`), but for differences between datums."""

    longitude: float
    x: float
    slope: float

    @property
    def turn(self) -> float:
        """x of a whole turn."""
        return abs(self.slope) * _TURN


@dataclass(frozen=True)
class Plane:
    """The plane of a grid's pixels: pixel (column, row) covers [column, column + 1] x [row,
    row + 1]."""

    grid: Grid

    @cached_property
    def crs(self) -> CRS:
        return parse_crs(self.grid.crs)

    @cached_property
    def seam(self) -> float:
        """The meridian, in [-180, 180), at which outlines are cut."""
        return _normal(self._begin)

    @cached_property
    def turn(self) -> float | None:
        """x of a whole turn, where x goes with longitude; else None."""
        return None if self._meridians is None else self._meridians.turn

    @cached_property
    def turn_columns(self) -> float | None:
        """Columns of a whole turn, where columns go with longitude; else None."""
        a, b, _, d, _, _ = self.grid.transform
        if self.turn is None or b or d:
            return None
        return self.turn / abs(a)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Where x goes with longitude: the meridians of the grid's west and east, a turn apart at
        most; its own, whatever the turn that it is in."""
        meridians = self._meridians
        if meridians is None:
            raise ValueError(f"in {self.grid.crs} x does not go with longitude")
        a, b, _, _, _, _ = self.grid.transform
        west = meridians.longitude + (self.left - meridians.x) / meridians.slope
        wide = (abs(a) * self.grid.width + abs(b) * self.grid.height) / meridians.slope
        return west, west + min(wide, _TURN)

    @cached_property
    def left(self) -> float:
        """The least x of the grid's corners."""
        a, b, c, _, _, _ = self.grid.transform
        width, height = self.grid.width, self.grid.height
        return float(c + min(0.0, a * width) + min(0.0, b * height))

    def pixels(self, longitudes: Numbers, latitudes: Numbers) -> tuple[Numbers, Numbers]:
        """Columns and rows, with fractions, of places; longitudes are in [seam, seam + 360].

        Not finite where the projection has no such place.
        """
        return self.pixels_of(*self._projected(longitudes, latitudes))

    def pixels_of(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """Columns and rows, with fractions, of coordinates in the CRS."""
        a, b, c, d, e, f = self.grid.transform
        if b == 0 and d == 0:
            return (x - c) / a, (y - f) / e
        determinant = a * e - b * d
        x, y = x - c, y - f
        return (e * x - b * y) / determinant, (a * y - d * x) / determinant

    def places(self, columns: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
        """Longitudes, in [-180, 180], and latitudes of points in pixels; NaN where the projection
        has no place for them, and for what of a grid lies beyond a whole turn of it."""
        x, y = self.coordinates(columns, rows)
        beyond = np.zeros(np.shape(x), bool)
        if self.turn is not None and self._meridians is not None:
            beyond = x - self.left > self.turn * (1 + _ROUNDING)
            x = x - self.turn * np.round((x - self._meridians.x) / self.turn)
        if not self.is_plain:
            x, y = _transformer(self.grid.crs).transform(x, y, direction=TransformDirection.INVERSE)
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        nowhere = beyond | ~(np.isfinite(x) & (np.abs(y) <= _POLE))
        x, y = np.where(nowhere, np.nan, x), np.where(nowhere, np.nan, y)
        return np.where(np.abs(x) > _HALF, x - _TURN * np.round(x / _TURN), x), y

    def coordinates(self, columns: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
        """x and y, in the CRS, of points in pixels."""
        a, b, c, d, e, f = self.grid.transform
        if b == 0 and d == 0:
            return a * columns + c, e * rows + f
        return a * columns + b * rows + c, d * columns + e * rows + f

    @cached_property
    def is_plain(self) -> bool:
        """Whether x and y are longitude and latitude themselves."""
        return same_crs(self.grid.crs, WGS84)

    @property
    def is_separable(self) -> bool:
        """Whether longitude goes by the column alone, and latitude by the row."""
        _, b, _, d, _, _ = self.grid.transform
        return self.is_plain and b == 0 and d == 0

    @cached_property
    def _meridians(self) -> _Meridians | None:
        return _meridians_of(self.grid.crs)

    @cached_property
    def _begin(self) -> float:
        """The longitude of the seam, in the turn in which the grid lies."""
        if self._meridians is None:
            return _central_meridian(self.crs) - _HALF
        west, east = self.span
        return west - (_TURN - (east - west)) / 2

    def _projected(self, longitudes: Numbers, latitudes: Numbers) -> tuple[Numbers, Numbers]:
        meridians = self._meridians
        if meridians is None:
            # Beyond the tear the other side would begin.
            middle = self.seam + _HALF
            inside = np.clip(longitudes, middle - _HALF + _ROUNDING, middle + _HALF - _ROUNDING)
            return self._transformed(inside, latitudes)
        # In the turn in which the grid lies.
        longitudes = longitudes + _TURN * round((self._begin - self.seam) / _TURN)
        if self.is_plain:
            return longitudes, latitudes
        if not self.crs.is_geographic:
            latitudes = np.clip(latitudes, -_NEARLY_THE_POLE, _NEARLY_THE_POLE)
        x, y = self._transformed(longitudes, latitudes)
        expected = meridians.x + meridians.slope * (longitudes - meridians.longitude)
        return x + meridians.turn * np.round((expected - x) / meridians.turn), y

    def _transformed(self, longitudes: Numbers, latitudes: Numbers) -> tuple[Numbers, Numbers]:
        turns = _TURN * np.floor((longitudes + _HALF) / _TURN)
        # 180 itself belongs to where it was reached from.
        turns = np.where((longitudes - turns <= -_HALF) & (longitudes > 0), turns - _TURN, turns)
        x, y = _transformer(self.grid.crs).transform(longitudes - turns, latitudes)
        return np.asarray(x, np.float64), np.asarray(y, np.float64)


@lru_cache(maxsize=256)
def _transformer(crs: str) -> Transformer:
    """From longitude and latitude to x and y."""
    return Transformer.from_crs(parse_crs(WGS84), parse_crs(crs), always_xy=True)


@lru_cache(maxsize=256)
def _meridians_of(crs: str) -> _Meridians | None:
    """Where a CRS has its meridians, if they are upright lines at even distances."""
    middle = _central_meridian(parse_crs(crs))
    offsets, latitudes = np.meshgrid(_LOOKED_AT * _TURN, _LATITUDES)
    longitudes = offsets + middle
    longitudes -= _TURN * np.round(longitudes / _TURN)
    x, y = _transformer(crs).transform(longitudes, latitudes)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    x, y = np.asarray(x), np.asarray(y)
    beside, before = len(_LOOKED_AT) // 2 + 1, len(_LOOKED_AT) // 2 - 1
    slope = float((x[0, beside] - x[0, before]) / (offsets[0, beside] - offsets[0, before]))
    origin = float(x[0, len(_LOOKED_AT) // 2])
    if not slope > 0:
        return None
    turn = abs(slope) * _TURN
    apart = x - origin - slope * offsets
    apart -= turn * np.round(apart / turn)
    if np.abs(apart).max() > _UNEVEN * turn or np.ptp(y, axis=1).max() > _UNEVEN * turn:
        return None
    return _Meridians(middle, origin, slope)


def _central_meridian(crs: CRS) -> float:
    """Degrees east of Greenwich; 0 where the CRS has none."""
    prime = crs.prime_meridian
    east = (
        0.0
        if prime is None
        else math.degrees(float(prime.longitude) * float(prime.unit_conversion_factor))
    )
    operation = crs.coordinate_operation if not crs.is_geographic else None
    for parameter in [] if operation is None else operation.params:
        if parameter.name.startswith("Longitude of"):
            radians = float(parameter.value) * float(parameter.unit_conversion_factor)
            return east + math.degrees(radians)
    return east


def _normal(longitude: float) -> float:
    """The same meridian, in [-180, 180)."""
    return longitude - _TURN * math.floor((longitude + _HALF) / _TURN)
