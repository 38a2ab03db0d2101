"""The parameters of a job step, held against the job's own model before anything runs.

Parameters without any expression are validated as a submission is. Where some are expressions,
the others still pass through the model, of whose complaints those count that are about them; the
expressions are held against the JSON schema of their places by type. What a model checks of
several parameters together is known only when the values are: the job's submission checks it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import AliasChoices, BaseModel, ValidationError

from core import jsonb
from core.pipelines import near, places, types
from core.pipelines.expressions import ExpressionProblem, parse
from core.pipelines.places import Infer
from core.pipelines.resolving import Place, expressions_in, is_expression, text_of
from core.pipelines.types import Type

Fault = tuple[Place, str]


@lru_cache(maxsize=256)
def model_of(job: str, model: type[BaseModel]) -> ParameterModel:
    """The parameters of a job type: read once, as live checks ask for them again and again."""
    return ParameterModel(job, model)


class ParameterModel:
    """A job type's parameters: the names that it knows them by, and the types of their places."""

    def __init__(self, job: str, model: type[BaseModel]) -> None:
        self._job = job
        self._model = model
        self._field_of: dict[str, str] = {}
        whole = types.from_schema(model.model_json_schema(mode="validation"))
        known = whole.properties if isinstance(whole, types.Object) else {}
        self._places: dict[str, Type] = {}
        for field in model.model_fields:
            names = _names(model, field)
            place = next((known[name].type for name in names if name in known), types.Anything())
            for name in names:
                self._field_of[name] = field
                self._places[name] = place

    def faults(self, parameters: Mapping[str, Any], infer: Infer) -> list[Fault]:
        """Everything that is wrong with a step's parameters, each with the path to it."""
        values = {name: _constant(value) for name, value in parameters.items()}
        open_names = [name for name, value in values.items() if any(expressions_in(value))]
        plain = {name: value for name, value in values.items() if name not in open_names}
        found = list(self._of_plain(plain, open_names))
        for name in open_names:
            if name in self._field_of:
                found += places.faults(values[name], self._places[name], infer, (name,))
            else:
                found.append(((name,), self._unknown(name)))
        return found

    def _of_plain(self, plain: Mapping[str, Any], open_names: list[str]) -> Iterator[Fault]:
        unstorable = list(jsonb.unstorable(plain))
        if unstorable:
            for name, why in unstorable:
                yield (name,), why
            return
        try:
            self._model.model_validate_json(json.dumps(plain), strict=True)
        except ValidationError as error:
            given_by_expression = {self._field_of.get(name) for name in open_names}
            for fault in error.errors(
                include_url=False, include_input=False, include_context=False
            ):
                at = tuple(fault["loc"])
                if not at:
                    # Of all parameters together: not to be known while some are expressions.
                    if not open_names:
                        yield (), _said(fault["msg"])
                    continue
                name = str(at[0])
                field = self._field_of.get(name)
                if fault["type"] == "missing" and len(at) == 1:
                    if field not in given_by_expression:
                        yield at, f"{self._job} requires a value here"
                elif fault["type"] == "extra_forbidden" and len(at) == 1:
                    yield at, self._unknown(name)
                else:
                    yield (self._as_given(name, plain), *at[1:]), _said(fault["msg"])

    def _as_given(self, name: str, given: Mapping[str, Any]) -> str:
        """The name that the step gave the parameter, of those it has."""
        if name in given:
            return name
        field = self._field_of.get(name, name)
        return next((each for each in given if self._field_of.get(each) == field), name)

    def _unknown(self, name: str) -> str:
        return f"{self._job} has no parameter {name}.{near.hint(name, self._field_of)}"


def _names(model: type[BaseModel], field: str) -> list[str]:
    """The names under which a field may be given, the one of the JSON schema among them."""
    info = model.model_fields[field]
    alias = info.validation_alias or info.alias
    names = [field]
    if isinstance(alias, AliasChoices):
        names = [each for each in alias.choices if isinstance(each, str)]
    elif isinstance(alias, str):
        names = [alias]
    config = model.model_config
    if config.get("populate_by_name") or config.get("validate_by_name"):
        names.append(field)
    return names


def _constant(value: Any) -> Any:
    """The value, if it is an expression that refers to nothing and so has but one."""
    if is_expression(value):
        try:
            expression = parse(text_of(value))
            return expression.evaluate({}) if expression.is_constant else value
        except ExpressionProblem:
            # What is wrong with it is told with the types, which name its place.
            return value
    return value


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
