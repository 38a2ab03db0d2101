"""All that there is to say about one job, for its page: read in one transaction."""

from __future__ import annotations

from typing import Any

from core.models.metrics import JobState, MetricType, event_view, throughput
from core.models.task import TaskStatus
from infrastructure import job_progress, metrics_repository, status_repository
from infrastructure.database import Connection
from services.orchestration import status
from services.orchestration.metrics import EVENT_TYPES, POINTS

JsonObject = dict[str, Any]

_EVENTS = 50

# Failed tasks of which the reasons are told, the first ones.
_FAILURES = 50


def job_report(
    job_id: str,
    *,
    task_stage: int | None = None,
    task_status: str | None = None,
    task_cursor: str | None = None,
    task_limit: int = 25,
) -> JsonObject:
    """The job's view, and with it its tasks, failures, figures, throughput and events.

    `tasks` is a page as `status.list_tasks` gives it. `failures` are the different errors of
    the first failed tasks: [{code, message, count, stage_name, task_index}], the index being
    that of the first task. Events come newest first. Raises as `status.list_tasks` does.
    """

    def read(connection: Connection) -> JsonObject:
        state = status.find(connection, job_id)
        snapshots = metrics_repository.latest_of_each(
            connection, [job_id], [MetricType.SNAPSHOT], POINTS
        )
        events = metrics_repository.page(connection, job_id, limit=_EVENTS, types=EVENT_TYPES)
        failed = sum(stage.tasks_failed for stage in state.stages)
        return {
            **status.job_views(connection, [state])[0],
            "tasks": status.tasks_page(
                connection,
                state,
                stage=task_stage,
                status=task_status,
                cursor=task_cursor,
                limit=task_limit,
            ),
            "failures": _failures(connection, state) if failed else [],
            "tasks_failed": failed,
            "failures_seen": min(failed, _FAILURES),
            "context": job_progress.figures(connection, [state])[job_id],
            "throughput": throughput(snapshots[job_id]),
            "events": [event_view(event) for event in events],
        }

    return metrics_repository.transact(read)


def _failures(connection: Connection, state: JobState) -> list[JsonObject]:
    rows = status_repository.tasks(
        connection, state.job.job_id, status=TaskStatus.FAILED, limit=_FAILURES
    )
    groups: dict[tuple[str, str], JsonObject] = {}
    for row in rows:
        error = row["error"] or {}
        key = (error.get("code", "failed"), error.get("message", "No reason was recorded."))
        group = groups.setdefault(
            key,
            {
                "code": key[0],
                "message": key[1],
                "count": 0,
                "stage_name": row["stage_name"],
                "task_index": row["task_index"],
            },
        )
        group["count"] += 1
    return list(groups.values())
