"""The values that a search is made of, each checked before the database sees it.

Every check raises ValueError with a message that completes "The parameter <name> ...".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from geojson_pydantic.geometries import parse_geometry_obj
from pydantic import AfterValidator, Field, ValidationError

# RFC 3339 section 5.6: 1985-04-12T23:20:50.52Z, with any number of digits to the second.
_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:)(\d{2})(?:\.\d+)?(?:[Zz]|([+-]\d{2}:\d{2}))"
)
_OPEN_ENDS = ("", "..")
# pgstac's tokens: the direction, and the hexadecimal of collection and id where the page ended.
_TOKEN = re.compile(r"(next|prev):([0-9a-f]{2})+:([0-9a-f]{2})+")


def storable(text: str) -> str:
    """Text that PostgreSQL can hold: no NUL, no half of a surrogate pair."""
    if "\x00" in text:
        raise ValueError("must not hold NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


def timestamp(text: str) -> datetime:
    """An RFC 3339 date-time, to the second, in UTC.

    A leap second counts as the second before it.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(
            f"holds {text!r}, which is not an RFC 3339 date-time such as 2020-01-31T12:00:00Z"
        )
    date, minute, second, offset = match.groups()
    second = "59" if second == "60" else second
    try:
        moment = datetime.fromisoformat(f"{date}T{minute}{second}{offset or '+00:00'}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"holds {text!r}: {error}") from None


def interval(text: str) -> str:
    """A date-time, or `start/end` where one end may be open (`..` or nothing)."""
    ends = text.split("/")
    if len(ends) > 2:
        raise ValueError("must be a date-time or an interval start/end, with one '/' at most")
    if len(ends) == 1:
        timestamp(text)
        return text
    closed = [timestamp(end) for end in ends if end not in _OPEN_ENDS]
    if not closed:
        raise ValueError("must have a start or an end; leave it away to search all times")
    if len(closed) == 2 and closed[0] > closed[1]:
        raise ValueError("must not end before it starts")
    return text


def box(coordinates: list[float]) -> list[float]:
    """west, south, east, north in degrees (CRS84); a third dimension is read and let go.

    West may be greater than east: the box then crosses the antimeridian.
    """
    if len(coordinates) not in (4, 6):
        raise ValueError(f"must have 4 or 6 numbers, not {len(coordinates)}")
    half = len(coordinates) // 2
    west, south, east, north = *coordinates[:2], *coordinates[half : half + 2]
    if south > north:
        raise ValueError(f"must go from south to north: {south:g} is greater than {north:g}")
    return [west, south, east, north]


def box_across_antimeridian(coordinates: list[float]) -> dict[str, Any]:
    """The two parts of a box whose west is greater than its east, as a MultiPolygon."""
    west, south, east, north = coordinates

    def rectangle(left: float, right: float) -> list[list[list[float]]]:
        return [[[left, south], [right, south], [right, north], [left, north], [left, south]]]

    return {"type": "MultiPolygon", "coordinates": [rectangle(west, 180), rectangle(-180, east)]}


def geometry(value: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON geometry of any type (RFC 7946), or the first thing wrong with it."""
    try:
        parse_geometry_obj(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"must be a GeoJSON geometry: {place} {first['msg']}".strip()) from None
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"must be a GeoJSON geometry: {error}") from None
    return value


def token(text: str) -> str:
    """A paging token, as pgstac makes them."""
    if not _TOKEN.fullmatch(text):
        raise ValueError("must be a paging token out of a next or prev link")
    return text


def expression(value: dict[str, Any]) -> dict[str, Any]:
    """A CQL2 JSON expression: {"op": ..., "args": [...]}; pgstac judges what is inside."""
    if not isinstance(value.get("op"), str) or not isinstance(value.get("args"), list):
        raise ValueError('must be a CQL2 JSON expression: {"op": "<operator>", "args": [...]}')
    return value


Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, AfterValidator(storable)]
Interval = Annotated[str, AfterValidator(interval)]
Token = Annotated[str, AfterValidator(token)]
Box = Annotated[list[Finite], AfterValidator(box)]
Geometry = Annotated[dict[str, Any], AfterValidator(geometry)]
Expression = Annotated[dict[str, Any], AfterValidator(expression)]
