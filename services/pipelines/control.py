"""Cancel, resume, and the decision of a gate: what people ask of a run that is there.

Each writes what was asked for in one transaction; the caller then tells the run's orchestration
(`starting.tell`), or after a resume starts it (`starting.start`).
"""

from __future__ import annotations

from typing import Any

from core.errors import Conflict, NotFound
from core.models.pipeline import GateStep, Pipeline, RunStatus, StepStatus
from core.models.pipeline_run import Decision, RunRecord
from core.times import iso_utc
from infrastructure import database
from infrastructure import pipeline_runs_repository as pipeline_runs
from services.pipelines import deciding

_RESUMABLE = (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.COMPLETED_WITH_ERRORS)


def cancel(run_id: str) -> None:
    """Stop a run: no step of it begins any more, its jobs are cancelled and its gates closed.

    Raises `NotFound`, or `Conflict` (run_ended) where the run has ended.
    """
    with database.transaction() as connection:
        run = pipeline_runs.get(connection, run_id, lock=True)
        if not pipeline_runs.request_cancel(connection, run_id):
            raise _ended(run)


def resume(run_id: str) -> list[str]:
    """Put the steps that failed, were cancelled or were not reached back; their ids.

    Completed steps keep their outputs, and jobs that completed are not run again. Raises
    `NotFound`, or `Conflict` (not_resumable) where the run is under way or has nothing to resume.
    """
    with database.transaction() as connection:
        run = pipeline_runs.get(connection, run_id, lock=True)
        if run.status not in _RESUMABLE:
            raise _not_resumable(run, f"it is {_words(run.status)}")
        steps = deciding.put_back(pipeline_runs.steps(connection, run_id))
        if not steps:
            raise _not_resumable(run, "nothing of it failed or was cancelled")
        pipeline_runs.save_steps(connection, run_id, [(step, False) for step in steps])
        pipeline_runs.reopen(connection, run_id)
    return [step.step_id for step in steps]


def decide(
    run_id: str,
    step_id: str,
    decision: Decision,
    by: str | None = None,
    note: str | None = None,
) -> None:
    """Decide a gate that is open: approved, and the run goes on behind it; or rejected, and the
    step fails.

    Raises `NotFound` for an unknown run or step, and `Conflict`: not_a_gate, or not_awaiting
    where the gate is not open (yet, or any more).
    """
    with database.transaction() as connection:
        run = pipeline_runs.get(connection, run_id, lock=True)
        steps = pipeline_runs.steps(connection, run_id)
        if step_id not in steps:
            raise NotFound(
                f"The run has no step {step_id!r}.",
                code="unknown_step",
                run_id=run_id,
                step_id=step_id,
            )
        document = pipeline_runs.document(connection, run.name, run.version)
        gate = Pipeline.model_validate(document).step(step_id)
        if not isinstance(gate, GateStep):
            raise Conflict(
                f"The step {step_id!r} is a job, about which nobody decides.",
                code="not_a_gate",
                step_id=step_id,
            )
        step = steps[step_id]
        closed = step.deadline is not None and step.deadline <= run.read_at
        if step.status is not StepStatus.AWAITING_APPROVAL or run.cancel_requested or closed:
            raise Conflict(
                f"Nothing is to be decided at {step_id!r}: {_state(step.status, closed=closed)}.",
                code="not_awaiting",
                step_id=step_id,
                step_status=step.status.value,
            )
        made: dict[str, Any] = {
            "decision": decision,
            "by": by,
            "note": note,
            "at": iso_utc(run.read_at),
        }
        pipeline_runs.save_steps(connection, run_id, [(deciding.decided(step, made), False)])
        pipeline_runs.note_news(connection, run_id)


def _state(status: StepStatus, *, closed: bool) -> str:
    if status is StepStatus.PENDING:
        return "the run has not come there yet"
    if status is StepStatus.AWAITING_APPROVAL:
        return "its time is over" if closed else "the run is being cancelled"
    return f"it is {_words(status)}"


def _words(status: RunStatus | StepStatus) -> str:
    return status.value.replace("_", " ")


def _ended(run: RunRecord) -> Conflict:
    return Conflict(
        f"The run has ended: it is {_words(run.status)}.",
        code="run_ended",
        run_status=run.status.value,
    )


def _not_resumable(run: RunRecord, why: str) -> Conflict:
    return Conflict(
        f"The run cannot be resumed: {why}.", code="not_resumable", run_status=run.status.value
    )
