"""What is going on: the metrics of one job, and a summary of all of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from core.models.metrics import MetricRecord, MetricType, rates
from infrastructure import dashboard_repository, job_progress, metrics_repository
from infrastructure.database import Connection
from infrastructure.metrics_losses import LOST, Kind
from services.orchestration import status
from services.orchestration.paging import bad_query, cursor_after, one_of, row_key

JsonObject = dict[str, Any]

EVENT_TYPES = (MetricType.EVENT, MetricType.ERROR)

# Snapshots behind the line of a job's throughput.
POINTS = 60

# More jobs than this do not run at once; the sum of their rates stays a cheap query.
_MOST_RUNNING = 200


def job_metrics(
    job_id: str,
    *,
    limit: int = 100,
    cursor: str | None = None,
    since: str | None = None,
    metric_type: str | None = None,
) -> JsonObject:
    """Rows of app.job_metrics of one job, newest first: {job_id, metrics, context, next}.

    `since` is an ISO 8601 time: only rows written after it. `context` is the latest of every
    figure that the job's handlers have shown, with the rates that follow from them. Raises
    `NotFound` for an unknown job.
    """
    wanted = one_of(MetricType, "type", metric_type)
    before = None if cursor is None else row_key(cursor)
    after = None if since is None else _time(since)

    def read(connection: Connection) -> JsonObject:
        state = status.find(connection, job_id)
        rows = metrics_repository.page(
            connection,
            job_id,
            limit=limit + 1,
            types=None if wanted is None else [wanted],
            before=before,
            since=after,
        )
        return {
            "job_id": job_id,
            "context": job_progress.figures(connection, [state])[job_id],
            "metrics": [_row(row) for row in rows[:limit]],
            "next": cursor_after(rows[limit - 1].id) if len(rows) > limit else None,
        }

    return metrics_repository.transact(read)


def summary() -> JsonObject:
    """Jobs by status, the tasks that all running jobs do a minute, and what metrics are missing.

    {running, queued, completed, completed_with_errors, failed, cancelled, tasks_per_minute,
    not_written, not_written_here}; the ended ones are those of the last 24 hours. Both of
    `not_written` are {events, snapshots, figures}: what could not be written by any process, as
    long as metrics are kept, and what this process could not write since it began.
    """

    def read(connection: Connection) -> JsonObject:
        running = dashboard_repository.running(connection, _MOST_RUNNING)
        samples = status.samples_of(connection, running)
        pace = sum(rates(each, samples.get(each.job.job_id)).tasks_per_minute for each in running)
        recorded, untold = metrics_repository.lost(connection, LOST), job_progress.losses.untold
        return {
            **asdict(dashboard_repository.summary(connection)),
            "tasks_per_minute": round(pace, 1),
            "not_written": {kind: recorded.get(kind, 0) + untold[kind] for kind in Kind},
            "not_written_here": job_progress.losses.counts,
        }

    return metrics_repository.transact(read)


def _row(record: MetricRecord) -> JsonObject:
    return {
        "id": record.id,
        "timestamp": record.timestamp,
        "metric_type": record.metric_type,
        "payload": record.payload,
    }


def _time(text: str) -> datetime:
    try:
        # A "+" that was not escaped in the query string arrives as a space.
        time = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise bad_query("since", "must be an ISO 8601 time, as 2026-05-01T12:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
