"""Whether a raster has a place on the Earth: its CRS, and whether its corners lie in it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer

from core.errors import PermanentTaskError
from services.raster.model import Caveat, Facts
from services.raster.parameters import RasterOptions
from services.vector.geometry.projection import range_of
from services.vector.inference.crs import WGS84, parse_crs

Points = npt.NDArray[np.float64]

# Along each side: a full disk seen from a satellite has no place at its corners, but has inside.
_GRID = 9
_POLE, _AROUND, _EVERYWHERE = 90.0, 540.0, 300.0
_ROUNDING = 1e-3
# What few rasters of metres have and nearly all of degrees.
_SMALL_PIXEL = 0.5
# The Earth's ellipsoids and spheres differ by some 11 km; the next body in size is Venus, with
# 6,052 km.
_EARTH_AXIS, _AXIS_TOLERANCE = 6_378_137.0, 20_000.0
_OUTSIDE_SHARE = 0.5


def refuse_unplaced(facts: Facts, name: str, parameters: RasterOptions) -> None:
    """Raise `PermanentTaskError` for a raster that has no place on the Earth.

    Codes: not_georeferenced, gcps_only (unless target_crs is given: it is then warped by them),
    rpcs_only, crs_missing, source_crs_invalid, not_on_earth, crs_does_not_fit.
    """
    if facts.transform is None:
        if facts.gcps and parameters.target_crs is not None:
            _refuse_elsewhere(_crs_of(facts.gcps_crs, name, parameters), name)
            return
        raise _without_transform(facts, name)
    crs = _crs_of(facts.crs, name, parameters)
    _refuse_elsewhere(crs, name)
    _refuse_misfit(facts, crs, name)


def caveats(facts: Facts, parameters: RasterOptions) -> tuple[Caveat, ...]:
    """What is odd about a raster's place, though it has one."""
    text = parameters.source_crs or facts.crs
    if facts.transform is None or text is None:
        return ()
    try:
        limits = range_of(text).limits
    except ValueError:  # `refuse_unplaced` says so
        return ()
    if limits is None:
        return ()
    x, y = _grid(facts).T
    west, south, east, north = limits
    outside = (x < west) | (x > east) | (y < south) | (y > north)
    if outside.mean() <= _OUTSIDE_SHARE:
        return ()
    return (
        Caveat(
            code="far_from_area_of_use",
            message=f"The raster lies far from where its CRS, {parse_crs(text).name}, is used: if "
            "it appears in the wrong place, name the right one with source_crs.",
        ),
    )


def _without_transform(facts: Facts, name: str) -> PermanentTaskError:
    if facts.gcps:
        return PermanentTaskError(
            f"{name} is placed by {facts.gcps} ground control points and has no grid of its own. "
            "Give target_crs, and it is warped by them.",
            code="gcps_only",
            field="target_crs",
        )
    if facts.rpcs:
        return PermanentTaskError(
            f"{name} is placed by the coefficients (RPCs) of its sensor's model only, for which "
            "the heights of the ground are needed. Send it orthorectified.",
            code="rpcs_only",
            field="blob_name",
        )
    return PermanentTaskError(
        f"{name} does not say where it lies: it has no transform, and there is no world file "
        "beside it. Send one beside it, under its name.",
        code="not_georeferenced",
        field="blob_name",
    )


def _crs_of(stated: str | None, name: str, parameters: RasterOptions) -> CRS:
    """The CRS that counts, if it is one on the Earth's surface."""
    text = parameters.source_crs or stated
    if text is None:
        raise PermanentTaskError(
            f"{name} does not say which CRS its coordinates are in. Name it with source_crs, such "
            "as EPSG:32618, or send a .prj beside it.",
            code="crs_missing",
            field="source_crs",
        )
    try:
        return parse_crs(text)
    except ValueError as error:
        if parameters.source_crs is not None:
            raise PermanentTaskError(
                f"source_crs: {error}", code="source_crs_invalid", field="source_crs"
            ) from error
        raise PermanentTaskError(
            f"{name}: {error} Name the right CRS with source_crs.",
            code="not_on_earth",
            field="source_crs",
        ) from error


def other_body(crs: CRS) -> str | None:
    """The body of the sky that a CRS is of, told by the size of its ellipsoid; None for the
    Earth."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        return None
    axis = ellipsoid.semi_major_metre
    if abs(axis - _EARTH_AXIS) <= _AXIS_TOLERANCE:
        return None
    return f"a body with a radius of {axis / 1000:,.0f} km"


def _refuse_elsewhere(crs: CRS, name: str) -> None:
    body = other_body(crs)
    if body is not None:
        raise PermanentTaskError(
            f"{name} is not on the Earth: its CRS is {crs.name}, of {body}.",
            code="not_on_earth",
            field="blob_name",
        )


def _refuse_misfit(facts: Facts, crs: CRS, name: str) -> None:
    """Refuse coordinates that cannot be in this CRS, as degrees in one of metres."""
    points = _grid(facts)
    problem = _misfit(points, crs, _pixel(facts))
    if problem is None:
        return
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    raise PermanentTaskError(
        f"{name} does not lie in its CRS, {crs.name}: its coordinates (x {west:g} to {east:g}, "
        f"y {south:g} to {north:g}) {problem}. Name the right CRS with source_crs.",
        code="crs_does_not_fit",
        field="source_crs",
    )


def _misfit(points: Points, crs: CRS, pixel: float) -> str | None:
    """What is wrong with the coordinates, as the end of a sentence; None if nothing is."""
    if not np.isfinite(points).all():
        return "are not finite"
    if crs.is_geographic:
        # Pixels whose centres lie on a pole reach beyond it.
        to_degrees = math.degrees(crs.axis_info[0].unit_conversion_factor)
        x, y = np.abs(points).max(axis=0) * to_degrees
        reach = _POLE + pixel * to_degrees
        return "are no longitudes and latitudes" if y > reach or x > _AROUND else None
    places = _places(points, crs, pixel)
    if not len(places):
        return "are nowhere on the Earth"
    if _look_like_degrees(points, pixel) and not _in_area_of_use(places, crs):
        return "look like longitudes and latitudes"
    return None


def _places(points: Points, crs: CRS, pixel: float) -> Points:
    """Longitudes and latitudes of the points that have any in the CRS: those that come back to
    where they were, within a pixel."""
    wgs84 = parse_crs(WGS84)
    places = _transformed(points, crs, wgs84)
    back = _transformed(places, wgs84, crs)
    with np.errstate(invalid="ignore"):
        same = (np.abs(back - points) <= max(pixel, _ROUNDING)).all(axis=1)
    found: Points = places[same]
    return found


def _transformed(points: Points, source: CRS, target: CRS) -> Points:
    transformer = Transformer.from_crs(source, target, always_xy=True)
    return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))


def _look_like_degrees(points: Points, pixel: float) -> bool:
    """Whether coordinates of metres are as small as degrees, and so are the pixels."""
    x, y = np.abs(points).max(axis=0)
    width = np.ptp(points[:, 0])
    return bool(x <= 2 * _POLE and y <= _POLE and (pixel < _SMALL_PIXEL or width > _POLE))


def _in_area_of_use(places: Points, crs: CRS) -> bool:
    """Whether any of the places lie where the CRS is used. One that is used everywhere says
    nothing of them."""
    area = crs.area_of_use
    if area is None:
        return False
    width = (area.east - area.west) % 360
    if width == 0 or width > _EVERYWHERE:
        return False
    longitudes, latitudes = places.T
    inside = (latitudes >= area.south) & (latitudes <= area.north)
    return bool((inside & ((longitudes - area.west) % 360 <= width)).any())


def _grid(facts: Facts) -> Points:
    """Points spread over the raster from edge to edge, in its CRS."""
    assert facts.transform is not None
    a, b, c, d, e, f = facts.transform
    columns = np.linspace(0, facts.width, _GRID)
    rows = np.linspace(0, facts.height, _GRID)
    column, row = (each.ravel() for each in np.meshgrid(columns, rows))
    return np.column_stack([a * column + b * row + c, d * column + e * row + f])


def _pixel(facts: Facts) -> float:
    """The longer side of a pixel, in the unit of the CRS."""
    assert facts.transform is not None
    a, b, _, d, e, _ = facts.transform
    return max(math.hypot(a, d), math.hypot(b, e))
