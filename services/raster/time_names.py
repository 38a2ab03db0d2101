"""When a raster was taken, by its file's name.

Producers have their own patterns, and put several times into one name; those are known by
theirs. In all other names a date counts only where it stands by itself and is the only one:
digits are tile numbers, codes and versions far more often.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from services.raster.time_texts import Span, day_of, month_of, years

# The oldest aerial photographs that there are archives of, and one year that is being written.
_FIRST_YEAR = 1930
_YEARS_AHEAD = 1

_ALONE = r"(?<![0-9A-Za-z])"
_DAY = r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"
_CLOCK = r"(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})"
_DAY_OF_YEAR = r"(?P<y>\d{4})(?P<j>\d{3})"

# Each names the time of acquisition, not the others in the name:
# Landsat https://www.usgs.gov/faqs/what-naming-convention-landsat-collections-level-1-scenes
# and of before the collections; Sentinel-1 and -2 https://sentiwiki.copernicus.eu; the tiles
# within a Sentinel-2 product; ASTER https://lpdaac.usgs.gov/products/ast_l1tv003/; MODIS and
# VIIRS https://lpdaac.usgs.gov/data/get-started-data/collection-overview/; GOES-R.
_PRODUCTS = tuple(
    re.compile(_ALONE + pattern, re.IGNORECASE)
    for pattern in (
        rf"L[COETM]\d{{2}}_[A-Z0-9]{{4}}_\d{{6}}_{_DAY}_\d{{8}}_",
        rf"L[COETM]\d\d{{6}}{_DAY_OF_YEAR}[A-Z]{{3}}\d{{2}}",
        rf"S1[A-D]_[A-Z0-9]{{2}}_[A-Z_]+_[A-Z0-9]{{4}}_{_DAY}T{_CLOCK}_\d{{8}}T\d{{6}}_",
        rf"S1[A-D]-[A-Z0-9]{{2}}-[A-Z0-9]+-[A-Z]{{2}}-{_DAY}t{_CLOCK}-\d{{8}}t\d{{6}}-",
        rf"S2[A-D]_MSIL[12][ABC]_{_DAY}T{_CLOCK}_N\d{{4}}_",
        rf"(?:L2A_)?T\d{{2}}[A-Z]{{3}}_{_DAY}T{_CLOCK}_",
        rf"AST_[A-Z0-9]{{2,4}}_\d{{3}}(?P<m>\d{{2}})(?P<d>\d{{2}})(?P<y>\d{{4}}){_CLOCK}_\d{{14}}_",
        rf"(?:MOD|MYD|MCD|VNP|VJ[12])\w+\.A{_DAY_OF_YEAR}\.",
        rf"OR_[A-Z0-9-]+_G\d{{2}}_s{_DAY_OF_YEAR}{_CLOCK}\d_",
    )
)
# Names in which a date is when the file was made.
_MADE_THEN = re.compile(_ALONE + r"S2[A-D]_(OPER|USER)_", re.IGNORECASE)

_DATE = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:[T_-]?(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})Z?)?"
    r"|(?P<y2>\d{4})(?P<sep>[-_.])(?P<m2>\d{2})(?P=sep)(?P<d2>\d{2})"
    r"|(?:A|doy)(?P<y3>\d{4})(?P<j>\d{3})"
    r")(?![0-9A-Za-z])"
)
_MONTH = re.compile(r"(?<![0-9A-Za-z-])(\d{4})-(\d{2})(?![0-9A-Za-z-])")
_YEARS = re.compile(r"(?<![0-9A-Za-z-])(\d{4})(?:-(\d{4}))?(?![0-9A-Za-z]|-\d)")


def span_of(name: str, known_by: datetime) -> Span | None:
    """The time that a file's name tells, None where it tells none, or more than one.

    Nothing later than a year after `known_by` is believed.
    """
    product = next((match for each in _PRODUCTS if (match := each.search(name))), None)
    if product is not None:
        return _of_product(product, known_by)
    if _MADE_THEN.search(name):
        return None
    for candidates in (_dates, _months, _year_spans):
        found = candidates(name, _Bounds(known_by))
        if found:
            return found[0] if len(set(found)) == 1 else None
    return None


class _Bounds:
    """Which years are believed."""

    def __init__(self, known_by: datetime) -> None:
        self._last = known_by.year + _YEARS_AHEAD

    def hold(self, year: int) -> bool:
        return _FIRST_YEAR <= year <= self._last


def _of_product(match: re.Match[str], known_by: datetime) -> Span | None:
    parts = match.groupdict()
    if not _Bounds(known_by).hold(int(parts["y"])):
        return None
    return _exact(parts)


def _dates(name: str, bounds: _Bounds) -> list[Span]:
    found = []
    for match in _DATE.finditer(name):
        parts = {key.rstrip("23"): text for key, text in match.groupdict().items() if text}
        if bounds.hold(int(parts["y"])):
            span = _exact(parts)
            if span is not None:
                found.append(span)
    return found


def _months(name: str, bounds: _Bounds) -> list[Span]:
    return [
        month_of(int(year), int(month))
        for year, month in _MONTH.findall(name)
        if bounds.hold(int(year)) and 1 <= int(month) <= 12
    ]


def _year_spans(name: str, bounds: _Bounds) -> list[Span]:
    return [
        years(int(first), int(last or first))
        for first, last in _YEARS.findall(name)
        if bounds.hold(int(first)) and bounds.hold(int(last or first))
        and int(first) <= int(last or first)
    ]  # fmt: skip


def _day(parts: dict[str, str]) -> datetime:
    year = int(parts["y"])
    if "j" in parts:
        day = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=int(parts["j"]) - 1)
        if day.year != year:
            raise ValueError(f"{year} has no day {parts['j']}")
        return day
    return datetime(year, int(parts["m"]), int(parts["d"]), tzinfo=UTC)


def _exact(parts: dict[str, str]) -> Span | None:
    """The second or the day that the digits say, if they are a date at all."""
    try:
        day = _day(parts)
        if "H" not in parts:
            return day_of(day)
        exact = day.replace(hour=int(parts["H"]), minute=int(parts["M"]), second=int(parts["S"]))
    except ValueError:
        return None
    return Span(exact, exact, exact)
