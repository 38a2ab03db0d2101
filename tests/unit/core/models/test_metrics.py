"""Progress, rates and estimates follow from counters, and never promise what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.job import JobRecord, JobStatus, StageStatus
from core.models.metrics import (
    JobState,
    Sample,
    StageState,
    pace,
    progress,
    progress_pct,
    rates,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def before(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def stage(
    index: int = 0,
    *,
    total: int | None = 100,
    completed: int = 0,
    failed: int = 0,
    cancelled: int = 0,
    status: StageStatus = StageStatus.RUNNING,
    began: float | None = 100,
) -> StageState:
    started_at = None if began is None else before(began)
    return StageState(
        index, f"stage_{index}", status, total, completed, failed, cancelled, started_at, None
    )


def job(
    *stages: StageState,
    status: JobStatus = JobStatus.RUNNING,
    current: int = 0,
    total_stages: int | None = None,
    ran: float = 100,
) -> JobState:
    fields: dict[str, Any] = dict.fromkeys(JobRecord.__dataclass_fields__)
    record = JobRecord(
        **{
            **fields,
            "job_id": "0" * 64,
            "status": status,
            "current_stage": current,
            "total_stages": total_stages or len(stages),
            "started_at": before(ran),
            "finished_at": NOW if status.is_terminal else None,
        }
    )
    return JobState(record, stages, NOW)


class TestProgress:
    def test_counts_every_stage_the_same(self) -> None:
        done = stage(0, completed=100, status=StageStatus.COMPLETED)
        half = stage(1, total=2, completed=1)
        assert progress_pct(job(done, half, current=1)) == 75.0

    def test_counts_failed_tasks_as_done(self) -> None:
        assert progress_pct(job(stage(completed=40, failed=10))) == 50.0

    def test_an_empty_stage_that_completed_is_whole(self) -> None:
        empty = stage(0, total=0, status=StageStatus.COMPLETED)
        assert progress_pct(job(empty, stage(1), current=1)) == 50.0

    def test_is_below_100_until_the_job_has_completed(self) -> None:
        all_done = stage(completed=100, status=StageStatus.COMPLETED)
        assert progress_pct(job(all_done)) == 99.9
        assert progress_pct(job(all_done, status=JobStatus.FAILED)) == 99.9
        assert progress_pct(job(all_done, status=JobStatus.COMPLETED)) == 100.0

    def test_is_rounded_down(self) -> None:
        assert progress_pct(job(stage(total=3, completed=2))) == 66.6
        assert progress_pct(job(stage(total=100_000, completed=99_999))) == 99.9

    @given(
        totals=st.lists(st.integers(0, 50), min_size=1, max_size=4),
        failures=st.lists(st.booleans(), min_size=1, max_size=200),
    )
    def test_never_falls_while_tasks_end_and_stages_are_planned(
        self, totals: list[int], failures: list[bool]
    ) -> None:
        seen = [0.0]
        stages = [stage(i, total=None, status=StageStatus.PENDING) for i in range(len(totals))]
        ends = 0
        for index, total in enumerate(totals):
            stages[index] = stage(index, total=total)
            for _ in range(total):
                fails = failures[ends % len(failures)]
                ends += 1
                now = stages[index]
                stages[index] = replace(
                    now,
                    tasks_completed=now.tasks_completed + (not fails),
                    tasks_failed=now.tasks_failed + fails,
                )
                seen.append(progress_pct(job(*stages, current=index)))
            stages[index] = replace(stages[index], status=StageStatus.COMPLETED)
            seen.append(progress_pct(job(*stages, current=index)))
        assert seen == sorted(seen)
        assert seen[-1] < 100

    def test_has_the_counters_of_the_current_stage(self) -> None:
        first = stage(0, total=3, completed=3, status=StageStatus.COMPLETED)
        told = progress(job(first, stage(1, total=8, completed=2, failed=1), current=1))
        assert (told.stage, told.stage_name, told.tasks_total) == (1, "stage_1", 8)
        assert (told.tasks_completed, told.tasks_failed) == (2, 1)

    def test_a_job_without_planned_stages_has_none_done(self) -> None:
        told = progress(job(stage(total=None, began=None, status=StageStatus.PENDING)))
        assert (told.tasks_total, told.progress_pct) == (None, 0.0)


class TestRates:
    def test_a_young_stage_is_measured_from_its_beginning(self) -> None:
        told = rates(job(stage(completed=30, began=30)))
        assert told.tasks_per_minute == 60.0
        assert told.eta_seconds == 70.0

    def test_an_older_stage_is_measured_over_the_last_minute(self) -> None:
        sample = Sample(0, before(50), 10)
        told = rates(job(stage(completed=60, began=1000)), sample)
        assert told.tasks_per_minute == 60.0
        assert told.eta_seconds == 40.0

    def test_a_sample_of_another_stage_is_not_used(self) -> None:
        told = rates(job(stage(completed=50, began=100)), Sample(3, before(10), 0))
        assert told.tasks_per_minute == 30.0

    def test_a_sample_from_before_a_resume_is_not_used(self) -> None:
        """Resume puts failed tasks back, so fewer have ended than the sample says."""
        told = rates(job(stage(completed=50, began=100)), Sample(0, before(10), 70))
        assert told.tasks_per_minute == 30.0

    def test_few_tasks_in_the_window_leave_the_estimate_to_the_mean(self) -> None:
        sample = Sample(0, before(60), 49)
        told = rates(job(stage(completed=50, began=600)), sample)
        assert told.tasks_per_minute == 1.0
        assert told.eta_seconds == 600.0

    def test_a_stuck_stage_gets_no_estimate(self) -> None:
        sample = Sample(0, before(60), 50)
        told = rates(job(stage(completed=50, began=100)), sample)
        assert told.tasks_per_minute == 0.0
        assert told.eta_seconds is None

    @pytest.mark.parametrize(
        "unknown",
        [
            stage(completed=0),
            stage(total=None),
            stage(total=None, began=None, status=StageStatus.PENDING),
        ],
    )
    def test_nothing_known_is_none(self, unknown: StageState) -> None:
        assert rates(job(unknown)).eta_seconds is None

    def test_cancelled_tasks_do_not_count_as_remaining(self) -> None:
        assert rates(job(stage(completed=50, cancelled=50))).eta_seconds == 0.0

    def test_the_error_rate_is_of_all_stages(self) -> None:
        first = stage(0, completed=90, failed=10, status=StageStatus.COMPLETED_WITH_ERRORS)
        told = rates(job(first, stage(1, completed=100), current=1))
        assert told.error_rate_pct == 5.0

    def test_an_ended_job_has_its_mean_and_no_estimate(self) -> None:
        ended = job(stage(completed=90, failed=10), status=JobStatus.FAILED, ran=60)
        told = rates(ended, Sample(0, before(1), 0))
        assert told.tasks_per_minute == 100.0
        assert told.elapsed_seconds == 60.0
        assert told.eta_seconds is None

    def test_the_first_moment_makes_no_absurd_rate(self) -> None:
        assert rates(job(stage(completed=5, began=0.001))).tasks_per_minute == 300.0


def snapshot(seconds: float, stage_index: int, ended: int) -> Sample:
    return Sample(stage_index, before(-seconds), ended)


def test_throughput_is_between_snapshots_and_restarts_with_each_stage() -> None:
    snapshots = [snapshot(0, 0, 0), snapshot(5, 0, 10), snapshot(10, 0, 10), snapshot(20, 1, 4)]
    assert pace(snapshots) == [120.0, 0.0, 24.0]


def test_throughput_of_nothing_is_nothing() -> None:
    assert pace([]) == pace([snapshot(0, 0, 5)]) == []
