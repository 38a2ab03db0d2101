"""Repair: find what a crash left behind, and bring it on its way again.

A commit and the send or start that should follow it are two systems: a process can die
between them. The ledger always knows what should be under way, so the reconciler compares:
tasks queued without a message, retries whose scheduled message was lost, tasks whose worker
died, stages that ended unheard, jobs without an orchestration.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from config import get_settings
from core.errors import Unavailable
from core.models.cost import Cost
from core.models.job import JobStatus
from core.models.task import TaskOutcome, TaskStatus
from infrastructure import (
    cost_repository,
    database,
    job_progress,
    job_repository,
    locks,
    reconcile_repository,
    task_repository,
)
from infrastructure.reconcile_repository import Overdue
from infrastructure.telemetry import task_scope
from services.orchestration import closing, window
from services.orchestration.worker import StageDone

log = logging.getLogger(__name__)

# A job that was touched so recently is being started by whoever submitted it.
_STARTING_SECONDS = 15.0
_MAX_RESTARTS = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """What only the Durable client can do about a round: raise events, start orchestrations."""

    ended: list[StageDone]
    to_check: list[str]


def reconcile_all() -> Findings | None:
    """One round over all running stages. None where another instance is at it."""
    with locks.singleton("reconcile") as mine:
        if not mine:
            return None
        with database.transaction() as connection:
            running = reconcile_repository.running_stages(connection)
            active = job_repository.active(connection, _STARTING_SECONDS)
        ended = [
            StageDone(each.job_id, each.stage)
            for each in running
            if each.is_unheard or (not each.is_done and _repaired(each.job_id, each.stage))
        ]
    for job_id in {each.job_id for each in running}:
        # Workers do so while they have something to tell; a job that stands still is seen too.
        job_progress.sample(job_id)
    return Findings(ended, active)


def _repaired(job_id: str, stage: int) -> bool:
    """`reconcile_stage`, such that one stage that cannot be repaired does not stop the round."""
    try:
        return reconcile_stage(job_id, stage)
    except Unavailable:
        raise
    except Exception:
        with task_scope(job_id=job_id, stage=stage):
            log.exception("the stage could not be repaired; the next round tries again")
        return False


def reconcile_stage(job_id: str, stage: int) -> bool:
    """Repair one stage; whether it is done. Doing so at any moment is harmless."""
    resend_after = get_settings().resend_after_seconds
    with task_scope(job_id=job_id, stage=stage):
        with database.transaction() as connection:
            current = task_repository.stage(connection, job_id, stage)
            if current.is_done:
                return True
            if not current.is_stuck and not reconcile_repository.needs_repair(
                connection, current, resend_after
            ):
                return False
        with database.transaction() as connection:
            current = window.lock_stage(connection, job_id, stage)
            if current.is_done:
                return True
            lost = reconcile_repository.exhausted(connection, current)
            status = TaskStatus.CANCELLED if current.stopping else TaskStatus.FAILED
            settled = task_repository.settle(
                connection, job_id, stage, [_worker_lost(*task, status) for task in lost]
            )
            progress = window.move_on(connection, current, settled)
            overdue = reconcile_repository.requeue_overdue(connection, current, resend_after)
            to_send = [*progress.to_send, *(each.task_index for each in overdue)]
            progress = window.Progress(progress.stage, to_send, progress.done)
            cost_repository.add(connection, job_id, stage, Cost(messages=progress.messages))
        _report(job_id, stage, len(lost), overdue)
        return progress.send()


def _report(job_id: str, stage: int, lost: int, overdue: list[Overdue]) -> None:
    """Tell people of workers that died. A message that is only late is an everyday thing."""
    workers = sum(each.lost_worker for each in overdue)
    if late := len(overdue) - workers:
        log.info("%d tasks sent again: nobody has claimed them yet", late)
    if lost or workers:
        log.warning("%d tasks lost their worker and go again, %d ended with it", workers, lost)
        job_progress.event(
            job_id,
            "workers_lost",
            f"{workers} tasks lost their worker and go again, {lost} ended with it",
            stage=stage,
        )


def _worker_lost(index: int, attempt: int, status: TaskStatus) -> TaskOutcome:
    error = {
        "code": "worker_lost",
        "message": "The worker died or lost its lease, and the task may not be tried again.",
    }
    return TaskOutcome(index, attempt, status, error=error)


def may_restart(job_id: str) -> bool:
    """Note that a job without an orchestration gets one again; whether it still may.

    One that fails every time is ended as failed, rather than started for ever.
    """
    with database.transaction() as connection:
        restarts = job_repository.count_restart(connection, job_id)
        resumes = job_repository.get(connection, job_id).resumes
    if restarts is None:
        return False
    if restarts <= _MAX_RESTARTS:
        job_progress.event(job_id, "orchestration_started_again", "Orchestration started again")
        return True
    error = {
        "code": "orchestration_failed",
        "message": f"The job's orchestration failed {_MAX_RESTARTS} times in a row.",
    }
    status = closing.finalize_job(job_id, error, resumes)
    log.error("job %s: %s after %d restarts", job_id, status, _MAX_RESTARTS)
    return status not in {each.value for each in JobStatus if each.is_terminal}


def housekeeping() -> None:
    """Remove old metrics, and the work files of jobs that ended without removing them."""
    with locks.singleton("housekeeping") as mine:
        if not mine:
            return
        job_progress.prune()
        with database.transaction() as connection:
            orphans = job_repository.work_to_remove(connection)
        for job_id in orphans:
            with task_scope(job_id=job_id):
                closing.remove_work(job_id)
