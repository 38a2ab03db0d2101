"""All that there is to say about one job, for its page: read in one transaction.

Counters and keys only: a job of a million tasks costs what a job of ten costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.models.metrics import MetricType, event_view, pace
from infrastructure import (
    dashboard_repository,
    error_groups_repository,
    job_progress,
    metrics_repository,
    status_repository,
)
from infrastructure.database import Connection
from services import lineage
from services.orchestration import status, task_views
from services.orchestration.metrics import EVENT_TYPES, POINTS
from services.orchestration.paging import cursor_after
from services.orchestration.task_views import TaskQuery

JsonObject = dict[str, Any]

_EVENTS = 25

# Causes of failures on the job's own page; there is a page of all.
_CAUSES = 5


def job_report(
    job_id: str,
    tasks: TaskQuery = TaskQuery(limit=25),  # noqa: B008  # it is frozen
    *,
    log_types: Sequence[MetricType] = EVENT_TYPES,
    log_before: int | None = None,
) -> JsonObject:
    """The job's view, and with it its tasks, causes of failures, figures, throughput and log.

    `tasks` is a page as `task_views.page` gives it. `stage_plans` has, for each stage, how it is
    run: {queue, max_parallel, in_flight, planned_at, done_at}. `causes` are the most frequent
    ones, as `task_views.causes` has them, and `causes_total` their number. `events` come newest
    first, of `log_types`, from before the row `log_before`; `events_next` is the cursor of the
    next page. `lineage` is a `core.models.lineage.Lineage`; `pipeline` the step of a pipeline's run
    {run_id, step_id, pipeline, version}, or None. Raises as `task_views.page` does, and `NotFound`.
    """

    def read(connection: Connection) -> JsonObject:
        state = status.find(connection, job_id)
        snapshots = dashboard_repository.series(connection, [job_id], POINTS)
        events = metrics_repository.page(
            connection, job_id, limit=_EVENTS + 1, types=log_types, before=log_before
        )
        failed = sum(stage.tasks_failed for stage in state.stages)
        return {
            **status.job_views(connection, [state])[0],
            "tasks": task_views.page(connection, state, tasks),
            "stage_plans": status_repository.stage_plans(connection, job_id),
            "tasks_failed": failed,
            "causes": task_views.causes(connection, job_id, limit=_CAUSES)["errors"],
            "causes_total": error_groups_repository.causes(connection, job_id),
            "context": job_progress.figures(connection, [state])[job_id],
            "throughput": pace(snapshots[job_id]),
            "events": [event_view(event) for event in events[:_EVENTS]],
            "events_next": cursor_after(events[_EVENTS - 1].id) if len(events) > _EVENTS else None,
            "lineage": lineage.of(state.job),
            "pipeline": status_repository.pipeline_step(connection, job_id),
        }

    return metrics_repository.transact(read)


def causes_report(job_id: str, *, limit: int, cursor: str | None = None) -> JsonObject:
    """The job's view, its `causes` as `task_views.causes` has them, and `causes_total`.

    Raises `NotFound`, and `InvalidParameters` for a cursor that no page gave.
    """

    def read(connection: Connection) -> JsonObject:
        state = status.find(connection, job_id)
        return {
            **status.job_views(connection, [state])[0],
            "tasks_failed": sum(stage.tasks_failed for stage in state.stages),
            "causes": task_views.causes(connection, job_id, limit=limit, cursor=cursor),
            "causes_total": error_groups_repository.causes(connection, job_id),
        }

    return metrics_repository.transact(read)


def task_report(job_id: str, stage: int, task_index: int) -> JsonObject:
    """The job's view, and one of its tasks as `task`. Raises `NotFound`."""

    def read(connection: Connection) -> JsonObject:
        state = status.find(connection, job_id)
        return {
            **status.job_views(connection, [state])[0],
            "task": task_views.find(connection, job_id, stage, task_index),
        }

    return metrics_repository.transact(read)
