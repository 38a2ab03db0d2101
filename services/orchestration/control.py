"""Cancel and resume: what people ask of a job that is there."""

from __future__ import annotations

from core.counting import counted
from core.errors import Conflict
from core.models.job import JobStatus, StageStatus
from core.registry import registry
from infrastructure import database, job_progress, job_repository, task_repository
from infrastructure.database import Connection
from infrastructure.task_repository import Stage
from services.orchestration import window
from services.orchestration.worker import StageDone

_RESUMABLE = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.COMPLETED_WITH_ERRORS)


def cancel(job_id: str) -> list[StageDone]:
    """Stop a job: nothing of it begins any more, and running handlers are asked to stop.

    Returns the stages that this brought to an end, for their orchestrator to be told. Raises
    `NotFound`, or `Conflict` where the job has ended.
    """
    with database.transaction() as connection:
        job = job_repository.get(connection, job_id)
        if not job_repository.request_cancel(connection, job_id):
            raise Conflict(
                f"The job has ended: it is {job.status.value}.",
                code="job_ended",
                job_status=job.status.value,
            )
        stopped = task_repository.stop_running_stages(connection, job_id)
    job_progress.event(job_id, "cancel_requested", "Cancel requested")
    done = []
    for stage in stopped:
        with database.transaction() as connection:
            window.lock_stage(connection, job_id, stage)
            current = task_repository.cancel_waiting(connection, job_id, stage)
            if window.refill(connection, current).done:
                done.append(StageDone(job_id, stage))
    return done


def resume(job_id: str) -> int:
    """Put failed, cancelled and lost tasks back, and the job to queued; how many tasks.

    A failed or cancelled job goes on with the stage at which it stopped; one that completed
    with errors, with the first stage that has failed tasks, and plans the later stages anew.
    The caller starts the orchestration. Raises `NotFound`, or `Conflict` where the job is
    under way, has nothing to resume, or its job type does not let it go on now.
    """
    with database.transaction() as connection:
        reopened = resume_in(connection, job_id)
    announce_resume(job_id, reopened)
    return reopened


def resume_in(connection: Connection, job_id: str) -> int:
    """`resume` in a transaction of the caller's, who writes more in it: `announce_resume` what
    came of it once it is committed.

    Raises as `resume` does.
    """
    job_repository.lock(connection, job_id)
    job = job_repository.get(connection, job_id)
    if job.status not in _RESUMABLE:
        raise Conflict(
            f"The job cannot be resumed: it is {job.status.value}.",
            code="not_resumable",
            job_status=job.status.value,
        )
    if job.work_removed_at is not None:
        raise Conflict(
            "The job cannot be resumed: its files between stages were removed a day after "
            "it ended. Submit it again with ?rerun=true.",
            code="not_resumable",
            job_status=job.status.value,
        )
    first = _first_to_resume(task_repository.stages(connection, job_id))
    reopened = 0
    if first is not None:
        window.lock_stage(connection, job_id, first)
        reopened = task_repository.reopen_stage(connection, job_id, first)
        task_repository.forget_after(connection, job_id, first)
    stage = job.total_stages - 1 if first is None else first
    job_repository.reopen(connection, job_id, stage)
    definition = registry.get(job.job_type)
    if definition.on_resume is not None:
        definition.on_resume(connection, job)
    return reopened


def announce_resume(job_id: str, reopened: int) -> None:
    """Show on a job's page that it goes on, with so many tasks put back."""
    job_progress.event(
        job_id, "job_resumed", f"Resumed: {counted(reopened, 'task')} put back", tasks=reopened
    )


def _first_to_resume(stages: list[Stage]) -> int | None:
    """The stage at which the job stopped, else the first with tolerated failures, else None
    (only the job's finalizer failed).
    """
    ended = (StageStatus.COMPLETED, StageStatus.COMPLETED_WITH_ERRORS)
    for stage in stages:
        if stage.status not in ended:
            return stage.stage
    for stage in stages:
        if stage.status is StageStatus.COMPLETED_WITH_ERRORS:
            return stage.stage
    return None
