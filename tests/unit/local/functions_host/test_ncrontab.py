"""NCRONTAB schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.functions_host.ncrontab import Cron, ScheduleError, parse_schedule

MOMENT = datetime(2026, 3, 14, 15, 9, 26, 535000, UTC)  # a Saturday


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * * *", datetime(2026, 3, 14, 15, 9, 27)),
        ("0 * * * * *", datetime(2026, 3, 14, 15, 10, 0)),
        ("* * * * *", datetime(2026, 3, 14, 15, 10, 0)),
        ("*/15 * * * * *", datetime(2026, 3, 14, 15, 9, 30)),
        ("5/20 * * * * *", datetime(2026, 3, 14, 15, 9, 45)),
        ("0 0 */6 * * *", datetime(2026, 3, 14, 18, 0, 0)),
        ("0 30 9 * * MON-FRI", datetime(2026, 3, 16, 9, 30, 0)),
        ("0 0 0 * * 0", datetime(2026, 3, 15)),
        ("0 0 0 * * 7", datetime(2026, 3, 15)),
        ("0 0 0 * * sunday", datetime(2026, 3, 15)),
        ("0 0 0 * * 5-7", datetime(2026, 3, 15)),
        ("0 0 0 * * fri-mon", datetime(2026, 3, 15)),
        ("0 0 22-2 * * *", datetime(2026, 3, 14, 22)),
        ("0 0 0 1 Jan,Jul *", datetime(2026, 7, 1)),
        ("0 0 0 29 2 *", datetime(2028, 2, 29)),
        ("0 0 0 31 * *", datetime(2026, 3, 31)),
        # Day of month and day of week must both match: the next Friday the 13th.
        ("0 0 0 13 * fri", datetime(2026, 11, 13)),
        ("0 0 0 29 2 sun", datetime(2032, 2, 29)),
        ("01:30:00", datetime(2026, 3, 14, 16, 39, 26, 535000)),
    ],
)
def test_next_occurrence(schedule: str, expected: datetime) -> None:
    assert parse_schedule(schedule).next_after(MOMENT) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 8",
        "*/0 * * * * *",
        "a * * * * *",
        "1- * * * * *",
        "*-3 * * * * *",
        ", * * * * *",
        "00:00:00",
    ],
)
def test_what_cannot_be_understood_is_refused(schedule: str) -> None:
    with pytest.raises(ScheduleError):
        parse_schedule(schedule)


def test_what_never_falls_due_is_refused() -> None:
    with pytest.raises(ScheduleError, match="never"):
        parse_schedule("0 0 0 31 2 *").next_after(MOMENT)


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        value.map(str),
        st.tuples(value, value).map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.integers(1, high).map(lambda step: f"*/{step}"),
        st.lists(value, min_size=1, max_size=3).map(lambda values: ",".join(map(str, values))),
    )


schedules = st.tuples(
    _field(0, 59), _field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 6)
).map(" ".join)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1))


@given(schedules, moments)
def test_occurrence_is_later_matches_and_leaves_none_out(schedule: str, moment: datetime) -> None:
    cron = parse_schedule(schedule)
    assert isinstance(cron, Cron)
    found = cron.next_after(moment)
    assert found > moment
    assert found.second in cron.seconds
    assert found.minute in cron.minutes
    assert found.hour in cron.hours
    assert found.month in cron.months
    assert found.day in cron.days
    assert found.isoweekday() % 7 in cron.weekdays
    # Whatever moment in between it is asked from, the answer is the same.
    between = moment + (found - moment) / 2
    assert cron.next_after(between) == found
    assert cron.next_after(found - timedelta(microseconds=1)) == found
