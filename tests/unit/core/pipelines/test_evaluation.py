"""The values of expressions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.pipelines.expressions import EvaluationError, ExpressionError, parse

SCOPE: dict[str, Any] = {
    "inputs": {"blob": "in/parks.2024.gpkg", "n": 3, "none": None, "flag": True},
    "steps": {
        "load": {
            "status": "completed",
            "job_id": "j1",
            "outputs": {
                "tables": [{"table": "geo.a", "rows": 2}, {"table": "geo.b", "rows": 0}],
                "empty": [],
                "by_reason": {"no geometry": 4},
            },
        },
        "many": {
            "outputs": [
                {"tables": [{"table": "x"}, {"table": "y"}]},
                {"tables": []},
                {"tables": None},
                {"tables": [{"table": "z"}]},
            ]
        },
        "lost": {"outputs": None, "status": "skipped"},
    },
    "run": {"id": "r", "date": "2026-11-23"},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.blob", "in/parks.2024.gpkg"),
        ("basename(inputs.blob)", "parks.2024.gpkg"),
        ("stem(inputs.blob)", "parks.2024"),
        ("basename('in/dir/')", "dir"),
        ('"run of " + run.date', "run of 2026-11-23"),
        ('stem("a.tif") + "_" + text(inputs.n) + text(true) + text(1.5)', "a_3true1.5"),
        ("steps.load.outputs.tables[0].table", "geo.a"),
        ("steps.load.outputs.tables[-1].table", "geo.b"),
        ("steps.load.outputs.tables[:].table", ["geo.a", "geo.b"]),
        ("steps.load.outputs.empty[:].table", []),
        ("steps.load.outputs.tables[:]", SCOPE["steps"]["load"]["outputs"]["tables"]),
        ('steps.load.outputs.by_reason["no geometry"]', 4),
        # Several [:] make one list of all.
        ("steps.many.outputs[:].tables[:].table", ["x", "y", "z"]),
        ("steps.many.outputs[:].tables", [[{"table": "x"}, {"table": "y"}], [], None,
                                          [{"table": "z"}]]),
        # What is not there is null, and so is what is asked of it.
        ("steps.load.outputs.nothing", None),
        ("steps.lost.outputs.tables[0].table", None),
        ("steps.lost.outputs[:].x", None),
        ("first(steps.load.outputs.empty).table", None),
        ("coalesce(steps.lost.outputs.table, inputs.none, 'x')", "x"),
        ("coalesce(inputs.none, null)", None),
        ("coalesce(false, true)", False),
        ("length(steps.load.outputs.tables) + length('abc')", 5),
        ("1 + 2 * 3 - -4", 11),
        ("0.5 * 2", 1.0),
        ("[1] + ['a', null]", [1, "a", None]),
        ("inputs.n == 3.0", True),
        ("inputs.flag == 1", False),
        ("[true] == [1]", False),
        ("[1, [2]] == [1.0, [2]]", True),
        ("steps.load.outputs.by_reason == steps.load.outputs.by_reason", True),
        ("inputs.none != null", False),
        ("1 < inputs.n <= 3", True),
        ("3 < inputs.n < inputs.blob", False),
        ("'a' < 'b'", True),
        ("'park' in inputs.blob", True),
        ("1 in [true]", False),
        ("4 not in [1, 2]", True),
        ("false and inputs.blob", False),
        ("true or inputs.blob", True),
        ("not (1 == 2)", True),
        ("'many' if inputs.n > 2 else inputs.n + 'x'", "many"),
        ("(inputs.n if true else 0) * 2", 6),
        ("steps.load.status in ['completed', 'failed']", True),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    found = parse(text).evaluate(SCOPE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps.laod.outputs", "steps.laod: there is no laod. Did you mean load?"),
        ("inputs.blub", "inputs.blub: there is no blub. Did you mean blob?"),
        ("item.name", "item is not known here"),
        ("steps.load.outputs.empty[0].table", "steps.load.outputs.empty[0]: the list is empty"),
        ("steps.load.outputs.tables[2]", "steps.load.outputs.tables[2]: the list has 2 values"),
        ("inputs.blob.name", "inputs.blob.name: this is a text, no object with names"),
        ("inputs.n[0]", "inputs.n[0]: this is a number, no list"),
        ("inputs.blob[:]", "inputs.blob[:]: this is a text, no list"),
        ("steps.load.outputs.tables.table", "this is a list, no object"),
        ("inputs.n + inputs.blob", "inputs.blob: this is a text, where a number is wanted"),
        ("inputs.none + 'a'", "null and a text cannot be added"),
        ("'a' * 3", "where a number is wanted"),
        ("true + 1", "true or false, where a number is wanted"),
        ("-inputs.blob", "where a number is wanted"),
        ("not inputs.n", "this is a number, where true or false is wanted"),
        ("inputs.n and true", "where true or false is wanted"),
        ("1 if inputs.none else 2", "this is null, where true or false"),
        ("inputs.n < inputs.blob", "have no order"),
        ("inputs.none < 1", "null and a number have no order"),
        ("1 in inputs.n", "what is searched is a number"),
        ("1 in inputs.blob", "a list is wanted"),
        ("length(inputs.n)", "length(inputs.n): this is 3, where a list or a text is wanted"),
        ("text(inputs.none)", "this is null"),
        ("first(inputs.blob)", "where a list is wanted"),
        ("stem(inputs.n)", "where a text is wanted"),
        ("9223372036854775807 + 1", "the number is too large"),
        ("1e308 * 10", "the number is too large"),
        ("9223372036854775807 * -2", "the number is too large"),
    ],
)
def test_what_has_no_value(text: str, said: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        parse(text).evaluate(SCOPE)
    assert said in caught.value.message


def test_a_number_that_no_float_can_hold_is_too_large_beside_a_fraction() -> None:
    with pytest.raises(EvaluationError, match="too large"):
        parse("inputs.n * 1.5").evaluate({"inputs": {"n": 10**400}})


@pytest.mark.parametrize(
    "text", ["length(inputs.a + inputs.a) > 0 and [inputs.a] != []", "[inputs.a, inputs.a]"]
)
@pytest.mark.parametrize("value", ["x" * 9_000_000, [0] * 60_000])
def test_no_value_grows_without_end(text: str, value: Any) -> None:
    with pytest.raises(EvaluationError, match="too l"):
        parse(text).evaluate({"inputs": {"a": value}})


def test_what_is_in_a_value_many_times_counts_each_time() -> None:
    with pytest.raises(EvaluationError, match="too large"):
        parse("[inputs.a, inputs.a]").evaluate({"inputs": {"a": [["y" * 90] * 900] * 60}})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
_LEAVES = st.sampled_from(["inputs.a", "inputs.b", "inputs.c", "1", "'x'", "null", "true", "[]"])
_TEXTS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([".a", "[0]", "[:]", "[-1]"])).map(
            "({0[0]}){0[1]}".format
        ),
        st.tuples(st.sampled_from(["length", "first", "text", "stem"]), inner).map(
            "{0[0]}({0[1]})".format
        ),
        st.tuples(inner, st.sampled_from(["+", "-", "*", "==", "<", "in", "and", "or"]), inner).map(
            "({0[0]} {0[1]} {0[2]})".format
        ),
        st.tuples(inner, inner, inner).map("({0[0]} if {0[1]} else {0[2]})".format),
        st.tuples(inner, inner).map("coalesce({0[0]}, {0[1]})".format),
    ),
    max_leaves=5,
)


@given(_TEXTS, st.fixed_dictionaries({"a": _JSON, "b": _JSON, "c": _JSON}))
def test_an_expression_has_a_value_or_says_why_not(text: str, values: dict[str, Any]) -> None:
    try:
        expression = parse(text)
    except ExpressionError:
        return
    told = None
    try:
        expression.evaluate({"inputs": values})
    except EvaluationError as error:
        told = error
    assert told is None or (told.message and 0 <= told.offset < len(text))
