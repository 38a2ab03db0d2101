"""What a JSON schema takes, as an input of a form: its kind, and its values as texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

JsonSchema = Mapping[str, Any]

_SCALARS = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text"}
_FORMATS = {"date": "date", "date-time": "datetime"}

# Kinds whose text is one value per line.
_OF_LINES = ("lines", "checks")


@dataclass(frozen=True, slots=True)
class Shape:
    """The kind of an input; which scalar `types` its text or its lines may be, and which
    `choices` (as texts) there are."""

    kind: str
    types: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def resolved(schema: JsonSchema, root: JsonSchema) -> dict[str, Any]:
    """The schema with its $ref followed, and without the null of an optional value."""
    merged = dict(schema)
    while "$ref" in merged:
        name = str(merged.pop("$ref")).rsplit("/", 1)[-1]
        merged = {**root["$defs"][name], **merged}
    options = [option for option in merged.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        was_optional = len(merged.pop("anyOf")) > 1
        merged = resolved({**options[0], **merged}, root)
        if was_optional:
            merged["x-optional"] = True
    return merged


def shape_of(schema: JsonSchema, root: JsonSchema) -> Shape:
    """The input for a schema that is resolved; JSON where none fits better."""
    kind = schema.get("type", "")
    choices = schema.get("enum", [schema["const"]] if "const" in schema else ())
    if kind == "boolean" and schema.get("x-optional") and schema.get("default") is None:
        return Shape("scalar", ("boolean",), ("true", "false"))
    if kind in _SCALARS:
        plain = _FORMATS.get(schema.get("format", ""), _SCALARS[kind])
        return Shape(plain, choices=tuple(map(_scalar_text, choices)))
    if kind == "array":
        return _of_array(schema, root)
    if kind == "object":
        return _of_object(schema, root)
    return _of_options(schema.get("anyOf", ()), root)


def _of_array(schema: JsonSchema, root: JsonSchema) -> Shape:
    if "prefixItems" in schema:
        kinds = {resolved(item, root).get("type") for item in schema["prefixItems"]}
        fixed = schema.get("minItems") == schema.get("maxItems") == len(schema["prefixItems"])
        return Shape("tuple" if fixed and kinds <= {"number", "integer"} else "json")
    items = resolved(schema.get("items", {}), root)
    if "enum" in items:
        return Shape("checks", (_scalar_type(items),), tuple(map(_scalar_text, items["enum"])))
    types = _scalar_types(items, root)
    return Shape("lines", types) if types else Shape("json")


def _of_object(schema: JsonSchema, root: JsonSchema) -> Shape:
    if schema.get("properties"):
        parts = [resolved(part, root) for part in schema["properties"].values()]
        known = schema.get("additionalProperties", True) is False
        # An empty input means the default: where that is not null, null could not be said.
        sayable = not any(p.get("x-optional") and p.get("default") is not None for p in parts)
        nested = any(shape_of(part, root).kind in ("object", "json") for part in parts)
        return Shape("object" if known and sayable and not nested else "json")
    values = schema.get("additionalProperties")
    patterns = list(schema.get("patternProperties", {}).values())
    if not isinstance(values, Mapping):
        values = patterns[0] if len(patterns) == 1 else None
    types = _scalar_types(resolved(values, root), root) if values else ()
    return Shape("pairs", types) if types else Shape("json")


def _of_options(options: Any, root: JsonSchema) -> Shape:
    """A value of several plain types: a number or a word, yes or no or automatic."""
    types: list[str] = []
    choices: list[str] = []
    for option in (resolved(option, root) for option in options):
        if option.get("type") == "null":
            continue
        if option.get("type") not in _SCALARS:
            return Shape("json")
        types.append(_scalar_type(option))
        if option["type"] == "boolean":
            choices += ["true", "false"]
        else:
            choices += map(_scalar_text, option.get("enum", [option.get("const")]))
    if not types:
        return Shape("json")
    # One option without an enumeration leaves the choice open.
    closed = "null" not in choices
    return Shape("scalar", tuple(dict.fromkeys(types)), tuple(choices) if closed else ())


def _scalar_types(schema: JsonSchema, root: JsonSchema) -> tuple[str, ...]:
    """Which plain types a schema takes; nothing where it takes others as well."""
    if schema.get("type") in _SCALARS:
        return (_scalar_type(schema),)
    options = [resolved(option, root) for option in schema.get("anyOf", ())]
    if any(option.get("type") not in _SCALARS for option in options):
        return ()
    return tuple(dict.fromkeys(_scalar_type(option) for option in options))


def _scalar_type(schema: JsonSchema) -> str:
    return _SCALARS[schema["type"]]


def _scalar_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def text_of(value: Any, shape: Shape) -> str:
    """A value as the text of its input; "" for null, and for what is made of parts."""
    if value is None or shape.kind in ("tuple", "object"):
        return ""
    if shape.kind in _OF_LINES and isinstance(value, list):
        return "\n".join(map(_scalar_text, value))
    if shape.kind == "pairs" and isinstance(value, Mapping):
        return "\n".join(f"{name}: {_scalar_text(each)}" for name, each in value.items())
    if shape.kind == "datetime":
        return _utc(value)
    return _scalar_text(value) if shape.kind != "json" else json.dumps(value, ensure_ascii=False)


def value_of(text: str, shape: Shape) -> Any:
    """What a text of `forms.texts` stands for; the text itself where it is not JSON."""
    if shape.kind in ("text", "date", "datetime", "list"):
        return text
    if shape.kind == "scalar" and "text" in shape.types:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _utc(value: Any) -> str:
    """An RFC 3339 time as an input of date and time has it: in UTC, without saying so."""
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    if time.tzinfo is not None:
        time = time.astimezone(UTC)
    return time.replace(tzinfo=None).isoformat(timespec="seconds")
