"""The definition of a dataset out of JSON: every field at fault is named, and none repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from core import jsonb
from core.addresses import names_secret, secrets_in_query
from core.errors import FieldError, InvalidParameters
from core.models.curated import JOB_TYPE, CuratedDataset, CuratedDefinition
from core.registry import registry
from services.curated import handlers
from services.curated.parameters import CuratedUpdate

_ELSEWHERE = "credentials are kept in settings, and credential_key names the one to use"

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
    "options",
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
    # What the model cannot know is looked at in any case, so that all faults are named at once.
    errors = [
        *_check_handler(fields.get("handler"), kept_handler),
        *_check_job_type(fields.get("job_type", JOB_TYPE)),
        *_check_secrets(fields.get("source_url"), fields.get("source_config")),
    ]
    try:
        # Strict, as JSON is: a number in quotes is not a number.
        definition = CuratedDefinition.model_validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        of_the_model = _field_errors(error)
        named = [fault["loc"] for fault in of_the_model]
        errors = [*of_the_model, *(fault for fault in errors if fault["loc"] not in named)]
        raise _invalid(errors) from None
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


def _check_handler(wanted: Any, kept: str | None) -> Iterator[FieldError]:
    if isinstance(wanted, str) and wanted != kept and handlers.find(wanted) is None:
        known = ", ".join(handler.name for handler in handlers.known())
        yield _fault("handler", f"is not known here; the handlers are {known}")


def _check_job_type(name: Any) -> Iterator[FieldError]:
    able = {JOB_TYPE} | {job.name for job in registry if issubclass(job.parameters, CuratedUpdate)}
    if isinstance(name, str) and name not in able:
        yield _fault("job_type", f"cannot update a dataset; {', '.join(sorted(able))} can")


def _check_secrets(source_url: Any, source_config: Any) -> Iterator[FieldError]:
    """The registry is shown to everyone with a function key: secrets belong into settings."""
    if isinstance(source_url, str):
        yield from _secrets_in_address(source_url, ["source_url"])
    if isinstance(source_config, dict):
        yield from _secrets_in(source_config, ["source_config"])


def _secrets_in(value: Any, loc: list[str | int]) -> Iterator[FieldError]:
    """What a JSON value names as a secret, and the addresses in it that hold one."""
    if isinstance(value, dict):
        for name, each in value.items():
            if names_secret(name):
                yield {"loc": [*loc, name], "msg": f"must not be here: {_ELSEWHERE}"}
            else:
                yield from _secrets_in(each, [*loc, name])
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _secrets_in(each, [*loc, index])
    elif isinstance(value, str) and value.lower().startswith(("http://", "https://")):
        yield from _secrets_in_address(value, loc)
        if "@" in value.split("/")[2]:
            message = "must be without a user name or a password"
            yield {"loc": loc, "msg": f"{message}: {_ELSEWHERE}"}


def _secrets_in_address(address: str, loc: list[str | int]) -> Iterator[FieldError]:
    try:
        names = secrets_in_query(address)
    except ValueError:
        yield {"loc": loc, "msg": "is not an address"}
        return
    for name in names:
        yield {"loc": loc, "msg": f"must not have {name!r} in its query: {_ELSEWHERE}"}


def _fault(field: str, message: str) -> FieldError:
    return {"loc": [field], "msg": message}


def _invalid(errors: list[FieldError]) -> InvalidParameters:
    named = dict.fromkeys(".".join(map(str, each["loc"])) or "the whole" for each in errors)
    return InvalidParameters(f"The dataset's definition is not valid: {', '.join(named)}.", errors)
