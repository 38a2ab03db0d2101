"""Charts: every bar within its frame, labels that read well, and a sentence that says it all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.throughput import Bin, Outcomes, Span, Throughput, first_bin, throughput
from web_interfaces.metrics.charts import HEIGHT, STEP, charts, summary

NOW = datetime(2026, 5, 1, 12, 30, 45, tzinfo=UTC)


def made(span: Span, *outcomes: tuple[int, int]) -> Throughput:
    """A span whose newest bins but one have these outcomes."""
    width = timedelta(seconds=span.bin_seconds)
    newest = first_bin(span, NOW) + (len(throughput(span, [], NOW).points) - 1) * width
    bins = [
        Bin(newest - (index + 1) * width, Outcomes(*each)) for index, each in enumerate(outcomes)
    ]
    return throughput(span, bins, NOW)


def test_ended_and_failed_have_axes_of_their_own() -> None:
    ended, failed = charts(made(Span.HOUR, (990, 10), (500, 0)))
    assert (ended.marks, failed.marks) == (("1k", "500", "0"), ("10", "5", "0"))
    assert [bar.height for bar in ended.bars] == [50.0, 100.0]
    assert [bar.height for bar in failed.bars] == [100.0]
    assert [bar.title for bar in failed.bars] == ["12:29: 10"]


def test_a_little_is_seen_beside_much() -> None:
    ended, _ = charts(made(Span.HOUR, (100_000, 0), (1, 0)))
    assert min(bar.height for bar in ended.bars) >= 1


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        (Span.HOUR, "11:31", "12:30"),
        (Span.DAY, "12:45", "12:30"),
        (Span.WEEK, "Fri 13:00", "Fri 12:00"),
    ],
)
def test_the_axis_of_time_has_both_ends(span: Span, first: str, last: str) -> None:
    ended, failed = charts(made(span))
    assert len(ended.times) == 5
    assert (ended.times[0], ended.times[-1]) == (first, last)
    assert ended.times == failed.times


def test_an_empty_chart_has_an_axis_and_no_bar() -> None:
    ended, failed = charts(made(Span.WEEK))
    assert ended.bars == failed.bars == ()
    assert ended.marks == ("2", "1", "0")


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ((), "No task ended within the last hour."),
        (
            ((1, 0),),
            "1 task ended within the last hour, none failed. Most at 12:29 UTC, 1.0 a minute.",
        ),
        (
            ((900, 100), (500, 0)),
            "1,500 tasks ended within the last hour, 100 of them failed (6.7%). "
            "Most at 12:29 UTC, 1,000 a minute.",
        ),
    ],
)
def test_a_sentence_says_what_is_to_be_seen(
    outcomes: tuple[tuple[int, int], ...], words: str
) -> None:
    assert summary(made(Span.HOUR, *outcomes)) == words


@given(
    span=st.sampled_from(Span),
    outcomes=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=50),
)
def test_every_bar_is_within_the_frame(span: Span, outcomes: list[tuple[int, int]]) -> None:
    for chart in charts(made(span, *outcomes)):
        for bar in chart.bars:
            assert 0 <= bar.x < bar.x + bar.width <= chart.width
            assert 0 < bar.height <= HEIGHT
            assert bar.y == pytest.approx(HEIGHT - bar.height)
        assert chart.width % STEP == 0
