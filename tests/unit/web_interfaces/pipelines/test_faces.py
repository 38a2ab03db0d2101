"""What the drawings say on their steps."""

from __future__ import annotations

from typing import Any

from core.models.pipeline import Pipeline
from services.pipelines.diffing import changes
from web_interfaces.pipelines import faces


def pipeline(*steps: dict[str, Any], **more: Any) -> Pipeline:
    described = [
        {"kind": "job", "job": "hello_fan_out", **step} if "message" not in step else step
        for step in steps
    ]
    return Pipeline.model_validate({"name": "faced", "steps": described, **more})


def view(step: str, status: str, **more: Any) -> dict[str, Any]:
    plain = {"items_total": None, "jobs_completed": 0, "jobs_failed": 0, "progress_pct": 0.0}
    return {"id": step, "status": status, **plain, **more}


def test_a_pipeline_says_what_is_wrong_or_how_its_steps_run() -> None:
    drawn = pipeline(
        {"id": "load_files", "for_each": "[1]", "when": "true"},
        {"id": "look", "kind": "gate", "message": "Well?", "title": "Look at it"},
        {"id": "last"},
    )
    problems = [
        {"loc": ["steps", "last", "parameters", "n"], "msg": "is missing"},
        {"loc": ["name"], "msg": "is taken"},
    ]
    found = faces.of_pipeline(drawn, problems)
    assert found["load_files"] == faces.Face(
        "Load files", "hello fan out", "for each value of a list, if its condition is met"
    )
    assert found["look"] == faces.Face("Look at it", "approval")
    assert (found["last"].note, found["last"].mark) == ("1 problem", "problem")


def test_a_run_says_how_far_each_step_is() -> None:
    drawn = pipeline({"id": "one"}, {"id": "many", "for_each": "[1]"}, {"id": "later"})
    found = faces.of_run(
        drawn,
        [
            view("one", "running", items_total=1, progress_pct=41.5),
            view("many", "failed", items_total=1200, jobs_completed=1000, jobs_failed=3),
            view("later", "pending"),
        ],
    )
    assert (found["one"].note, found["one"].progress) == ("running", 41.5)
    assert found["many"].note == "failed · 1,000 of 1,200, 3 failed"
    assert (found["later"].note, found["later"].progress) == ("pending", None)


def test_two_versions_show_what_was_added_removed_and_changed() -> None:
    before = pipeline(
        {"id": "a", "parameters": {"n": 1}}, {"id": "b"}, layout={"b": {"x": 9, "y": 9}}
    )
    after = pipeline({"id": "a", "parameters": {"n": 2}, "title": "A"}, {"id": "c"})
    both, found = faces.of_versions(before, after, changes(before, after))
    assert [step.id for step in both.steps] == ["a", "c", "b"]
    assert {step: (face.note, face.mark) for step, face in found.items()} == {
        "a": ("2 fields changed", "changed"),
        "c": ("added", "added"),
        "b": ("removed", "removed"),
    }
    # The later version has no places of its own: the layers hold for all.
    assert both.layout == {}
