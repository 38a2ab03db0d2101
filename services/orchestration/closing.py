"""Closing a stage when its last task has ended, and the job after its last stage."""

from __future__ import annotations

import logging
from typing import Any, Literal, TypedDict

from core import jsonb
from core.errors import NotFound, Unavailable
from core.job_definition import JobDefinition
from core.models.cost import Cost
from core.models.job import JobRecord, JobStatus, StageStatus
from core.registry import registry
from infrastructure import (
    cost_repository,
    database,
    error_groups_repository,
    faults,
    job_progress,
    job_repository,
    task_repository,
)
from infrastructure.blob_storage import BlobWorkspace
from infrastructure.database import Connection
from infrastructure.metering import Meter
from infrastructure.task_repository import Stage
from infrastructure.telemetry import task_scope
from services.orchestration import window
from services.orchestration.context import LedgerContext

log = logging.getLogger(__name__)

_MISFITS = 20


class CloseVerdict(TypedDict):
    """wait: tasks are still at work. continue: on to the next stage. finalize: end the job."""

    next: Literal["wait", "continue", "finalize"]
    error: dict[str, Any] | None


def close_stage(job_id: str, stage: int) -> CloseVerdict:
    """Judge a stage that is done by its failure policy. Closing twice gives one verdict.

    Before that its counters are held against the ledger, the only time that the tasks are
    counted.
    """
    with task_scope(job_id=job_id, stage=stage), database.transaction() as connection:
        current = window.lock_stage(connection, job_id, stage)
        if not current.is_done:
            return {"next": "wait", "error": None}
        task_repository.audit(connection, current)
        error_groups_repository.complete(connection, job_id, stage, current.tasks_failed)
        job = job_repository.get(connection, job_id)
        status = _judge(current, job)
        if current.status is StageStatus.RUNNING:
            task_repository.close(connection, job_id, stage, status)
        error = _stage_error(connection, current) if status is StageStatus.FAILED else None
    job_progress.event(
        job_id,
        f"stage_{status.value}",
        f"Stage {current.name} {status.value.replace('_', ' ')}: "
        f"{current.tasks_completed:,} of {current.tasks_total:,} tasks done",
        error=status is StageStatus.FAILED,
        stage=stage,
        failed=current.tasks_failed,
    )
    if status in (StageStatus.FAILED, StageStatus.CANCELLED):
        return {"next": "finalize", "error": error}
    return {"next": "continue", "error": None}


def _judge(stage: Stage, job: JobRecord) -> StageStatus:
    if stage.failed_too_much:
        return StageStatus.FAILED
    if job.cancel_requested or stage.tasks_cancelled:
        return StageStatus.CANCELLED
    return StageStatus.COMPLETED_WITH_ERRORS if stage.tasks_failed else StageStatus.COMPLETED


def _stage_error(connection: Connection, stage: Stage) -> dict[str, Any]:
    """Why the stage failed: the first failed task's error, and how many failed."""
    failure = task_repository.first_failure(connection, stage.job_id, stage.stage)
    first = (failure or {}).get("error") or {}
    return {
        **first,
        "code": first.get("code", "stage_failed"),
        "message": first.get("message", f"Stage {stage.name} failed."),
        "stage": stage.stage,
        "stage_name": stage.name,
        "task_index": (failure or {}).get("task_index"),
        "tasks_failed": stage.tasks_failed,
        "tasks_total": stage.tasks_total,
    }


def finalize_job(job_id: str, error: dict[str, Any] | None, resumes: int) -> str:
    """Bring the job to its one terminal state; the state that it is in then.

    Finalizing twice changes nothing, and neither does a call from before a resume: `resumes`
    tells it by. With an error, or after a cancel, what is still open is cancelled first. A
    finalizer that fails for good fails the job; trouble that passes is raised, to be tried
    again.
    """
    with task_scope(job_id=job_id):
        with database.transaction() as connection:
            job = job_repository.get(connection, job_id)
            stages = task_repository.stages(connection, job_id)
            failed = [stage for stage in stages if stage.status is StageStatus.FAILED]
            if error is None and failed:
                error = _stage_error(connection, failed[0])
        if job.status.is_terminal or job.resumes != resumes:
            return job.status.value
        result: dict[str, Any] | None = None
        meter = Meter()
        status = _job_status(stages, error)
        if status in (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS):
            with meter.running():
                status, result, error = _result(job, status)
        if not _end(job, status, result, error, meter.cost()):
            with database.transaction() as connection:
                return job_repository.get(connection, job_id).status.value
    return status.value


def _job_status(stages: list[Stage], error: dict[str, Any] | None) -> JobStatus:
    if error is not None or any(stage.status is StageStatus.FAILED for stage in stages):
        return JobStatus.FAILED
    finished = (StageStatus.COMPLETED, StageStatus.COMPLETED_WITH_ERRORS)
    if any(stage.status not in finished for stage in stages):
        # Not failed and not through: only a cancel ends a job there.
        return JobStatus.CANCELLED
    if any(stage.status is StageStatus.COMPLETED_WITH_ERRORS for stage in stages):
        return JobStatus.COMPLETED_WITH_ERRORS
    return JobStatus.COMPLETED


def _result(
    job: JobRecord, status: JobStatus
) -> tuple[JobStatus, dict[str, Any] | None, dict[str, Any] | None]:
    context = LedgerContext.of(job)
    if context.definition.finalize is None:
        return status, None, None
    try:
        result = context.definition.finalize(context)
        jsonb.encode(result)
    except Exception as failure:
        fault = faults.classify(failure)
        if fault.transient:
            raise
        return JobStatus.FAILED, None, {**fault.record, "stage_name": "finalize"}
    _tell_misfits(job.job_id, context.definition, result)
    return status, result, None


def _tell_misfits(
    job_id: str, definition: JobDefinition[Any], result: dict[str, Any] | None
) -> None:
    """Tell of a result that is not as its job type declares it. What was published is published:
    the job does not fail for that, but a pipeline that refers to the result may."""
    misfits = definition.misfits(result)
    if misfits:
        more = f" (and {len(misfits) - 1:,} more)" if len(misfits) > 1 else ""
        job_progress.event(
            job_id,
            "result_not_as_declared",
            f"The result is not as {definition.name} declares it: {misfits[0]}{more}",
            error=True,
            fields=misfits[:_MISFITS],
        )


def _end(
    job: JobRecord,
    status: JobStatus,
    result: dict[str, Any] | None,
    error: dict[str, Any] | None,
    cost: Cost,
) -> bool:
    """Write the terminal state; False where the job has ended or was resumed meanwhile."""
    job_id = job.job_id
    job_progress.flush(job_id)  # what the finalizer has shown, before anyone sees the end
    with database.transaction() as connection:
        job_repository.lock(connection, job_id)
        if not job_repository.finish(
            connection, job_id, status, resumes=job.resumes, result=result, error=error
        ):
            return False
        cost_repository.add(connection, job_id, cost_repository.END_OF_JOB, cost)
        for stage in task_repository.stages(connection, job_id):
            if not stage.status.is_terminal and stage.tasks_total and not stage.is_done:
                window.lock_stage(connection, job_id, stage.stage)
                task_repository.stop(connection, job_id, stage.stage)
                task_repository.cancel_waiting(connection, job_id, stage.stage)
                task_repository.abandon_running(connection, job_id, stage.stage)
        if status in (JobStatus.FAILED, JobStatus.CANCELLED):
            job_repository.close_open_stages(connection, job_id, StageStatus(status.value))
        _tell_job_type(connection, job, status, error)
    job_progress.sample(job_id, force=True)
    message = f"Job {status.value.replace('_', ' ')}"
    job_progress.event(
        job_id,
        f"job_{status.value}",
        f"{message}: {error['message']}" if error else message,
        error=status is JobStatus.FAILED,
    )
    if status is JobStatus.COMPLETED:  # all others can be resumed, and need their files
        try:
            remove_work(job_id)
        except Unavailable as failure:  # the job is complete all the same
            log.warning("housekeeping will remove the work files: %s", failure.message)
    return True


def _tell_job_type(
    connection: Connection, job: JobRecord, status: JobStatus, error: dict[str, Any] | None
) -> None:
    try:
        definition = registry.get(job.job_type)
    except NotFound:  # a job whose type was taken out of the app ends all the same
        return
    if definition.on_end is not None:
        definition.on_end(connection, job, status, error)


def remove_work(job_id: str) -> None:
    """Remove the files between stages of a job that has ended and was not resumed.

    Housekeeping does it where the end of the job did not.
    """
    with database.transaction() as connection:
        if not job_repository.mark_work_removed(connection, job_id):
            return
    try:
        BlobWorkspace(job_id).remove()
    except Exception:
        with database.transaction() as connection:
            job_repository.unmark_work_removed(connection, job_id)
        raise
