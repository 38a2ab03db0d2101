"""Schedules: what they mean, held against an evaluator that looks at every moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.schedules import Schedule, ScheduleError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment", "due"),
    [
        ("0 2 * * *", "2026-03-04 02:00", "2026-03-05 02:00"),
        ("0 2 * * *", "2026-03-04 01:59:59.999999", "2026-03-04 02:00"),
        ("*/15 * * * *", "2026-12-31 23:45", "2027-01-01 00:00"),
        ("*/7 * * * *", "2026-03-04 05:56", "2026-03-04 06:00"),
        ("5/15 * * * *", "2026-03-04 05:50", "2026-03-04 06:05"),
        ("0 22-2 * * *", "2026-03-04 02:00", "2026-03-04 22:00"),
        ("0 22-4/3 * * *", "2026-03-04 22:00", "2026-03-05 01:00"),
        ("0 0 31 * *", "2026-01-31 00:00", "2026-03-31 00:00"),
        ("0 0 29 2 *", "2096-02-29 00:00", "2104-02-29 00:00"),
        ("0 0 * * 7", "2026-03-04 00:00", "2026-03-08 00:00"),
        ("0 0 * * Sun", "2026-03-04 00:00", "2026-03-08 00:00"),
        ("0 0 * * sat-sun", "2026-03-07 00:00", "2026-03-08 00:00"),
        ("0 0 * * 6-7", "2026-03-08 00:00", "2026-03-14 00:00"),
        ("0 0 * * fri-mon/2", "2026-03-06 00:00", "2026-03-08 00:00"),
        ("0 0 1 January *", "2026-03-08 00:00", "2027-01-01 00:00"),
        # Days of the month and of the week: either of them, as in crontab(5) ...
        ("0 0 13 * fri", "2026-03-06 00:00", "2026-03-13 00:00"),
        ("0 0 13 * fri", "2026-04-10 00:00", "2026-04-13 00:00"),
        ("0 0 30 2 mon", "2026-02-23 00:00", "2027-02-01 00:00"),
        ("0 0 1-7 * 0-6", "2026-03-20 00:00", "2026-03-21 00:00"),
        # ... but both where one of them is some share of all.
        ("0 0 */2 * mon", "2026-03-02 00:00", "2026-03-09 00:00"),
        ("0 0 8-14 * */7", "2026-03-01 00:00", "2026-03-08 00:00"),
        # NCRONTAB: seconds, and always both days.
        ("30 0 2 * * *", "2026-03-04 02:00:30", "2026-03-05 02:00:30"),
        ("*/20 * * * * *", "2026-03-04 02:00:41.5", "2026-03-04 02:01:00"),
        ("0 0 0 13 * fri", "2026-03-14 00:00", "2026-11-13 00:00"),
        ("0 0 0 29 2 1", "2016-02-29 00:00", "2044-02-29 00:00"),
    ],
)
def test_the_next_due_time(text: str, moment: str, due: str) -> None:
    assert Schedule.parse(text).next_after(at(moment)) == at(due)


@pytest.mark.parametrize(
    ("text", "moment", "due"),
    [
        ("0 2 * * *", "2026-03-04 02:00", "2026-03-04 02:00"),
        ("0 2 * * *", "2026-03-04 02:00:00.000001", "2026-03-04 02:00"),
        ("0 2 * * *", "2026-03-04 01:59:59.999999", "2026-03-03 02:00"),
        ("0 0 29 2 *", "2104-02-28 00:00", "2096-02-29 00:00"),
        ("0 0 31 * *", "2026-07-30 00:00", "2026-05-31 00:00"),
        ("59 59 23 31 12 *", "2026-01-01 00:00", "2025-12-31 23:59:59"),
    ],
)
def test_the_last_due_time(text: str, moment: str, due: str) -> None:
    schedule = Schedule.parse(text)
    assert schedule.last_before(at(moment)) == at(due)
    assert schedule.last_before(at(moment), after=at(due)) is None
    assert schedule.last_before(at(moment), after=at(due) - timedelta(microseconds=1)) == at(due)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("0 2 * *", "has 4 fields: it takes five"),
        ("nightly", "has one field"),
        ("0 0 0 2 * * 2026", "has 7 fields"),
        ("@daily", "'@daily' is not understood"),
        ("01:00:00", "is a time span"),
        ("1.00:00:00", "is a time span"),
        ("60 * * * *", "minute '60': 60 is not between 0 and 59"),
        ("* 24 * * *", "hour '24': 24 is not between 0 and 23"),
        ("* * 0 * *", "day of month '0': 0 is not between 1 and 31"),
        ("* * * 13 *", "month '13': 13 is not between 1 and 12"),
        ("* * * * 8", "day of week '8': 8 is not between 0 and 7"),
        ("60 * * * * *", "second '60'"),
        ("*/0 * * * *", "the step is not between 1 and 60"),
        ("*/90 * * * *", "the step is not between 1 and 60"),
        ("1,, * * * *", "minute '1,,': '' is not understood"),
        ("*-5 * * * *", "'\\*-5' is not understood"),
        ("1.5 * * * *", "'1.5' is not understood"),
        ("-1 * * * *", "'-1' is not understood"),
        ("\u0661 * * * *", "is not understood"),
        ("* * L * *", "day of month 'l'"),
        ("* * 15W * *", "day of month '15w'"),
        ("* * * * fri#2", "day of week 'fri#2'"),
        ("* * ? * *", "day of month '?'"),
        ("H * * * *", "minute 'h'"),
        ("* * * * fr", "'fr' is not understood"),
        ("* * * fri *", "month 'fri'"),
        ("0 0 30 2 *", "never falls due"),
        ("0 0 31 4,6,9,11 *", "never falls due"),
        ("0 0 0 30 2 mon", "never falls due"),
    ],
)
def test_what_is_no_schedule(text: str, reason: str) -> None:
    with pytest.raises(ScheduleError, match=reason.replace("?", "\\?")):
        Schedule.parse(text)


def test_a_moment_has_a_time_zone() -> None:
    schedule = Schedule.parse("0 2 * * *")
    naive = datetime(2026, 3, 4)
    with pytest.raises(ValueError, match="no time zone"):
        schedule.next_after(naive)
    with pytest.raises(ValueError, match="no time zone"):
        schedule.last_before(naive)
    with pytest.raises(ValueError, match="no time zone"):
        schedule.last_before(at("2026-03-04 03:00"), after=naive)


def test_due_times_are_in_utc() -> None:
    nepal = timezone(timedelta(hours=5, minutes=45))
    due = Schedule.parse("0 2 * * *").next_after(datetime(2026, 3, 4, 7, 44, tzinfo=nepal))
    assert due == at("2026-03-04 02:00")
    assert due.tzinfo is UTC


def test_the_end_of_the_calendar() -> None:
    last = at("9999-12-31 23:00")
    with pytest.raises(OverflowError, match="before the year 10000"):
        Schedule.parse("0 2 * * *").next_after(last)
    assert Schedule.parse("0 2 1 1 *").last_before(last) == at("9999-01-01 02:00")


def test_a_schedule_is_what_was_written() -> None:
    assert Schedule.parse(" 0  2 * * MON ").text == "0 2 * * MON"
    assert Schedule.parse("0 2 * * 1") != Schedule.parse("0 2 * * 2")
    assert len({Schedule.parse("0 2 * * 1"), Schedule.parse("0  2 * * 1")}) == 1


# The evaluator: whether a moment matches, field by field, without any list of values.


def _matches(value: int, text: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    return any(_part_matches(value, part, low, high, names) for part in text.split(","))


def _part_matches(value: int, part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    body, _, written_step = part.partition("/")
    step = int(written_step or 1)
    if body == "*":
        return (value - low) % step == 0
    first, _, last = body.partition("-")
    start = _numeric(first, low, names)
    if not last and not written_step:
        return value == start % 7 if names is _DAYS else value == start
    end = _numeric(last, low, names) if last else high
    length = high - low + 1
    if start > end:
        end += length
    spellings = (value, value + length)  # over the end of the cycle, or Sunday as 7
    return any(start <= at <= end and (at - start) % step == 0 for at in spellings)


def _numeric(word: str, low: int, names: tuple[str, ...]) -> int:
    return names.index(word) + low if word in names else int(word)


def _is_due(text: str, moment: datetime) -> bool:
    fields = text.split()
    second = fields.pop(0) if len(fields) == 6 else "0"
    minute, hour, day, month, weekday = fields
    in_month = _matches(moment.day, day, 1, 31, ())
    in_week = _matches(moment.isoweekday() % 7, weekday, 0, 6, _DAYS)
    unix = len(text.split()) == 5
    either = unix and "*" not in day and "*" not in weekday
    return (
        _matches(moment.second, second, 0, 59, ())
        and _matches(moment.minute, minute, 0, 59, ())
        and _matches(moment.hour, hour, 0, 23, ())
        and _matches(moment.month, month, 1, 12, _MONTHS)
        and (in_month or in_week if either else in_month and in_week)
    )


def _field(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    if names:
        number |= st.sampled_from(names)
    step = st.integers(1, min(high - low + 1, 12)).map(lambda step: f"/{step}")
    some_step = st.just("") | step
    every = some_step.map(lambda step: f"*{step}")
    span = st.tuples(number, number, some_step).map(lambda it: f"{it[0]}-{it[1]}{it[2]}")
    counted = st.tuples(number, step).map("".join)
    parts = st.lists(number | span | counted, min_size=1, max_size=3).map(",".join)
    return every | parts


_MINUTES = _field(0, 59)
_DATES = st.tuples(_field(0, 23), _field(1, 31), _field(1, 12, _MONTHS), _field(0, 6, _DAYS))
_CRON = st.tuples(_MINUTES, _DATES).map(lambda it: " ".join([it[0], *it[1]]))
# Seconds only where they can be looked at one by one: within some hours of any day.
_NCRONTAB = st.tuples(
    _field(0, 59), _MINUTES, st.just("*"), st.just("*"), st.just("*"), _field(0, 6, _DAYS)
).map(" ".join)
_MOMENTS = st.datetimes(datetime(2023, 12, 1), datetime(2028, 4, 1), timezones=st.just(UTC))


def _agrees(text: str, moment: datetime, step: timedelta, steps: int) -> None:
    """That the schedule's neighbours of a moment are those that the evaluator finds."""
    schedule = Schedule.parse(text)
    start = moment.replace(microsecond=0)
    if step >= timedelta(minutes=1):
        start = start.replace(second=0)
    ahead = (start + step * n for n in range(1, steps))
    expected = next((time for time in ahead if _is_due(text, time)), None)
    found = schedule.next_after(moment)
    assert _is_due(text, found)
    assert found == expected if expected else found >= start + step * steps
    behind = (start - step * n for n in range(steps))
    expected = next((time for time in behind if _is_due(text, time)), None)
    last = schedule.last_before(moment)
    assert last is not None
    assert _is_due(text, last)
    assert last == expected if expected else last <= start - step * steps


def _falls_due(text: str) -> bool:
    try:
        Schedule.parse(text)
    except ScheduleError:
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(_CRON, _MOMENTS)
def test_cron_is_evaluated_exactly_minute_by_minute(text: str, moment: datetime) -> None:
    if _falls_due(text):
        _agrees(text, moment, timedelta(minutes=1), 3 * 24 * 60)
        return
    days = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(1461))
    at_midnight = " ".join(["0", "0", *text.split()[2:]])
    assert not any(_is_due(at_midnight, day) for day in days)


@settings(max_examples=80, deadline=None)
@given(_NCRONTAB, _MOMENTS)
def test_ncrontab_is_evaluated_exactly_second_by_second(text: str, moment: datetime) -> None:
    _agrees(text, moment, timedelta(seconds=1), 5400)


@settings(max_examples=60, deadline=None)
@given(_DATES, _MOMENTS)
def test_ncrontab_wants_both_days(dates: tuple[str, ...], moment: datetime) -> None:
    """Over years, by the hour: on the hour nothing is due between."""
    text = " ".join(["0", "0", *dates])
    assume(_falls_due(text))
    schedule = Schedule.parse(text)
    found = schedule.next_after(moment)
    start = moment.replace(minute=0, second=0, microsecond=0)
    hours = (start + timedelta(hours=n) for n in range(1, 24 * 400))
    expected = next((hour for hour in hours if _is_due(text, hour)), None)
    assert found == expected if expected else found >= start + timedelta(hours=24 * 400)
