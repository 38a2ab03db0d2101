"""Beginning updates of curated datasets, and their log.

The log tells the truth because it is written where the truth changes. A row is opened in the
transaction that makes the job, and closed in the one that publishes or skips; should neither
come about, in the one that ends the job (`ended`, its hook). A dataset has one open row at most,
so there is one update of it at a time, whoever begins it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core.errors import Conflict
from core.job_definition import JobContext, JsonObject
from core.models.curated import CuratedDataset, UpdateStatus, UpdateType
from core.models.job import JobRecord, JobStatus
from infrastructure import curated_repository as datasets
from infrastructure import curated_updates_repository as updates_log
from infrastructure import database
from infrastructure.curated_updates_repository import Action
from infrastructure.database import Connection
from services.curated.handler import Days, UploadedFile
from services.curated.parameters import CuratedPublish, CuratedUpdate
from services.curated.readiness import require_options, require_ready
from services.orchestration import status, submission
from services.orchestration.paging import cursor_after, row_key
from services.orchestration.submission import Submission
from services.vector import reports

_ENDS = {
    JobStatus.COMPLETED: UpdateStatus.COMPLETED,
    JobStatus.COMPLETED_WITH_ERRORS: UpdateStatus.COMPLETED,
    JobStatus.FAILED: UpdateStatus.FAILED,
    JobStatus.CANCELLED: UpdateStatus.CANCELLED,
}
# The parameters of an update that read something else than what is new at the source.
_NAMED = ("from_date", "to_date", "container_name", "blob_name")


def start(
    dataset_id: str,
    update_type: UpdateType,
    *,
    force: bool = False,
    dry_run: bool = False,
    days: Days | None = None,
    file: UploadedFile | None = None,
    due_at: datetime | None = None,
    request_id: str | None = None,
    actor: str | None = None,
) -> Submission:
    """Begin an update; the caller starts the job's orchestration.

    `days` makes it a backfill, `file` is read in place of the source. The same `request_id`
    again is the same job, and so is the same `due_at` of a scheduled update. Raises `NotFound`
    (dataset_not_found), `InvalidParameters` naming the fields that the dataset's handler cannot
    be asked for, and `Conflict`: update_under_way naming the job, handler_missing,
    credentials_missing naming the settings, and for a scheduled update not_due or due_already.
    """
    if (update_type is UpdateType.SCHEDULED) != (due_at is not None):
        raise ValueError("a scheduled update has a due time, and no other has one")
    named = _parameters_of(days, file)
    with database.transaction() as connection:
        dataset = datasets.get(connection, dataset_id, for_update=True)
        if due_at is None:
            begun_by = {"request_id": request_id or uuid.uuid4().hex}
        else:
            _require_due(connection, dataset, due_at)
            begun_by = {"due_at": due_at.isoformat()}
        job = submission.submit_in(
            connection,
            dataset.job_type,
            {
                "dataset_id": dataset_id,
                "update_type": update_type.value,
                "force_update": force,
                "dry_run": dry_run,
                **named,
                **begun_by,
            },
        )
        if job.created:
            require_options(require_ready(dataset, file), days, file)
            logged(
                connection,
                dataset,
                job,
                update_type,
                due_at=due_at,
                actor=actor,
                dry_run=dry_run,
                forced=force,
                details=_details(named),
            )
        elif due_at is not None:
            # Somebody submitted the very job of this due time by its parameters.
            updates_log.take_due(connection, job.job_id, due_at)
    submission.announce(job)
    return job


def _require_due(connection: Connection, dataset: CuratedDataset, due_at: datetime) -> None:
    """Raise `Conflict` where the dataset is no longer as it was when it was found to be due."""
    schedule = dataset.schedule
    if (
        not dataset.enabled
        or schedule is None
        or schedule.last_before(due_at, after=dataset.schedule_from) != due_at
    ):
        raise Conflict(
            f"{dataset.dataset_id} is not due at {due_at}.",
            code="not_due",
            dataset_id=dataset.dataset_id,
        )
    if updates_log.with_due_times(connection, {dataset.dataset_id: due_at}):
        raise updates_log.due_already(dataset.dataset_id, due_at)


def logged(
    connection: Connection,
    dataset: CuratedDataset,
    job: Submission,
    update_type: UpdateType,
    *,
    action: Action = "update",
    due_at: datetime | None = None,
    actor: str | None = None,
    dry_run: bool = False,
    forced: bool = False,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Open the row of a job that this transaction has made; its log_id.

    Raises `Conflict` (update_under_way) naming the job that is in the way.
    """
    log_id = updates_log.begin(
        connection,
        dataset.dataset_id,
        job.job_id,
        update_type,
        due_at=due_at,
        actor=actor,
        dry_run=dry_run,
        forced=forced,
        action=action,
        details=details,
    )
    datasets.set_last_job(connection, dataset.dataset_id, job.job_id)
    return log_id


def opened(connection: Connection, context: JobContext[CuratedUpdate | CuratedPublish]) -> int:
    """The log_id of a job whose work begins, with its row open.

    A job has none where it was submitted as such, by its parameters, and not by `start`: so
    it counts as triggered, whatever its parameters say. One that skipped already, whose worker
    died before it could say so, decides anew. Raises `NotFound` (dataset_not_found), and
    `Conflict` (update_under_way) naming the job that is in the way.
    """
    parameters = context.parameters
    known = updates_log.of_job(connection, context.job_id)
    if known is not None:
        skipped = [UpdateStatus.SKIPPED]
        updates_log.reopen(connection, parameters.dataset_id, context.job_id, skipped)
        return int(known["log_id"])
    dataset = datasets.get(connection, parameters.dataset_id, for_update=True)
    log_id = updates_log.begin(
        connection,
        dataset.dataset_id,
        context.job_id,
        UpdateType.TRIGGERED,
        **_asked(parameters.model_dump(mode="json")),
    )
    datasets.set_last_job(connection, dataset.dataset_id, context.job_id)
    return log_id


def ended(
    connection: Connection, job: JobRecord, status: JobStatus, error: JsonObject | None
) -> None:
    """Close the row of a job that ends, where its work has not: `on_end` of its definition.

    A job that ends before it had a row, such as one that was refused because of another, gets
    its row now.
    """
    end, error = _ENDS[status], error or {}
    outcome: dict[str, Any] = {
        "error_code": error.get("code"),
        "error_message": error.get("message"),
        "details": {"error": error} if error else {},
    }
    if not updates_log.finish(connection, job.job_id, end, **outcome):
        asked = _asked(job.parameters)
        outcome["details"] |= asked.pop("details")
        updates_log.record(
            connection,
            job.parameters["dataset_id"],
            UpdateType.TRIGGERED,
            end,
            job_id=job.job_id,
            started_at=job.created_at,
            **asked,
            **outcome,
        )


def resumed(connection: Connection, job: JobRecord) -> None:
    """Open the row of a job that goes on again: `on_resume` of its definition.

    Raises `Conflict` (update_under_way) where another job updates the dataset by now.
    """
    undone = [UpdateStatus.FAILED, UpdateStatus.CANCELLED]
    updates_log.reopen(connection, job.parameters["dataset_id"], job.job_id, undone)


def _asked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters of a job ask for, as the log's columns name it."""
    return {
        "action": "publish" if "version_id" in parameters else "update",
        "dry_run": parameters.get("dry_run", False),
        "forced": parameters.get("force_update", False),
        "details": _details(parameters),
    }


def _details(parameters: Mapping[str, Any]) -> JsonObject:
    """What the log says of the days or the file that the parameters of a job name."""
    asked = {name: parameters[name] for name in _NAMED if parameters.get(name) is not None}
    return {"asked": asked} if asked else {}


def _parameters_of(days: Days | None, file: UploadedFile | None) -> dict[str, str]:
    named = {} if file is None else asdict(file)
    if days is not None:
        ends = {"from_date": days.first, "to_date": days.last}
        named |= {name: day.isoformat() for name, day in ends.items() if day is not None}
    return named


def history(
    dataset_id: str,
    *,
    limit: int = 100,
    cursor: str | None = None,
    statuses: Sequence[UpdateStatus] | None = None,
    base_url: str = "",
) -> JsonObject:
    """A page of a dataset's log, newest first: {history, next}.

    The log of a dataset that was deleted is there still. Raises `NotFound`
    (dataset_not_found), and `InvalidParameters` for a cursor that is none.
    """
    before = None if cursor is None else row_key(cursor)
    with database.transaction() as connection:
        rows = updates_log.page(
            connection, dataset_id, limit=limit + 1, before=before, statuses=statuses
        )
        if not rows:
            datasets.get(connection, dataset_id)
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "history": [log_view(row, base_url) for row in rows[:limit]],
        "next": last and cursor_after(last["log_id"]),
    }


def log_view(row: Mapping[str, Any], base_url: str = "") -> JsonObject:
    """A row of the log as JSON, with links to its job and that one's quality report."""
    shown = {name: value for name, value in row.items() if name != "has_report"}
    return {**shown, "links": _links(row, base_url)}


def _links(row: Mapping[str, Any], base_url: str) -> JsonObject:
    job_id = row["job_id"]
    if job_id is None:
        return {}
    job, report = status.links(job_id, base_url), reports.links(job_id, base_url)
    found = {"job": job["self"], "job_page": job["page"]}
    if not row["has_report"]:
        return found
    return {**found, "report": report["self"], "report_page": report["page"]}
