"""The definition of a dataset out of JSON: every field at fault is named, and none repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from core import jsonb
from core.errors import FieldError, InvalidParameters
from core.models.curated import JOB_TYPE, CuratedDataset, CuratedDefinition
from core.registry import registry
from services.curated import handlers
from services.curated.parameters import CuratedUpdate

_FIELDS = frozenset(CuratedDefinition.model_fields)

# What a dataset is shown with beside its definition. It may stay in what is sent back, so that
# a dataset can be read, edited and put again.
SHOWN_ONLY = frozenset(set(CuratedDataset.model_fields) - _FIELDS) | {
    "age_seconds",
    "bbox",
    "credentials",
    "etag",
    "handler_known",
    "held",
    "last_update",
    "links",
    "next_run",
    "published_at",
    "reason",
    "rows",
    "running_job",
    "state",
    "version",
}


def declared(
    body: Mapping[str, Any], *, dataset_id: str | None = None, kept_handler: str | None = None
) -> CuratedDefinition:
    """The definition in a request's body; `dataset_id` is that of the address.

    A handler that geoforge does not have is refused, unless it is `kept_handler`, which the
    dataset has already. Raises `InvalidParameters` naming each field at fault.
    """
    fields = {name: value for name, value in body.items() if name not in SHOWN_ONLY}
    if dataset_id is not None and fields.setdefault("dataset_id", dataset_id) != dataset_id:
        raise _invalid([_fault("dataset_id", f"must be {dataset_id!r}, as in the address")])
    errors = _unstorable(fields)
    if errors:
        raise _invalid(errors)
    try:
        # Strict, as JSON is: a number in quotes is not a number.
        definition = CuratedDefinition.model_validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        raise _invalid(_field_errors(error)) from None
    errors = [*_check_handler(definition, kept_handler), *_check_job_type(definition)]
    if errors:
        raise _invalid(errors)
    return definition


def _unstorable(fields: Mapping[str, Any]) -> list[FieldError]:
    """The fields that no row could hold: with a NUL, or a number beyond floats."""
    errors: list[FieldError] = []
    for name, value in fields.items():
        try:
            jsonb.encode({name: value})
        except ValueError as error:
            errors.append(_fault(name, f"cannot be kept: {error}"))
    return errors


def _field_errors(error: ValidationError) -> list[FieldError]:
    """Pydantic's errors without the values: one may be a secret in the wrong place.

    What a check of the whole definition says begins with the field that it is about.
    """
    errors: list[FieldError] = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        loc, message = list(fault["loc"]), fault["msg"].removeprefix("Value error, ")
        field, colon, rest = message.partition(": ")
        if not loc and colon and field in _FIELDS:
            loc, message = [field], rest
        errors.append({"loc": loc, "msg": message})
    return errors


def _check_handler(definition: CuratedDefinition, kept: str | None) -> list[FieldError]:
    wanted = definition.handler
    if wanted is None or wanted == kept or handlers.find(wanted) is not None:
        return []
    known = ", ".join(handler.name for handler in handlers.known())
    return [_fault("handler", f"is not known here; the handlers are {known}")]


def _check_job_type(definition: CuratedDefinition) -> list[FieldError]:
    able = {JOB_TYPE} | {job.name for job in registry if issubclass(job.parameters, CuratedUpdate)}
    if definition.job_type in able:
        return []
    return [_fault("job_type", f"cannot update a dataset; {', '.join(sorted(able))} can")]


def _fault(field: str, message: str) -> FieldError:
    return {"loc": [field], "msg": message}


def _invalid(errors: list[FieldError]) -> InvalidParameters:
    named = dict.fromkeys(".".join(map(str, each["loc"])) or "the whole" for each in errors)
    return InvalidParameters(f"The dataset's definition is not valid: {', '.join(named)}.", errors)
