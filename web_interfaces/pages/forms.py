"""A JSON schema as a form: one field for each property, in groups.

The fields are drawn by the macros of templates/form_parts.html and read by static/js/
form_fields.js. A field whose input is left empty is not sent: the default of whoever reads it
applies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.addresses import has_hidden
from web_interfaces.pages.field_values import (
    JsonSchema,
    Shape,
    resolved,
    shape_of,
    text_of,
    value_of,
)
from web_interfaces.pages.formats import brief, heading, number

# A text of which so much may be written wants more than one line.
_LONG_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Example:
    """A value that a click puts into the field: as JSON, and as a person reads it."""

    json: str
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """One input. `kind` tells the script how to turn its text into JSON.

    integer, number, boolean, text, date, datetime (in UTC), json; scalar (a text that is one of
    several `types`); list (texts with commas between), lines (values of `types`, one per line),
    checks (some of the choices), pairs (`name: value`, one per line); tuple and object (made of
    `parts`). `default` is the text that the input begins with. A field with `choices` takes one
    of these texts. `limits` says in words which numbers are allowed. The value goes `into` the
    object of that name, where it is part of one. `picker` names what can be chosen from
    (GET /api/pickers/<picker>), `picker_of` the field which that depends on. `default_json` is
    the schema's own default, whatever the input begins with.
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
    types: tuple[str, ...] = ()
    parts: tuple[Field, ...] = ()
    examples: tuple[Example, ...] = ()
    picker: str = ""
    picker_of: str = ""
    is_long: bool = False
    default_json: str = ""

    @property
    def is_checked(self) -> bool:
        return self.kind == "boolean" and self.default == "true"

    @property
    def checked(self) -> tuple[str, ...]:
        """The choices that several check boxes begin with."""
        return tuple(self.default.splitlines()) if self.kind == "checks" else ()

    @property
    def is_filled(self) -> bool:
        """Whether the input begins with something else than the schema's default."""
        return any(part.is_filled for part in self.parts) or (
            not self.parts and self.default != self.default_text
        )

    @property
    def default_text(self) -> str:
        """The schema's default, as the input would show it."""
        if not self.default_json:
            return "false" if self.kind == "boolean" else ""
        return text_of(json.loads(self.default_json), Shape(self.kind, self.types))


def fields(schema: JsonSchema, given: Mapping[str, str]) -> list[Field]:
    """The fields of a parameters schema, the required ones first, else in their order.

    `given` are texts to begin with in place of the defaults, as `texts` makes them.
    """
    found = _fields(schema, schema, {name: _Given(text) for name, text in given.items()})
    return sorted(found, key=lambda field: not field.required)


def texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    """A job's parameters as the texts of its form. Those that are null are left out, and so are
    addresses whose query is not shown: whoever submits again has to give them again."""
    given = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in parameters.items()
        if value is not None
    }
    return {name: text for name, text in given.items() if not has_hidden(text)}


@dataclass(frozen=True, slots=True)
class _Given:
    """What a field begins with: the text of a query, or a part of a value."""

    text: str | None = None
    value: Any = None

    def value_in(self, shape: Shape) -> Any:
        return self.value if self.text is None else value_of(self.text, shape)

    def part(self, name: str | int) -> _Given | None:
        try:
            whole = self.value if self.text is None else json.loads(self.text)
            return _Given(value=whole[name])
        except (ValueError, TypeError, LookupError):
            return None


def _fields(
    schema: JsonSchema, root: JsonSchema, given: Mapping[str, _Given | None]
) -> list[Field]:
    required = set(schema.get("required", ()))
    return [
        _field(name, resolved(subschema, root), root, name in required, given.get(name))
        for name, subschema in schema.get("properties", {}).items()
    ]


def _field(
    name: str, schema: JsonSchema, root: JsonSchema, required: bool, given: _Given | None
) -> Field:
    shape = shape_of(schema, root)
    default = schema.get("default")
    examples = [each for each in schema.get("examples", ()) if each is not None]
    items = resolved(schema.get("items", {}), root) if shape.kind in ("lines", "checks") else {}
    begins_with = default if given is None else given.value_in(shape)
    return Field(
        name=name,
        label=heading(name),
        help=schema.get("description", ""),
        kind=shape.kind,
        required=required,
        default=text_of(begins_with, shape),
        placeholder=_placeholder(examples, shape),
        choices=shape.choices,
        limits=_limits(schema) or _values(schema, shape),
        types=shape.types,
        parts=_parts(schema, root, shape, given),
        examples=tuple(
            Example(json.dumps(each, ensure_ascii=False), _example(each, shape))
            for each in examples
        ),
        picker=schema.get("x-picker", items.get("x-picker", "")),
        picker_of=schema.get("x-picker-of", items.get("x-picker-of", "")),
        is_long=shape.kind == "text"
        and schema.get("maxLength", 0) >= _LONG_TEXT
        and "pattern" not in schema,
        default_json="" if default is None else json.dumps(default, ensure_ascii=False),
    )


def _parts(
    schema: JsonSchema, root: JsonSchema, shape: Shape, given: _Given | None
) -> tuple[Field, ...]:
    default = schema.get("default")
    whole = given or (None if default is None else _Given(value=default))
    if shape.kind == "object":
        parts = {name: whole and whole.part(name) for name in schema["properties"]}
        return tuple(_fields(schema, root, parts))
    if shape.kind == "tuple":
        labels = _corners(schema)
        return tuple(
            replace(
                _field(str(index), resolved(item, root), root, False, whole and whole.part(index)),
                label=labels[index],
            )
            for index, item in enumerate(schema["prefixItems"])
        )
    return ()


def _corners(schema: JsonSchema) -> list[str]:
    """The names of a fixed list's values: a box of four has its sides, others are numbered."""
    count = len(schema["prefixItems"])
    sides = ["West", "South", "East", "North"]
    described = schema.get("description", "").lower()
    if count == len(sides) and all(side.lower() in described for side in sides):
        return sides
    return [str(index + 1) for index in range(count)]


def _example(value: Any, shape: Shape) -> str:
    """A value in one line, as people write it down: a list with commas between."""
    if shape.kind == "tuple":
        return ", ".join(map(str, value))
    if shape.kind in ("lines", "checks", "pairs"):
        return brief(", ".join(text_of(value, shape).splitlines()), 60)
    return brief(value, 60)


def _placeholder(examples: Iterable[Any], shape: Shape) -> str:
    first = next(iter(examples), None)
    if first is None or shape.kind in ("tuple", "object", "checks", "boolean"):
        return ""
    return f"e.g. {text_of(first, shape)}"


def _values(schema: JsonSchema, shape: Shape) -> str:
    """Which values the names of a list of pairs may have, where only some are."""
    values = schema.get("additionalProperties") if shape.kind == "pairs" else None
    if not isinstance(values, Mapping) or "enum" not in values:
        return ""
    return f"values: {', '.join(map(str, values['enum']))}"


def _limits(schema: JsonSchema) -> str:
    """'1 to 500', 'more than 0', or nothing where the description has said it."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        text = f"{number(low)} to {number(high)}"
    else:
        words = {
            "at least": low,
            "more than": schema.get("exclusiveMinimum"),
            "at most": high,
            "less than": schema.get("exclusiveMaximum"),
        }
        known = [f"{word} {number(limit)}" for word, limit in words.items() if limit is not None]
        text = " and ".join(known)
    return "" if text in schema.get("description", "") else text
