"""The times of KML: dateTime, date, gYearMonth and gYear (KML 2.3, 16.19, after XML Schema)."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_PERIOD: Final = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:Z|[+-]\d\d:\d\d)?")
_MINUTES_ONLY: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)(Z|[+-]\d\d:?\d\d)?")
_FRACTION: Final = re.compile(r"(\.\d{6})\d+")
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """The first and the last moment of what a text names, in UTC.

    An instant has both equal. `whole_days` says that the text names a day, a month or a year.
    `assumed_utc` that it named a time of day without a zone.
    """

    first: datetime
    last: datetime
    whole_days: bool
    assumed_utc: bool = False


def parse_time(text: str) -> Period | None:
    """None where the text is no time of KML, or one outside of the years 1 to 9999."""
    text = text.strip()
    try:
        if match := _PERIOD.fullmatch(text):
            year, month, day = match.groups()
            return _days(int(year), int(month) if month else None, int(day) if day else None)
        return _instant(text)
    except (ValueError, OverflowError):
        return None


def _days(year: int, month: int | None, day: int | None) -> Period:
    first = datetime(year, month or 1, day or 1, tzinfo=UTC)
    last_month = month or 12
    last_day = day or calendar.monthrange(year, last_month)[1]
    last = datetime(year, last_month, last_day, 23, 59, 59, tzinfo=UTC)
    return Period(first, last, whole_days=True)


def _instant(text: str) -> Period:
    text = _FRACTION.sub(r"\1", text.replace("t", "T").replace("z", "Z").replace(",", "."))
    if match := _MINUTES_ONLY.fullmatch(text):
        text = f"{match[1]}:00{match[2] or ''}"
    later = timedelta()
    if "T24:00" in text:  # XML Schema allows midnight as the end of a day
        text, later = text.replace("T24:00", "T00:00"), _DAY
    elif ":60" in text[16:19]:  # a leap second
        text, later = f"{text[:16]}:59{text[19:]}", _SECOND
    moment = datetime.fromisoformat(text)
    assumed = moment.tzinfo is None
    moment = (moment.replace(tzinfo=UTC) if assumed else moment.astimezone(UTC)) + later
    return Period(moment, moment, whole_days=False, assumed_utc=assumed)
