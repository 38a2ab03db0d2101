"""Which columns of a table of texts say where its records are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from services.vector.formats.reader import UnreadableFile
from services.vector.inference.coordinates import numbers_of
from services.vector.inference.text_forms import trimmed


class Form(StrEnum):
    """How a place is written."""

    XY = "xy"  # a column each for x and y
    PAIR = "pair"  # "latitude, longitude" in one column
    WKT = "wkt"
    WKB = "wkb"  # in hexadecimal digits
    GEOJSON = "geojson"


@dataclass(frozen=True, slots=True)
class Location:
    """The columns of the place, and how sure that is. With XY they are x and y.

    `geographic` says that they are degrees; None where it is not to be told.
    """

    form: Form
    columns: tuple[str, ...]
    confidence: float
    source: str
    evidence: tuple[str, ...]
    geographic: bool | None = None
    swapped: bool = False


# Parts of names, in English, French, Spanish, Portuguese, Italian, German, Dutch and Polish.
_X_WORDS: Final = {
    "longitude": 0.95, "lon": 0.95, "long": 0.9, "lng": 0.95, "longitud": 0.95,
    "longitudine": 0.95, "laengengrad": 0.95, "langengrad": 0.95, "lengtegraad": 0.95,
    "dlugosc": 0.8, "longdd": 0.9, "londd": 0.9, "lonwgs": 0.9, "longwgs": 0.9,
    "decimallongitude": 0.95, "declong": 0.9, "declon": 0.9, "gpslong": 0.9, "gpslon": 0.9,
    "xlon": 0.9, "xlong": 0.9, "lambda": 0.5,
    "easting": 0.9, "eastings": 0.9, "este": 0.7, "rechtswert": 0.9, "utmx": 0.85,
    "x": 0.8, "xcoord": 0.85, "coordx": 0.85, "xcoordinate": 0.85, "coordinatex": 0.85,
    "pointx": 0.85, "geox": 0.8, "xutm": 0.85, "xcenter": 0.75, "centerx": 0.75,
    "centroidx": 0.75, "xcentroid": 0.75, "coordonneex": 0.85, "coordenadax": 0.85,
}  # fmt: skip
_Y_WORDS: Final = {
    "latitude": 0.95, "lat": 0.95, "latitud": 0.95, "latitudine": 0.95, "breitengrad": 0.95,
    "breedtegraad": 0.95, "szerokosc": 0.8, "latdd": 0.9, "latwgs": 0.9,
    "decimallatitude": 0.95, "declat": 0.9, "gpslat": 0.9, "ylat": 0.9, "phi": 0.5,
    "northing": 0.9, "northings": 0.9, "norte": 0.7, "hochwert": 0.9, "utmy": 0.85,
    "y": 0.8, "ycoord": 0.85, "coordy": 0.85, "ycoordinate": 0.85, "coordinatey": 0.85,
    "pointy": 0.85, "geoy": 0.8, "yutm": 0.85, "ycenter": 0.75, "centery": 0.75,
    "centroidy": 0.75, "ycentroid": 0.75, "coordonneey": 0.85, "coordenaday": 0.85,
}  # fmt: skip
_GEOMETRY_WORDS: Final = frozenset(
    {"wkt", "geom", "geometry", "wkbgeometry", "thegeom", "shape", "ewkt", "wkb", "geo", "geojson",
     "geometria", "geometrie", "location", "polygon", "footprint", "coordinates", "latlon",
     "latlng", "latlong", "coords", "position", "geopoint", "geolocation", "gps", "point"}
)  # fmt: skip
_PROJECTED_WORDS: Final = ("easting", "northing", "utm", "rechtswert", "hochwert")
_WKT: Final = (
    r"(?i)^(?:SRID=\d+;)?\s*(?:MULTI)?(?:POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION)"
    r"\s*(?:Z|M|ZM)?\s*(?:\(|EMPTY)"
)
_WKB: Final = r"(?i)^(?:\\x|0x)?0[01][0-9a-f]{16,}$"
_GEOJSON: Final = r'^\{\s*.*"type"\s*:\s*"(?:Multi)?(?:Point|LineString|Polygon|Geometry)'
_PAIR: Final = (
    r"^[(\[]?\s*-?\d{1,3}(?:\.\d+)?\x{b0}?\s*[,; ]\s*-?\d{1,3}(?:\.\d+)?\x{b0}?\s*[)\]]?$"
)
_MOSTLY: Final = 0.9


def find(
    columns: Mapping[str, pa.Array[Any]],
    *,
    x_column: str | None = None,
    y_column: str | None = None,
    wkt_column: str | None = None,
    decimal_comma: bool = False,
    has_header: bool = True,
) -> Location | None:
    """The place of the records, from some of them; None where nothing looks like one.

    Raises `UnreadableFile` for a column that is asked for and does not exist.
    """
    names = list(columns)
    if wkt_column is not None:
        name = _existing(wkt_column, names)
        form = _form_of(columns[name]) or Form.WKT
        said = "wkt_column says so"
        return Location(form, (name,), 1.0, "parameter", (said,), _is_geographic_form(form))
    if x_column is not None and y_column is not None:
        pair = (_existing(x_column, names), _existing(y_column, names))
        return _judged(
            Location(Form.XY, pair, 1.0, "parameter", ("x_column and y_column say so",)),
            columns,
            decimal_comma,
        )
    return (
        _in_one_column(columns, named=True)
        or _by_names(columns, decimal_comma)
        or _in_one_column(columns, named=False)
        or (None if has_header else _by_values(columns, decimal_comma))
    )


def looked_for() -> str:
    """What a table without a place does not have, in a sentence."""
    return (
        "no columns named as longitude and latitude (lon, lat, x, y, easting, northing and the "
        "like) with numbers in them, and none with WKT, WKB in hex, GeoJSON or pairs of "
        "coordinates: the records have no geometry. The parameters x_column and y_column, or "
        "wkt_column, name the columns"
    )


def _existing(wanted: str, names: Sequence[str]) -> str:
    if wanted in names:
        return wanted
    alike = [name for name in names if name.strip().casefold() == wanted.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    listed = ", ".join(repr(name) for name in names[:50])
    more = f" and {len(names) - 50:,} more" if len(names) > 50 else ""
    raise UnreadableFile(f"There is no column {wanted!r}. The file has {listed}{more}.")


def _in_one_column(columns: Mapping[str, pa.Array[Any]], *, named: bool) -> Location | None:
    """A column that holds whole geometries; `named` asks for a name that says so as well."""
    for name, texts in columns.items():
        if named != (not _GEOMETRY_WORDS.isdisjoint({_folded(name), *_words(name)})):
            continue
        form = _form_of(texts)
        if form is None or (form is Form.PAIR and not named):
            continue
        said = f"nearly all values of {name!r} are {_FORM_NAMES[form]}"
        confidence = 0.99 if named else 0.95
        if form is Form.PAIR:
            confidence = 0.85
        return Location(form, (name,), confidence, "content", (said,), _is_geographic_form(form))
    return None


_FORM_NAMES: Final = {
    Form.WKT: "geometries in WKT",
    Form.WKB: "geometries in WKB, in hexadecimal digits",
    Form.GEOJSON: "geometries in GeoJSON",
    Form.PAIR: "pairs of coordinates",
}


def _is_geographic_form(form: Form) -> bool | None:
    return True if form in (Form.GEOJSON, Form.PAIR) else None


def _form_of(texts: pa.Array[Any]) -> Form | None:
    values = trimmed(texts)
    values = values.filter(pc.not_equal(values, ""))
    if not len(values):
        return None
    for form, pattern in (
        (Form.WKT, _WKT),
        (Form.WKB, _WKB),
        (Form.GEOJSON, _GEOJSON),
        (Form.PAIR, _PAIR),
    ):
        found = pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0
        if found >= _MOSTLY * len(values):
            return form
    return None


def _by_names(columns: Mapping[str, pa.Array[Any]], decimal_comma: bool) -> Location | None:
    """Columns named for x and y, the same otherwise (start_lon goes with start_lat)."""
    xs = _roles(columns, _X_WORDS)
    ys = _roles(columns, _Y_WORDS)
    pairs: list[tuple[float, str, str]] = []
    for x, (x_sure, x_rest) in xs.items():
        for y, (y_sure, y_rest) in ys.items():
            if x != y and x_rest == y_rest and abs(x_sure - y_sure) < 0.2:
                # A name that says nothing else is the likelier one.
                pairs.append((min(x_sure, y_sure) - (0.1 if x_rest else 0.0), x, y))
    pairs.sort(key=lambda pair: -pair[0])
    for sure, x, y in pairs:
        said = f"columns {x!r} and {y!r} are named so and hold numbers"
        if len(pairs) > 1:
            others = ", ".join(f"{x!r}, {y!r}" for _, x, y in pairs[:3] if x != pairs[0][1])
            said += f"; others that could be: {others}" if others else ""
        location = _judged(
            Location(Form.XY, (x, y), round(sure, 2), "name", (said,)), columns, decimal_comma
        )
        if location is not None:
            return location
    return None


def _roles(
    columns: Mapping[str, pa.Array[Any]], words: Mapping[str, float]
) -> dict[str, tuple[float, tuple[str, ...]]]:
    """The columns that may be x (or y), how sure that is, and what else their names say."""
    roles: dict[str, tuple[float, tuple[str, ...]]] = {}
    for name in columns:
        folded = _folded(name)
        if folded in words:
            roles[name] = (words[folded], ())
            continue
        parts = _words(name)
        known = [part for part in parts if part in words]
        if known:
            best = max(known, key=lambda part: words[part])
            rest = tuple(part for part in parts if part != best)
            roles[name] = (words[best] - 0.05, rest)
    return roles


def _judged(
    location: Location, columns: Mapping[str, pa.Array[Any]], decimal_comma: bool
) -> Location | None:
    """The pair of columns, if they hold numbers; whether these are degrees, or swapped."""
    # Names that leave no doubt may have a few broken values below them.
    share = 0.5 if location.confidence >= 0.85 else _MOSTLY
    x = _numbers(columns[location.columns[0]], decimal_comma, share)
    y = _numbers(columns[location.columns[1]], decimal_comma, share)
    asked = location.source == "parameter"
    if x is None or y is None:
        return location if asked else None
    evidence = list(location.evidence)
    geographic: bool | None = None
    swapped = False
    projected = any(word in _folded(name) for name in location.columns for word in _PROJECTED_WORDS)
    if not len(x) or not len(y):
        evidence.append("no values in them among the records that were looked at")
    elif _within(x, 180) and _within(y, 90) and not projected:
        geographic = True
        evidence.append("all values are within 180 and 90 degrees")
    elif _within(x, 90) and _within(y, 180) and not projected:
        geographic, swapped = True, True
        evidence.append(
            f"{location.columns[1]!r} goes beyond 90 and {location.columns[0]!r} does not: "
            "they seem to be swapped"
        )
    elif _within(x, 360) and _within(y, 90) and not projected:
        geographic = True
        evidence.append("values are within 360 and 90 degrees")
    else:
        geographic = False
        evidence.append(
            f"values such as {x[0]:g}, {y[0]:g} are no degrees: eastings and northings of a CRS "
            "that has to be named by source_crs"
        )
    return Location(
        Form.XY,
        location.columns,
        location.confidence,
        location.source,
        tuple(evidence),
        geographic,
        swapped,
    )


def _by_values(columns: Mapping[str, pa.Array[Any]], decimal_comma: bool) -> Location | None:
    """Without names: two columns side by side of decimal numbers that could be degrees."""
    names = list(columns)
    for first, second in pairwise(names):
        pair = [_decimals(columns[name], decimal_comma) for name in (first, second)]
        one, other = pair
        if one is None or other is None or not len(one) or not len(other):
            continue
        if _within(one, 90) and _within(other, 180):
            y, x = first, second
        elif _within(one, 180) and _within(other, 90):
            x, y = first, second
        else:
            continue
        said = (
            f"there is no header; {first!r} and {second!r} are neighbours with decimal numbers "
            f"that fit latitudes and longitudes, taken as y = {y!r}, x = {x!r}"
        )
        return Location(Form.XY, (x, y), 0.6, "content", (said,), True)
    return None


def _numbers(
    texts: pa.Array[Any], decimal_comma: bool, share: float = _MOSTLY
) -> npt.NDArray[np.float64] | None:
    """The numbers in a column; None where fewer than that share of its values are some."""
    values = trimmed(texts)
    values = values.filter(pc.not_equal(values, ""))
    numbers = numbers_of(values, decimal_comma=decimal_comma)
    finite = numbers[np.isfinite(numbers)]
    return finite if len(finite) >= share * len(values) else None


def _decimals(texts: pa.Array[Any], decimal_comma: bool) -> npt.NDArray[np.float64] | None:
    """As `_numbers`, of numbers that mostly have decimals."""
    numbers = _numbers(texts, decimal_comma)
    if numbers is None:
        return None
    return numbers if np.mean(numbers != np.round(numbers)) > 0.5 else None


def _within(numbers: npt.NDArray[np.float64], limit: float) -> bool:
    """Nearly all; a few typing errors do not make degrees into metres."""
    return bool(np.mean(np.abs(numbers) <= limit) >= 0.98)


def _folded(name: str) -> str:
    """Letters and digits of a name, lower case, without accents."""
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    """decimalLatitude, Lat_DD and 'GPS Latitude (°)' as words: decimal latitude, lat dd..."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ł", "l"))
    plain = plain.encode("ascii", errors="ignore").decode()
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
