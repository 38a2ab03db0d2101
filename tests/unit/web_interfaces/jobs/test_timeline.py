"""Stages as bars: where they begin, how long and how thick they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from web_interfaces.jobs.timeline import HEIGHT, WIDTH, ticks, timeline

BEGAN = datetime(2026, 11, 23, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else BEGAN + timedelta(seconds=seconds)


def job(*stages: tuple[float | None, float | None, int], ended: float | None = 100) -> Any:
    """A job of stages (began, ended, max_parallel), in seconds from its submission."""
    return {
        "created_at": BEGAN,
        "finished_at": at(ended),
        "stages": [
            {"index": index, "started_at": at(began), "finished_at": at(end)}
            for index, (began, end, _) in enumerate(stages)
        ],
        "stage_plans": [
            {"stage": index, "max_parallel": parallel}
            for index, (_, _, parallel) in enumerate(stages)
        ],
    }


def test_bars_lie_where_the_stages_ran_and_say_how_long_they_waited() -> None:
    drawn = timeline(job((10, 40, 1), (60, 100, 100)), BEGAN)
    first, second = drawn.bars
    assert first.ran is not None
    assert (first.ran.x, first.ran.width) == (WIDTH * 0.1, WIDTH * 0.3)
    assert (first.waited_seconds, first.ran_seconds) == (10, 30)
    assert second.waited is not None
    assert (second.waited.x, second.waited.width) == (WIDTH * 0.4, WIDTH * 0.2)
    assert (second.starts_after_seconds, second.ran_seconds) == (60, 40)


def test_a_bar_is_as_thick_as_many_tasks_run_side_by_side() -> None:
    thin, middle, thick = timeline(job((0, 1, 1), (1, 2, 10), (2, 3, 100)), BEGAN).bars
    assert 0 < thin.thickness < middle.thickness < thick.thickness == HEIGHT
    assert thick.y == 0
    assert thin.y > 0
    [only] = timeline(job((0, 1, 1)), BEGAN).bars
    assert 0 < only.thickness < HEIGHT


def test_a_stage_that_runs_goes_on_to_now_and_one_that_waits_has_no_bar() -> None:
    now = BEGAN + timedelta(seconds=50)
    running, pending = timeline(job((0, None, 4), (None, None, 4), ended=None), now).bars
    assert running.ran is not None
    assert (running.ran.x, running.ran.width, running.ran_seconds) == (0, WIDTH, 50)
    assert pending.ran is None
    assert pending.ran_seconds is None


@pytest.mark.parametrize("began", [0, 99.999, 100])
def test_the_shortest_stage_can_be_seen_and_stays_within_the_drawing(began: float) -> None:
    [bar] = timeline(job((began, began, 1)), BEGAN).bars
    assert bar.ran is not None
    assert bar.ran.width > 0
    assert 0 <= bar.ran.x <= bar.ran.x + bar.ran.width <= WIDTH


def test_a_job_that_ended_at_once_is_drawn_too() -> None:
    assert timeline(job((0, 0, 1), ended=0), BEGAN).bars[0].ran is not None
    assert list(ticks(100)) == [0, 25, 50, 75, 100]
