"""JSON Schemas as rows that people read."""

from __future__ import annotations

from typing import Any

import pytest

from web_interfaces.api_docs.schemas import Schemas

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "child": {"$ref": "#/components/schemas/Node"}},
}
PLACE = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "description": "What it is called", "examples": ["Oslo"]},
        "rank": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 3},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
    },
}
PART = {"type": "object", "properties": {"kind": {"enum": ["land", "sea"]}}}


@pytest.fixture
def schemas() -> Schemas:
    return Schemas({"components": {"schemas": {"Node": NODE, "Place": PLACE, "Part": PART}}})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": "integer", "minimum": 1, "maximum": 5000}, "integer, 1 to 5,000"),
        ({"type": "string", "format": "date-time"}, "time"),
        ({"type": "array", "items": {"type": "string"}}, "list of text"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": ["number", "null"]}, "number or null"),
        ({"enum": ["a", "b"]}, 'one of "a", "b"'),
        ({"const": "Feature"}, '"Feature"'),
        ({}, "any value"),
        ({"$ref": "#/components/schemas/Place"}, "object"),
    ],
)
def test_types_are_told_in_words(schemas: Schemas, schema: dict[str, Any], words: str) -> None:
    assert schemas.words(schema) == words


def test_a_long_list_of_choices_is_cut(schemas: Schemas) -> None:
    words = schemas.words({"enum": list(range(20))})
    assert words.endswith("11 ...")


def test_the_fields_of_what_is_within_come_below_it(schemas: Schemas) -> None:
    rows = schemas.rows({"$ref": "#/components/schemas/Place"})
    assert [(row.name, row.depth, row.required) for row in rows] == [
        ("name", 0, True),
        ("rank", 0, False),
        ("parts", 0, False),
        ("kind", 1, False),
    ]
    assert (rows[0].description, rows[1].default) == ("What it is called", "3")


def test_a_schema_that_holds_itself_has_an_end(schemas: Schemas) -> None:
    rows = schemas.rows({"$ref": "#/components/schemas/Node"})
    assert [(row.name, row.depth) for row in rows] == [("name", 0), ("child", 0)]


def test_an_example_is_made_of_examples_and_defaults(schemas: Schemas) -> None:
    assert schemas.example({"$ref": "#/components/schemas/Place"}) == {"name": "Oslo", "rank": 3}
    assert schemas.example({"type": "object"}) is None
