"""A document of any form as a pipeline, as far as it is one.

What is not as it must be is told by name, and left out, so that the rest can be checked too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from core.addresses import secret_in
from core.errors import FieldError
from core.jsonb import UNKEPT
from core.models.pipeline import (
    RESERVED_NAMES,
    GateStep,
    Input,
    JobStep,
    Pipeline,
    PipelineSchedule,
    Position,
)
from core.pipelines import near

Path = tuple[str | int, ...]

MAX_NESTING: Final = 60
_ROUNDS: Final = 5
_NAME_RULE: Final = "a name begins with a small letter, and has only small letters, digits and _"
_STAND_IN: Final = "unnamed"


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read.

    `step_keys` are how the steps of `pipeline` are named in errors; `lost_steps` and `lost_inputs`
    are those that could not be read, by name.
    """

    pipeline: Pipeline | None
    errors: list[FieldError]
    step_keys: tuple[str | int, ...] = ()
    lost_steps: frozenset[str] = frozenset()
    lost_inputs: frozenset[str] = frozenset()


def read(document: object) -> Reading:
    """The pipeline in a document, and everything that is wrong with its form."""
    if not isinstance(document, Mapping):
        return Reading(None, [{"loc": [], "msg": "a pipeline is an object in curly brackets"}])
    unkept = list(_unkept(document))
    if unkept:
        return Reading(None, [_error(document, at, message) for at, message in unkept])
    secrets = _secrets(document)
    try:
        return _whole(Pipeline.model_validate(document), secrets)
    except ValidationError as error:
        faults = _faults(error)
    errors = [_error(document, _shown(fault), _words(fault, document)) for fault in faults]
    pipeline, kept = _what_is_left(document, faults)
    ids = _raw_ids(document)
    return Reading(
        pipeline,
        [*secrets, *errors],
        tuple(_step_key(ids, index) for index in kept),
        _names(ids, {each.id for each in pipeline.steps} if pipeline else set()),
        _names(_raw_inputs(document), set(pipeline.inputs) if pipeline else set()),
    )


def as_read(pipeline: Pipeline) -> Reading:
    """The reading of a document that is formed as it must be."""
    document = pipeline.model_dump()
    unkept = [_error(document, at, message) for at, message in _unkept(document)]
    return Reading(None, unkept) if unkept else _whole(pipeline, _secrets(document))


def _whole(pipeline: Pipeline, errors: list[FieldError]) -> Reading:
    ids: list[object] = [step.id for step in pipeline.steps]
    return Reading(pipeline, errors, tuple(_step_key(ids, index) for index in range(len(ids))))


def _step_key(ids: list[object], index: int) -> str | int:
    """How a step is named in errors: by its id, where that is its own, or by its place."""
    own = ids[index] if index < len(ids) else None
    return own if isinstance(own, str) and own and ids.count(own) == 1 else index


@dataclass(frozen=True, slots=True)
class _Fault:
    """A complaint of the model's: `at` is the path in the document."""

    at: Path
    kind: str
    message: str


def _faults(error: ValidationError) -> list[_Fault]:
    found: list[_Fault] = []
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        at = list(each["loc"])
        if len(at) > 2 and at[0] == "steps" and at[2] in ("job", "gate"):
            # The kind by which the model chose among its steps is no part of the path.
            del at[2]
        if at and at[-1] == "[key]":
            at.pop()
        fault = _Fault(tuple(at), each["type"], each["msg"])
        if fault not in found:
            found.append(fault)
    return found


def _shown(fault: _Fault) -> Path:
    if fault.kind.startswith("union_tag"):
        return (*fault.at, "kind")
    if not fault.at and fault.kind == "value_error":
        return ("name",)
    return fault.at


def _words(fault: _Fault, document: Mapping[str, Any]) -> str:
    last = fault.at[-1] if fault.at else ""
    match fault.kind:
        case "missing":
            return "this is missing"
        case "extra_forbidden":
            known = _fields_at(fault.at, document)
            return f"there is no field {last} here.{near.hint(str(last), known)}"
        case "union_tag_not_found" | "union_tag_invalid":
            return "a step is of kind job or of kind gate"
        case "string_pattern_mismatch":
            return _NAME_RULE
        case "literal_error" if fault.at == ("format",):
            return "this is no document of a pipeline that can be read here: " + fault.message
    return fault.message.removeprefix("Value error, ")


def _fields_at(at: Path, document: Mapping[str, Any]) -> Iterable[str]:
    model: type[BaseModel] = Pipeline
    if len(at) > 1:
        match at[0]:
            case "steps":
                step = document["steps"][at[1]]
                model = GateStep if step["kind"] == "gate" else JobStep
            case "inputs":
                model = Input
            case "schedule":
                model = PipelineSchedule
            case "layout":
                model = Position
    return model.model_fields


def _error(document: Mapping[str, Any], at: Path, message: str) -> FieldError:
    loc = list(at)
    if len(loc) > 1 and loc[0] == "steps" and isinstance(loc[1], int):
        loc[1] = _step_key(_raw_ids(document), loc[1])
    return {"loc": loc, "msg": message}


def _raw_ids(document: Mapping[str, Any]) -> list[object]:
    steps = document.get("steps")
    if not isinstance(steps, list):
        return []
    return [each.get("id") if isinstance(each, Mapping) else None for each in steps]


def _raw_inputs(document: Mapping[str, Any]) -> list[object]:
    inputs = document.get("inputs")
    return list(inputs) if isinstance(inputs, Mapping) else []


def _names(raw: list[object], kept: set[str]) -> frozenset[str]:
    return frozenset(each for each in raw if isinstance(each, str)) - kept


def _unkept(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Values that are no JSON that can be kept: nested too deep, no number, no Unicode."""
    left: list[tuple[Path, object]] = [((), document)]
    while left:
        at, value = left.pop()
        if len(at) > MAX_NESTING:
            yield at[:4], f"this is nested more than {MAX_NESTING} levels deep"
            return
        if isinstance(value, str):
            if UNKEPT.search(value):
                yield at, "a text holds a character that cannot be kept (a NUL, or half of one)"
        elif isinstance(value, float):
            if not math.isfinite(value):
                yield at, "this is no number"
        elif isinstance(value, Mapping):
            for name, each in value.items():
                if not isinstance(name, str) or UNKEPT.search(name):
                    yield at, "a name holds a character that cannot be kept"
                else:
                    left.append(((*at, name), each))
        elif isinstance(value, list):
            left.extend(((*at, index), each) for index, each in enumerate(value))
        elif not (value is None or isinstance(value, int)):
            yield at, "this is not JSON"


def _secrets(document: Mapping[str, Any]) -> list[FieldError]:
    """Addresses with a secret in them: a document is shown as it is, to be edited."""
    errors: list[FieldError] = []
    left: list[tuple[Path, object]] = [((), document)]
    while left:
        at, value = left.pop()
        if isinstance(value, Mapping):
            left.extend(((*at, name), each) for name, each in value.items())
        elif isinstance(value, list):
            left.extend(((*at, index), each) for index, each in enumerate(value))
        elif isinstance(value, str) and (secret := secret_in(value)) is not None:
            message = f"an address in a document must not hold {secret}, as documents are shown: "
            errors.append(_error(document, at, message + "make the address an input"))
    return errors


def _what_is_left(
    document: Mapping[str, Any], faults: list[_Fault]
) -> tuple[Pipeline | None, list[int]]:
    """The pipeline without what is at fault: a field where it can be spared, else all around it.
    With the places that its steps had in the document."""
    rest: Any = copy.deepcopy(dict(document))
    kept = list(range(len(_raw_ids(document))))
    for _ in range(_ROUNDS):
        # From the end, so that the places of those before stay as they are.
        for at in sorted({_spared(fault) for fault in faults}, key=_from_the_end, reverse=True):
            _drop(rest, at)
            if at == ("steps",):
                kept.clear()
            elif len(at) == 2 and at[0] == "steps" and isinstance(at[1], int):
                del kept[at[1]]
        name = rest.get("name")
        if not isinstance(name, str) or name in RESERVED_NAMES:
            rest["name"] = _STAND_IN
        try:
            return Pipeline.model_validate(rest), kept
        except ValidationError as error:
            faults = _faults(error)
    return None, []


def _spared(fault: _Fault) -> Path:
    """What is taken out for a fault. What misses a field goes as a whole."""
    return fault.at[:-1] if fault.kind == "missing" else fault.at


def _from_the_end(at: Path) -> tuple[tuple[str, int], ...]:
    return tuple(("", part) if isinstance(part, int) else (part, -1) for part in at)


def _drop(rest: Any, at: Path) -> None:
    if not at:
        return
    for part in at[:-1]:
        try:
            rest = rest[part]
        except (KeyError, IndexError, TypeError):
            # Gone with what was around it.
            return
    if isinstance(rest, dict):
        rest.pop(at[-1], None)
    elif isinstance(rest, list) and isinstance(at[-1], int) and at[-1] < len(rest):
        del rest[at[-1]]
