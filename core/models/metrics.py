"""Progress and rates of jobs, and how they are kept in app.job_metrics.

Everything here follows from the counters of app.job_stages: no task is ever counted. The
arithmetic is pure, so the API, the dashboard and the snapshots always agree.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from core.models.job import JobRecord, JobStatus, StageStatus
from core.times import iso_utc

# The rate is that of the last minute: long enough to be steady, short enough to be true.
RATE_WINDOW = timedelta(minutes=1)

# Sums in contexts of which a rate a second is shown beside them: {context: {rate: sum}}.
_CONTEXT_RATES = {"h3_aggregation": {"cells_rate_per_sec": "cells_processed"}}

# An estimate from fewer tasks than this in the window says more about chance than about speed;
# the stage's mean is taken instead.
_ENOUGH_TASKS = 10

# Parts of the past whose rates are compared; of fewer than four nothing follows.
_FEWEST_PARTS, _MOST_PARTS = 4, 10
_ENOUGH_TO_TRIM = 8


class MetricType(StrEnum):
    """The kinds of rows in app.job_metrics."""

    SNAPSHOT = "snapshot"
    EVENT = "event"
    ERROR = "error"
    DEBUG = "debug"


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """A row of app.job_metrics."""

    id: int
    job_id: str
    timestamp: datetime
    metric_type: MetricType
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. The task counters are those of the current stage.

    `stage` counts from 0. `tasks_total` is None until the stage is planned.
    """

    stage: int
    total_stages: int
    stage_name: str
    tasks_total: int | None
    tasks_completed: int
    tasks_failed: int
    progress_pct: float


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a job is.

    tasks_per_minute: tasks that ended, in the last minute of a running job (or since its
        stage began), over the whole run of one that ended.
    error_rate_pct: failed tasks among those that completed or failed, over all stages.
    elapsed_seconds: since the job began to run, until now or its end.
    eta_seconds: until the current stage's tasks have ended; None where nothing is known.
        Later stages are not planned yet, so their time is not in it.
    """

    tasks_per_minute: float
    error_rate_pct: float
    elapsed_seconds: float
    eta_seconds: float | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one task of a job. Stages and tasks count from 0, attempts from 1."""

    stage: int
    task_index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Sample:
    """An earlier snapshot: how many tasks of one stage had ended (completed or failed), and what
    the job showed of its work."""

    stage: int
    at: datetime
    ended: int
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage and its counters. `stage` counts from 0; `tasks_total` is None until planned."""

    stage: int
    name: str
    status: StageStatus
    tasks_total: int | None
    tasks_completed: int
    tasks_failed: int
    tasks_cancelled: int
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def tasks_ended(self) -> int:
        return self.tasks_completed + self.tasks_failed + self.tasks_cancelled


@dataclass(frozen=True, slots=True)
class JobState:
    """A job with its stages in order, and the database's clock when they were read."""

    job: JobRecord
    stages: tuple[StageState, ...]
    read_at: datetime

    @property
    def current(self) -> StageState | None:
        """The stage that is running, or the last one that ran."""
        if not self.stages:
            return None
        return self.stages[min(self.job.current_stage, len(self.stages) - 1)]


def progress_pct(state: JobState) -> float:
    """Percent of the whole job, each stage weighing the same.

    It never falls while a job runs, and is 100 only for a job that completed: it is rounded
    down, and one that failed or was cancelled stays where it was. (A resumed job goes back by
    the tasks that it does again.)
    """
    if state.job.status in (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS):
        return 100.0
    share = math.fsum(map(_stage_share, state.stages)) / state.job.total_stages
    return min(99.9, math.floor(share * 1000) / 10)


def _stage_share(stage: StageState) -> float:
    if stage.status in (StageStatus.COMPLETED, StageStatus.COMPLETED_WITH_ERRORS):
        return 1.0
    if not stage.tasks_total:
        return 0.0
    return (stage.tasks_completed + stage.tasks_failed) / stage.tasks_total


def progress(state: JobState) -> Progress:
    """The job's progress, with the counters of its current stage."""
    stage = state.current
    return Progress(
        stage=state.job.current_stage,
        total_stages=state.job.total_stages,
        stage_name=stage.name if stage else "",
        tasks_total=stage.tasks_total if stage else None,
        tasks_completed=stage.tasks_completed if stage else 0,
        tasks_failed=stage.tasks_failed if stage else 0,
        progress_pct=progress_pct(state),
    )


def rates(state: JobState, sample: Sample | None = None) -> Rates:
    """The job's rates. `sample` is the oldest snapshot within `RATE_WINDOW`, if there is one."""
    job = state.job
    completed = sum(stage.tasks_completed for stage in state.stages)
    failed = sum(stage.tasks_failed for stage in state.stages)
    elapsed = _seconds(job.started_at, job.finished_at or state.read_at)
    per_minute, eta = 0.0, None
    if job.status is JobStatus.RUNNING and state.current is not None:
        per_minute, eta = _running_rates(state.current, state.read_at, sample)
    elif job.status.is_terminal and elapsed:
        per_minute = 60 * (completed + failed) / max(elapsed, 1.0)
    return Rates(
        tasks_per_minute=round(per_minute, 1),
        error_rate_pct=round(100 * failed / (completed + failed), 2) if failed else 0.0,
        elapsed_seconds=round(elapsed, 1),
        eta_seconds=None if eta is None else round(eta, 1),
    )


def _running_rates(
    stage: StageState, now: datetime, sample: Sample | None
) -> tuple[float, float | None]:
    """Tasks per minute of the recent past, and seconds until the stage's tasks have ended."""
    if stage.started_at is None or stage.tasks_total is None:
        return 0.0, None
    ended = stage.tasks_completed + stage.tasks_failed
    since, before = stage.started_at, 0
    if sample is not None and sample.stage == stage.stage and stage.started_at < sample.at:
        began_recently = now - stage.started_at <= RATE_WINDOW
        if not began_recently and sample.ended <= ended:
            since, before = sample.at, sample.ended
    # Within the first second a handful of tasks would make absurd rates.
    window = max(_seconds(since, now), 1.0)
    recent = (ended - before) / window
    mean = ended / max(_seconds(stage.started_at, now), 1.0)
    remaining = stage.tasks_total - stage.tasks_ended
    return 60 * recent, _eta(remaining, recent, mean, window)


def _eta(remaining: int, recent: float, mean: float, window: float) -> float | None:
    """Seconds for `remaining` tasks; rates are per second. None while nobody can know.

    A stage that used to be fast and has ended nothing within the window is stuck: it gets no
    estimate rather than an old one.
    """
    if remaining <= 0:
        return 0.0
    if recent * window >= _ENOUGH_TASKS:
        return remaining / recent
    stuck = recent == 0 and mean * window >= _ENOUGH_TASKS
    return remaining / mean if mean and not stuck else None


def rate_window(sample_interval: float) -> timedelta:
    """How far back to look for the snapshot that rates are counted from.

    The last minute, or more where snapshots are so rare (every `sample_interval` seconds) that
    there may be none in it.
    """
    return max(RATE_WINDOW, timedelta(seconds=2 * sample_interval))


def with_context_rates(
    context: Mapping[str, Any], state: JobState, sample: Sample | None
) -> dict[str, Any]:
    """A job's figures, with the rates of its sums: see `_CONTEXT_RATES`.

    While the job runs a rate is that between `sample`, the oldest snapshot within the rate
    window, and now: 0 where nothing has been added. A job that has ended shows the mean of its
    whole run.
    """
    return {
        name: {**value, **_rates_of(name, value, state, sample)}
        if name in _CONTEXT_RATES and isinstance(value, Mapping)
        else value
        for name, value in context.items()
    }


def _rates_of(
    name: str, figures: Mapping[str, Any], state: JobState, sample: Sample | None
) -> dict[str, float]:
    earlier, since = {}, None
    if state.job.status.is_terminal:
        since, until = state.job.started_at, state.job.finished_at or state.read_at
    else:
        until = state.read_at
        if sample is not None:
            earlier, since = sample.context.get(name, {}), sample.at
        elif state.job.started_at and until - state.job.started_at <= RATE_WINDOW:
            since = state.job.started_at
    seconds = max(_seconds(since, until), 1.0)
    return {
        rate: round(max(0.0, figures.get(total, 0) - earlier.get(total, 0)) / seconds, 1)
        if since
        else 0.0
        for rate, total in _CONTEXT_RATES[name].items()
    }


def _seconds(start: datetime | None, end: datetime) -> float:
    return 0.0 if start is None else max(0.0, (end - start).total_seconds())


def snapshot_payload(
    state: JobState,
    sample: Sample | None,
    context: dict[str, Any],
    recent_events: Sequence[MetricRecord],
) -> dict[str, Any]:
    """The payload of a snapshot row: progress, rates, context, recent_events."""
    return {
        "progress": asdict(progress(state)),
        "rates": asdict(rates(state, sample)),
        "context": context,
        # As the API writes times: a payload is stored, and later shown, as it is.
        "recent_events": [
            {**event_view(event), "timestamp": iso_utc(event.timestamp)} for event in recent_events
        ],
    }


def event_view(event: MetricRecord) -> dict[str, Any]:
    """An event as snapshots and pages show it. `kind` is for programs, `message` for people."""
    return {
        "timestamp": event.timestamp,
        "error": event.metric_type is MetricType.ERROR,
        "kind": event.payload["kind"],
        "message": event.payload["message"],
    }


def pace(samples: Sequence[Sample]) -> list[float]:
    """Tasks per minute between one sample and the next, oldest first.

    Where the stage changed in between, the new stage's tasks count from zero.
    """
    points: list[float] = []
    for earlier, later in itertools.pairwise(samples):
        before = earlier.ended if earlier.stage == later.stage else 0
        seconds = (later.at - earlier.at).total_seconds()
        if seconds > 0:
            points.append(round(60 * max(0, later.ended - before) / seconds, 1))
    return points


@dataclass(frozen=True, slots=True)
class EtaSpread:
    """Seconds between which a stage will probably end; `high` is None where nobody can say."""

    low: float
    high: float | None


def eta_spread(
    samples: Sequence[Sample], stage: int, remaining: int, eta: float | None
) -> EtaSpread | None:
    """How far the time left may be from `eta`, by how much the stage's rate has varied.

    The time that the stage's samples cover is cut into up to ten equal parts. `low` is what the
    remaining tasks take at the rate of the fastest part, `high` at that of the slowest; of eight
    parts and more the fastest and the slowest do not count, so that one hiccup does not either.
    None without an estimate, and where the samples are too few to say anything.
    """
    samples = _steady([sample for sample in samples if sample.stage == stage])
    if not eta or remaining <= 0 or len(samples) <= _FEWEST_PARTS:
        return None
    rates = sorted(_rates_of_parts(samples, min(_MOST_PARTS, len(samples) - 1)))
    if len(rates) >= _ENOUGH_TO_TRIM:
        rates = rates[1:-1]
    slowest, fastest = rates[0], rates[-1]
    if fastest <= 0:
        return None
    high = remaining / slowest if slowest > 0 else None
    return EtaSpread(min(eta, remaining / fastest), None if high is None else max(eta, high))


def _steady(samples: Sequence[Sample]) -> list[Sample]:
    """The newest samples between which the counter never fell, as it does at a resume."""
    kept: list[Sample] = []
    for sample in reversed(samples):
        if kept and (sample.ended > kept[-1].ended or sample.at >= kept[-1].at):
            break
        kept.append(sample)
    return kept[::-1]


def _rates_of_parts(samples: Sequence[Sample], parts: int) -> list[float]:
    """Tasks per second in equal parts of the time from the first sample to the last."""
    times = [(sample.at - samples[0].at).total_seconds() for sample in samples]
    length = times[-1] / parts
    ended = [
        _at(part * length, times, [sample.ended for sample in samples]) for part in range(parts + 1)
    ]
    return [(later - earlier) / length for earlier, later in itertools.pairwise(ended)]


def _at(time: float, times: Sequence[float], values: Sequence[int]) -> float:
    """The value at a time, on straight lines between those that are known."""
    after = min(max(bisect.bisect_left(times, time), 1), len(times) - 1)
    share = (time - times[after - 1]) / (times[after] - times[after - 1])
    return values[after - 1] + min(share, 1.0) * (values[after] - values[after - 1])
