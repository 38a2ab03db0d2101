"""A run that is not begun: which steps there would be, in which order, with which parameters.

What follows from the inputs alone is worked out and checked as the engine would; what depends on
the outputs of other steps is shown as it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from core.addresses import without_secrets
from core.errors import FieldError, InvalidParameters
from core.models.pipeline import MAX_ITEMS, GateStep, JobStep
from core.pipelines import checking, graph, resolving
from core.pipelines.expressions import ExpressionProblem, parse
from core.registry import registry
from infrastructure import database, pipelines_repository
from services.orchestration import submission
from services.pipelines import runs

JsonObject = dict[str, Any]

# What stands for the id of a run that there is not.
_NO_RUN = "0" * 64


def plan(name: str, inputs: Mapping[str, Any], *, version: int | None = None) -> JsonObject:
    """The plan of a run with these inputs: {name, version, inputs, layers, steps}.

    Each step has {id, title, kind, depends_on, when, begins, job_type, jobs_total, parameters,
    message}: `begins` says whether it begins if nothing fails and every gate is approved, null
    where that is not known yet; `jobs_total` is null where it depends on other steps. Nothing is
    written. Raises `NotFound`, and `InvalidParameters` for a draft that cannot be run, for inputs,
    and for parameters that no job would take.
    """
    with database.transaction() as connection:
        stored = pipelines_repository.get_version(connection, name, version)
    pipeline = runs.runnable(stored)
    given = checking.check_inputs(pipeline, inputs)
    dependencies = graph.dependencies(pipeline)
    layers = graph.layers(dependencies)
    scope: JsonObject = {
        "inputs": given,
        "steps": {},
        "run": {"id": _NO_RUN, "date": datetime.now(UTC).date().isoformat()},
    }
    errors: list[FieldError] = []
    steps: dict[str, JsonObject] = {}
    for step_id in (each for layer in layers for each in layer):
        step = pipeline.step(step_id)
        before = sorted(dependencies[step_id])
        begins = _begins(step, [steps[each]["begins"] for each in before], scope, errors)
        steps[step_id] = {
            "id": step_id,
            "title": step.title,
            "kind": step.kind,
            "depends_on": before,
            "when": step.when,
            "begins": begins,
            **_work(step, scope, errors, begins=begins),
        }
    if errors:
        raise InvalidParameters(
            f"The run would fail: {errors[0]['msg']}", errors, code="run_would_fail"
        )
    return {
        "name": stored.name,
        "version": stored.version,
        "inputs": without_secrets(given),
        "layers": layers,
        "steps": list(steps.values()),
    }


def _begins(
    step: JobStep | GateStep,
    before: list[bool | None],
    scope: Mapping[str, Any],
    errors: list[FieldError],
) -> bool | None:
    """Whether the step begins if nothing fails; None where that is not known yet."""
    needed = before if step.needs == "success" else []
    known = _evaluated(step.when, scope, ["steps", step.id, "when"], errors) if step.when else None
    own = None if step.when and known is None else known is None or bool(known[0])
    if own is False or False in needed:
        return False
    return None if None in (own, *needed) else True


def _work(
    step: JobStep | GateStep,
    scope: Mapping[str, Any],
    errors: list[FieldError],
    *,
    begins: bool | None,
) -> JsonObject:
    """The jobs of a step as far as they are known; what they would fail with goes to `errors`."""
    if isinstance(step, GateStep):
        return {"job_type": None, "jobs_total": 0, "parameters": None, "message": step.message}
    # Of what never begins no expression need have a value.
    faults: list[FieldError] = [] if begins is False else errors
    items = _items(step, scope, faults)
    total = None if items is None else len(items)
    return {
        "job_type": step.job,
        "jobs_total": 0 if begins is False else total,
        "parameters": without_secrets(_parameters(step, items, scope, faults)),
        "message": None,
    }


def _items(step: JobStep, scope: Mapping[str, Any], errors: list[FieldError]) -> list[Any] | None:
    """The values that the step runs for: one None for a single job; None where unknown yet."""
    if step.for_each is None:
        return [None]
    at: list[str | int] = ["steps", step.id, "for_each"]
    known = _evaluated(step.for_each, scope, at, errors)
    if known is None:
        return None
    [items] = known
    if not isinstance(items, list):
        errors.append({"loc": at, "msg": "is no list"})
        return None
    if len(items) > MAX_ITEMS:
        errors.append({"loc": at, "msg": f"has {len(items)} values; at most {MAX_ITEMS} may be"})
        return None
    return items


def _parameters(
    step: JobStep,
    items: list[Any] | None,
    scope: Mapping[str, Any],
    errors: list[FieldError],
) -> JsonObject:
    """The step's parameters, of its first job: with values where they are known, else as they are
    written. Where all are known, those of each job are checked."""
    scopes = [{**scope, "item": item, "item_index": i} for i, item in enumerate(items or ())]
    if not scopes or any(parse(text).steps for text in _texts(step.parameters)):
        first = scopes[0] if scopes else scope
        return {
            name: _as_far_as_known(value, first, bool(scopes))
            for name, value in step.parameters.items()
        }
    found: list[JsonObject] = []
    for each in scopes:
        try:
            found.append(resolving.resolve(step.parameters, each))
            submission.validate(registry.get(step.job), found[-1])
        except InvalidParameters as error:
            errors.extend(
                {"loc": ["steps", step.id, "parameters", *fault["loc"]], "msg": fault["msg"]}
                for fault in error.errors
            )
            return dict(step.parameters)
    return found[0]


def _as_far_as_known(value: Any, scope: Mapping[str, Any], has_item: bool) -> Any:
    """The value with those of its expressions worked out that refer to no step."""
    if resolving.is_expression(value):
        expression = parse(resolving.text_of(value))
        if expression.steps or (expression.uses_item and not has_item):
            return value
        try:
            return expression.evaluate(scope)
        except ExpressionProblem:
            return value
    if isinstance(value, Mapping):
        return {name: _as_far_as_known(each, scope, has_item) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_far_as_known(each, scope, has_item) for each in value]
    return value


def _texts(parameters: Mapping[str, Any]) -> Iterator[str]:
    for _, expression in resolving.expressions_in(parameters):
        yield resolving.text_of(expression)


def _evaluated(
    text: str, scope: Mapping[str, Any], at: list[str | int], errors: list[FieldError]
) -> tuple[Any] | None:
    """The value of an expression, in a tuple; None where it refers to steps, or has none."""
    expression = parse(text)
    if expression.steps:
        return None
    try:
        return (expression.evaluate(scope),)
    except ExpressionProblem as problem:
        errors.append({"loc": at, "msg": problem.message})
        return None
