"""What a run does next: pure functions of its steps and their jobs.

A turn of a run (`advancing`) calls them in this order, until nothing changes any more:

    revived     a job that had failed goes on, since somebody resumed it on its own page
    job_ends    a running step whose jobs have all ended, and none is still to be sent off
    gate_end    an open gate whose time is over
    closed      steps that will not begin, because the run is stopped
    ready       steps of which all that they depend on has ended
    skipped     those among them that do not begin because of how that ended
    to_launch   items of running steps whose jobs begin now
    outcome     how the run ends, once all of its steps have

A step moves pending -> running or awaiting_approval -> an end, or pending -> skipped. One that has
completed stays so: nothing here takes that back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.counting import counted
from core.job_definition import tolerate
from core.models.job import JobStatus
from core.models.pipeline import GateStep, JobStep, Pipeline, RunStatus, StepStatus
from core.models.pipeline_run import ChildJob, StepRecord
from core.pipelines.graph import Dependencies

Steps = Mapping[str, StepRecord]

NOT_MET = "Its condition was not met."
CANCELLED = "The run was cancelled."
_BAD = (StepStatus.FAILED, StepStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Halt:
    """Why nothing of a run begins any more: it is cancelled, or a step of it failed."""

    reason: str
    cancelled: bool


def halt_of(pipeline: Pipeline, steps: Steps, *, cancel_requested: bool) -> Halt | None:
    """Why the run stops, if it does."""
    if cancel_requested:
        return Halt(CANCELLED, cancelled=True)
    first = stopped_by(pipeline, steps)
    return None if first is None else Halt(f"The run stopped: {_how_it_ended(first)}.", False)


def stopped_by(pipeline: Pipeline, steps: Steps) -> StepRecord | None:
    """The first step by whose failure the run fails, if there is one."""
    for step in pipeline.steps:
        state = steps[step.id]
        # A step that was closed because the run stopped is no reason of its own.
        if step.on_failure == "stop" and state.status in _BAD and state.error is not None:
            return state
    return None


# -- jobs of a step


def jobs_of(state: StepRecord) -> list[ChildJob]:
    """The jobs of the step's items as they are now. Before a resume there may have been more."""
    return [job for job in state.jobs if job.item_index < (state.items_total or 0)]


def _is_done_with(job: ChildJob, rounds: int) -> bool:
    """Whether the job has ended, and nothing more is tried with it in this round."""
    if job.is_open or job.round is None:
        return False
    return job.is_success or job.round >= rounds


def _failures(state: StepRecord, rounds: int) -> list[ChildJob]:
    return [job for job in jobs_of(state) if _is_done_with(job, rounds) and not job.is_success]


def _is_doomed(step: JobStep, state: StepRecord, rounds: int) -> bool:
    """Whether more jobs have failed than may."""
    total = state.items_total or 0
    return not tolerate(step.max_failed_share).tolerates(len(_failures(state, rounds)), total)


def _open(state: StepRecord) -> list[ChildJob]:
    return [job for job in state.jobs if job.is_open]


def _waiting(state: StepRecord, rounds: int) -> list[int]:
    """The items, in order, that have no job yet, or one that is to be sent off again."""
    settled = {job.item_index for job in state.jobs if job.is_open or _is_done_with(job, rounds)}
    return [index for index in range(state.items_total or 0) if index not in settled]


def to_launch(step: JobStep, state: StepRecord, *, rounds: int, halt: Halt | None) -> list[int]:
    """The items of a running step whose jobs begin now: as many as may run at the same time.

    `rounds` is how often the run was resumed.
    """
    if state.status is not StepStatus.RUNNING or halt or state.error is not None:
        return []
    if _is_doomed(step, state, rounds):
        return []
    places = (1 if step.for_each is None else step.max_parallel) - len(_open(state))
    return _waiting(state, rounds)[: max(places, 0)]


def job_ends(
    step: JobStep, state: StepRecord, *, rounds: int, halt: Halt | None
) -> StepRecord | None:
    """The step as it ends, without outputs and the errors of its jobs; None while it goes on."""
    if state.status is not StepStatus.RUNNING or _open(state):
        return None
    if halt and halt.cancelled and _has_cancelled(state):
        # What the run's own cancel has ended is no failure that the step may bear.
        return replace(state, status=StepStatus.CANCELLED, error=None, reason=halt.reason)
    if state.error is not None:
        return replace(state, status=StepStatus.FAILED)
    failures, waiting = _failures(state, rounds), _waiting(state, rounds)
    if _is_doomed(step, state, rounds):
        # A job that was cancelled on its own page is no failure, unless others are.
        failed = any(job.status is JobStatus.FAILED for job in failures)
        status = StepStatus.FAILED if failed else StepStatus.CANCELLED
        return replace(state, status=status, error=_error_of_jobs(step, state, failures))
    if waiting:
        if halt is None:
            return None
        return replace(state, status=StepStatus.CANCELLED, reason=halt.reason)
    imperfect = any(job.status is not JobStatus.COMPLETED for job in jobs_of(state))
    status = StepStatus.COMPLETED_WITH_ERRORS if imperfect else StepStatus.COMPLETED
    return replace(state, status=status)


def _has_cancelled(state: StepRecord) -> bool:
    return any(job.status is JobStatus.CANCELLED for job in jobs_of(state))


def _error_of_jobs(step: JobStep, state: StepRecord, failures: list[ChildJob]) -> dict[str, Any]:
    first = next((job for job in failures if job.status is JobStatus.FAILED), failures[0])
    word = "failed" if first.status is JobStatus.FAILED else "was cancelled"
    if step.for_each is None:
        message = f"The job of step {step.id} {word}."
    else:
        all_jobs = counted(state.items_total or 0, "job")
        message = (
            f"{len(failures)} of {all_jobs} of step {step.id} did not complete: "
            f"that of item {first.item_index} {word}."
        )
    return {
        "code": f"job_{first.status.value}",
        "message": message,
        "job_id": first.job_id,
        "item_index": first.item_index,
        "jobs_failed": len(failures),
        "jobs_total": state.items_total,
    }


def to_cancel(steps: Steps, *, cancel_requested: bool) -> list[str]:
    """Ids of jobs under way that nobody waits for, and that were not cancelled yet."""
    return [
        job.job_id
        for state in steps.values()
        for job in state.jobs
        if job.is_open and not job.cancel_requested and (cancel_requested or job.round is None)
    ]


# -- gates


def decided(state: StepRecord, decision: dict[str, Any]) -> StepRecord:
    """A gate with somebody's decision."""
    if decision["decision"] == "approved":
        return replace(
            state, status=StepStatus.COMPLETED, decision=decision, outputs=_said(decision)
        )
    by = f" by {decision['by']}" if decision["by"] else ""
    note = f": {decision['note']}" if decision["note"] else "."
    error = {"code": "rejected", "message": f"Step {state.step_id} was rejected{by}{note}"}
    return replace(
        state,
        status=StepStatus.FAILED,
        decision=decision,
        outputs=_said(decision),
        error=error,
    )


def _said(decision: Mapping[str, Any]) -> dict[str, Any]:
    return {"decision": decision["decision"], "note": decision["note"]}


def gate_end(state: StepRecord, now: datetime, halt: Halt | None) -> StepRecord | None:
    """An open gate as it ends without a decision; None while it stays open."""
    if state.status is not StepStatus.AWAITING_APPROVAL:
        return None
    if halt is not None:
        return replace(state, status=StepStatus.CANCELLED, reason=halt.reason)
    if state.deadline is None or now < state.deadline:
        return None
    error = {
        "code": "not_approved_in_time",
        "message": f"Nobody approved step {state.step_id} in time.",
        "deadline": state.deadline.isoformat(),
    }
    return replace(state, status=StepStatus.FAILED, error=error)


# -- steps that wait


def ready(steps: Steps, dependencies: Dependencies) -> list[str]:
    """Ids of steps that have not begun, and of which all that they depend on has ended."""
    return [
        step_id
        for step_id, state in steps.items()
        if state.status is StepStatus.PENDING
        and all(steps[each].status.is_terminal for each in dependencies[step_id])
    ]


def skipped(
    step: JobStep | GateStep, steps: Steps, dependencies: Dependencies
) -> StepRecord | None:
    """A step that is ready, skipped because of how a step before it ended; None if it may begin."""
    if step.needs == "end":
        return None
    for each in sorted(dependencies[step.id]):
        if not steps[each].status.is_success:
            return skip(steps[step.id], f"{_how_it_ended(steps[each])}.".capitalize())
    return None


def skip(state: StepRecord, reason: str) -> StepRecord:
    """A step that does not begin, with the reason in words."""
    return replace(state, status=StepStatus.SKIPPED, reason=reason)


def closed(steps: Steps, halt: Halt | None) -> list[StepRecord]:
    """The steps that have not begun and will not, where the run stops."""
    if halt is None:
        return []
    status = StepStatus.CANCELLED if halt.cancelled else StepStatus.SKIPPED
    return [
        replace(state, status=status, reason=halt.reason)
        for state in steps.values()
        if state.status is StepStatus.PENDING
    ]


def _how_it_ended(state: StepRecord) -> str:
    words = {
        StepStatus.FAILED: "failed",
        StepStatus.CANCELLED: "was cancelled",
        StepStatus.SKIPPED: "was skipped",
    }
    return f"step {state.step_id} {words[state.status]}"


# -- going back


def put_back(steps: Steps) -> list[StepRecord]:
    """At a resume, the steps that go back to pending: all that did not complete.

    One that was skipped by its own condition is judged again with them, and skipped again where
    nothing that it depends on came out differently. Empty where nothing is to be done again.
    """
    again = [state for state in steps.values() if not state.status.is_success]
    if all(state.status is StepStatus.SKIPPED for state in again):
        return []
    return [_pending(state) for state in again]


def revived(
    steps: Steps, dependencies: Dependencies, *, cancel_requested: bool
) -> list[StepRecord]:
    """Steps that change because a job that had failed was resumed on its own page.

    The job's step runs again, and what was not begun because of its failure waits again. A step
    whose end another has begun on stays as it ended: all jobs of that one see the same of it.
    """
    relied_on = _relied_on(steps, dependencies)
    back = [
        replace(state, status=StepStatus.RUNNING, error=None, outputs=None)
        for state in steps.values()
        if state.status in _BAD
        and state.step_id not in relied_on
        and any(_goes_on(job) for job in state.jobs)
    ]
    if cancel_requested or not back:
        return []
    closed_too = [
        _pending(state)
        for state in steps.values()
        if state.status is StepStatus.SKIPPED or _was_closed(state)
    ]
    named = {state.step_id for state in back}
    return back + [state for state in closed_too if state.step_id not in named]


def _was_closed(state: StepRecord) -> bool:
    """Whether the step was ended because its run stopped."""
    return state.status is StepStatus.CANCELLED and state.error is None


def _relied_on(steps: Steps, dependencies: Dependencies) -> set[str]:
    """Ids of steps on which one that has begun depends, be it by way of others."""
    not_begun = (StepStatus.PENDING, StepStatus.SKIPPED)
    queue = [
        step_id
        for step_id, state in steps.items()
        if state.status not in not_begun and not _was_closed(state)
    ]
    found: set[str] = set()
    while queue:
        new = dependencies[queue.pop()] - found
        found |= new
        queue.extend(new)
    return found


def _goes_on(job: ChildJob) -> bool:
    """Whether a job that the run saw fail is at work again, or has completed since."""
    was_bad = job.seen in (JobStatus.FAILED, JobStatus.CANCELLED)
    return was_bad and job.round is not None and (job.is_open or job.is_success)


def _pending(state: StepRecord) -> StepRecord:
    return replace(
        state,
        status=StepStatus.PENDING,
        reason=None,
        outputs=None,
        error=None,
        decision=None,
        deadline=None,
    )


# -- the end


def outcome(pipeline: Pipeline, steps: Steps, halt: Halt | None) -> RunStatus | None:
    """How the run ends; None while a step of it has not."""
    states = list(steps.values())
    if not all(state.status.is_terminal for state in states):
        return None
    if halt is not None:
        if not halt.cancelled:
            return RunStatus.FAILED
        # A cancel that came when all was done has stopped nothing.
        if any(state.status is StepStatus.CANCELLED for state in states):
            return RunStatus.CANCELLED
        if stopped_by(pipeline, steps) is not None:
            return RunStatus.FAILED
    with_errors = (*_BAD, StepStatus.COMPLETED_WITH_ERRORS)
    if any(state.status in with_errors for state in states):
        return RunStatus.COMPLETED_WITH_ERRORS
    return RunStatus.COMPLETED


def wake_at(steps: Iterable[StepRecord]) -> datetime | None:
    """When the run must look again by itself: at the deadline of the next gate."""
    deadlines = [
        state.deadline
        for state in steps
        if state.status is StepStatus.AWAITING_APPROVAL and state.deadline is not None
    ]
    return min(deadlines, default=None)
