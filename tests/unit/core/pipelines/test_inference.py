"""The types of expressions, and what is refused before anything runs."""

from __future__ import annotations

import pytest

from core.pipelines.expressions import FUNCTIONS, TypeProblem, parse
from core.pipelines.types import (
    Anything,
    Boolean,
    List,
    Null,
    Number,
    Object,
    Property,
    Text,
    Tuple,
    Type,
    union,
)

WHOLE = Number(whole=True)
MAYBE_TEXT = union([Text(), Null()])
TABLE = Object({"table": Property(Text()), "rows": Property(WHOLE)})
DOG = Object({"kind": Property(Text(("dog",))), "barks": Property(WHOLE)})
CAT = Object({"kind": Property(Text(("cat",)))})
LOADED = Object(
    {
        "tables": Property(List(TABLE)),
        "report": Property(MAYBE_TEXT),
        "bbox": Property(Tuple((Number(), WHOLE))),
        "by_reason": Property(Object({}, WHOLE)),
        "extra": Property(Object({"known": Property(Text())}, Anything())),
        "spare": Property(Text(), required=False),
        "pet": Property(union([DOG, CAT])),
    }
)
SCOPE: dict[str, Type] = {
    "inputs": Object(
        {
            "blob": Property(Text()),
            "n": Property(WHOLE),
            "share": Property(Number()),
            "mode": Property(Text(("replace", "append"))),
            "maybe": Property(MAYBE_TEXT),
            "names": Property(List(Text())),
            "flag": Property(Boolean()),
            "any": Property(Anything()),
        }
    ),
    "steps": Object(
        {
            "load": Property(Object({"outputs": Property(LOADED), "status": Property(Text())})),
            "many": Property(Object({"outputs": Property(List(LOADED))})),
            "lost": Property(Object({"outputs": Property(union([LOADED, Null()]))})),
            "gate": Property(Object({"decision": Property(Text(("approved", "rejected")))})),
        }
    ),
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("inputs.blob", Text()),
        ("steps.load.outputs.tables[0].rows", WHOLE),
        ("steps.load.outputs.tables[:].table", List(Text())),
        ("steps.many.outputs[:].tables[:].table", List(Text())),
        ("steps.many.outputs[:].tables", List(List(TABLE))),
        ("steps.many.outputs[:].report", List(MAYBE_TEXT)),
        ("steps.load.outputs.bbox[1]", WHOLE),
        ("steps.load.outputs.bbox[:]", List(union([Number(), WHOLE]))),
        ("steps.load.outputs.by_reason.x", union([WHOLE, Null()])),
        ("steps.load.outputs.extra.unknown", Anything()),
        ("steps.load.outputs.spare", MAYBE_TEXT),
        ("steps.load.outputs.pet.kind", Text(("dog", "cat"))),
        # A cat has none: it is null then.
        ("steps.load.outputs.pet.barks", union([WHOLE, Null()])),
        ("steps.lost.outputs.tables[0].table", MAYBE_TEXT),
        ("steps.lost.outputs.tables[:].table", union([List(Text()), Null()])),
        ("inputs.any.a[0].b", Anything()),
        ("inputs.any[:].a", List(Anything())),
        ("coalesce(inputs.maybe, 'x')", Text()),
        ("coalesce(inputs.maybe, null)", MAYBE_TEXT),
        ("coalesce(inputs.maybe, inputs.n)", union([Text(), WHOLE])),
        ("coalesce(inputs.blob, 3)", Text()),
        ("first(inputs.names)", MAYBE_TEXT),
        ("first([1, 2])", Number(True, (1,))),
        ("length(inputs.names)", WHOLE),
        ("text(inputs.share)", Text()),
        ("text(inputs.mode)", Text(("replace", "append"))),
        ("stem(inputs.blob) + '_x'", Text()),
        ("inputs.n + 1", WHOLE),
        ("inputs.n * 0.5", Number()),
        ("inputs.n - inputs.any", Number()),
        ("inputs.any + 'a'", Text()),
        ("inputs.any + inputs.any", Anything()),
        ("inputs.names + [1]", List(union([Text(), Number(True, (1,))]))),
        ("[1] + ['a']", Tuple((Number(True, (1,)), Text(("a",))))),
        ("-inputs.n", WHOLE),
        ("-3", Number(True, (-3,))),
        ("inputs.n > 1 and not inputs.flag", Boolean()),
        ("inputs.maybe == null", Boolean()),
        ("'a' in inputs.names or 'a' in inputs.blob", Boolean()),
        ("inputs.any < 3", Boolean()),
        ("inputs.blob if inputs.flag else null", MAYBE_TEXT),
    ],
)
def test_types(text: str, found: Type) -> None:
    assert parse(text).type_in(SCOPE) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inputs.blub", "inputs.blub: there is no input blub. Did you mean blob?"),
        ("steps.laod.outputs", "there is no step laod. Did you mean load?"),
        ("steps.load.output", "steps.load.output: there is no output. Did you mean outputs?"),
        ("steps.load.outputs.tabels", "there is no tabels. Did you mean tables?"),
        ("steps.gate.outputs", "there is no outputs. There is decision."),
        ("steps.load.outputs.tables.table", "[:].table asks each value for it"),
        ("steps.load.outputs.bbox[2]", "the list has 2 values"),
        ("inputs.blob[0]", "inputs.blob[0]: this is a text, no list"),
        ("inputs.n[:]", "inputs.n[:]: this is a whole number, no list"),
        ("steps.many.outputs[:].tabels[:].table", "there is no tabels"),
        ("steps.load.outputs.pet.meows", "there is no meows"),
        ("item", "item is known only in the parameters of a step with for_each"),
        ("inputs.n + inputs.blob", "text(...) makes a text of a number"),
        ("inputs.names + 'a'", "where a list of any values is wanted"),
        ("inputs.maybe + 'a'", "this may be null"),
        ("inputs.blob - 1", "where a number is wanted"),
        ("-inputs.blob", "where a number is wanted"),
        ("inputs.flag + 1", "true or false, where a number is wanted"),
        ("not inputs.n", "where true or false is wanted"),
        ("inputs.flag and inputs.n", "inputs.n: this is a whole number"),
        ("1 if inputs.maybe else 2", "where true or false is wanted"),
        ("inputs.mode == 'replcae'", 'is never the same as "replcae"'),
        ("inputs.n == '1'", 'a whole number is never the same as "1"'),
        ("steps.gate.decision != 'ok'", "is never the same"),
        ("1 in inputs.names", "1 is never among texts"),
        ("1 in inputs.blob", "where a text is wanted"),
        ("1 in inputs.n", "this is a whole number"),
        ("inputs.n < inputs.blob", "a whole number and a text have no order"),
        ("inputs.maybe < 'a'", "null has no order"),
        ("inputs.flag < inputs.any", "true or false"),
        ("length(inputs.n)", "length(inputs.n): this is a whole number"),
        ("length(inputs.maybe)", "this may be null"),
        ("text(inputs.names)", "this is a list of texts"),
        ("text(inputs.maybe)", "this may be null"),
        ("first(inputs.blob)", "this is a text, where a list of any values is wanted"),
        ("stem(inputs.n)", "where a text is wanted"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(TypeProblem) as caught:
        parse(text).type_in(SCOPE)
    assert said in caught.value.message
    assert 0 <= caught.value.offset < len(text)


def test_the_value_of_a_for_each_is_known_where_there_is_one() -> None:
    scope = {**SCOPE, "item": TABLE, "item_index": WHOLE}
    assert parse("item.table + text(item_index)").type_in(scope) == Text()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_each_function_is_right(name: str) -> None:
    inputs = Object({name: Property(each) for name, each in (
        ("year", WHOLE), ("blob", Text()), ("table_name", MAYBE_TEXT))})  # fmt: skip
    found = parse(FUNCTIONS[name].example).type_in({**SCOPE, "inputs": inputs})
    assert found in (Text(), WHOLE, MAYBE_TEXT)
