"""The inputs of a pipeline as the JSON schema of a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.models.pipeline import Input, Pipeline

_PICKED_OF = {"blob": "container", "stac_item": "stac_collection"}
"""What must be chosen before another thing can be."""


def schema_of(pipeline: Pipeline) -> dict[str, Any]:
    """An object with one property for each input."""
    return {
        "type": "object",
        "properties": {
            name: _property(each, pipeline.inputs) for name, each in pipeline.inputs.items()
        },
        "required": [name for name, each in pipeline.inputs.items() if each.required],
    }


def _property(declared: Input, inputs: Mapping[str, Input]) -> dict[str, Any]:
    single: dict[str, Any] = {"type": declared.items or declared.type}
    if declared.choices:
        single["enum"] = declared.choices
    schema = {"type": "array", "items": single} if declared.type == "list" else single
    schema |= {"description": declared.description, "default": declared.default}
    if declared.picker:
        schema["x-picker"] = declared.picker
        of = _first_with(_PICKED_OF.get(declared.picker), inputs)
        if of is not None:
            schema["x-picker-of"] = of
    return schema


def _first_with(picker: str | None, inputs: Mapping[str, Input]) -> str | None:
    return next(
        (name for name, each in inputs.items() if picker is not None and each.picker == picker),
        None,
    )
