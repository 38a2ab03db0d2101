"""Whether a raster has a place on the Earth: its CRS, and whether its corners lie in it."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer

from core.errors import PermanentTaskError
from services.raster.model import Facts
from services.raster.parameters import RasterOptions
from services.vector.geometry.projection import range_of
from services.vector.inference.crs import WGS84, parse_crs

Points = npt.NDArray[np.float64]

# Along each side: a full disk seen from a satellite has no place at its corners, but has inside.
_GRID = 9
_POLE, _TWICE_AROUND = 90.0, 540.0
# Semi-major axes of the Earth's ellipsoids are within this of one another, in metres.
_EARTH_AXIS, _AXIS_TOLERANCE = 6_378_137.0, 10_000.0


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


def crs_of(facts: Facts, parameters: RasterOptions) -> str | None:
    """The CRS that counts: what the user says, else what the file says (or its GCPs)."""
    return parameters.source_crs or facts.crs or facts.gcps_crs


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


def _refuse_elsewhere(crs: CRS, name: str) -> None:
    """Refuse the CRS of another body of the sky, told by the size of its ellipsoid."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        return
    axis = ellipsoid.semi_major_metre
    if abs(axis - _EARTH_AXIS) > _AXIS_TOLERANCE:
        raise PermanentTaskError(
            f"{name} is not on the Earth: its CRS is {crs.name}, of a body with a radius of "
            f"{axis / 1000:,.0f} km.",
            code="not_on_earth",
            field="blob_name",
        )


def _refuse_misfit(facts: Facts, crs: CRS, name: str) -> None:
    """Refuse coordinates that cannot be in this CRS, as degrees in one of metres."""
    points = _grid(facts)
    shown = (
        f"x {points[:, 0].min():g} to {points[:, 0].max():g}, y {points[:, 1].min():g} to "
        f"{points[:, 1].max():g}"
    )
    problem = _misfit(points, crs, _pixel(facts))
    if problem is not None:
        raise PermanentTaskError(
            f"{name} does not lie in its CRS, {crs.name}: its coordinates ({shown}) {problem}. "
            "Name the right CRS with source_crs.",
            code="crs_does_not_fit",
            field="source_crs",
        )


def _misfit(points: Points, crs: CRS, pixel: float) -> str | None:
    """What is wrong with the coordinates, as the end of a sentence; None if nothing is."""
    if not np.isfinite(points).all():
        return "are not finite"
    if crs.is_geographic:
        factor = math.degrees(crs.axis_info[0].unit_conversion_factor)
        x, y = np.abs(points * factor).max(axis=0)
        # Pixels whose centres lie on a pole reach beyond it.
        if y > _POLE + pixel * factor or x > _TWICE_AROUND:
            return "are no longitudes and latitudes"
        return None
    to_wgs84 = Transformer.from_crs(crs, parse_crs(WGS84), always_xy=True)
    longitudes, latitudes = to_wgs84.transform(points[:, 0], points[:, 1])
    placed = np.isfinite(longitudes) & np.isfinite(latitudes) & (np.abs(latitudes) <= _POLE)
    if not placed.any():
        return "are nowhere on the Earth"
    limits = range_of(crs.to_wkt()).limits
    if limits is None:
        return None
    west, south, east, north = limits
    x, y = points.T
    if not ((x >= west) & (x <= east) & (y >= south) & (y <= north)).any():
        return "are far from where it is used"
    if _look_like_degrees(points) and not _in_area_of_use(crs, longitudes, latitudes):
        return "look like longitudes and latitudes"
    return None


def _look_like_degrees(points: Points) -> bool:
    x, y = np.abs(points).max(axis=0)
    return bool(x <= 2 * _POLE and y <= _POLE)


def _in_area_of_use(crs: CRS, longitudes: Points, latitudes: Points) -> bool:
    area = crs.area_of_use
    if area is None:
        return True
    inside = (latitudes >= area.south) & (latitudes <= area.north)
    turned = (longitudes - area.west) % 360
    return bool((inside & (turned <= (area.east - area.west) % 360)).any())


def _grid(facts: Facts) -> Points:
    """Points spread over the raster from edge to edge, in its CRS."""
    assert facts.transform is not None
    a, b, c, d, e, f = facts.transform
    columns = np.linspace(0, facts.width, _GRID)
    rows = np.linspace(0, facts.height, _GRID)
    return np.array(
        [(a * column + b * row + c, d * column + e * row + f)
         for row, column in product(rows, columns)]
    )  # fmt: skip


def _pixel(facts: Facts) -> float:
    """The longer side of a pixel, in the unit of the CRS."""
    assert facts.transform is not None
    a, b, _, d, e, _ = facts.transform
    return max(math.hypot(a, d), math.hypot(b, e))
