"""When something falls due: five fields of cron, or six of NCRONTAB, in UTC.

    Schedule.parse("0 2 1 * *").next_after(now)

Five fields are those of crontab(5): minute, hour, day of month, month, day of week. Where
neither of the two days has a `*`, a day that matches either of them is due. Six fields are those
of the timers of Azure Functions: the second comes first, and both days must match
(https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions).

A field holds numbers, ranges (also over the end of the cycle: `fri-mon`), lists and steps; `5/15`
counts from 5 to the end of the field. Sunday is 0 or 7. What only some programs know (`@daily`,
`L`, `W`, `#`, `?`, `H`) is refused rather than guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from croniter import CroniterBadDateError, croniter

_PART = re.compile(
    r"(?P<first>\*|[0-9]{1,2}|[a-z]+)(?:-(?P<last>[0-9]{1,2}|[a-z]+))?(?:/(?P<step>[0-9]{1,3}))?"
)
_TIME_SPAN = re.compile(r"([0-9]+\.)?[0-9]+:[0-9]{2}(:[0-9]{2})?")
# A leap day on a given day of the week comes back within 40 years, also over 2100.
_SEARCHED_YEARS = 50
# From where a schedule is searched for its first due time. Any moment does: the calendar
# repeats itself every 400 years, and no rule of a schedule is rarer than the leap days.
_ANY_MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


class ScheduleError(ValueError):
    """A schedule that cannot be understood, or that never falls due."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One field: the values that `*` stands for, and the words for them."""

    name: str
    cycle: range
    names: tuple[str, ...] = ()
    # The highest number that may be written: 7 is another one for Sunday.
    highest: int = 0

    @property
    def high(self) -> int:
        return max(self.highest, self.cycle[-1])


_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FIVE = (
    _Field("minute", range(60)),
    _Field("hour", range(24)),
    _Field("day of month", range(1, 32)),
    _Field("month", range(1, 13), _MONTHS),
    _Field("day of week", range(7), _DAYS, highest=7),
)
_SECOND = _Field("second", range(60))
_FIELDS = {5: _FIVE, 6: (_SECOND, *_FIVE)}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that is known to fall due, again and again. All times are aware, in UTC."""

    text: str
    # The same in numbers alone, in the order that croniter wants.
    _expression: str = field(repr=False, compare=False)
    _either_day: bool = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """The schedule in a text. Raises `ScheduleError`, which says what is wrong with it."""
        words = text.lower().split()
        if not words:
            raise ScheduleError("the schedule is empty")
        if words[0].startswith("@"):
            raise ScheduleError(f"{words[0]!r} is not understood: write five or six fields")
        if len(words) <= 2 and _TIME_SPAN.fullmatch(words[-1]):
            raise ScheduleError(
                f"{text.strip()!r} is a time span, which says how often but not when: "
                "write five or six fields, such as '0 2 * * *'"
            )
        if len(words) not in _FIELDS:
            raise ScheduleError(
                f"{text.strip()!r} has {_fields(len(words))}: it takes five (minute, hour, day of "
                "month, month, day of week) or six (the second first)"
            )
        fields = [_expand(word, of) for word, of in zip(words, _FIELDS[len(words)], strict=True)]
        # Words with a `*` are `*/2` and the like, which crontab(5) does not count as a choice.
        either_day = len(words) == 5 and "*" not in words[2] and "*" not in words[4]
        if either_day and "*" in (fields[2], fields[4]):
            # All days, spelled out: one that matches either is any day.
            fields[2] = fields[4] = "*"
        schedule = cls(" ".join(text.split()), " ".join(fields), either_day)
        if schedule._neighbour(_ANY_MOMENT, backwards=False) is None:
            raise ScheduleError(
                f"{schedule.text!r} never falls due: no such day is in the calendar"
            )
        return schedule

    def next_after(self, moment: datetime) -> datetime:
        """The first due time after this moment.

        Raises ValueError for a moment without a time zone, and OverflowError at the end of
        the calendar.
        """
        due = self._neighbour(_whole_second(moment), backwards=False)
        if due is None:
            raise OverflowError(f"{self.text!r} is not due again before the year 10000")
        return due

    def last_before(self, moment: datetime, after: datetime | None = None) -> datetime | None:
        """The latest due time that is not after this moment.

        None where there is none, or where it is not later than `after`. Raises ValueError for
        a moment without a time zone.
        """
        # croniter looks strictly before; due times are whole seconds.
        due = self._neighbour(_whole_second(moment) + timedelta(seconds=1), backwards=True)
        if due is None or (after is not None and due <= _aware(after)):
            return None
        return due

    def _neighbour(self, moment: datetime, *, backwards: bool) -> datetime | None:
        search = croniter(
            self._expression,
            moment,
            ret_type=datetime,
            day_or=self._either_day,
            max_years_between_matches=_SEARCHED_YEARS,
            second_at_beginning=True,
        )
        try:
            found: datetime = search.get_prev() if backwards else search.get_next()
        except (CroniterBadDateError, OverflowError, ValueError):
            # The last two are how it runs into the ends of the calendar.
            return None
        return found


def _fields(count: int) -> str:
    return "one field" if count == 1 else f"{count} fields"


def _aware(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC)


def _whole_second(moment: datetime) -> datetime:
    return _aware(moment).replace(microsecond=0)


def _expand(text: str, of: _Field) -> str:
    """A field's values as numbers in a list, `*` where it takes all of them."""
    values: set[int] = set()
    for part in text.split(","):
        values |= _values(part, text, of)
    return "*" if values == set(of.cycle) else ",".join(map(str, sorted(values)))


def _values(part: str, text: str, of: _Field) -> set[int]:
    match = _PART.fullmatch(part)
    if match is None or (match["first"] == "*" and match["last"]):
        raise ScheduleError(f"{of.name} {text!r}: {part!r} is not understood")
    step = 1 if match["step"] is None else int(match["step"])
    if not 1 <= step <= len(of.cycle):
        raise ScheduleError(f"{of.name} {text!r}: the step is not between 1 and {len(of.cycle)}")
    if match["first"] == "*":
        return set(of.cycle[::step])
    first = _number(match["first"], text, of)
    if match["last"]:
        last = _number(match["last"], text, of)
    else:
        last = of.cycle[-1] if match["step"] else first
    if first <= last:
        run = [*range(first, last + 1)]
    else:
        run = [*range(first, of.cycle.stop), *range(of.cycle[0], last + 1)]
    return {value if value in of.cycle else of.cycle[0] for value in run[::step]}


def _number(word: str, text: str, of: _Field) -> int:
    if word.isdigit():
        number = int(word)
    else:
        known = [index for index, name in enumerate(of.names) if word in (name, name[:3])]
        if not known:
            raise ScheduleError(f"{of.name} {text!r}: {word!r} is not understood")
        number = known[0] + of.cycle[0]
    if not of.cycle[0] <= number <= of.high:
        raise ScheduleError(
            f"{of.name} {text!r}: {number} is not between {of.cycle[0]} and {of.high}"
        )
    return number
