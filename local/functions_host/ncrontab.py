"""NCRONTAB schedules of timer triggers: {second} {minute} {hour} {day} {month} {day of week}.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions.
Five fields leave the second out (0). Day of month and day of week must both match, unlike in
Unix cron. A time span hh:mm:ss is an interval.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

_MONTHS = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_INTERVAL = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")

# 29 February on a given weekday comes back within 40 years, also over 2100, which has none.
_HORIZON = timedelta(days=366 * 41)


class ScheduleError(ValueError):
    """A schedule that cannot be understood, or never falls due."""


class Schedule(Protocol):
    """When a timer is due."""

    def next_after(self, moment: datetime) -> datetime:
        """The first due time after this moment. Raises ScheduleError if there is none."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Due again and again after the same time."""

    length: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """This long after the moment."""
        return moment + self.length


@dataclass(frozen=True, slots=True)
class Cron:
    """Due whenever all fields match. Days of the week count from Sunday, 0."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, moment: datetime) -> datetime:
        """The first matching second after this moment. Raises ScheduleError if there is none."""
        candidate = moment.replace(microsecond=0) + timedelta(seconds=1)
        horizon = candidate + _HORIZON
        while candidate < horizon:
            if candidate.month not in self.months:
                candidate = (_midnight(candidate).replace(day=1) + timedelta(days=32)).replace(
                    day=1
                )
            elif not self._is_day(candidate):
                candidate = _midnight(candidate) + timedelta(days=1)
            elif candidate.hour not in self.hours:
                candidate = candidate.replace(minute=0, second=0) + timedelta(hours=1)
            elif candidate.minute not in self.minutes:
                candidate = candidate.replace(second=0) + timedelta(minutes=1)
            elif candidate.second not in self.seconds:
                candidate += timedelta(seconds=1)
            else:
                return candidate
        raise ScheduleError("the schedule never falls due")

    def _is_day(self, moment: datetime) -> bool:
        return moment.day in self.days and moment.isoweekday() % 7 in self.weekdays


def parse_schedule(text: str) -> Schedule:
    """The schedule in a text. Raises ScheduleError."""
    if interval := _INTERVAL.fullmatch(text.strip()):
        days, hours, minutes, seconds = (int(part or 0) for part in interval.groups())
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not length:
            raise ScheduleError(f"schedule {text!r}: the interval is zero")
        return Interval(length)
    fields = text.split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise ScheduleError(
            f"schedule {text!r} has {len(fields)} fields; six are needed: "
            "second minute hour day month day-of-week"
        )
    try:
        return Cron(
            seconds=_field(fields[0], 0, 59),
            minutes=_field(fields[1], 0, 59),
            hours=_field(fields[2], 0, 23),
            days=_field(fields[3], 1, 31),
            months=_field(fields[4], 1, 12, _MONTHS),
            weekdays=frozenset(day % 7 for day in _field(fields[5], 0, 7, _DAYS)),
        )
    except ScheduleError as error:
        raise ScheduleError(f"schedule {text!r}: {error}") from None


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    values: set[int] = set()
    for part in text.lower().split(","):
        values |= _part(part, low, high, names)
    return frozenset(values)


def _part(part: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise ScheduleError(f"{part!r} cannot be understood")
    step = int(match["step"] or 1)
    if step < 1:
        raise ScheduleError(f"{part!r} has a step of zero")
    if match["first"] == "*":
        if match["last"]:
            raise ScheduleError(f"{part!r} cannot be understood")
        # '*' of days of the week stops at Saturday: 7 is only another name of Sunday.
        return set(range(low, (6 if names is _DAYS else high) + 1, step))
    first = _value(match["first"], low, high, names)
    if match["last"]:
        last = _value(match["last"], low, high, names)
    else:
        last = high if match["step"] else first
    if first <= last:
        return set(range(first, last + 1, step))
    # A range over the end of the cycle: FRI-MON, 22-2.
    cycle = [*range(first, (6 if names is _DAYS else high) + 1), *range(low, last + 1)]
    return set(cycle[::step])


def _value(text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.isdigit():
        value = int(text)
    else:
        matching = [i for i, name in enumerate(names) if text.startswith(name)]
        if not matching:
            raise ScheduleError(f"{text!r} cannot be understood")
        value = matching[0] + (1 if names is _MONTHS else 0)
    if not low <= value <= high:
        raise ScheduleError(f"{value} is not between {low} and {high}")
    return value


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0)
