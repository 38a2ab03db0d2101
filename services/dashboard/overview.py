"""The jobs on the dashboard: what runs, waits and ended, or those that somebody looks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from core.models.job import JobStatus
from core.models.metrics import EtaSpread, JobState, Sample, eta_spread, event_view, pace
from infrastructure import dashboard_repository, job_progress, metrics_repository
from infrastructure.dashboard_repository import JobFilter, JobKey
from infrastructure.database import Connection
from services.orchestration import metrics, status
from services.orchestration.paging import cursor_after, job_key, one_of

JsonObject = dict[str, Any]

_CARDS = 8
_ROWS = 10
_FOUND = 20
_EVENTS = 20

# No sensible part of a parameter is longer.
_LONGEST_TEXT = 200


def job_filter(
    status: str | None = None, job_type: str | None = None, text: str | None = None
) -> JobFilter:
    """What somebody looks for. Raises `InvalidParameters` for a status that there is not."""
    text = (text or "").strip()[:_LONGEST_TEXT]
    return JobFilter(one_of(JobStatus, "status", status or None), job_type or None, text or None)


def overview(wanted: JobFilter, cursor: str | None = None) -> JsonObject:
    """What the dashboard shows of jobs: {sections, events}.

    Without a status and a text, `sections` are the jobs that run (as cards), wait and ended, each
    {name, jobs, more, next}: `more` says that there are more than are shown. Otherwise there is
    one section, "found": a page of the jobs that fit, newest first. `next` is the cursor of the
    jobs behind it, and `searched` whether the search ended before it came to the oldest job.

    Jobs that run come with `context` (their figures), `throughput` (tasks per minute between
    snapshots, oldest first) and `eta_spread`; those that failed with `reason`. The number of
    queries does not depend on the number of jobs.
    """
    after = None if cursor is None else job_key(cursor)

    def read(connection: Connection) -> JsonObject:
        if wanted.status or wanted.text or after:
            sections = [_found(connection, wanted, after)]
        else:
            sections = _by_state(connection, wanted)
        return {
            "sections": sections,
            "events": [
                {**event_view(event), "job_id": event.job_id, "job_type": job_type}
                for job_type, event in dashboard_repository.events(
                    connection, _EVENTS, wanted.job_type
                )
            ],
        }

    return metrics_repository.transact(read)


def _by_state(connection: Connection, wanted: JobFilter) -> list[JsonObject]:
    def newest(job_status: JobStatus, limit: int) -> list[JobState]:
        found = JobFilter(job_status, wanted.job_type)
        return dashboard_repository.matching(connection, found, limit=limit + 1)

    running, queued = newest(JobStatus.RUNNING, _CARDS), newest(JobStatus.QUEUED, _ROWS)
    ended = dashboard_repository.ended(connection, limit=_ROWS + 1, job_type=wanted.job_type)
    views = _views(connection, [*running[:_CARDS], *queued[:_ROWS], *ended[:_ROWS]])
    return [
        _section("running", running, _CARDS, views),
        _section("queued", queued, _ROWS, views),
        _section("ended", ended, _ROWS, views),
    ]


def _found(connection: Connection, wanted: JobFilter, after: JobKey | None) -> JsonObject:
    states = dashboard_repository.matching(connection, wanted, limit=_FOUND + 1, after=after)
    section = _section("found", states, _FOUND, _views(connection, states[:_FOUND]))
    behind: JobKey | None = None
    if section["more"]:
        last = states[_FOUND - 1].job
        behind = (last.created_at, last.job_id)
    elif wanted.text:
        behind = dashboard_repository.searched_to(connection, wanted, after)
        section["searched"] = behind is not None
    section["next"] = cursor_after(behind[0].isoformat(), behind[1]) if behind else None
    return section


def _section(
    name: str, states: Sequence[JobState], limit: int, views: Mapping[str, JsonObject]
) -> JsonObject:
    """The first `limit` of the jobs; one beyond says that there are more."""
    return {
        "name": name,
        "jobs": [views[state.job.job_id] for state in states[:limit]],
        "more": len(states) > limit,
        "next": None,
        "searched": False,
    }


def _views(connection: Connection, states: Sequence[JobState]) -> dict[str, JsonObject]:
    """Views of the jobs by id, with what belongs to the state of each."""
    running = [state for state in states if state.job.status is JobStatus.RUNNING]
    failed = [state.job.job_id for state in states if state.job.status is JobStatus.FAILED]
    samples = status.samples_of(connection, running)
    at_work = _at_work(connection, running, samples) if running else {}
    reasons = dashboard_repository.reasons(connection, failed)
    return {
        view["job_id"]: {
            **view,
            "reason": reasons.get(view["job_id"]),
            **_with_spread(state, view, *at_work.get(view["job_id"], ({}, ()))),
        }
        for state, view in zip(
            states, status.job_views(connection, states, samples=samples), strict=True
        )
    }


def _at_work(
    connection: Connection, states: Sequence[JobState], samples: Mapping[str, Sample]
) -> dict[str, tuple[JsonObject, Sequence[Sample]]]:
    """The figures and the snapshots of jobs that run."""
    figures = job_progress.figures(connection, states, samples)
    series = dashboard_repository.series(connection, list(figures), metrics.POINTS)
    return {job_id: (figures[job_id], series[job_id]) for job_id in figures}


def _with_spread(
    state: JobState, view: JsonObject, context: JsonObject, samples: Sequence[Sample]
) -> JsonObject:
    spread = _spread(state, view["rates"]["eta_seconds"], samples)
    return {
        "context": context,
        "throughput": pace(samples),
        "eta_spread": None if spread is None else asdict(spread),
    }


def _spread(state: JobState, eta: float | None, samples: Sequence[Sample]) -> EtaSpread | None:
    stage = state.current
    if stage is None or stage.tasks_total is None:
        return None
    return eta_spread(samples, stage.stage, stage.tasks_total - stage.tasks_ended, eta)
