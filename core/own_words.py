"""Errors of fields in words of ours, in place of a pattern."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator


def or_else(message: str) -> WrapValidator:
    """Says in words what a text must be that does not match the field's pattern."""

    def validated(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError as error:
            if error.errors()[0]["type"] != "string_pattern_mismatch":
                raise
            # The value is not repeated: it may be a secret in the wrong place.
            raise ValueError(message) from None

    return WrapValidator(validated)
