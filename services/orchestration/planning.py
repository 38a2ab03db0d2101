"""Planning and dispatching a stage: the first two activities of each."""

from __future__ import annotations

from typing import Literal, TypedDict

from core.models.cost import Cost
from core.models.job import StageStatus
from infrastructure import (
    cost_repository,
    database,
    faults,
    job_progress,
    job_repository,
    task_repository,
)
from infrastructure.metering import Meter
from infrastructure.telemetry import task_scope
from services.orchestration import window
from services.orchestration.context import LedgerContext


class PlanVerdict(TypedDict):
    """What the orchestrator learns: small, whatever the stage's size."""

    next: Literal["dispatch", "skip", "finalize"]
    error: dict[str, object] | None


def plan_stage(job_id: str, stage: int) -> PlanVerdict:
    """Write the tasks of a stage. Planning twice changes nothing.

    A planner that fails for good ends the job: `next` is finalize, with the error. Trouble
    that passes is raised, and the activity is tried again.
    """
    with task_scope(job_id=job_id, stage=stage):
        try:
            return _plan(job_id, stage)
        except Exception as error:
            fault = faults.classify(error)
            if fault.transient:
                raise
            with database.transaction() as connection:
                task_repository.open_stage(connection, job_id, stage)
            job_progress.event(
                job_id, "planning_failed", fault.record["message"], error=True, stage=stage
            )
            return {"next": "finalize", "error": {**fault.record, "stage": stage}}


def _plan(job_id: str, stage: int) -> PlanVerdict:
    # Committed before the planner runs: it may take long, and the job's row must stay free
    # for a cancel meanwhile. `dispatch_stage` finds out about that.
    with database.transaction() as connection:
        job = job_repository.get(connection, job_id)
        if job.cancel_requested or job.status.is_terminal:
            return {"next": "finalize", "error": None}
        job_repository.begin(connection, job_id)
        job_repository.enter_stage(connection, job_id, stage)
    with database.transaction() as connection:
        current = window.lock_stage(connection, job_id, stage)
        if current.status in (StageStatus.COMPLETED, StageStatus.COMPLETED_WITH_ERRORS):
            return {"next": "skip", "error": None}
        if current.status in (StageStatus.FAILED, StageStatus.CANCELLED):
            # Closed by an orchestration that did not get to end the job.
            return {"next": "finalize", "error": None}
        if current.tasks_total is None:
            context = LedgerContext.of(job)
            meter = Meter()
            with meter.running():
                specs = context.definition.stages[stage].planner(context)
                task_type = context.definition.task_type(stage)
                total = task_repository.plan(connection, job_id, stage, task_type, specs)
            cost_repository.add(connection, job_id, stage, meter.cost())
        else:
            total = current.tasks_total
        task_repository.open_stage(connection, job_id, stage)
    job_progress.flush(job_id)  # what the planner has shown, before any task does
    job_progress.event(
        job_id,
        "stage_started",
        f"Stage {current.name} started: {total:,} {'task' if total == 1 else 'tasks'}",
        stage=stage,
        tasks=total,
    )
    return {"next": "dispatch", "error": None}


def dispatch_stage(job_id: str, stage: int) -> bool:
    """Open the window and send its tasks; whether the stage is done already (it was empty,
    or this is not the first time). Dispatching twice sends only what there is room for.
    """
    with task_scope(job_id=job_id, stage=stage):
        with database.transaction() as connection:
            current = window.lock_stage(connection, job_id, stage)
            if job_repository.get(connection, job_id).cancel_requested:
                # The cancel came while the stage was being planned.
                task_repository.stop(connection, job_id, stage)
                current = task_repository.cancel_waiting(connection, job_id, stage)
            progress = window.refill(connection, current)
            cost_repository.add(connection, job_id, stage, Cost(messages=progress.messages))
        progress.send()
    job_progress.sample(job_id, force=True)
    return progress.done or current.is_done


class Run(TypedDict):
    """What an orchestration needs to know of its job: small, and fixed while it runs."""

    stages: int
    resumes: int


def find_run(job_id: str) -> Run:
    """How many stages the job has, and how often it was resumed before this orchestration."""
    with database.transaction() as connection:
        job = job_repository.get(connection, job_id)
    return {"stages": job.total_stages, "resumes": job.resumes}
