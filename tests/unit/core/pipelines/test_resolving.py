"""Parameters with values in the place of their expressions."""

from __future__ import annotations

import pytest

from core.errors import InvalidParameters
from core.pipelines.resolving import expressions_in, resolve

SCOPE = {"inputs": {"a": 1, "names": ["x", "y"]}, "item": {"b": None}}


def test_values_stand_where_expressions_stood() -> None:
    parameters = {
        "plain": {"deep": [1, None, "$expr"]},
        "whole": {"$expr": "inputs.names"},
        "within": [0, {"$expr": "inputs.a + 1"}, {"x": {"$expr": "item.b"}}],
    }
    before = repr(parameters)
    assert resolve(parameters, SCOPE) == {
        "plain": {"deep": [1, None, "$expr"]},
        "whole": ["x", "y"],
        "within": [0, 2, {"x": None}],
    }
    assert repr(parameters) == before


def test_every_place_without_a_value_is_named() -> None:
    parameters = {
        "a": {"$expr": "inputs.b"},
        "b": [1, {"c": {"$expr": "inputs.names[5]"}}],
        "c": {"$expr": "1 +"},
        "d": {"$expr": 3},
        "e": {"$expr": "inputs.a", "f": 1},
    }
    with pytest.raises(InvalidParameters) as caught:
        resolve(parameters, SCOPE)
    assert [each["loc"] for each in caught.value.errors] == [["a"], ["b", 1, "c"], ["c"], ["d"],
                                                             ["e"]]  # fmt: skip
    assert "inputs.names[5]: the list has 2 values" in caught.value.errors[1]["msg"]
    assert caught.value.message.startswith("There is no value for a, b.1.c, c, d, e: inputs.b")


def test_expressions_are_found_wherever_they_stand() -> None:
    value = {"a": [{"$expr": "x"}, {"b": {"$expr": "y"}}], "c": "$expr"}
    assert [(at, each["$expr"]) for at, each in expressions_in(value)] == [
        (("a", 0), "x"),
        (("a", 1, "b"), "y"),
    ]
