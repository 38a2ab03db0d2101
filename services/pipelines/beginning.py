"""How a step begins: its condition, its items, and the parameters of each of its jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from core.errors import FieldError, GeoforgeError, InvalidParameters
from core.models.pipeline import MAX_ITEMS, GateStep, JobStep, Pipeline, StepStatus
from core.models.pipeline_run import ChildJob, RunRecord, StepRecord
from core.pipelines.expressions import ExpressionProblem, parse
from core.pipelines.resolving import resolve
from core.registry import registry
from services.orchestration import submission
from services.orchestration.submission import Checked
from services.pipelines import deciding
from services.pipelines.deciding import Steps

Scope = Mapping[str, Any]


class StepFault(Exception):
    """A step cannot begin; `record` is its error."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record["message"])
        self.record = record


def scope_of(run: RunRecord, pipeline: Pipeline, steps: Steps) -> dict[str, Any]:
    """What the expressions of a run's steps may refer to, as it is now."""
    return {
        "inputs": run.inputs,
        "steps": {step.id: _seen_by_others(step, steps[step.id]) for step in pipeline.steps},
        "run": {"id": run.run_id, "date": run.created_at.astimezone(UTC).date().isoformat()},
    }


def _seen_by_others(step: JobStep | GateStep, state: StepRecord) -> dict[str, Any]:
    seen: dict[str, Any] = {"status": state.status.value, "outputs": state.outputs}
    if isinstance(step, GateStep):
        decision = state.decision or {}
        return {**seen, "decision": decision.get("decision"), "note": decision.get("note")}
    if step.for_each is None:
        seen["job_id"] = state.jobs[0].job_id if state.jobs else None
    return seen


def begun(
    step: JobStep | GateStep, state: StepRecord, scope: Scope, *, now: datetime, rounds: int
) -> StepRecord:
    """A step that is ready, as it begins: running or awaiting approval; skipped where its
    condition is false; completed where it has no items; failed where it cannot begin.

    The parameters of all its jobs are checked before the first of them is submitted. Where it
    has jobs from before a resume, those whose parameters are still the same are gone on with.
    """
    try:
        if step.when is not None and not _condition(step.id, step.when, scope):
            return deciding.skip(state, deciding.NOT_MET)
        if isinstance(step, GateStep):
            hours = step.timeout_hours
            deadline = None if hours is None else now + timedelta(hours=hours)
            return replace(state, status=StepStatus.AWAITING_APPROVAL, deadline=deadline)
        items = _items(step, scope)
        total = 1 if items is None else len(items)
        state = replace(state, items=items, items_total=total)
        keys = [prepared(step, state, index, scope).key for index in range(total)]
    except StepFault as fault:
        return replace(state, status=StepStatus.FAILED, error=fault.record)
    if not keys:
        return replace(state, status=StepStatus.COMPLETED, outputs=[])
    jobs = tuple(_kept(job, keys, rounds) for job in state.jobs)
    return replace(state, status=StepStatus.RUNNING, jobs=jobs)


def _condition(step_id: str, text: str, scope: Scope) -> bool:
    value = _evaluated(step_id, "when", text, scope)
    if not isinstance(value, bool):
        found = "nothing" if value is None else f"{value!r:.60}"
        raise _fault(step_id, ["when"], f"its condition gave {found}, not true or false")
    return value


def _items(step: JobStep, scope: Scope) -> list[Any] | None:
    if step.for_each is None:
        return None
    items = _evaluated(step.id, "for_each", step.for_each, scope)
    if not isinstance(items, list):
        found = "nothing" if items is None else f"{items!r:.60}"
        raise _fault(step.id, ["for_each"], f"it gave {found}, not a list")
    if len(items) > MAX_ITEMS:
        raise _fault(
            step.id,
            ["for_each"],
            f"it gave {len(items):,} values, and a step may have {MAX_ITEMS} jobs at most",
        )
    return items


def _evaluated(step_id: str, field: str, text: str, scope: Scope) -> Any:
    try:
        return parse(text).evaluate(scope)
    except ExpressionProblem as problem:
        raise _fault(step_id, [field], problem.message, code="expression_failed") from problem


def prepared(step: JobStep, state: StepRecord, index: int, scope: Scope) -> Checked:
    """The parameters of the job of one item of a step. Raises `StepFault`, which names them."""
    if state.items is not None:
        scope = {**scope, "item": state.items[index], "item_index": index}
    try:
        definition = registry.get(step.job)
        return submission.check(definition, resolve(step.parameters, scope))
    except InvalidParameters as error:
        raise _invalid(step, state, index, error.errors) from error
    except GeoforgeError as error:
        raise _fault(step.id, ["job"], error.message, code=error.error_code) from error


def _invalid(
    step: JobStep, state: StepRecord, index: int, errors: Iterable[FieldError]
) -> StepFault:
    faults: list[FieldError] = [
        {"loc": ["steps", step.id, "parameters", *each["loc"]], "msg": each["msg"]}
        for each in errors
    ]
    first = faults[0]
    name = ".".join(map(str, first["loc"][3:])) or "parameters"
    item = "" if state.items is None else f", for item {index}"
    message = f"Step {step.id} cannot begin{item}: {name}: {first['msg']}"
    record: dict[str, Any] = {
        "code": "invalid_parameters",
        "message": message,
        "parameter": name,
        "errors": faults,
    }
    return StepFault(record if state.items is None else {**record, "item_index": index})


def _fault(step_id: str, at: list[str | int], why: str, *, code: str = "invalid_step") -> StepFault:
    message = f"Step {step_id} cannot begin: {'.'.join(map(str, at))}: {why}"
    errors = [{"loc": ["steps", step_id, *at], "msg": why}]
    return StepFault({"code": code, "message": message, "errors": errors})


def _kept(job: ChildJob, keys: list[str], rounds: int) -> ChildJob:
    """A job from before a resume: with its round, or with none where it is of no use any more."""
    if job.item_index >= len(keys) or job.submission_key != keys[job.item_index]:
        return replace(job, round=None)
    if job.is_open or job.is_success:
        return replace(job, round=rounds)
    return job
