"""The coordinate reference systems that a table's features are offered in (Part 2 of the standard).

CRS84 for everyone, and the one that the table is stored in for those who ask for it: they get
the coordinates as they are, in the order of axes that the CRS's authority has laid down, which
is not always PostGIS's east before north.
"""

from __future__ import annotations

from functools import lru_cache

from pyproj import CRS
from pyproj.exceptions import CRSError

from core.models.feature_table import GeometryColumn
from infrastructure.features_repository import Coordinates
from infrastructure.features_selection import WGS84

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CRS84H = "http://www.opengis.net/def/crs/OGC/0/CRS84h"


def default_crs(geometry: GeometryColumn | None) -> str:
    """What features come in where no CRS is asked for."""
    return CRS84H if geometry is not None and geometry.has_z else CRS84


def storage_crs(geometry: GeometryColumn) -> str:
    """The CRS that the table is stored in. PostGIS has 4326 longitude first, as CRS84 is."""
    if geometry.srid == WGS84:
        return default_crs(geometry)
    return f"http://www.opengis.net/def/crs/EPSG/0/{geometry.srid}"


def offered(geometry: GeometryColumn | None) -> tuple[str, ...]:
    """All CRSs that can be asked for, the default first."""
    if geometry is None:
        return (CRS84,)
    return tuple(dict.fromkeys((default_crs(geometry), storage_crs(geometry))))


def coordinates(uri: str, geometry: GeometryColumn | None) -> Coordinates:
    """How coordinates are written in a CRS that is offered."""
    if geometry is None or uri == default_crs(geometry):
        return Coordinates()
    return _as_stored(geometry.srid)


@lru_cache(maxsize=64)
def _as_stored(srid: int) -> Coordinates:
    try:
        crs = CRS.from_epsg(srid)
    except CRSError:
        return Coordinates(as_stored=True)
    digits = 9 if crs.is_geographic else 4
    return Coordinates(as_stored=True, north_first=_is_north_first(crs), digits=digits)


def _is_north_first(crs: CRS) -> bool:
    """As in EPSG:3035, EPSG:32661, and most that are in degrees."""
    first, second = crs.axis_info[:2]
    # From a pole both axes lead the same way: there the letters tell which is which.
    directions = (first.direction, second.direction)
    return directions == ("north", "east") or (first.abbrev, second.abbrev) == ("N", "E")
