"""What a run is given, and what inputs are declared as."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import InvalidParameters
from core.models.pipeline import Pipeline
from core.pipelines import checking, inputs

DECLARED: dict[str, Any] = {
    "blob": {"type": "string"},
    "n": {"type": "integer", "required": False, "default": 3},
    "share": {"type": "number", "required": False},
    "mode": {"type": "string", "choices": ["replace", "append"], "required": False},
    "days": {"type": "list", "items": "integer", "choices": [1, 2], "required": False},
    "flag": {"type": "boolean", "required": False, "default": False},
}
PIPELINE = Pipeline.model_validate({"name": "parks", "inputs": DECLARED})
DEFAULTS = {"n": 3, "share": None, "mode": None, "days": None, "flag": False}


@pytest.mark.parametrize(
    ("given", "complete"),
    [
        ({"blob": "a"}, {"blob": "a", **DEFAULTS}),
        ({"blob": "a", "n": None, "share": None}, {"blob": "a", **DEFAULTS}),
        (
            {"blob": "", "n": 0, "share": 2, "mode": "append", "days": [2, 2], "flag": True},
            {"blob": "", "n": 0, "share": 2, "mode": "append", "days": [2, 2], "flag": True},
        ),
    ],
)
def test_a_run_has_all_inputs(given: dict[str, Any], complete: dict[str, Any]) -> None:
    assert checking.check_inputs(PIPELINE, given) == complete


def test_what_is_wrong_with_inputs_is_told_in_one_go() -> None:
    given = {"n": True, "share": "1", "mode": "add", "days": [1, 3, "x"], "flag": 1, "mood": "x"}
    with pytest.raises(InvalidParameters) as caught:
        checking.check_inputs(PIPELINE, given)
    assert caught.value.message == (
        "The inputs of parks are not valid: blob, n, share, mode, days, flag, mood."
    )
    assert {".".join(map(str, each["loc"])): each["msg"] for each in caught.value.errors} == {
        "inputs.blob": "a value is required",
        "inputs.n": "this is true or false, where a whole number is wanted",
        "inputs.share": 'this is "1", where a number is wanted',
        "inputs.mode": '"add" is not one of "replace", "append".',
        "inputs.days.1": "3 is not one of 1, 2.",
        "inputs.days.2": 'this is "x", where one of 1, 2 is wanted',
        "inputs.flag": "this is 1, where true or false is wanted",
        "inputs.mood": "there is no input mood. Did you mean mode?",
    }


@pytest.mark.parametrize("value", ["a\x00b", "\udc80"])
def test_what_cannot_be_kept_is_refused(value: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        checking.check_inputs(PIPELINE, {"blob": value})
    assert caught.value.errors[0]["loc"] == ["inputs", "blob"]
    assert "cannot be kept" in caught.value.errors[0]["msg"]


@pytest.mark.parametrize(
    ("declared", "places"),
    [
        ({"type": "integer", "choices": [1, "2", 3.5]}, [["choices", 1], ["choices", 2]]),
        ({"type": "list", "items": "string", "choices": [["a"]]}, [["choices", 0]]),
        ({"type": "string", "choices": ["a"], "required": False, "default": "b"}, [["default"]]),
        ({"type": "list", "items": "string", "required": False, "default": ["a", 1]},
         [["default", 1]]),
        ({"type": "list", "items": "string", "required": False, "default": "a"}, [["default"]]),
        ({"type": "number", "choices": [1, 2.5], "required": False, "default": 1.0}, []),
    ],
)  # fmt: skip
def test_declarations(declared: dict[str, Any], places: list[list[str | int]]) -> None:
    pipeline = Pipeline.model_validate({"name": "parks", "inputs": {"a": declared}})
    found = list(inputs.check_declared("a", pipeline.inputs["a"]))
    assert [each["loc"] for each in found] == [["inputs", "a", *place] for place in places]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blob", "a text"),
        ("n", "a whole number"),
        ("share", "a number or null"),
        ("mode", 'one of "replace", "append" or null'),
        ("days", "a list of whole numbers or null"),
        ("flag", "true or false"),
    ],
)
def test_what_expressions_see_of_an_input(name: str, words: str) -> None:
    assert inputs.type_of(PIPELINE.inputs[name]).as_words() == words
