"""Jobs as the API and the pages show them: views of the ledger, and paging through it.

All of it is read from counters and primary keys: a job of 100,000 tasks can be watched while
it runs at the price of three short queries.

Stages count from 0 everywhere: `stage` is the index of the current one, and finds it in
`stages` by `index`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from config import get_metrics_settings
from core.addresses import without_secrets
from core.errors import NotFound
from core.identifiers import is_job_id
from core.models.cost import Cost
from core.models.job import JobRecord, JobStatus
from core.models.metrics import (
    JobState,
    Sample,
    StageState,
    progress_pct,
    rate_window,
    rates,
)
from infrastructure import cost_repository, metrics_repository, status_repository
from infrastructure.database import Connection
from services.orchestration import task_views
from services.orchestration.paging import cursor_after, job_key, one_of
from services.orchestration.task_views import TaskQuery

JsonObject = dict[str, Any]


def links(job_id: str, base_url: str = "") -> JsonObject:
    """Where a job can be followed and steered. Relative to the host without a `base_url`."""
    job = f"{base_url}/api/jobs/{job_id}"
    return {
        "self": job,
        "tasks": f"{job}/tasks",
        "metrics": f"{base_url}/api/metrics/jobs/{job_id}",
        "cancel": f"{job}/cancel",
        "resume": f"{job}/resume",
        "page": f"{base_url}/api/interface/jobs/{job_id}",
    }


def job_view(job_id: str, *, base_url: str = "") -> JsonObject:
    """One job with its stages, progress and rates. Raises `NotFound` for an unknown id."""
    return metrics_repository.transact(lambda connection: _job_view(connection, job_id, base_url))


def list_jobs(
    *,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    job_type: str | None = None,
    base_url: str = "",
) -> JsonObject:
    """A page of jobs, newest first: {jobs: [as `job_view`], next: the next page's cursor}.

    `next` is None on the last page. Raises `InvalidParameters` for a status that does not
    exist or a cursor that no page gave.
    """
    wanted = one_of(JobStatus, "status", status)
    after = None if cursor is None else job_key(cursor)

    def read(connection: Connection) -> JsonObject:
        states = status_repository.jobs(
            connection,
            limit=limit + 1,
            statuses=None if wanted is None else [wanted],
            job_type=job_type,
            after=after,
        )
        last = states[limit - 1].job if len(states) > limit else None
        return {
            "jobs": job_views(connection, states[:limit], base_url),
            "next": None
            if last is None
            else cursor_after(last.created_at.isoformat(), last.job_id),
        }

    return metrics_repository.transact(read)


def list_tasks(
    job_id: str,
    *,
    stage: int | None = None,
    status: str | None = None,
    cause: str | None = None,
    text: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> JsonObject:
    """A page of a job's tasks, by stage and index: {tasks, next, searched}, as
    `task_views.page` has it, which also says what the filters are and what is raised.

    Raises `NotFound` for an unknown job.
    """
    query = TaskQuery(
        stage=stage, status=status, cause=cause, text=text, limit=limit, cursor=cursor
    )
    return metrics_repository.transact(
        lambda connection: task_views.page(connection, find(connection, job_id), query)
    )


def find_task(job_id: str, stage: int, task_index: int) -> JsonObject:
    """One task of a job. Raises `NotFound` for an unknown job or task."""

    def read(connection: Connection) -> JsonObject:
        find(connection, job_id)
        return task_views.find(connection, job_id, stage, task_index)

    return metrics_repository.transact(read)


def list_causes(job_id: str, *, limit: int = 50, cursor: str | None = None) -> JsonObject:
    """What the job's failed tasks failed with, as `task_views.causes` gives it.

    Raises `NotFound` for an unknown job.
    """

    def read(connection: Connection) -> JsonObject:
        find(connection, job_id)
        return task_views.causes(connection, job_id, limit=limit, cursor=cursor)

    return metrics_repository.transact(read)


def find(connection: Connection, job_id: str) -> JobState:
    """The job and its stages, or `NotFound`."""
    state = status_repository.find(connection, job_id) if is_job_id(job_id) else None
    if state is None:
        raise NotFound(f"There is no job {job_id!r}.", code="unknown_job", job_id=job_id)
    return state


def samples_of(connection: Connection, states: Sequence[JobState]) -> dict[str, Sample]:
    """For each of the jobs that run, what its rates are counted from."""
    running = [s.job.job_id for s in states if s.job.status is JobStatus.RUNNING]
    window = rate_window(get_metrics_settings().sample_interval)
    return metrics_repository.recent_samples(connection, running, window) if running else {}


def job_views(
    connection: Connection,
    states: Sequence[JobState],
    base_url: str = "",
    *,
    samples: Mapping[str, Sample] | None = None,
) -> list[JsonObject]:
    """Views of several jobs; two queries more than reading them took, or one where `samples` have
    been read already."""
    if samples is None:
        samples = samples_of(connection, states)
    costs = cost_repository.of_jobs(connection, [state.job.job_id for state in states])
    return [
        {
            **_job(state.job),
            "stages": [_stage(stage) for stage in state.stages],
            "progress_pct": progress_pct(state),
            "rates": asdict(rates(state, samples.get(state.job.job_id))),
            "cost": _cost(costs[state.job.job_id]),
            "links": links(state.job.job_id, base_url),
        }
        for state in states
    ]


def _job_view(connection: Connection, job_id: str, base_url: str) -> JsonObject:
    return job_views(connection, [find(connection, job_id)], base_url)[0]


def _job(job: JobRecord) -> JsonObject:
    return {
        "job_id": job.job_id,
        "job_type": job.job_type,
        "run": job.run,
        "status": job.status,
        "stage": job.current_stage,
        "total_stages": job.total_stages,
        "cancel_requested": job.cancel_requested,
        "parameters": without_secrets(job.parameters),
        "result": job.result,
        "error": job.error,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "updated_at": job.updated_at,
        "finished_at": job.finished_at,
    }


def _cost(cost: Cost) -> JsonObject:
    return {
        **asdict(cost),
        "core_seconds": round(cost.core_seconds, 3),
        "busy_seconds": round(cost.busy_seconds, 3),
    }


def _stage(stage: StageState) -> JsonObject:
    return {
        "index": stage.stage,
        "name": stage.name,
        "status": stage.status,
        "tasks_total": stage.tasks_total,
        "tasks_completed": stage.tasks_completed,
        "tasks_failed": stage.tasks_failed,
        "tasks_cancelled": stage.tasks_cancelled,
        "started_at": stage.started_at,
        "finished_at": stage.finished_at,
    }
