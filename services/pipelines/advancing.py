"""A turn of a run: look at its jobs, settle steps, begin others, and say when to look again.

One transaction under the lock of the run's row, so turns never overlap, and one that is repeated
finds done what it did before. What can only follow the commit (to start and to cancel jobs) is
handed back; should it be lost, the engine's reconciler starts the jobs, and the next turn names
again what is to be cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

from core.models.pipeline import GateStep, JobStep, Pipeline, RunStatus, StepStatus
from core.models.pipeline_run import ChildJob, RunRecord, StepRecord
from core.pipelines import graph
from infrastructure import database
from infrastructure import pipeline_runs_repository as pipeline_runs
from infrastructure.database import Connection
from services.pipelines import beginning, deciding, launching
from services.pipelines.beginning import StepFault
from services.pipelines.launching import Launch, Launched


class Verdict(TypedDict):
    """wait: until the event of this turn, or for so many seconds at most. end: the run is over."""

    next: Literal["wait", "end"]
    status: str
    turn: int
    wake_in_seconds: float | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of a turn: the verdict, and what is left to do after the commit."""

    verdict: Verdict
    to_start: list[str] = field(default_factory=list)
    to_cancel: list[str] = field(default_factory=list)


def advance(run_id: str) -> Turn:
    """Take a turn of a run. Doing so at any moment is harmless; once it has ended nothing changes.

    Raises `NotFound` for an unknown run.
    """
    with database.transaction() as connection:
        run = pipeline_runs.get(connection, run_id, lock=True)
        if run.status.is_terminal:
            return Turn(_verdict(run, "end", run.turn))
        document = pipeline_runs.document(connection, run.name, run.version)
        pipeline = Pipeline.model_validate(document)
        turn = _Turn(connection, run, pipeline, _steps(connection, run_id, pipeline))
        launched = turn.take()
        taken = turn.result(launched, turn.write())
    launched.announce()
    return taken


def _steps(connection: Connection, run_id: str, pipeline: Pipeline) -> dict[str, StepRecord]:
    """The run's steps. Of those that have succeeded only such have their outputs as a step
    that has not refers to: the others' may be megabytes that nobody looks at.
    """
    steps = pipeline_runs.steps(connection, run_id)
    succeeded = {step_id for step_id, state in steps.items() if state.status.is_success}
    referred = {
        name
        for step in pipeline.steps
        if step.id not in succeeded
        for expression in graph.expressions_of(step)
        for name in expression.steps
    }
    outputs = pipeline_runs.outputs(connection, run_id, sorted(referred & succeeded))
    return steps | {name: replace(steps[name], outputs=each) for name, each in outputs.items()}


class _Turn:
    """One turn, while its transaction is open."""

    def __init__(
        self,
        connection: Connection,
        run: RunRecord,
        pipeline: Pipeline,
        steps: dict[str, StepRecord],
    ) -> None:
        self._connection = connection
        self._run = run
        self._pipeline = pipeline
        self._before = dict(steps)
        self._steps = steps
        self._dependencies = graph.dependencies(pipeline)

    def take(self) -> Launched:
        """Bring every step as far as it comes now."""
        cancelled = self._run.cancel_requested
        self._put(deciding.revived(self._steps, self._dependencies, cancel_requested=cancelled))
        launches = None
        while launches is None:  # or a step failed by the parameters of its jobs: look again
            while self._settle() or self._begin():
                pass
            launches = self._launches()
        return launching.launch(
            self._connection, self._run.run_id, launches, self._steps, self._run.resumes
        )

    @property
    def _halt(self) -> deciding.Halt | None:
        return deciding.halt_of(
            self._pipeline, self._steps, cancel_requested=self._run.cancel_requested
        )

    def _put(self, changed: list[StepRecord]) -> bool:
        self._steps.update({state.step_id: state for state in changed})
        return bool(changed)

    def _settle(self) -> bool:
        """End what has ended, close what will not begin; whether there was anything."""
        halt = self._halt
        ended: list[StepRecord] = []
        for step in self._pipeline.steps:
            state = self._steps[step.id]
            if isinstance(step, GateStep):
                end = deciding.gate_end(state, self._run.read_at, halt)
            else:
                end = deciding.job_ends(step, state, rounds=self._run.resumes, halt=halt)
                if end is not None:
                    end = self._with_ends_of_jobs(step, end)
            if end is not None:
                ended.append(end)
        return self._put(ended) or self._put(deciding.closed(self._steps, self._halt))

    def _with_ends_of_jobs(self, step: JobStep, state: StepRecord) -> StepRecord:
        """A step that ends, with the outputs of its jobs and the error of the one that failed."""
        jobs = deciding.jobs_of(state)
        ends = pipeline_runs.ends(self._connection, [job.job_id for job in jobs])
        results = [ends[job.job_id].result for job in jobs if job.is_success]
        outputs: Any = results if step.for_each is not None else next(iter(results), None)
        state = replace(state, outputs=outputs)
        if state.error is None or "job_id" not in state.error:
            return state
        cause = ends[state.error["job_id"]].error
        if cause is None:
            return state
        why = cause.get("message", "")
        message = f"{state.error['message'].removesuffix('.')}: {why}"
        return replace(state, error={**state.error, "message": message, "cause": cause})

    def _begin(self) -> bool:
        """Begin, or skip, what is ready; whether there was anything."""
        ready = deciding.ready(self._steps, self._dependencies)
        if not ready:
            return False
        scope = beginning.scope_of(self._run, self._pipeline, self._steps)
        for step_id in ready:
            step, state = self._pipeline.step(step_id), self._steps[step_id]
            self._steps[step_id] = deciding.skipped(
                step, self._steps, self._dependencies
            ) or beginning.begun(
                step, state, scope, now=self._run.read_at, rounds=self._run.resumes
            )
        return True

    def _launches(self) -> list[Launch] | None:
        """The jobs that begin now; None where a step has failed over their parameters. It begins
        no more of them, and ends once those that are under way have.
        """
        halt = self._halt
        launches: list[Launch] = []
        scope = beginning.scope_of(self._run, self._pipeline, self._steps)
        for step in self._pipeline.steps:
            if not isinstance(step, JobStep):
                continue
            state = self._steps[step.id]
            indexes = deciding.to_launch(step, state, rounds=self._run.resumes, halt=halt)
            try:
                for index in indexes:
                    job = beginning.prepared(step, state, index, scope)
                    launches.append(Launch(step, index, job))
            except StepFault as fault:
                self._steps[step.id] = replace(state, error=fault.record)
                return None
        return launches

    def write(self) -> int:
        """Write what has changed; the number of the turn."""
        changed = [state for state in self._steps.values() if state != self._before[state.step_id]]
        run_id = self._run.run_id
        pipeline_runs.save_steps(
            self._connection,
            run_id,
            # A step of 500 items that only sends off the next of its jobs is not written anew.
            [
                (state, self._begins(state))
                for state in changed
                if _without_jobs(state) != _without_jobs(self._before[state.step_id])
            ],
        )
        pipeline_runs.mark_jobs(
            self._connection,
            [
                job
                for state in self._steps.values()
                for job in _moved(self._before[state.step_id], state)
            ],
        )
        number = pipeline_runs.take_turn(self._connection, run_id, progress=bool(changed))
        status = deciding.outcome(self._pipeline, self._steps, self._halt)
        if status is not None:
            error = self._error() if status is RunStatus.FAILED else None
            pipeline_runs.finish(self._connection, run_id, status, error)
        return number

    def _error(self) -> dict[str, Any] | None:
        """Why the run failed: the error of the step that stopped it, with its id."""
        stopped = deciding.stopped_by(self._pipeline, self._steps)
        return None if stopped is None else {**(stopped.error or {}), "step": stopped.step_id}

    def _begins(self, state: StepRecord) -> bool:
        return self._before[state.step_id].status is StepStatus.PENDING and state.status not in (
            StepStatus.PENDING,
            StepStatus.SKIPPED,
            StepStatus.CANCELLED,
        )

    def result(self, launched: Launched, number: int) -> Turn:
        """What the orchestration is told, and what is left to do after the commit."""
        run = pipeline_runs.get(self._connection, self._run.run_id)
        to_cancel = deciding.to_cancel(self._steps, cancel_requested=run.cancel_requested)
        if run.status.is_terminal:
            return Turn(_verdict(run, "end", number), launched.job_ids, to_cancel)
        wake_at = deciding.wake_at(self._steps.values())
        wake_in = None if wake_at is None else max((wake_at - run.read_at).total_seconds(), 0.0)
        return Turn(_verdict(run, "wait", number, wake_in), launched.job_ids, to_cancel)


def _without_jobs(state: StepRecord) -> StepRecord:
    """What is written of a step: its jobs have rows of their own."""
    return replace(state, jobs=())


def _moved(before: StepRecord, after: StepRecord) -> list[ChildJob]:
    """The jobs of a step that are other than at the last turn, as they are seen now.

    Those that were made in this turn are written already. Those that were replaced in it are seen
    for the last time: an end of which no turn has taken note calls for the next one for ever.
    """
    known = {job.job_id: job for job in before.jobs}
    kept = {job.job_id for job in after.jobs}
    replaced = [job for job in before.jobs if job.job_id not in kept]
    return [
        replace(job, seen=job.status)
        for job in (*after.jobs, *replaced)
        if job.seen != job.status or known.get(job.job_id, job) != job
    ]


def _verdict(
    run: RunRecord, next_: Literal["wait", "end"], turn: int, wake_in: float | None = None
) -> Verdict:
    return {
        "next": next_,
        "status": run.status.value,
        "turn": turn,
        "wake_in_seconds": wake_in,
    }
