"""Geometries as an SVG drawing: what they were before a repair, and after.

Drawn on the server, so that it needs no script, no WebGL and no tiles, and reads well in print
and for screen readers. Longitudes are shortened by the cosine of the latitude in the middle
(an equirectangular projection), which keeps shapes at the scales that a geometry has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

WIDTH, HEIGHT = 800.0, 500.0

# Half the height, in degrees, from which on the outlines of 1:110 million are worth showing.
_LAND_FROM = 2.0
_METRES_A_DEGREE = 111_195.0
# Of a drawing's size, around what it shows.
_MARGIN = 0.08
# Half the width, in degrees, of what has no extent of its own: about 50 m.
_LEAST_HALF = 0.0005
# A drawing of more parts than these would be a blot, and slow.
_MOST_PARTS = 5_000
_MOST_VERTICES = 200_000
_MOST_VERTICES_MARKED = 600
# A line of more vertices than these is drawn to the pixel, others to a tenth of it.
_MOST_IN_DETAIL = 20_000
# The close view shows so many of the vertices around the fault.
_VERTICES_AROUND_FAULT = 12
# It is worth having where the whole is larger than it by this.
_CLOSER_BY = 3.0

_COLLECTIONS = [
    shapely.GeometryType.MULTIPOINT,
    shapely.GeometryType.MULTILINESTRING,
    shapely.GeometryType.MULTIPOLYGON,
    shapely.GeometryType.GEOMETRYCOLLECTION,
]

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the graticule at `at` pixels, with its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a template needs: SVG paths in a box of WIDTH by HEIGHT.

    `vertices` is a path of points, empty where they are too many to tell apart. `scale` is
    the length of the scale bar in pixels, and what it says. `land` is the transform that puts
    a map of the world (x is the longitude, y minus the latitude) in its place; None where so
    coarse a map would not show anything.
    """

    title: str
    before: str
    after: str
    vertices: str
    fault: tuple[float, float] | None
    meridians: list[Line]
    parallels: list[Line]
    scale: tuple[float, str] | None
    land: str | None


@dataclass(frozen=True, slots=True)
class _Window:
    """A place on the globe in degrees, and how it becomes pixels."""

    x: float
    y: float
    half: float  # of the height, in degrees of latitude

    @property
    def shrink(self) -> float:
        """How much shorter a degree of longitude is than one of latitude."""
        return max(0.02, math.cos(math.radians(max(-89.0, min(89.0, self.y)))))

    @property
    def pixels(self) -> float:
        """Pixels in a degree of latitude."""
        return HEIGHT / (2 * self.half)

    def project(self, points: Points) -> Points:
        """Longitudes and latitudes to pixels."""
        x = (points[:, 0] - self.x) * self.shrink * self.pixels + WIDTH / 2
        y = (self.y - points[:, 1]) * self.pixels + HEIGHT / 2
        return np.column_stack([x, y])


def draw(
    before: bytes | None, after: bytes | None, fault: tuple[float, float] | None = None
) -> list[Drawing]:
    """Drawings of a repair: the whole, and closer at the fault where that shows more.

    Geometries are WKB in degrees. The list is empty where there is nothing to draw, or far too
    much of it.
    """
    old, new = _read(before), _read(after)
    every = _finite(np.vstack([_coordinates(old), _coordinates(new), _as_points(fault)]))
    if not 0 < len(every) <= _MOST_VERTICES:
        return []
    whole = _around(every)
    drawings = [_draw("The whole geometry", old, new, fault, whole)]
    close = _close_to(fault, every)
    if close is not None and close.half * _CLOSER_BY < whole.half:
        drawings.append(_draw("At the first fault", old, new, fault, close))
    return drawings


def overview(points: Sequence[tuple[float, float]]) -> tuple[Drawing, list[tuple[float, float]]]:
    """A graticule around some places, and where they are on it, in pixels."""
    array = _finite(np.array(points, dtype=np.float64).reshape(-1, 2))
    window = _around(array)
    placed = window.project(array)
    frame = _draw("Where the faults are", None, None, None, window)
    return frame, [(round(float(x), 1), round(float(y), 1)) for x, y in placed]


def _draw(
    title: str,
    before: shapely.Geometry | None,
    after: shapely.Geometry | None,
    fault: tuple[float, float] | None,
    window: _Window,
) -> Drawing:
    marked = window.project(_finite(_coordinates(before if before is not None else after)))
    inside = marked[_outcodes(marked) == 0]
    at = window.project(_as_points(fault))
    return Drawing(
        title=title,
        before=_path(before, window),
        after=_path(after, window),
        vertices=_dots(inside) if len(inside) <= _MOST_VERTICES_MARKED else "",
        fault=None if not len(at) else (round(float(at[0, 0]), 1), round(float(at[0, 1]), 1)),
        meridians=_meridians(window),
        parallels=_parallels(window),
        scale=_scale(window),
        land=_land(window),
    )


def _read(wkb: bytes | None) -> shapely.Geometry | None:
    if wkb is None:
        return None
    # Rings that are not closed, and coordinates that are no numbers, are why some are here.
    with np.errstate(invalid="ignore"):
        return shapely.from_wkb(wkb, on_invalid="fix")


def _coordinates(geometry: shapely.Geometry | None) -> Points:
    if geometry is None:
        return np.empty((0, 2))
    coordinates: Points = shapely.get_coordinates(geometry)
    return coordinates


def _as_points(point: tuple[float, float] | None) -> Points:
    return np.empty((0, 2)) if point is None else np.array([point], dtype=np.float64)


def _finite(points: Points) -> Points:
    kept: Points = points[np.isfinite(points).all(axis=1)]
    return kept


def _around(points: Points) -> _Window:
    """The window that shows all points with a margin."""
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    middle = _Window(float(west + east) / 2, float(south + north) / 2, 1.0)
    half_height = (north - south) / 2
    half_width = (east - west) / 2 * middle.shrink * HEIGHT / WIDTH
    half = max(float(half_height), float(half_width), _LEAST_HALF)
    return _Window(middle.x, middle.y, half * (1 + 2 * _MARGIN))


def _close_to(fault: tuple[float, float] | None, points: Points) -> _Window | None:
    """The window with the vertices nearest to the fault."""
    if fault is None or len(points) <= _VERTICES_AROUND_FAULT:
        return None
    middle = _Window(fault[0], fault[1], 1.0)
    offsets = (points - np.array(fault)) * np.array([middle.shrink, 1.0])
    distances = np.sort(np.hypot(offsets[:, 0], offsets[:, 1]))
    reach = float(distances[_VERTICES_AROUND_FAULT])
    return _Window(fault[0], fault[1], reach * (1 + _MARGIN)) if reach > 0 else None


def _path(geometry: shapely.Geometry | None, window: _Window) -> str:
    """The geometry as the `d` of an SVG path; points become dots."""
    if geometry is None:
        return ""
    parts = shapely.get_parts(_flat(geometry))[:_MOST_PARTS]
    return "".join(piece for part in parts for piece in _pieces(part, window))


def _flat(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    """The single geometries in a collection of whatever depth."""
    singles = shapely.get_parts([geometry])
    while np.isin(shapely.get_type_id(singles), _COLLECTIONS).any():
        singles = shapely.get_parts(singles)
    return list(singles)


def _pieces(part: shapely.Geometry, window: _Window) -> Iterator[str]:
    if shapely.get_type_id(part) == shapely.GeometryType.POINT:
        yield _dots(window.project(_finite(shapely.get_coordinates(part))))
        return
    closed = shapely.get_type_id(part) == shapely.GeometryType.POLYGON
    for ring in shapely.get_rings(part) if closed else [part]:
        pixels = _thinned(window.project(_finite(shapely.get_coordinates(ring))))
        if len(pixels):
            yield "M" + "L".join(_pair(x, y) for x, y in pixels) + ("Z" if closed else "")


def _thinned(pixels: Points) -> Points:
    """The points that can be told apart, of those in the box or on their way through it.

    A vertex that lies beside the box in the same direction as its two neighbours is left out:
    what was drawn of it lies beyond the box too.
    """
    pixels = np.round(pixels, 1 if len(pixels) < _MOST_IN_DETAIL else 0)
    if len(pixels) < 3:
        return pixels
    codes = _outcodes(pixels)
    apart = np.ones(len(pixels), dtype=bool)
    apart[1:] = (pixels[1:] != pixels[:-1]).any(axis=1)
    beside = np.zeros(len(pixels), dtype=bool)
    beside[1:-1] = (codes[1:-1] != 0) & (codes[1:-1] == codes[:-2]) & (codes[1:-1] == codes[2:])
    kept: Points = pixels[apart & ~beside]
    return kept


def _outcodes(pixels: Points) -> npt.NDArray[np.int64]:
    """In which direction of the box each point is, as Cohen and Sutherland number them."""
    x, y = pixels[:, 0], pixels[:, 1]
    codes: npt.NDArray[np.int64] = (
        (x < 0) * 1 + (x > WIDTH) * 2 + (y < 0) * 4 + (y > HEIGHT) * 8
    ).astype(np.int64)
    return codes


def _dots(pixels: Points) -> str:
    """Lines without length: with round ends they are dots."""
    return "".join(f"M{_pair(x, y)}h0" for x, y in np.unique(np.round(pixels, 1), axis=0))


def _pair(x: float, y: float) -> str:
    return f"{x:g} {y:g}"


def _meridians(window: _Window) -> list[Line]:
    half = window.half * WIDTH / HEIGHT / window.shrink
    return [
        Line(at, _degrees(value, step, "E", "W"))
        for value, step in _ticks(window.x - half, window.x + half)
        for at in [round((value - window.x) * window.shrink * window.pixels + WIDTH / 2, 1)]
    ]


def _parallels(window: _Window) -> list[Line]:
    return [
        Line(
            round((window.y - value) * window.pixels + HEIGHT / 2, 1),
            _degrees(value, step, "N", "S"),
        )
        for value, step in _ticks(window.y - window.half, window.y + window.half)
        if abs(value) <= 90
    ]


def _ticks(low: float, high: float) -> list[tuple[float, float]]:
    """About four round values between two, each with the step between them."""
    step = _round_up((high - low) / 5)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [(number * step, step) for number in range(first, last + 1)]


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * 0.999)


def _degrees(value: float, step: float, positive: str, negative: str) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{abs(value):.{decimals}f}°"
    return text if not abs(value) > step / 2 else f"{text} {positive if value > 0 else negative}"


def _land(window: _Window) -> str | None:
    if window.half < _LAND_FROM:
        return None
    (x, y), *_ = window.project(np.zeros((1, 2)))
    across = window.shrink * window.pixels
    return f"translate({x:.1f} {y:.1f}) scale({across:.4f} {window.pixels:.4f})"


def _scale(window: _Window) -> tuple[float, str] | None:
    """A bar of about a sixth of the width. Across continents one scale would not be true."""
    metres_a_pixel = _METRES_A_DEGREE / window.pixels
    length = _round_up(WIDTH / 6 * metres_a_pixel)
    if length > 1_000_000:
        return None
    if length < 0.01:
        text = f"{length * 1000:g} mm"
    elif length < 1000:
        text = f"{length:g} m"
    else:
        text = f"{length / 1000:g} km"
    return round(length / metres_a_pixel, 1), text
