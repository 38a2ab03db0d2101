"""Cells a second: of the last minute while a job runs, of the whole run when it has ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.models.job import JobRecord, JobStatus
from core.models.metrics import JobState, Sample, rate_window, with_context_rates

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def job(ran: float | None, status: JobStatus = JobStatus.RUNNING) -> JobState:
    """A job that began so many seconds ago, and ended 1,000 s before now if it has."""
    fields: dict[str, Any] = dict.fromkeys(JobRecord.__dataclass_fields__)
    ended = NOW - timedelta(seconds=1000) if status.is_terminal else None
    began = None if ran is None else (ended or NOW) - timedelta(seconds=ran)
    times = {"started_at": began, "finished_at": ended}
    return JobState(JobRecord(**{**fields, "status": status, **times}), (), NOW)


def sample(age: float, cells: float | None) -> Sample:
    context = {} if cells is None else {"h3_aggregation": {"cells_processed": cells}}
    return Sample(0, NOW - timedelta(seconds=age), 0, context)


def rate(cells: float, state: JobState, earlier: Sample | None) -> float:
    figures = {"cells_processed": cells, "cells_total": 10**6}
    shown = with_context_rates({"h3_aggregation": figures}, state, earlier)["h3_aggregation"]
    found = float(shown.pop("cells_rate_per_sec"))
    assert shown == figures
    return found


@pytest.mark.parametrize(
    ("cells", "earlier", "expected"),
    [
        (9000, sample(60, 3000), 100.0),
        (9000, sample(45, 9000), 0.0),  # idle
        (9000, None, 0.0),  # nobody has written a snapshot for a minute, so nothing was added
        (9000, sample(50, None), 180.0),  # its context began after the snapshot
        (9000, sample(60, 9500), 0.0),  # a second attempt has taken something back
        (10, sample(0.01, 0), 10.0),  # no absurd rate within the first second
    ],
)
def test_a_running_job_has_the_rate_of_the_last_minute(
    cells: float, earlier: Sample | None, expected: float
) -> None:
    assert rate(cells, job(ran=600), earlier) == expected


def test_a_job_that_has_just_begun_is_measured_from_its_beginning() -> None:
    assert rate(500, job(ran=20), None) == 25.0


@pytest.mark.parametrize("status", [status for status in JobStatus if status.is_terminal])
def test_an_ended_job_has_the_mean_of_its_run(status: JobStatus) -> None:
    assert rate(6000, job(ran=120, status=status), sample(30, 5999)) == 50.0


def test_a_job_that_was_cancelled_before_it_began_has_none() -> None:
    assert rate(0, job(ran=None, status=JobStatus.CANCELLED), None) == 0.0


def test_other_figures_stay_as_they_are() -> None:
    context = {"fathom_etl": {"tiles_merged": 4}, "files": 3, "h3_aggregation": "a text"}
    assert with_context_rates(context, job(ran=20), None) == context


@pytest.mark.parametrize(("interval", "seconds"), [(1, 60), (5, 60), (30, 60), (60, 120)])
def test_the_window_always_holds_a_snapshot(interval: float, seconds: float) -> None:
    assert rate_window(interval) == timedelta(seconds=seconds)
