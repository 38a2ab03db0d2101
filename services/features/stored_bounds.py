"""Boxes in degrees as bounds in the CRS that a table is stored in.

The bounds only have to enclose the box, so that the table's index can be asked first; what it
finds is compared with the box itself.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from infrastructure.features_selection import WGS84, Bounds

# A grid rather than the outline: the extremes of a projected box can be inside it.
_STEPS = 33
# Between two points of the grid, and between PostGIS's way from CRS to CRS and this one's.
_MARGIN_SHARE = 0.05
_MARGIN_METRES = 1_000.0
_MARGIN_DEGREES = 0.01


def stored_bounds(box: Bounds, srid: int, extent: Bounds | None) -> Bounds | None:
    """Least and greatest x and y that enclose the box in a CRS; None where they are not known.

    Args:
        box: west, south, east, north in CRS84, west not greater than east.
        srid: EPSG code of the CRS.
        extent: where the table has anything at all. Far from there a projection has no
            values, or senseless ones, so only the common part is looked at.
    """
    crossing = _transformer(srid)
    if crossing is None:
        return None
    transformer, unit_metres = crossing
    west, south, east, north = _common(box, extent)
    longitudes, latitudes = np.meshgrid(
        np.linspace(west, east, _STEPS), np.linspace(south, north, _STEPS)
    )
    try:
        x, y = transformer.transform(longitudes, latitudes)
    except ProjError:
        return None
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    least = _MARGIN_DEGREES if unit_metres is None else _MARGIN_METRES / unit_metres
    margin = max(least, _MARGIN_SHARE * max(np.ptp(x), np.ptp(y)))
    return (
        float(x.min() - margin),
        float(y.min() - margin),
        float(x.max() + margin),
        float(y.max() + margin),
    )


def _common(box: Bounds, extent: Bounds | None) -> Bounds:
    """What box and extent have in common, or the box where that is nothing."""
    if extent is None or extent[0] > extent[2]:
        return box
    # The extent of a table in metres was found by following the outline of its box.
    wider = _MARGIN_DEGREES + _MARGIN_SHARE * max(extent[2] - extent[0], extent[3] - extent[1])
    west, south = max(box[0], extent[0] - wider), max(box[1], extent[1] - wider)
    east, north = min(box[2], extent[2] + wider), min(box[3], extent[3] + wider)
    return (west, south, east, north) if west <= east and south <= north else box


@lru_cache(maxsize=64)
def _transformer(srid: int) -> tuple[Transformer, float | None] | None:
    """From CRS84 to a CRS, and its unit in metres (None for degrees); None if it is not known."""
    try:
        crs = CRS.from_epsg(srid)
        transformer = Transformer.from_crs(CRS.from_epsg(WGS84), crs, always_xy=True)
    except (CRSError, ProjError):
        return None
    unit = None if crs.is_geographic else float(crs.axis_info[0].unit_conversion_factor)
    return transformer, unit
