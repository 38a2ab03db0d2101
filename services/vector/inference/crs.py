"""Which CRS the coordinates of a layer are in: what the user says, what the file says, what the
format says, and last what the coordinates themselves allow.
"""

from __future__ import annotations

from functools import lru_cache

from pyproj import CRS
from pyproj.exceptions import CRSError

from services.vector.model import Finding, Kind, Note, SourceLayer

WGS84 = "EPSG:4326"
WEB_MERCATOR = "EPSG:3857"

BBox = tuple[float, float, float, float]

# RFC 7946 section 4; OGC 07-147r2 (KML 2.2) section 6.2. GeoParquet leaves it out for CRS84.
_CRS_OF_FORMAT = {
    Kind.GEOJSON: "RFC 7946",
    Kind.GEOJSON_SEQ: "RFC 7946",
    Kind.KML: "OGC KML 2.2",
    Kind.GEOPARQUET: "GeoParquet",
}
# Half the length of the equator in web mercator, rounded up.
_MERCATOR_LIMIT = 20_037_509.0
# Web mercator metres are large: what is nearer to 0, 0 may be a local grid or a part of a page.
_MERCATOR_TYPICAL = 500_000.0
_ROUNDING = 1e-6


@lru_cache(maxsize=256)
def parse_crs(text: str) -> CRS:
    """The two-dimensional CRS that a text names.

    Takes authority codes (`EPSG:2263`, `2263`, OGC URNs and URLs, `OGC:CRS84`), WKT of any
    kind, PROJJSON, PROJ strings and names that PROJ knows. Of a compound CRS the horizontal
    part is taken, and heights are left out of a 3D one. Raises ValueError, with a sentence,
    for what is no CRS or none on the Earth (local, engineering, vertical, geocentric).
    """
    wanted = text.strip()
    if not wanted:
        raise ValueError("A CRS must be given, such as EPSG:4326.")
    try:
        crs = CRS.from_user_input(int(wanted) if wanted.isdigit() else wanted)
        crs = _horizontal(crs)
    except CRSError:
        raise ValueError(
            f"{_shown(wanted)} is not a CRS that PROJ knows. Give a code such as EPSG:2263, or WKT."
        ) from None
    if not (crs.is_geographic or crs.is_projected or (crs.is_derived and crs.geodetic_crs)):
        raise ValueError(
            f"{_shown(wanted)} is {_article(crs.type_name)}: it does not say where on the Earth "
            "the coordinates are."
        )
    return crs


def crs_text(crs: CRS) -> str:
    """The shortest text that names a CRS: its authority's code, else WKT."""
    authority = crs.to_authority()
    if authority is not None:
        code = ":".join(authority)
        return WGS84 if code == "OGC:CRS84" else code
    return crs.to_wkt()


@lru_cache(maxsize=256)
def same_crs(one: str, other: str) -> bool:
    """Whether x, y coordinates mean the same in two CRSs, whatever their axis order.

    EPSG:4326, OGC:CRS84 and the GCS_WGS_1984 of a .prj are the same.
    """
    if one == other:
        return True
    first, second = parse_crs(one), parse_crs(other)
    return first.equals(second, ignore_axis_order=True) or crs_text(first) == crs_text(second)


def infer_crs(layer: SourceLayer, *, override: str | None = None) -> tuple[Finding, list[Note]]:
    """The CRS of a layer, and notes on what does not fit together.

    The finding's value is an authority code or WKT; None where nothing says it, so that
    source_crs must be asked for: the evidence says why. Raises ValueError for an override
    that is no CRS.
    """
    if override is not None:
        crs = parse_crs(override)
        value = crs_text(crs)
        found = Finding(
            value=value,
            confidence=1.0,
            source="parameter",
            evidence=["source_crs says so.", *_contradicted(layer.crs, value)],
        )
        return found, _conflicts(crs, layer)
    found = _stated(layer) or _by_format(layer) or _by_coordinates(layer.bbox)
    if layer.crs.value is None:
        found.evidence.extend(layer.crs.evidence)
    if found.value is None:
        return found, []
    return found, _conflicts(parse_crs(found.value), layer)


def _stated(layer: SourceLayer) -> Finding | None:
    """What the file or its .prj says, where that is a CRS."""
    if layer.crs.value is None:
        return None
    try:
        crs = parse_crs(str(layer.crs.value))
    except ValueError as error:
        unstated = _by_coordinates(layer.bbox)
        unstated.evidence.append(str(error))
        return unstated
    text = crs_text(crs)
    evidence = [*layer.crs.evidence] or ["The file says so."]
    if _CRS_OF_FORMAT.get(layer.kind) and _is_metres_in_degrees(crs, layer.bbox):
        # The format's rule was applied to a file that breaks it.
        return _by_coordinates(layer.bbox)
    return layer.crs.model_copy(update={"value": text, "evidence": evidence})


def _by_format(layer: SourceLayer) -> Finding | None:
    specification = _CRS_OF_FORMAT.get(layer.kind)
    if specification is None or _is_beyond_degrees(layer.bbox):
        return None
    return Finding(
        value=WGS84,
        confidence=0.95,
        source="file",
        evidence=[f"{specification} says that coordinates are WGS 84 longitudes and latitudes."],
    )


def _by_coordinates(bbox: BBox | None) -> Finding:
    """What the range of the coordinates allows."""
    if bbox is None:
        return Finding(
            value=None,
            confidence=0.0,
            source="assumption",
            evidence=["Nothing says what CRS the coordinates are in: give source_crs."],
        )
    west, south, east, north = bbox
    extent = f"x from {west:,.10g} to {east:,.10g}, y from {south:,.10g} to {north:,.10g}"
    if _is_within_degrees(bbox):
        tiny = max(abs(value) for value in bbox) <= 1
        return Finding(
            value=WGS84,
            confidence=0.5 if tiny else 0.7 if abs(east) <= 90 and abs(west) <= 90 else 0.8,
            source="content",
            evidence=[
                f"The coordinates have the range of longitudes and latitudes ({extent}); "
                "no CRS is stated."
            ],
        )
    if _looks_like_mercator(bbox):
        return Finding(
            value=WEB_MERCATOR,
            confidence=0.4,
            source="content",
            evidence=[
                f"The coordinates have the size of web mercator metres ({extent}); no CRS is "
                "stated. Give source_crs if they are something else."
            ],
        )
    return Finding(
        value=None,
        confidence=0.0,
        source="content",
        evidence=[
            f"The coordinates are projected ({extent}) and no CRS is stated: give source_crs."
        ],
    )


def _conflicts(crs: CRS, layer: SourceLayer) -> list[Note]:
    """What the coordinates say against the CRS."""
    if layer.bbox is None:
        return []
    west, south, east, north = layer.bbox
    extent = f"x {west:,.10g} to {east:,.10g}, y {south:,.10g} to {north:,.10g}"
    if not crs.is_geographic:
        if _is_within_degrees(layer.bbox) and not _covers(crs, layer.bbox):
            return [
                Note(
                    code="coordinates_look_geographic",
                    message=f"The CRS is {crs.name}, in {_unit(crs)}, but the coordinates have "
                    f"the range of degrees ({extent}).",
                )
            ]
        return []
    quarter = _half_turn(crs) / 2
    if (south < -quarter - _ROUNDING or north > quarter + _ROUNDING) and _fits_swapped(
        layer.bbox, quarter
    ):
        return [
            Note(
                code="axes_look_swapped",
                message=f"Latitudes reach {max(abs(south), abs(north)):,.6g} degrees while "
                f"longitudes stay within 90 ({extent}): the axes look swapped. Nothing was "
                "changed; swap_axes takes the coordinates as latitude, longitude.",
            )
        ]
    if _is_beyond_degrees(layer.bbox):
        return [
            Note(
                code="coordinates_look_projected",
                message=f"The CRS is {crs.name}, in degrees, but the coordinates are far beyond "
                f"360 ({extent}): give source_crs.",
            )
        ]
    if south < -quarter - _ROUNDING or north > quarter + _ROUNDING or east - west > 4 * quarter:
        return [
            Note(
                code="coordinates_out_of_range",
                message=f"Some coordinates are out of the range of degrees ({extent}).",
            )
        ]
    return []


def _fits_swapped(bbox: BBox, quarter: float) -> bool:
    west, south, east, north = bbox
    return (
        -quarter - _ROUNDING <= west
        and east <= quarter + _ROUNDING
        and -4 * quarter <= south
        and north <= 4 * quarter
    )


def _is_within_degrees(bbox: BBox) -> bool:
    """Whether a bbox could be in degrees; longitudes may run from 0 to 360."""
    west, south, east, north = bbox
    return west >= -180 - _ROUNDING and east <= 360 and south >= -90.000001 and north <= 90.000001


def _is_beyond_degrees(bbox: BBox | None) -> bool:
    """Whether no part of a bbox can be in degrees: a few wild records do not make it so."""
    if bbox is None:
        return False
    west, south, east, north = bbox
    return west > 360 or east < -360 or south > 180 or north < -180


def _is_metres_in_degrees(crs: CRS, bbox: BBox | None) -> bool:
    return crs.is_geographic and _is_beyond_degrees(bbox)


def _looks_like_mercator(bbox: BBox) -> bool:
    west, south, east, north = bbox
    limit = _MERCATOR_LIMIT
    return (
        all(abs(value) <= limit for value in bbox)
        and max(abs(west), abs(east)) >= _MERCATOR_TYPICAL
        and max(abs(south), abs(north)) >= _MERCATOR_TYPICAL
        and not _looks_like_utm(bbox)
    )


def _looks_like_utm(bbox: BBox) -> bool:
    """Eastings of 100 to 900 km, as UTM and most national grids have them."""
    west, south, east, north = bbox
    return west >= 0 and east <= 1_000_000 and south >= 0 and north <= 10_000_000


def _covers(crs: CRS, bbox: BBox) -> bool:
    """Whether numbers as small as degrees are usual in a projected CRS: its unit is large."""
    unit: float = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    return unit >= 1000 or max(abs(value) for value in bbox) == 0


def _half_turn(crs: CRS) -> float:
    """180 degrees in the unit of a geographic CRS (200 in grads)."""
    from math import pi

    factor: float = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 0.0
    return pi / factor if factor else 180.0


def _contradicted(stated: Finding, value: str) -> list[str]:
    if stated.value is None:
        return []
    try:
        agrees = same_crs(str(stated.value), value)
    except ValueError:
        agrees = False
    return [] if agrees else [f"The file says otherwise: {_shown(str(stated.value))}."]


def _horizontal(crs: CRS) -> CRS:
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if crs.is_bound and crs.source_crs is not None and crs.source_crs.is_compound:
        crs = crs.source_crs.sub_crs_list[0]
    return crs.to_2d() if len(crs.axis_info) > 2 and not crs.is_geocentric else crs


def _unit(crs: CRS) -> str:
    return crs.axis_info[0].unit_name if crs.axis_info else "units of its own"


def _article(type_name: str) -> str:
    name = type_name[:1].lower() + type_name[1:]
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _shown(text: str) -> str:
    shown = " ".join(text.split())
    return repr(shown if len(shown) <= 80 else f"{shown[:77]}...")
