"""A step's parameters with their expressions replaced by values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import FieldError, InvalidParameters
from core.models.pipeline import EXPRESSION
from core.pipelines.expressions import ExpressionError, ExpressionProblem, parse

Place = tuple[str | int, ...]


def is_expression(value: object) -> bool:
    """Whether an expression is meant here: an object that says `$expr`, rightly written or not."""
    return isinstance(value, Mapping) and EXPRESSION in value


def text_of(value: Mapping[str, Any]) -> str:
    """The text of `{"$expr": TEXT}`. Raises `ExpressionError` where it is otherwise."""
    text = value[EXPRESSION]
    if not isinstance(text, str):
        raise ExpressionError(
            f"the expression must be a text in quotes, not {json.dumps(text)[:60]}"
        )
    if len(value) > 1:
        others = ", ".join(sorted(str(name) for name in value if name != EXPRESSION))
        raise ExpressionError(f"an expression stands alone: nothing may stand beside it ({others})")
    return text


def expressions_in(value: object, at: Place = ()) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every `{"$expr": ...}` within a value, with the path to it."""
    if isinstance(value, Mapping):
        if is_expression(value):
            yield at, value
            return
        for name, each in value.items():
            yield from expressions_in(each, (*at, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from expressions_in(each, (*at, index))


def resolve(parameters: Mapping[str, Any], scope: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with the value of each expression in its place.

    Raises `InvalidParameters`, which names every place whose expression has no value.
    """
    errors: list[FieldError] = []
    resolved = {name: _resolved(each, scope, (name,), errors) for name, each in parameters.items()}
    if errors:
        named = ", ".join(".".join(map(str, each["loc"])) for each in errors)
        first = errors[0]["msg"]
        raise InvalidParameters(f"There is no value for {named}: {first}", errors)
    return resolved


def _resolved(value: Any, scope: Mapping[str, Any], at: Place, errors: list[FieldError]) -> Any:
    if is_expression(value):
        try:
            return parse(text_of(value)).evaluate(scope)
        except ExpressionProblem as problem:
            errors.append({"loc": list(at), "msg": problem.message})
        return None
    if isinstance(value, Mapping):
        return {name: _resolved(each, scope, (*at, name), errors) for name, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, scope, (*at, i), errors) for i, each in enumerate(value)]
    return value
