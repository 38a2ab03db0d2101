"""What changed between two versions of a pipeline."""

from __future__ import annotations

from typing import Any

from core.models.pipeline import Pipeline
from services.pipelines.diffing import changes
from tests.support.pipelines_api import GREETINGS, greetings


def told(**changed: Any) -> list[tuple[str, list[str | int], Any, Any]]:
    """The differences from the greetings to a changed document."""
    before, after = (Pipeline.model_validate(each) for each in (GREETINGS, greetings(**changed)))
    return [tuple(each.values()) for each in changes(before, after)]  # type: ignore[misc]


def test_the_same_document_has_no_differences() -> None:
    assert told() == []


def test_what_is_so_by_default_is_no_difference() -> None:
    first, *others = greetings()["steps"]
    assert told(steps=[{**first, "max_parallel": 4, "after": []}, *others]) == []


def test_fields_are_compared_one_by_one() -> None:
    first, *others = greetings()["steps"]
    step = {**first, "parameters": {"n": 3, "sleep_ms": 5}, "max_parallel": 8}
    assert told(title="Other", steps=[step, *others]) == [
        ("changed", ["title"], "Greetings", "Other"),
        ("changed", ["steps", "greet", "parameters", "n"], {"$expr": "item"}, 3),
        ("added", ["steps", "greet", "parameters", "sleep_ms"], None, 5),
        ("changed", ["steps", "greet", "max_parallel"], 4, 8),
    ]


def test_steps_are_known_by_their_ids_wherever_they_stand() -> None:
    first, second, third = greetings()["steps"]
    end = {"id": "end", "kind": "gate", "message": "Done?"}
    assert [each[:2] for each in told(steps=[end, first, third])] == [
        ("removed", ["steps", "look"]),
        ("added", ["steps", "end"]),
    ]
    assert told(steps=[third, first, second]) == [
        ("changed", ["steps"], ["greet", "look", "again"], ["again", "greet", "look"])
    ]


def test_an_added_step_is_told_without_what_is_empty() -> None:
    end = {"id": "end", "kind": "gate", "message": "Done?"}
    [(_, _, before, after)] = told(steps=[*greetings()["steps"], end])
    assert before is None
    assert after["message"] == "Done?"
    assert not {"title", "after", "when", "timeout_hours"} & after.keys()


def test_a_position_of_the_drawing_is_one_value() -> None:
    place = {"x": 1.0, "y": 2.0}
    assert told(layout={"greet": place}) == [("added", ["layout", "greet"], None, place)]
    before = Pipeline.model_validate(greetings(layout={"greet": place}))
    after = Pipeline.model_validate(greetings(layout={"greet": {"x": 1.0, "y": 3.0}}))
    [change] = changes(before, after)
    assert (change["loc"], change["after"]) == (["layout", "greet"], {"x": 1.0, "y": 3.0})


def test_inputs_and_schedules_come_and_go() -> None:
    schedule = {"cron": "0 2 * * *"}
    assert [each[:2] for each in told(inputs={}, schedule=schedule)] == [
        ("removed", ["inputs", "counts"]),
        ("added", ["schedule"]),
    ]
