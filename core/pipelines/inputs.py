"""The inputs of a pipeline: what they are declared as, and what a run is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from core import jsonb
from core.errors import FieldError, InvalidParameters
from core.models.pipeline import Input, Pipeline
from core.pipelines import near, types
from core.pipelines.types import Type

Place = tuple[str | int, ...]

_SCALARS: Final[Mapping[str, Type]] = {
    "string": types.Text(),
    "integer": types.Number(whole=True),
    "number": types.Number(),
    "boolean": types.Boolean(),
}


def value_type(declared: Input) -> Type:
    """The type of the values that it takes. Choices of a list are those of each of its values."""
    kind = _SCALARS[declared.items or declared.type]
    if declared.choices:
        fitting = [each for each in map(types.type_of, declared.choices)
                   if types.why_not(each, kind) is None]  # fmt: skip
        kind = types.union(fitting) if fitting else kind
    return types.List(kind) if declared.type == "list" else kind


def type_of(declared: Input) -> Type:
    """The type that expressions see: null too, where a run may be given no value."""
    kind = value_type(declared)
    if declared.required or declared.default is not None:
        return kind
    return types.union([kind, types.Null()])


def check_declared(name: str, declared: Input) -> Iterator[FieldError]:
    """Choices of another type than the input's, and a default that it does not take itself."""
    kind = _SCALARS[declared.items or declared.type]
    for index, choice in enumerate(declared.choices or []):
        fault = types.why_not(types.type_of(choice), kind)
        if fault is not None:
            yield {"loc": ["inputs", name, "choices", index], "msg": fault}
    if declared.default is not None:
        for at, fault in faults_of(declared, declared.default):
            yield {"loc": ["inputs", name, "default", *at], "msg": fault}


def faults_of(declared: Input, value: object) -> Iterator[tuple[Place, str]]:
    """What of a value its input does not take: where in it, and why."""
    try:
        jsonb.encode(value)
    except ValueError as error:
        yield (), f"this cannot be kept: {error}"
        return
    kind = value_type(declared)
    if isinstance(kind, types.List) and isinstance(value, list):
        for index, each in enumerate(value):
            fault = types.why_not(types.type_of(each), kind.item)
            if fault is not None:
                yield (index,), fault
        return
    fault = types.why_not(types.type_of(value), kind)
    if fault is not None:
        yield (), fault


def complete(
    declared: Mapping[str, Input], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[FieldError]]:
    """The values of a run, with defaults where it is given none (or null), and what is wrong with
    them: `loc` begins with the input's name."""
    errors: list[FieldError] = []
    values: dict[str, Any] = {}
    for name, each in declared.items():
        value = given.get(name)
        if value is not None:
            errors += [{"loc": [name, *at], "msg": fault} for at, fault in faults_of(each, value)]
        elif each.required:
            errors.append({"loc": [name], "msg": "a value is required"})
        values[name] = each.default if value is None else value
    for name in given:
        if name not in declared:
            message = f"there is no input {name}.{near.hint(name, declared)}"
            errors.append({"loc": [name], "msg": message})
    return values, errors


def check_inputs(pipeline: Pipeline, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a run, complete: defaults stand where none, or null, is given.

    Raises `InvalidParameters` with `loc` ["inputs", NAME, ...] for each that is missing, unknown
    or not as declared.
    """
    values, errors = complete(pipeline.inputs, inputs)
    if errors:
        named = ", ".join(dict.fromkeys(str(each["loc"][0]) for each in errors))
        raise InvalidParameters(
            f"The inputs of {pipeline.name} are not valid: {named}.",
            [{"loc": ["inputs", *each["loc"]], "msg": each["msg"]} for each in errors],
        )
    return values
