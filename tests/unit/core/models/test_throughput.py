"""Bins of tasks over time: all of a span, none counted twice, and no rate from a moment's work."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.throughput import Bin, Outcomes, Span, first_bin, throughput

NOW = datetime(2026, 5, 1, 12, 30, 45, tzinfo=UTC)


def at(*, minute: int, completed: int = 0, failed: int = 0) -> Bin:
    return Bin(datetime(2026, 5, 1, 12, minute, tzinfo=UTC), Outcomes(completed, failed))


@pytest.mark.parametrize(("span", "bins"), [(Span.HOUR, 60), (Span.DAY, 96), (Span.WEEK, 168)])
def test_a_span_is_made_of_bins_without_a_gap(span: Span, bins: int) -> None:
    points = throughput(span, [], NOW).points
    assert len(points) == bins
    assert points[0].begins == first_bin(span, NOW)
    steps = {later.begins - earlier.begins for earlier, later in itertools.pairwise(points)}
    assert steps == {timedelta(seconds=span.bin_seconds)}
    assert NOW - span.length < points[0].begins <= points[-1].begins <= NOW


def test_rates_are_a_minute_and_a_bin_that_goes_on_counts_what_has_passed_of_it() -> None:
    found = throughput(
        Span.HOUR, [at(minute=29, completed=8, failed=2), at(minute=30, completed=6)], NOW
    )
    assert [(p.ended_per_minute, p.failed_per_minute) for p in found.points[-2:]] == [
        (10.0, 2.0),
        (8.0, 0.0),  # six within 45 seconds
    ]
    assert found.total == Outcomes(14, 2)
    assert found.busiest == found.points[-2]


def test_a_bin_that_goes_on_is_not_the_busiest() -> None:
    """Its rate is of what has passed of it: more than ended within the hour, it may be."""
    found = throughput(Span.HOUR, [at(minute=29, completed=8), at(minute=30, completed=60)], NOW)
    assert found.points[-1].ended_per_minute > found.total.ended
    assert found.busiest == found.points[-2]


def test_nothing_is_said_of_a_bin_that_has_just_begun() -> None:
    now = NOW.replace(second=10)
    found = throughput(Span.HOUR, [at(minute=30, completed=6)], now)
    assert found.points[-1].begins == datetime(2026, 5, 1, 12, 29, tzinfo=UTC)
    # It is part of the sum all the same.
    assert found.total == Outcomes(6)


def test_where_nothing_ended_no_moment_was_the_busiest() -> None:
    found = throughput(Span.DAY, [], NOW)
    assert (found.total, found.busiest) == (Outcomes(), None)
    assert found.total.failed_pct == 0.0


@given(
    span=st.sampled_from(Span),
    outcomes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=60),
    offset=st.integers(0, 86_399),
)
def test_every_task_of_the_span_is_counted_once(
    span: Span, outcomes: list[tuple[int, int]], offset: int
) -> None:
    now = NOW + timedelta(seconds=offset)
    begins = first_bin(span, now)
    bins = [
        Bin(begins + index * timedelta(seconds=span.bin_seconds), Outcomes(*each))
        for index, each in enumerate(outcomes)
    ]
    before = Bin(begins - timedelta(seconds=span.bin_seconds), Outcomes(7, 7))
    found = throughput(span, [before, *bins], now)
    seen = [each for each in bins if each.begins <= now]
    assert found.total == sum((each.outcomes for each in seen), Outcomes())
    assert all(p.ended_per_minute >= p.failed_per_minute >= 0 for p in found.points)
