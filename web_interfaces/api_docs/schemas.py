"""JSON Schemas as rows of a table that people read: name, type in words, help."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]

# Below this the API's document itself is the better reading.
_DEEPEST = 4
_MOST_CHOICES = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One field. `depth` counts from 0; the fields of an object come below it, one deeper."""

    name: str
    type: str
    required: bool
    description: str
    default: str
    depth: int


class Schemas:
    """Reads schemas of one OpenAPI document, whose references it follows."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components: Mapping[str, JsonObject] = document["components"]["schemas"]

    def rows(self, schema: Mapping[str, Any]) -> list[Row]:
        """The fields of an object, or of the objects in a list, with what is below them."""
        return list(self._rows(schema, 0, ()))

    def words(self, schema: Mapping[str, Any]) -> str:
        """The type of a value in words: 'integer', 'list of text or null', 'one of "a", "b"'."""
        return self._words(schema, ())

    def example(self, schema: Mapping[str, Any]) -> Any:
        """A value made of the examples and defaults of the fields that are required, or that have
        an example; None where nothing is known.
        """
        return self._example(schema, 0)

    def _rows(self, schema: Mapping[str, Any], depth: int, seen: tuple[str, ...]) -> Iterator[Row]:
        found, seen = self._followed(schema, seen)
        if depth > _DEEPEST:
            return
        for option in found.get("anyOf", found.get("oneOf", ())):
            yield from self._rows(option, depth, seen)
        if found.get("type") == "array" or "items" in found:
            yield from self._rows(found.get("items") or {}, depth, seen)
        required = set(found.get("required", ()))
        for name, each in found.get("properties", {}).items():
            own, _ = self._followed(each, seen)
            yield Row(
                name=name,
                type=self._words(each, seen),
                required=name in required,
                description=str(each.get("description", own.get("description", ""))),
                default="" if own.get("default") is None else _text(own["default"]),
                depth=depth,
            )
            yield from self._rows(each, depth + 1, seen)

    def _words(self, schema: Mapping[str, Any], seen: tuple[str, ...]) -> str:
        found, seen = self._followed(schema, seen)
        options = found.get("anyOf", found.get("oneOf"))
        if options:
            return " or ".join(dict.fromkeys(self._words(each, seen) for each in options))
        if "const" in found:
            return _text(found["const"])
        if "enum" in found:
            choices = found["enum"]
            more = " ..." if len(choices) > _MOST_CHOICES else ""
            return "one of " + ", ".join(map(_text, choices[:_MOST_CHOICES])) + more
        kinds = found.get("type", "any value")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return " or ".join(self._kind(kind, found, seen) for kind in kinds)

    def _kind(self, kind: str, schema: Mapping[str, Any], seen: tuple[str, ...]) -> str:
        if kind == "array":
            items = schema.get("items")
            return f"list of {self._words(items, seen)}" if items else "list"
        if kind == "string":
            return {"date-time": "time", "uri": "address"}.get(schema.get("format", ""), "text")
        low, high = schema.get("minimum"), schema.get("maximum")
        if kind in ("integer", "number") and low is not None and high is not None:
            return f"{kind}, {low:,} to {high:,}"
        return kind

    def _example(self, schema: Mapping[str, Any], depth: int) -> Any:
        found, _ = self._followed(schema, ())
        if found.get("examples"):
            return found["examples"][0]
        for name in ("example", "default", "const"):
            if found.get(name) is not None:
                return found[name]
        if "enum" in found:
            return found["enum"][0]
        properties = found.get("properties", {})
        if not properties or depth > _DEEPEST:
            return None
        values = {name: self._example(each, depth + 1) for name, each in properties.items()}
        return {name: value for name, value in values.items() if value is not None}

    def _followed(
        self, schema: Mapping[str, Any], seen: tuple[str, ...]
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """The schema behind a reference, and the names on the way; {} where it comes round."""
        found = schema
        while "$ref" in found:
            name = str(found["$ref"]).removeprefix("#/components/schemas/")
            if name in seen:
                return {}, seen
            seen = (*seen, name)
            rest = {key: value for key, value in found.items() if key != "$ref"}
            found = {**self._components[name], **rest}
        return found, seen


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
