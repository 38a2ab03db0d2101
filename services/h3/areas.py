"""Parts of the Earth for which cells are wanted: a box, a polygon, a country.

Edges are straight in longitude and latitude, as those of GeoJSON are (RFC 7946, section 3.1.1).
A place on an edge belongs to the area; so the cut at the antimeridian takes nothing away.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson
import shapely

from core.errors import PermanentTaskError
from infrastructure import areas_repository
from services.h3.model import Box, Numbers
from services.vector.geometry import antimeridian
from services.vector.geometry.repair import repair

if TYPE_CHECKING:  # children of the sandbox test cells for areas, and have no database
    from infrastructure.database import Connection

Mask = npt.NDArray[np.bool_]

_POLE, _HALF, _TURN = 90.0, 180.0, 360.0
_ROUNDING = 1e-9
_POLYGONAL = ("Polygon", "MultiPolygon")
_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A polygon or several, valid, within -180 to 180 degrees of longitude.

    What crosses the antimeridian is cut there. `repairs` says what was wrong with it as it came.
    """

    geometry: shapely.Geometry
    repairs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shapely.prepare(self.geometry)

    def contains(self, longitudes: Numbers, latitudes: Numbers) -> Mask:
        """Which of the places lie in it."""
        inside: Mask = shapely.intersects_xy(self.geometry, longitudes, latitudes)
        return inside

    def touches(self, box: Box) -> bool:
        """Whether it has more than an edge in common with a box."""
        return bool(self.touching([box])[0])

    def touching(self, boxes: Sequence[Box]) -> Mask:
        """Which of the boxes have more than an edge in common with it."""
        sides = np.array([(b.west, b.south, b.east, b.north) for b in boxes]).reshape(-1, 4)
        shapes = shapely.box(*sides.T)
        common: Mask = shapely.intersects(self.geometry, shapes)
        common[common] = ~shapely.touches(self.geometry, shapes[common])
        return common

    def against(
        self, west: Numbers, south: Numbers, east: Numbers, north: Numbers
    ) -> tuple[Mask, Mask]:
        """Which boxes have anything in common with it, and which lie in it wholly.

        Their longitudes may run on beyond the antimeridian, and around all of the Earth.
        """
        around = east - west >= _TURN - _ROUNDING
        west, east = np.where(around, -_HALF, west), np.where(around, _HALF, east)
        shapes = shapely.box(np.maximum(west, -_HALF), south, np.minimum(east, _HALF), north)
        touched: Mask = shapely.intersects(self.geometry, shapes)
        covered: Mask = touched.copy()
        covered[touched] = shapely.covers(self.geometry, shapes[touched])
        for across, turn in ((west < -_HALF, _TURN), (east > _HALF, -_TURN)):
            if across.any():
                beyond = shapely.box(
                    np.maximum(west[across] + turn, -_HALF),
                    south[across],
                    np.minimum(east[across] + turn, _HALF),
                    north[across],
                )
                touched[across] |= shapely.intersects(self.geometry, beyond)
                covered[across] &= shapely.covers(self.geometry, beyond)
        return touched, covered

    def boxes(self) -> list[Box]:
        """The box around it: two where one across the antimeridian is narrower."""
        sides = shapely.bounds(shapely.get_parts(self.geometry))
        east = _end_of_widest_gap(sides)
        if east is None:
            return [_around(sides)]
        in_east = sides[:, 0] >= east
        return [_around(sides[in_east]), _around(sides[~in_east])]

    def as_geojson(self) -> dict[str, Any]:
        """The geometry as GeoJSON, to the last digit."""
        document: dict[str, Any] = orjson.loads(shapely.to_geojson(self.geometry))
        return document


def from_geojson(document: Mapping[str, Any]) -> Area:
    """What `Area.as_geojson` has made."""
    return Area(shapely.from_geojson(orjson.dumps(document)))


def of_bbox(bbox: tuple[float, float, float, float]) -> Area:
    """West, south, east and north in degrees; west beyond east crosses the antimeridian."""
    west, south, east, north = bbox
    if west < east:
        return Area(shapely.box(west, south, east, north))
    parts = [
        shapely.box(first, south, last, north)
        for first, last in ((-_HALF, east), (west, _HALF))
        if first < last
    ]
    return Area(shapely.MultiPolygon(parts))


def of_polygon(document: Mapping[str, Any]) -> Area:
    """A GeoJSON Polygon or MultiPolygon.

    It may be cut at the antimeridian, run on beyond it (175, 185), or jump over it (175, -175):
    an edge of more than 180 degrees goes the short way, as
    `services.vector.geometry.antimeridian` tells. One that crosses itself is repaired.

    Raises `PermanentTaskError` (polygon_invalid) saying what is wrong.
    """
    geometry = _parsed(document)
    area, repairs = _on_map(geometry)
    return Area(area, repairs)


def of_country(connection: Connection, iso3: str) -> Area:
    """A country by its ISO 3166-1 alpha-3 code, as geo.curated_admin0 has it: with those of its
    parts that have no code of their own. What has no such code goes by Natural Earth's.

    Raises `PermanentTaskError`: curated_admin0_missing, country_not_found.
    """
    if not areas_repository.has_countries(connection):
        raise PermanentTaskError(
            "There are no countries to find iso3 in: geo.curated_admin0 has not been loaded from "
            "Natural Earth. Update the curated dataset admin0 (POST "
            "/api/curated/datasets/admin0/update), or give bbox or polygon in place of iso3.",
            code="curated_admin0_missing",
            field="iso3",
        )
    shapes = areas_repository.country(connection, iso3)
    if not shapes:
        raise _unknown_country(connection, iso3)
    geometry = shapely.union_all(shapely.from_wkb(shapes))
    area, _ = _on_map(geometry)
    return Area(area)


def _unknown_country(connection: Connection, iso3: str) -> PermanentTaskError:
    names = areas_repository.country_names(connection)
    near = difflib.get_close_matches(iso3, names, n=_NAMED, cutoff=0.5)
    meant = "; ".join(f"{code} is {names[code]}" for code in near)
    return PermanentTaskError(
        f"geo.curated_admin0 has no country {iso3}." + (f" Near it: {meant}." if meant else ""),
        code="country_not_found",
        field="iso3",
    )


def _parsed(document: Mapping[str, Any]) -> shapely.Geometry:
    kind = document.get("type")
    if kind not in _POLYGONAL:
        raise _refusal(f"its type must be Polygon or MultiPolygon, not {kind!r}")
    try:
        geometry = shapely.force_2d(shapely.from_geojson(orjson.dumps(document)))
    except (shapely.GEOSException, orjson.JSONEncodeError) as error:
        raise _refusal(str(error)) from error
    points = shapely.get_coordinates(geometry)
    if not len(points):
        raise _refusal("it is empty")
    if not np.isfinite(points).all():
        raise _refusal("it has coordinates that are not numbers")
    longitudes, latitudes = points.T
    if np.abs(latitudes).max() > _POLE:
        raise _refusal("latitudes, the second of each pair, go from -90 to 90")
    if np.abs(longitudes).max() > _TURN or np.ptp(longitudes) > _TURN:
        raise _refusal("longitudes go from -180 to 180, or on to 360")
    return geometry


def _on_map(geometry: shapely.Geometry) -> tuple[shapely.Geometry, tuple[str, ...]]:
    """A polygon made valid, cut at the antimeridian, and what was repaired."""
    if len(antimeridian.crossing(np.array([geometry]))):
        geometry = antimeridian.unwrap(geometry)
    repairs: list[str] = []
    if not shapely.is_valid(geometry):
        repaired = repair(geometry, "structure")
        if repaired.geometry is None:
            assert repaired.fault is not None
            raise _refusal(repaired.fault.detail)
        geometry, repairs = repaired.geometry, repaired.details
    cut, _ = antimeridian.cut(geometry)
    if not shapely.is_valid(cut):
        # Pieces of several turns of the map may lie over each other.
        cut = shapely.union_all(shapely.get_parts(cut))
    return cut, tuple(repairs)


def _refusal(what: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"polygon is not usable: {what.rstrip('.')}.", code="polygon_invalid", field="polygon"
    )


def _end_of_widest_gap(sides: Numbers) -> float | None:
    """The longitude at which the widest gap between parts ends; None where no gap is wider than
    the one across the antimeridian."""
    by_west = sides[np.argsort(sides[:, 0])]
    reached = np.maximum.accumulate(by_west[:, 2])
    gaps = by_west[1:, 0] - reached[:-1]
    if not len(gaps) or gaps.max() <= by_west[0, 0] + _TURN - reached[-1]:
        return None
    return float(by_west[1 + np.argmax(gaps), 0])


def _around(sides: Numbers) -> Box:
    """The box around boxes, with what lies on their edges: a `Box` ends before its own."""
    west, south = (float(each) for each in sides[:, :2].min(axis=0))
    east, north = (float(each) for each in sides[:, 2:].max(axis=0))
    return Box(
        west=west,
        south=south,
        east=min(math.nextafter(east, math.inf), _HALF),
        north=min(math.nextafter(north, math.inf), _POLE),
    )
