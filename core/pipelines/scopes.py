"""What the names in a step's expressions stand for, as types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from core.models.pipeline import GateStep, JobStep, Pipeline, StepStatus
from core.pipelines import inputs, types
from core.pipelines.expressions import Expression, TypeScope
from core.pipelines.types import Object, Property, Type

JsonSchema = dict[str, Any]

_RUN: Final = Object({"id": Property(types.Text()), "date": Property(types.Text(format="date"))})
_STATUS: Final = types.Text(tuple(each.value for each in StepStatus if each.is_terminal))
_DECISION: Final = types.Text(("approved", "rejected"))


def outputs_schema(step: JobStep, declared: JsonSchema) -> JsonSchema:
    """The JSON schema of what a step gives, of which `declared` is that of one job's result: of
    the same, or of a list of them."""
    if step.for_each is None:
        return declared
    definitions = {"$defs": declared["$defs"]} if "$defs" in declared else {}
    item = {name: part for name, part in declared.items() if name != "$defs"}
    return {"type": "array", "items": item, **definitions}


class Scopes:
    """The types of the names of one pipeline.

    `unreadable` are steps that are there but cannot be understood: anything may come of them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        outputs: Mapping[str, JsonSchema],
        unreadable: Collection[str] = (),
        unreadable_inputs: Collection[str] = (),
    ) -> None:
        self._steps = {step.id: step for step in pipeline.steps}
        self._outputs = {step: types.from_schema(schema) for step, schema in outputs.items()}
        self._unreadable = frozenset(unreadable)
        self._inputs = {
            **{name: Property(types.Anything()) for name in unreadable_inputs},
            **{name: Property(inputs.type_of(each)) for name, each in pipeline.inputs.items()},
        }

    @property
    def step_ids(self) -> frozenset[str]:
        return self._unreadable | self._steps.keys()

    @property
    def input_names(self) -> frozenset[str]:
        return frozenset(self._inputs)

    def of(self, step: JobStep | GateStep, expression: Expression, item: Type | None) -> TypeScope:
        """The scope of one of a step's expressions. `item` is the type of the values of its
        for_each, None where there are none or they are not known yet."""
        steps = {
            each: Property(self._step_type(each, reader=step))
            for each in expression.steps & self.step_ids
        }
        scope: dict[str, Type] = {
            "inputs": Object(self._inputs),
            "steps": Object(steps),
            "run": _RUN,
        }
        if item is not None:
            scope["item"] = item
            scope["item_index"] = types.Number(whole=True)
        return scope

    def _step_type(self, step_id: str, reader: JobStep | GateStep) -> Type:
        step = self._steps.get(step_id)
        if step is None or step_id == reader.id:
            return types.Anything()

        def left(kind: Type) -> Property:
            # A step that runs in any case may follow one that has left nothing.
            return Property(_or_null(kind) if reader.needs == "end" else kind)

        if isinstance(step, GateStep):
            return Object(
                {
                    "decision": left(_DECISION),
                    "note": Property(_or_null(types.Text())),
                    "status": Property(_STATUS),
                }
            )
        outputs = left(self._outputs.get(step_id, types.Anything()))
        if step.for_each is not None:
            return Object({"outputs": outputs, "status": Property(_STATUS)})
        return Object(
            {"outputs": outputs, "status": Property(_STATUS), "job_id": left(types.Text())}
        )


def _or_null(kind: Type) -> Type:
    return types.union([kind, types.Null()])
