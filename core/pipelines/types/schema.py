"""Types out of JSON Schema, as pydantic writes it.

What a schema says beyond what a type can hold is left out, which makes the type wider, never
narrower: the job's own model has the last word on every value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.pipelines.types.model import (
    Anything,
    Boolean,
    Limits,
    List,
    Nothing,
    Null,
    Number,
    Object,
    Property,
    Text,
    Tuple,
    Type,
    members,
    type_of,
    union,
)

_NUMBERS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
    "multipleOf": "multiple_of",
}
_LENGTHS = {"minLength": "min_length", "maxLength": "max_length"}
_MAX_DEPTH = 40
# What tells the types of a schema apart that names none.
_TELLING = {
    "object": ("properties", "additionalProperties", "required"),
    "array": ("items", "prefixItems"),
}


def from_schema(schema: object) -> Type:
    """The type of the values that a JSON Schema describes.

    An object with `properties` that does not speak of others is closed, as the models are that
    pydantic writes so. What refers to itself is `Anything` at the second turn. Never raises: a
    schema that is none is `Anything`.
    """
    definitions = schema.get("$defs") if isinstance(schema, Mapping) else None
    return _Reader(definitions if isinstance(definitions, Mapping) else {}).read(schema)


class _Reader:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._open: list[str] = []
        self._depth = 0

    def read(self, schema: object) -> Type:
        if schema is False:
            return Nothing()
        if not isinstance(schema, Mapping) or self._depth >= _MAX_DEPTH:
            return Anything()
        self._depth += 1
        try:
            return self._read(schema)
        finally:
            self._depth -= 1

    def _read(self, schema: Mapping[str, Any]) -> Type:
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._referred(reference)
        if "const" in schema:
            return type_of(schema["const"])
        values = schema.get("enum")
        if isinstance(values, list):
            return union(type_of(each) for each in values)
        for word in ("anyOf", "oneOf"):
            options = schema.get(word)
            if isinstance(options, list) and options:
                return union([self.read(each) for each in options])
        parts = schema.get("allOf")
        if isinstance(parts, list) and parts:
            # Each of them holds: the first that says something is as good as any.
            read = [self.read(each) for each in parts]
            return _all_of(read)
        return self._plain(schema)

    def _referred(self, reference: str) -> Type:
        name = reference.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
        if name in self._open or name not in self._definitions:
            return Anything()
        self._open.append(name)
        try:
            return self.read(self._definitions[name])
        finally:
            self._open.pop()

    def _plain(self, schema: Mapping[str, Any]) -> Type:
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return union([self._kind(kind, schema) for kind in kinds])
        if kinds is None:
            told = (
                kind for kind, words in _TELLING.items() if any(word in schema for word in words)
            )
            kinds = next(told, None)
        return self._kind(kinds, schema)

    def _kind(self, kind: object, schema: Mapping[str, Any]) -> Type:
        match kind:
            case "null":
                return Null()
            case "boolean":
                return Boolean()
            case "integer" | "number":
                return Number(whole=kind == "integer", limits=_limits(schema))
            case "string":
                form = schema.get("format")
                return Text(format=form if isinstance(form, str) else None, limits=_limits(schema))
            case "array":
                return self._list(schema)
            case "object":
                return self._object(schema)
            case _:
                return Anything()

    def _list(self, schema: Mapping[str, Any]) -> Type:
        heads = schema.get("prefixItems")
        if not isinstance(heads, list):
            return List(self.read(schema.get("items")))
        items = [self.read(each) for each in heads]
        fixed = schema.get("items") is False or schema.get("maxItems") == len(items)
        if fixed and schema.get("minItems") == len(items):
            return Tuple(tuple(items))
        return List(union([*items, *([] if fixed else [self.read(schema.get("items"))])]))

    def _object(self, schema: Mapping[str, Any]) -> Type:
        declared = schema.get("properties")
        required = schema.get("required")
        needed = required if isinstance(required, list) else []
        properties = {
            str(name): Property(self.read(each), name in needed)
            for name, each in (declared.items() if isinstance(declared, Mapping) else ())
        }
        others = schema.get("additionalProperties", declared is None)
        if "patternProperties" in schema:
            others = True
        return Object(properties, None if others is False else self.read(others))


def _all_of(parts: list[Type]) -> Type:
    objects = [each for each in parts if isinstance(each, Object)]
    if len(objects) == len(parts):
        joined = {name: each for part in objects for name, each in part.properties.items()}
        return Object(joined, next((each.extra for each in objects if each.extra), None))
    telling = [each for each in parts if not isinstance(each, Anything)]
    return min(telling, key=lambda each: len(members(each)), default=Anything())


def _limits(schema: Mapping[str, Any]) -> Limits:
    found: dict[str, Any] = {}
    for word, name in (_NUMBERS | _LENGTHS).items():
        value = schema.get(word)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found[name] = value
    pattern = schema.get("pattern")
    return Limits(**found, pattern=pattern if isinstance(pattern, str) else None)
