"""Times as tags and sidecars write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_SECOND = timedelta(seconds=1)
# Of a text that is no time, so much is said again.
_SHOWN = 60
_TEXT = re.compile(
    r"(?P<year>\d{4})(?:[-:/]?(?P<month>\d{2})(?:[-:/]?(?P<day>\d{2})"
    r"(?:[T ]?(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?P<fraction>\.\d+)?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2}|UTC|GMT)?)?)?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Span:
    """A time that is known to a second, a day, a month or years: `first` to `last`, both of it.

    `nominal` is the time to name it by; None where the span is too long for one.
    """

    nominal: datetime | None
    first: datetime
    last: datetime

    @property
    def text(self) -> str:
        """For people."""
        if self.first == self.last:
            return rfc3339(self.first)
        first, last = self.first.date().isoformat(), self.last.date().isoformat()
        return first if first == last else f"{first} to {last}"


def moment(text: str) -> Span:
    """The span that a text names: RFC 3339, EXIF's form with colons, or as much of it as is
    there, to the year. Raises ValueError, which says why it is none.
    """
    match = _TEXT.fullmatch(text.strip().strip("\"'"))
    try:
        if match is not None:
            return _named(match)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:_SHOWN]!r} is not a time ({error})") from None
    raise ValueError(f"{text[:_SHOWN]!r} is not a time")


def _named(match: re.Match[str]) -> Span:
    year, month, day = (int(match[part] or 0) for part in ("year", "month", "day"))
    if match["month"] is None:
        return years(year, year)
    if match["day"] is None:
        return month_of(year, month)
    if match["hour"] is None:
        return day_of(datetime(year, month, day, tzinfo=UTC))
    exact = datetime(
        year, month, day, int(match["hour"]), int(match["minute"]), int(match["second"] or 0),
        round(float(match["fraction"] or 0) * 1e6) % 1_000_000, tzinfo=UTC,
    ) - _offset(match["zone"])  # fmt: skip
    return Span(exact, exact, exact)


def range_of(begin: str, finish: str) -> Span:
    """From the beginning of one time to the end of another, by their texts. Raises ValueError."""
    first, last = moment(begin).first, moment(finish).last
    if last < first:
        raise ValueError(f"ends ({finish}) before it begins ({begin})")
    return Span(None, first, last)


def day_of(day: datetime) -> Span:
    return Span(day, day, day + timedelta(days=1) - _SECOND)


def month_of(year: int, month: int) -> Span:
    first = datetime(year, month, 1, tzinfo=UTC)
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return Span(None, first, after - _SECOND)


def years(first: int, last: int) -> Span:
    """From the beginning of one year to the end of another."""
    return Span(
        None,
        datetime(first, 1, 1, tzinfo=UTC),
        datetime(last, 12, 31, 23, 59, 59, tzinfo=UTC),
    )


def rfc3339(when: datetime) -> str:
    """A time in UTC as STAC writes it."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone.upper() in ("Z", "UTC", "GMT"):
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset
