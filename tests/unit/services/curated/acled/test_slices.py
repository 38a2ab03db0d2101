"""Days cut into slices: no day is left out or comes twice, and slices are about as large."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.curated.acled import slices
from services.curated.handler import Days

TODAY = date(2026, 11, 23)
TARGET = 20_000
DAY = timedelta(days=1)
ALL = Days(None, None)

dates = st.dates(date(1990, 1, 1), date(2027, 12, 31))
ends = st.none() | dates


def cut(days: Days, total: int | None, count: slices.Count) -> list[Days]:
    return slices.cut(days, total, count, today=TODAY, target=TARGET)


class Source:
    """Events by the year they are in, spread evenly over it; it keeps what it was asked."""

    def __init__(self, by_year: dict[int, int | None]) -> None:
        self._by_year = by_year
        self.asked: list[Days] = []

    def count(self, days: Days) -> int | None:
        self.asked.append(days)
        day = days.first or days.last
        assert day is not None
        return self._by_year.get(day.year, 0)


def assert_whole(slices: list[Days], days: Days) -> None:
    """The slices are all of the days, in order, each day once."""
    assert slices[0].first == days.first
    assert slices[-1].last == days.last
    for before, after in pairwise(slices):
        assert before.last is not None
        assert after.first == before.last + DAY
    assert all(each.first <= each.last for each in slices if each.first and each.last)


def test_what_is_few_is_one_slice_and_is_not_counted() -> None:
    source = Source({})
    assert cut(ALL, 20_000, source.count) == [ALL]
    assert cut(ALL, 0, source.count) == [ALL]
    assert source.asked == []


def test_each_year_is_counted_once_and_the_ends_are_open() -> None:
    source = Source({2025: 30_000, 2026: 30_000})
    slices = cut(Days(date(2025, 3, 1), None), 60_000, source.count)
    assert source.asked == [
        Days(date(2025, 3, 1), date(2025, 12, 31)),
        Days(date(2026, 1, 1), None),
    ]
    assert_whole(slices, Days(date(2025, 3, 1), None))
    assert len(slices) == 4


def test_of_everything_the_first_slice_has_what_is_before_the_first_year() -> None:
    source = Source(dict.fromkeys(range(1997, 2027), 15_000))
    slices = cut(ALL, 450_000, source.count)
    assert source.asked[0] == Days(None, date(1997, 12, 31))
    assert source.asked[-1] == Days(date(2026, 1, 1), None)
    assert (slices[0], slices[-1]) == (source.asked[0], source.asked[-1])
    assert len(slices) == 30


def test_a_full_year_is_cut_into_equal_pieces() -> None:
    slices = cut(
        Days(date(2023, 1, 1), date(2023, 12, 31)),
        73_000,
        Source({2023: 73_000}).count,
    )
    lengths = [(each.last - each.first).days + 1 for each in slices if each.first and each.last]
    assert lengths == [91, 91, 91, 92]


def test_the_present_year_is_cut_as_far_as_it_has_come() -> None:
    slices = cut(Days(date(2026, 1, 1), None), 60_000, Source({2026: 60_000}).count)
    assert slices == [
        Days(date(2026, 1, 1), date(2026, 4, 19)),
        Days(date(2026, 4, 20), date(2026, 8, 6)),
        Days(date(2026, 8, 7), None),
    ]


def test_small_neighbours_are_one_slice() -> None:
    source = Source({1997: 4_000, 1998: 9_000, 1999: 6_000, 2000: 5_000, 2001: 16_000})
    slices = cut(Days(None, date(2001, 12, 31)), 40_000, source.count)
    assert slices == [
        Days(None, date(1999, 12, 31)),
        Days(date(2000, 1, 1), date(2000, 12, 31)),
        Days(date(2001, 1, 1), date(2001, 12, 31)),
    ]


def test_years_that_nobody_counts_are_slices_of_their_own() -> None:
    days = Days(date(2024, 1, 1), date(2026, 6, 30))
    uncounted = Source(dict.fromkeys((2024, 2025, 2026)))
    slices = cut(days, None, uncounted.count)
    assert [each.first and each.first.year for each in slices] == [2024, 2025, 2026]
    assert_whole(slices, days)


def test_a_day_is_the_shortest_slice() -> None:
    days = Days(date(2026, 1, 1), date(2026, 1, 2))
    slices = cut(days, 10**6, Source({2026: 10**6}).count)
    assert slices == [
        Days(date(2026, 1, 1), date(2026, 1, 1)),
        Days(date(2026, 1, 2), date(2026, 1, 2)),
    ]


@pytest.mark.parametrize(
    "days",
    [Days(date(1, 1, 1), date(2026, 6, 30)), Days(date(1, 1, 1), None), Days(None, date.max)],
)
def test_a_mistyped_year_is_not_counted_through(days: Days) -> None:
    source = Source(dict.fromkeys(range(1997, 2027), 30_000))
    slices = cut(days, 900_000, source.count)
    assert len(source.asked) == 2026 - 1997 + 1
    # Whatever was before or is to come has been counted, and is in a slice.
    assert (source.asked[0].first, source.asked[-1].last) == (days.first, days.last)
    assert_whole(slices, days)


@pytest.mark.parametrize("days", [Days(None, date(1990, 1, 1)), Days(date(2027, 1, 1), None)])
def test_years_without_events_are_one_slice(days: Days) -> None:
    source = Source({})
    assert cut(days, None, source.count) == [days]
    assert source.asked == []


@pytest.mark.parametrize("last", [None, date(2030, 5, 1)])
def test_days_that_are_yet_to_come_are_cut_too(last: date | None) -> None:
    days = Days(date(2028, 2, 1), last)
    assert_whole(cut(days, None, Source({}).count), days)


@given(
    first=ends,
    last=ends,
    counts=st.dictionaries(
        st.integers(1990, 2027), st.integers(0, 400_000) | st.none(), max_size=12
    ),
)
def test_no_day_is_left_out_and_none_comes_twice(
    first: date | None, last: date | None, counts: dict[int, int | None]
) -> None:
    if first is not None and last is not None and first > last:
        first, last = last, first
    days = Days(first, last)
    assert_whole(cut(days, 10**7, Source(counts).count), days)
