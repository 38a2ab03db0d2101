"""The values in a query string: boxes, periods of time, and what a column must equal.

Every function raises ValueError with a message that completes "The query parameter <name> ...".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from core.models.feature_table import ColumnType
from infrastructure.features_selection import Bounds, Period

# RFC 3339 section 5.6; also a date alone, and GDAL's `2020-01-31T`, which mean the whole day.
_DATE_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"(?:[Tt]?|[Tt ](\d{2}:\d{2}:)(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2}))",
    re.ASCII,
)
_OPEN_ENDS = ("", "..")
_ONE_DAY = timedelta(days=1) - timedelta(microseconds=1)

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_INT8 = 2**63

Heights = tuple[float, float]

# What reprojection from web maps adds to 180 degrees; such a box means the whole world.
_ROUNDING = 1e-6


def box(text: str) -> tuple[Bounds, Heights | None]:
    """West, south, east, north in degrees, and the heights where six numbers were given.

    West may be greater than east: the box then crosses the antimeridian.
    """
    (west, south, east, north), heights = _corners(text)
    west, east = _degrees(west, 180), _degrees(east, 180)
    south, north = _degrees(south, 90), _degrees(north, 90)
    if south > north:
        raise ValueError(f"must go from south to north: {south:g} is greater than {north:g}")
    return (west, south, east, north), heights


def projected_box(text: str, *, north_first: bool) -> tuple[Bounds, Heights | None]:
    """Least x, least y, greatest x, greatest y, written in the order of a CRS's axes."""
    bounds, heights = _corners(text)
    if bounds[0] > bounds[2] or bounds[1] > bounds[3]:
        raise ValueError("must go from the lower corner to the upper one")
    if north_first:
        bounds = (bounds[1], bounds[0], bounds[3], bounds[2])
    return bounds, heights


def _corners(text: str) -> tuple[Bounds, Heights | None]:
    numbers = [number(part) for part in text.split(",")]
    if len(numbers) == 4:
        return (numbers[0], numbers[1], numbers[2], numbers[3]), None
    if len(numbers) != 6:
        raise ValueError(f"must have 4 or 6 numbers with commas between them, not {len(numbers)}")
    lowest, highest = numbers[2], numbers[5]
    if lowest > highest:
        raise ValueError(f"must go upwards: {lowest:g} is greater than {highest:g}")
    return (numbers[0], numbers[1], numbers[3], numbers[4]), (lowest, highest)


def parts(bounds: Bounds) -> tuple[Bounds, ...]:
    """The box, or its two parts on either side of the antimeridian."""
    west, south, east, north = bounds
    if west <= east:
        return (bounds,)
    return (west, south, 180.0, north), (-180.0, south, east, north)


def _degrees(value: float, most: float) -> float:
    if abs(value) > most + _ROUNDING:
        raise ValueError(f"must hold degrees from {-most:g} to {most:g}, not {value:g}")
    return max(-most, min(most, value))


def period(text: str) -> Period:
    """A date-time, or `start/end` of which one may be open (`..` or nothing)."""
    ends = text.split("/")
    if len(ends) == 1:
        start, end = _moment(text)
        return Period(start, end)
    if len(ends) > 2:
        raise ValueError("must be a date-time or an interval start/end, with one '/' at most")
    first = None if ends[0] in _OPEN_ENDS else _moment(ends[0])[0]
    last = None if ends[1] in _OPEN_ENDS else _moment(ends[1])[1]
    if first is None and last is None:
        raise ValueError("must have a start or an end; leave it away for all times")
    if first is not None and last is not None and first > last:
        raise ValueError("must not end before it starts")
    return Period(first, last)


def _moment(text: str) -> tuple[datetime, datetime]:
    """First and last moment of what the text names: the same, or those of a day."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError(
            f"holds {text!r}, which is not an RFC 3339 date-time such as 2020-01-31T12:00:00Z"
        )
    day, minute, second, fraction, offset = match.groups()
    try:
        if minute is None:
            midnight = datetime.combine(date.fromisoformat(day), time(), UTC)
            return midnight, midnight + _ONE_DAY
        # A leap second counts as the second before it. PostgreSQL keeps microseconds.
        second = "59" if second == "60" else second
        precise = (fraction or ".0")[:7]
        zone = "+00:00" if offset in ("Z", "z") else offset
        moment = datetime.fromisoformat(f"{day}T{minute}{second}{precise:0<7}{zone}")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"holds {text!r}: {error}") from None
    return moment, moment


def number(text: str) -> float:
    """A finite number in decimal notation."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(f"must hold a number, not {text!r}")
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"must hold a finite number, not {text!r}")
    return value


def integer(text: str) -> int:
    """A whole number of 64 bits."""
    # The length first: Python refuses to read very long ones, in its own words.
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"must be a whole number, not {text!r}")
    if len(text) > 20 or not -_INT8 <= int(text) < _INT8:
        raise ValueError(f"must be within 64 bits: {text[:40]!r} is not")
    return int(text)


def _boolean(text: str) -> bool:
    # GDAL writes booleans as numbers.
    found = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
    if found is None:
        raise ValueError(f"must be true or false, not {text!r}")
    return found


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


def _iso(read: Callable[[str], Any], example: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, OverflowError):
            raise ValueError(f"must be of the form {example}, not {text!r}") from None

    return parse


def _without_zone(text: str) -> datetime:
    """A time without a zone; one that has a zone is taken to UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _with_zone(text: str) -> datetime:
    """A moment; without a zone it is in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


# JSON and bytes have no notation in a query string: columns of these types are no queryables.
_PARSERS: dict[ColumnType, Callable[[str], Any]] = {
    ColumnType.BOOLEAN: _boolean,
    ColumnType.INTEGER: integer,
    ColumnType.REAL: number,
    ColumnType.TEXT: _text,
    ColumnType.TEXT_ARRAY: _text,
    ColumnType.DATE: _iso(date.fromisoformat, "2020-01-31"),
    ColumnType.TIME: _iso(time.fromisoformat, "12:30:00"),
    ColumnType.TIMESTAMP: _iso(_without_zone, "2020-01-31T12:30:00"),
    ColumnType.TIMESTAMPTZ: _iso(_with_zone, "2020-01-31T12:30:00Z"),
}
QUERYABLE_TYPES = frozenset(_PARSERS)


def value(text: str, kind: ColumnType) -> Any:
    """What a column of a queryable type must equal, or, where it holds lists, one of the items."""
    return _PARSERS[kind](text)
