"""What a handler finds wrong with a dataset's definition, each with the field that is at fault."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from core.errors import FieldError, InvalidParameters
from infrastructure.source_client import SourceRefused
from services.curated import credentials


def fault(message: str, *path: str) -> FieldError:
    """What is wrong with one field."""
    return {"loc": list(path), "msg": message}


def of_source_config(error: ValidationError) -> list[FieldError]:
    """Each field of `source_config` at fault, without the value that was given."""
    return [
        {"loc": ["source_config", *each["loc"]], "msg": each["msg"].removeprefix("Value error, ")}
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def of_source_url(source_url: str | None, origin: str, setting: str) -> list[FieldError]:
    """What is wrong with an address that, where it is given, is to be on the origin of a setting:
    credentials go nowhere else."""
    if source_url is None or _is_on(source_url, origin):
        return []
    return [fault(f"must be on {origin}, the origin of {setting}, or be left out", "source_url")]


def refusal(errors: Sequence[FieldError], handler: str | None = None) -> InvalidParameters:
    """The error that names all fields at fault, once each."""
    named = ", ".join(dict.fromkeys(".".join(map(str, error["loc"])) for error in errors))
    by = "" if handler is None else f" by {handler}"
    return InvalidParameters(f"The definition cannot be served{by}: {named}.", errors)


def _is_on(url: str, origin: str) -> bool:
    try:
        return credentials.same_origin(url, origin)
    except SourceRefused:  # no address at all
        return False
