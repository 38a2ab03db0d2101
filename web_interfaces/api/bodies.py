"""Bodies of requests as pydantic models: unknown names are refused, types are not guessed."""

from __future__ import annotations

from typing import TypeVar

import azure.functions as func
from pydantic import BaseModel, ConfigDict, ValidationError

from core import jsonb
from core.errors import FieldError, InvalidParameters
from web_interfaces.api.http import json_object


class Body(BaseModel):
    """Base of the bodies that requests have."""

    model_config = ConfigDict(extra="forbid", strict=True)


T = TypeVar("T", bound=Body)


def read_body(req: func.HttpRequest, kind: type[T]) -> T:
    """The body as the model, or `InvalidParameters` naming each field at fault.

    Also for what no row could hold: a NUL, half of a character.
    """
    body = json_object(req)
    errors: list[FieldError] = []
    for name, value in body.items():
        try:
            jsonb.encode({name: value})
        except ValueError as error:
            errors.append({"loc": [jsonb.clean_text(name)], "msg": f"cannot be kept: {error}"})
    if not errors:
        try:
            return kind.model_validate(body)
        except ValidationError as error:
            errors = [
                {"loc": list(each["loc"]), "msg": each["msg"].removeprefix("Value error, ")}
                for each in error.errors(include_url=False, include_input=False)
            ]
    fields = ", ".join(kind.model_fields)
    raise InvalidParameters(
        f"The body is a JSON object with none but these fields: {fields}.", errors
    )
