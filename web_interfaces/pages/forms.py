"""A job's parameters as a form: one field for each property of the JSON schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.addresses import HIDDEN_QUERY
from web_interfaces.pages.formats import heading, number

# Schema types with an input of their own; what has none (arrays, objects) is entered as JSON.
_KINDS = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text"}


@dataclass(frozen=True, slots=True)
class Field:
    """One input. `kind` tells the script how to turn its text into JSON.

    integer, number, boolean, text, date, json, or list (texts with commas between). `default` is
    the text that the input begins with; an input left empty is not sent, so that the default of
    whoever reads it applies. A field with `choices` takes one of these texts. `limits` says in
    words which numbers are allowed. The value goes `into` the object of that name, where it is
    part of one.
    """

    name: str
    label: str
    help: str
    kind: str
    required: bool
    default: str
    placeholder: str
    choices: tuple[str, ...]
    limits: str
    into: str = ""

    @property
    def is_checked(self) -> bool:
        return self.kind == "boolean" and self.default == "true"


def fields(schema: Mapping[str, Any], given: Mapping[str, str]) -> list[Field]:
    """The fields of a parameters schema, the required ones first, else in their order.

    `given` are texts to begin with in place of the defaults, as `texts` makes them.
    """
    required = set(schema.get("required", ()))
    found = [
        _field(name, _resolved(subschema, schema), name in required)
        for name, subschema in schema.get("properties", {}).items()
    ]
    filled = [replace(field, default=given.get(field.name, field.default)) for field in found]
    return sorted(filled, key=lambda field: not field.required)


def texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    """A job's parameters as the texts of its form. Those that are null are left out, and so are
    addresses whose query is not shown: whoever submits again has to give them again."""
    given = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in parameters.items()
        if value is not None
    }
    return {name: text for name, text in given.items() if not text.endswith(HIDDEN_QUERY)}


def _resolved(subschema: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The subschema with its $ref followed, and without the null of an optional value."""
    merged = dict(subschema)
    while "$ref" in merged:
        name = str(merged.pop("$ref")).rsplit("/", 1)[-1]
        merged = {**schema["$defs"][name], **merged}
    options = [option for option in merged.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        del merged["anyOf"]
        merged = _resolved({**options[0], **merged}, schema)
    return merged


def _field(name: str, subschema: Mapping[str, Any], required: bool) -> Field:
    kind = _KINDS.get(subschema.get("type", ""), "json")
    if subschema.get("format") == "date":
        kind = "date"
    choices = subschema.get("enum", [subschema["const"]] if "const" in subschema else ())
    examples = subschema.get("examples", ())
    return Field(
        name=name,
        label=heading(name),
        help=subschema.get("description", ""),
        kind=kind,
        required=required,
        default=_text(subschema.get("default"), kind),
        placeholder=f"e.g. {_text(examples[0], kind)}" if examples else "",
        choices=tuple(_text(choice, kind) for choice in choices),
        limits=_limits(subschema),
    )


def _limits(subschema: Mapping[str, Any]) -> str:
    """'1 to 500', 'more than 0', or nothing where the description has said it."""
    low, high = subschema.get("minimum"), subschema.get("maximum")
    if low is not None and high is not None:
        text = f"{number(low)} to {number(high)}"
    else:
        words = {
            "at least": low,
            "more than": subschema.get("exclusiveMinimum"),
            "at most": high,
            "less than": subschema.get("exclusiveMaximum"),
        }
        known = [f"{word} {number(limit)}" for word, limit in words.items() if limit is not None]
        text = " and ".join(known)
    return "" if text in subschema.get("description", "") else text


def _text(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and kind != "json":
        return value
    return json.dumps(value, ensure_ascii=False)
