"""The check of a pipeline as a whole: everything that is wrong with it, in one go.

`check_document` takes whatever somebody has written, `check` a document that has been read. An
error keeps a pipeline from being run; a warning is something that was probably meant otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from pydantic import BaseModel

from core.errors import FieldError
from core.models.pipeline import GateStep, JobStep, Pipeline
from core.pipelines import graph, inputs, near, structure, types
from core.pipelines.expressions import Expression, ExpressionProblem, TypeProblem, parse
from core.pipelines.inputs import check_inputs
from core.pipelines.parameters import model_of
from core.pipelines.resolving import expressions_in, text_of
from core.pipelines.scopes import JsonSchema, Scopes, outputs_schema
from core.pipelines.types import Type
from core.registry import JobRegistry
from core.schedules import Schedule, ScheduleError

__all__ = ["Check", "check", "check_document", "check_inputs"]


@dataclass(frozen=True, slots=True)
class Check:
    """What came of a check.

    `loc` of errors and warnings is ["steps", ID, FIELD, ...] (the step's place instead, where its
    id is not its own), ["inputs", NAME, ...], ["schedule", ...] or ["layout", ID]. `layers` is
    the order in which steps can run, `outputs` the JSON schema of what each job step gives
    (empty where it is not declared), `dependencies` the steps that each waits for.
    """

    errors: list[FieldError] = field(default_factory=list)
    warnings: list[FieldError] = field(default_factory=list)
    layers: tuple[tuple[str, ...], ...] = ()
    outputs: dict[str, JsonSchema] = field(default_factory=dict)
    dependencies: dict[str, frozenset[str]] = field(default_factory=dict)


def check_document(document: object, jobs: JobRegistry) -> Check:
    """Check any JSON. What is not formed as a pipeline is named, and the rest checked without it.

    Never raises.
    """
    return _check(structure.read(document), jobs)


def check(pipeline: Pipeline, jobs: JobRegistry) -> Check:
    """Check a pipeline against the job types there are. Never raises."""
    return _check(structure.as_read(pipeline), jobs)


def _check(reading: structure.Reading, jobs: JobRegistry) -> Check:
    if reading.pipeline is None:
        return Check(errors=reading.errors)
    return _Checker(reading.pipeline, jobs, reading).check()


class _Checker:
    def __init__(self, pipeline: Pipeline, jobs: JobRegistry, reading: structure.Reading) -> None:
        self._pipeline = pipeline
        self._jobs = jobs
        self._known_jobs = {each.name for each in jobs}
        self._errors = list(reading.errors)
        self._warnings: list[FieldError] = []
        used = {step.job for step in pipeline.steps if isinstance(step, JobStep)}
        declared = {name: jobs.get(name).outputs_schema() or {} for name in used & self._known_jobs}
        self._outputs: dict[str, JsonSchema] = {
            step.id: outputs_schema(step, declared[step.job])
            for step in pipeline.steps
            if isinstance(step, JobStep) and step.job in declared
        }
        self._scopes = Scopes(pipeline, self._outputs, reading.lost_steps, reading.lost_inputs)
        self._reading = reading

    def check(self) -> Check:
        dependencies = graph.dependencies(self._pipeline)
        if not self._pipeline.steps and not any(
            each["loc"][:1] == ["steps"] for each in self._errors
        ):
            self._error(["steps"], "a pipeline has at least one step")
        for name, declared in self._pipeline.inputs.items():
            self._errors += inputs.check_declared(name, declared)
        seen: set[str] = set()
        for step, key in zip(self._pipeline.steps, self._reading.step_keys, strict=True):
            self._check_step(step, key, first=step.id not in seen)
            seen.add(step.id)
        self._check_cycles(dependencies)
        self._check_schedule()
        self._warn(dependencies)
        return Check(
            self._errors,
            self._warnings,
            graph.layers(dependencies),
            self._outputs,
            dependencies,
        )

    def _error(self, loc: list[str | int], message: str) -> None:
        error: FieldError = {"loc": loc, "msg": message}
        if error not in self._errors:
            self._errors.append(error)

    # Steps

    def _check_step(self, step: JobStep | GateStep, key: str | int, *, first: bool) -> None:
        at: list[str | int] = ["steps", key]
        if not first:
            self._error([*at, "id"], f"there is another step {step.id}: each has a name of its own")
        for index, other in enumerate(step.after):
            if other == step.id:
                self._error([*at, "after", index], "a step cannot come after itself")
            elif other not in self._scopes.step_ids:
                hint = near.hint(other, self._scopes.step_ids - {step.id})
                self._error([*at, "after", index], f"there is no step {other}.{hint}")
        if step.when is not None:
            self._check_condition(step, step.when, [*at, "when"])
        if isinstance(step, JobStep):
            item = self._check_for_each(step, at)
            self._check_parameters(step, at, item)

    def _infer(self, step: JobStep | GateStep, item: Type | None, text: str) -> Type:
        """The type of an expression of a step. Raises `ExpressionProblem`."""
        expression = parse(text)
        problems = list(self._unknown_names(step, expression))
        if problems:
            raise TypeProblem(" ".join(problems))
        return expression.type_in(self._scopes.of(step, expression, item))

    def _unknown_names(self, step: JobStep | GateStep, of: Expression) -> Iterator[str]:
        if step.id in of.steps:
            yield f"steps.{step.id} is this step itself: it can only refer to others."
        for name in sorted(of.steps - self._scopes.step_ids):
            hint = near.hint(name, self._scopes.step_ids - {step.id})
            yield f"there is no step {name}.{hint}"
        for name in sorted(of.inputs - self._scopes.input_names):
            yield f"there is no input {name}.{near.hint(name, self._scopes.input_names)}"

    def _type_of(
        self, step: JobStep | GateStep, text: str, loc: list[str | int], wanted: Type
    ) -> Type | None:
        """The type of a text's expression, where it has one that is wanted; else the error is
        told, and there is none."""
        try:
            found = self._infer(step, None, text)
        except ExpressionProblem as problem:
            self._error(loc, problem.message)
            return None
        fault = types.why_not(found, wanted)
        if fault is not None:
            self._error(loc, fault)
            return None
        return found

    def _check_condition(self, step: JobStep | GateStep, text: str, loc: list[str | int]) -> None:
        found = self._type_of(step, text, loc, types.Boolean())
        if found is not None and parse(text).is_constant:
            self._warnings.append({"loc": loc, "msg": "this is the same in every run"})

    def _check_for_each(self, step: JobStep, at: list[str | int]) -> Type | None:
        """The type of its items. `Anything` where the list is at fault: that is told once."""
        if step.for_each is None:
            return None
        loc = [*at, "for_each"]
        found = self._type_of(step, step.for_each, loc, types.List(types.Anything()))
        if found is None:
            return types.Anything()
        return types.union(
            each.item if isinstance(each, (types.List, types.Tuple)) else types.Anything()
            for each in types.members(found)
        )

    def _check_parameters(self, step: JobStep, at: list[str | int], item: Type | None) -> None:
        infer = partial(self._infer, step, item)
        if step.job not in self._known_jobs:
            hint = near.hint(step.job, self._known_jobs)
            self._error([*at, "job"], f"there is no job type {step.job}.{hint}")
            for place, value in expressions_in(step.parameters):
                try:
                    infer(text_of(value))
                except ExpressionProblem as problem:
                    self._error([*at, "parameters", *place], problem.message)
            return
        parameters: type[BaseModel] = self._jobs.get(step.job).parameters
        for place, message in model_of(step.job, parameters).faults(step.parameters, infer):
            self._error([*at, "parameters", *place], message)

    def _check_cycles(self, dependencies: Mapping[str, frozenset[str]]) -> None:
        for way in graph.cycles(dependencies):
            after = ["after"] if way[-2] in self._pipeline.step(way[0]).after else []
            self._error(
                ["steps", way[0], *after],
                f"these steps wait for each other, and none can begin: {' -> '.join(way)}",
            )

    # The rest

    def _check_schedule(self) -> None:
        schedule = self._pipeline.schedule
        if schedule is None:
            return
        if len(schedule.cron.split()) == 6:
            message = "write five fields: minute, hour, day of month, month, day of week"
            self._error(["schedule", "cron"], message)
        else:
            try:
                Schedule.parse(schedule.cron)
            except ScheduleError as error:
                self._error(["schedule", "cron"], str(error))
        _, errors = inputs.complete(self._pipeline.inputs, schedule.inputs)
        for each in errors:
            if each["loc"][0] not in self._reading.lost_inputs:
                self._error(["schedule", "inputs", *each["loc"]], each["msg"])

    def _warn(self, dependencies: Mapping[str, frozenset[str]]) -> None:
        def warn(loc: list[str | int], message: str) -> None:
            self._warnings.append({"loc": loc, "msg": message})

        expressions = (each for step in self._pipeline.steps for each in graph.expressions_of(step))
        used = frozenset[str]().union(*(each.inputs for each in expressions))
        for name in self._pipeline.inputs:
            if name not in used:
                warn(["inputs", name], "no step uses this input")
        waited_for = frozenset[str]().union(*dependencies.values())
        for step in self._pipeline.steps:
            if isinstance(step, GateStep) and step.id not in waited_for:
                warn(["steps", step.id], "nothing comes after this gate: its decision holds up "
                     "only the end of the run")  # fmt: skip
        for name in self._pipeline.layout:
            if name not in self._scopes.step_ids:
                warn(["layout", name], "there is no such step: its place is not used")
