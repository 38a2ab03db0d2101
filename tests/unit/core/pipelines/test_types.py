"""Types out of JSON Schema, in words, and which fit which places."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from core.pipelines import types
from core.pipelines.types import (
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
    from_schema,
    type_of,
    union,
    why_not,
)

WHOLE = Number(whole=True)


class Mood(StrEnum):
    CALM = "calm"
    WILD = "wild"


class Dog(BaseModel):
    kind: Literal["dog"]
    barks: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int | None = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Tree(BaseModel):
    children: list[Tree]


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(pattern="^a", max_length=9)
    when: datetime
    count: int = Field(ge=0, lt=10)
    share: float
    flag: bool
    mood: Mood
    mode: Literal["a", "b"] | None
    level: Literal[1, 2]
    box: tuple[float, float, int]
    either: int | str
    many: list[str] | None
    by_name: dict[str, int]
    whatever: Any
    pet: Dog | Cat = Field(discriminator="kind")
    open: Open
    tree: Tree


def test_a_model_of_pydantic() -> None:
    read = from_schema(Everything.model_json_schema(mode="serialization"))
    assert isinstance(read, Object)
    assert read.extra is None
    dog = Object({"kind": Property(Text(("dog",))), "barks": Property(WHOLE)})
    cat = Object(
        {
            "kind": Property(Text(("cat",))),
            "lives": Property(union([WHOLE, Null()]), required=False),
        }
    )
    assert {name: each.type for name, each in read.properties.items()} == {
        "name": Text(limits=Limits(pattern="^a", max_length=9)),
        "when": Text(format="date-time"),
        "count": Number(whole=True, limits=Limits(minimum=0, below=10)),
        "share": Number(),
        "flag": Boolean(),
        "mood": Text(("calm", "wild")),
        "mode": union([Text(("a", "b")), Null()]),
        "level": Number(True, (1, 2)),
        "box": Tuple((Number(), Number(), WHOLE)),
        "either": union([WHOLE, Text()]),
        "many": union([List(Text()), Null()]),
        "by_name": Object({}, WHOLE),
        "whatever": Anything(),
        "pet": union([dog, cat]),
        "open": Object({"name": Property(Text())}, Anything()),
        # A tree within a tree is anything: it could go on for ever.
        "tree": Object({"children": Property(List(Anything()))}),
    }


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (True, Anything()),
        (False, Nothing()),
        ({}, Anything()),
        ("no schema", Anything()),
        ({"$ref": "#/$defs/Missing"}, Anything()),
        ({"type": "unheard of"}, Anything()),
        ({"type": ["string", "null"]}, union([Text(), Null()])),
        ({"const": None}, Null()),
        ({"enum": ["a", 1]}, union([Text(("a",)), Number(True, (1,))])),
        ({"properties": {"a": {"type": "string"}}}, Object({"a": Property(Text(), False)})),
        ({"type": "object"}, Object({}, Anything())),
        ({"type": "object", "patternProperties": {"^x": {}}}, Object({}, Anything())),
        ({"items": {"type": "string"}}, List(Text())),
        ({"type": "array"}, List(Anything())),
        (
            {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}},
            List(union([Text(), WHOLE])),
        ),
        (
            {
                "$defs": {"A": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "allOf": [{"$ref": "#/$defs/A"}, {"properties": {"b": {"type": "null"}}}],
            },
            Object({"a": Property(Text(), False), "b": Property(Null(), False)}),
        ),
        ({"allOf": [{}, {"type": "string"}]}, Text()),
    ],
)
def test_schemas(schema: object, found: Type) -> None:
    assert from_schema(schema) == found


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (List(Text()), "a list of texts"),
        (List(List(WHOLE)), "a list of lists of whole numbers"),
        (union([Text(), Null()]), "a text or null"),
        (Text(("a", "b")), 'one of "a", "b"'),
        (Text(("a" * 99,)), f'"{"a" * 59}...'),
        (Number(True, (5,)), "5"),
        (Number(), "a number"),
        (Boolean(), "true or false"),
        (Text(format="date-time"), "a date and time"),
        (Tuple((Number(), Number())), "a list of 2 numbers"),
        (Tuple(()), "an empty list"),
        (Object({"a": Property(Text()), "b": Property(Text())}), "an object with a, b"),
        (Object({"a": Property(Text())}, Anything()), "an object with a, ..."),
        (Object({}, Anything()), "an object"),
        (List(union([Text(), WHOLE])), "a list of texts or whole numbers"),
        (List(Object({"a": Property(Text())})), "a list of objects with a"),
        (Anything(), "anything"),
        (List(Anything()), "a list of any values"),
    ],
)
def test_types_in_words(type_: Type, words: str) -> None:
    assert type_.as_words() == words


def test_a_union_is_flat_without_doubles_and_ends_with_null() -> None:
    assert union([Text(("a",)), Null(), Text(("b", "a"))]) == union([Text(("a", "b")), Null()])
    assert union([Text(("a",)), Text()]) == Text()
    assert union([Null(), union([WHOLE, Null()])]) == union([WHOLE, Null()])
    assert union([]) == Nothing()
    assert union([Null(), Nothing()]) == Null()
    assert union([Text(), Anything()]) == Anything()
    assert types.without_null(union([Text(), Null()])) == Text()


CLOSED = Object({"a": Property(Text()), "b": Property(WHOLE, required=False)})
OPEN = Object({"a": Property(Text())}, Anything())


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (WHOLE, Number()),
        (Anything(), CLOSED),
        (CLOSED, Anything()),
        (Nothing(), Text()),
        (Text(), Text(limits=Limits(pattern="^x$"))),
        (WHOLE, Number(True, limits=Limits(maximum=3))),
        (Number(True, (3,)), Number(True, limits=Limits(maximum=3))),
        (Text(("a",)), Text(("a", "b"))),
        (Text(("xy",)), Text(limits=Limits(pattern="^x", min_length=2, max_length=2))),
        (Text(("x",)), Text(limits=Limits(pattern="(?not one of ours"))),
        (Null(), union([Text(), Null()])),
        (union([Text(("a",)), Null()]), union([Text(), Null()])),
        (union([WHOLE, Text()]), union([Text(), Number()])),
        (List(WHOLE), List(Number())),
        (Tuple((WHOLE, Number())), List(Number())),
        (List(WHOLE), Tuple((WHOLE, Number()))),
        (Tuple((WHOLE, Text())), Tuple((Number(), Text()))),
        (Tuple(()), List(Text())),
        (Object({"a": Property(Text(("x",)))}), CLOSED),
        (OPEN, CLOSED),
        (Object({}, Anything()), CLOSED),
        (Object({"a": Property(Text()), "z": Property(Null())}), OPEN),
        (Object({"z": Property(WHOLE)}), Object({}, Number())),
    ],
)
def test_what_fits(value: Type, place: Type) -> None:
    assert why_not(value, place) is None


@pytest.mark.parametrize(
    ("value", "place", "said"),
    [
        (Number(), WHOLE, "this is a number, where a whole number is wanted"),
        (Boolean(), WHOLE, "this is true or false, where a whole number is wanted"),
        (Text(), Text(("a",)), 'this is a text, where "a" is wanted'),
        (Text(("replcae",)), Text(("replace", "append")),
         '"replcae" is not one of "replace", "append". Did you mean replace?'),
        (Number(True, (3, 4)), Number(True, limits=Limits(maximum=3)), "4 is more than 3"),
        (Number(True, (0,)), Number(limits=Limits(minimum=1)), "0 is less than 1"),
        (Number(True, (0,)), Number(limits=Limits(above=0)), "0 is not more than 0"),
        (Number(True, (9,)), Number(limits=Limits(below=9)), "9 is not less than 9"),
        (Number(True, (9,)), Number(limits=Limits(multiple_of=2)), "9 is not a multiple of 2"),
        (Text(("X",)), Text(limits=Limits(pattern="^x")), '"X" does not match the pattern ^x'),
        (Text(("x",)), Text(limits=Limits(min_length=2)), '"x" has fewer than 2 characters'),
        (Text(("xyz",)), Text(limits=Limits(max_length=2)), '"xyz" has more than 2 characters'),
        (Null(), Text(), "this is null, where a text is wanted"),
        (union([Text(), Null()]), Text(), "this may be null, where a text is wanted: coalesce"),
        (union([WHOLE, Null()]), Text(), "this is a whole number, where a text is wanted"),
        (WHOLE, union([Text(), Null()]), "this is a whole number, where a text or null is wanted"),
        (Text(("x",)), union([Text(("a",)), Null()]), '"x" is not "a"'),
        (union([WHOLE, Text()]), Number(), "this is a text, where a number is wanted"),
        (List(Text()), List(WHOLE), "of the values in the list: this is a text"),
        (Text(), List(Text()), "this is a text, where a list of texts is wanted"),
        (Tuple((WHOLE,)), Tuple((WHOLE, WHOLE)), "this has 1 values, where 2 are wanted"),
        (Object({}), CLOSED, "this has no 'a', which is wanted"),
        (Object({"a": Property(Text(), False)}), CLOSED, "this may have no 'a'"),
        (Object({"a": Property(WHOLE)}), CLOSED, "in 'a': this is a whole number"),
        (Object({"a": Property(Text()), "zebra": Property(WHOLE)}), CLOSED,
         "there is no place for 'zebra'. There is a, b."),
        (Object({"z": Property(Text())}), Object({}, Number()), "in 'z': this is a text"),
    ],
)  # fmt: skip
def test_what_does_not_fit(value: Type, place: Type, said: str) -> None:
    fault = why_not(value, place)
    assert fault is not None
    assert said in fault


def test_values_that_can_be_equal() -> None:
    assert types.can_be_equal(union([Text(), WHOLE]), Number(False, (1.0,)))
    assert types.can_be_equal(Text(("a", "b")), Text(("b",)))
    assert types.can_be_equal(Text(), Null())
    assert types.can_be_equal(Tuple((WHOLE,)), List(Text()))
    assert not types.can_be_equal(Text(("a",)), Text(("b",)))
    assert not types.can_be_equal(Boolean(), WHOLE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
_KEYWORDS = """
type $ref $defs anyOf oneOf allOf enum const properties required items prefixItems pattern
additionalProperties minItems maxItems minimum maxLength format
"""
_SCHEMA_LIKE = st.recursive(
    JSON | st.sampled_from(["string", "array", "object", "#/$defs/a", "integer"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_KEYWORDS.split(), "a"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(_SCHEMA_LIKE)
def test_anything_can_be_read_as_a_schema(schema: object) -> None:
    read = from_schema(schema)
    assert read.as_words()
    assert why_not(read, read) is None


@given(JSON)
def test_a_value_fits_the_type_that_it_is_of(value: object) -> None:
    assert why_not(type_of(value), type_of(value)) is None
    assert why_not(type_of(value), union([Boolean(), type_of(value)])) is None
