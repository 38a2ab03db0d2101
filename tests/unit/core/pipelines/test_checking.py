"""The check of a pipeline as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from core.models.pipeline import Pipeline
from core.pipelines import checking
from core.pipelines.checking import Check
from core.registry import JobRegistry

Document = dict[str, Any]


def told(check: Check) -> dict[str, str]:
    """The errors by their dotted places. No place is told of twice."""
    places = [".".join(map(str, each["loc"])) for each in check.errors]
    assert len(set(places)) == len(places)
    return dict(zip(places, (each["msg"] for each in check.errors), strict=True))


def a_step(step_id: str, **more: Any) -> Document:
    return {"id": step_id, "kind": "job", "job": "draw", **more}


def of_steps(*steps: Document, **more: Any) -> Document:
    return {"format": "geoforge.pipeline/1", "name": "parks", "steps": list(steps), **more}


def test_a_pipeline_with_which_nothing_is_wrong(document: Document, jobs: JobRegistry) -> None:
    check = checking.check(Pipeline.model_validate(document), jobs)
    assert not check.errors
    assert (check.errors, check.warnings) == ([], [])
    assert check.layers == (("load",), ("look",), ("draw",))
    assert check.dependencies == {
        "load": frozenset(),
        "look": frozenset({"load"}),
        "draw": frozenset({"load", "look"}),
    }
    assert check == checking.check_document(document, jobs)


def test_what_steps_give_as_schemas(document: Document, jobs: JobRegistry) -> None:
    document["steps"].append(a_step("quiet", job="quiet"))
    outputs = checking.check_document(document, jobs).outputs
    declared = jobs.get("load").outputs_schema()
    assert declared is not None
    assert outputs["load"] == declared
    # References within a list of results lead to the same definitions as in one.
    assert outputs["draw"]["type"] == "array"
    assert outputs["draw"]["$defs"] == declared["$defs"]
    assert outputs["draw"]["items"]["properties"] == declared["properties"]
    assert outputs["quiet"] == {}
    assert "look" not in outputs


def test_everything_is_told_in_one_go(document: Document, jobs: JobRegistry) -> None:
    load, look, draw = document["steps"]
    load["parameters"] |= {
        "schema": "BAD",
        "tabel_name": "x",
        "mode": {"$expr": "'replcae'"},
        "limit": {"$expr": "inputs.blob"},
        "key_columns": ["a", {"$expr": "inputs.blub"}],
    }
    look["after"] = ["laod"]
    draw |= {"job": "drow", "when": "steps.load.outputs.read", "for_each": "inputs.blob"}
    document["inputs"]["n"] = {"type": "integer", "required": False, "default": "five"}
    document["schedule"] = {"cron": "0 0 31 2 *"}
    document["colour"] = "red"
    assert told(checking.check_document(document, jobs)) == {
        "colour": "there is no field colour here. There is description, format, inputs, layout, "
        "name, schedule, steps, title.",
        "inputs.n.default": 'this is "five", where a whole number is wanted',
        "steps.load.parameters.schema": "String should match pattern '^[a-z_]+$'",
        "steps.load.parameters.tabel_name": "load has no parameter tabel_name. Did you mean "
        "table_name?",
        "steps.load.parameters.mode": "Input should be 'replace' or 'append'",
        "steps.load.parameters.limit": "this is a text, where a whole number or null is wanted",
        "steps.load.parameters.key_columns.1": "there is no input blub. Did you mean blob?",
        "steps.look.after.0": "there is no step laod. Did you mean load?",
        "steps.draw.job": "there is no job type drow. Did you mean draw?",
        "steps.draw.when": "this is a whole number, where true or false is wanted",
        "steps.draw.for_each": "this is a text, where a list of any values is wanted",
        "schedule.cron": "'0 0 31 2 *' never falls due: no such day is in the calendar",
        "schedule.inputs.blob": "a value is required",
    }


@pytest.mark.parametrize(
    ("steps", "errors"),
    [
        ([], {"steps": "a pipeline has at least one step"}),
        (
            [a_step("a"), a_step("b"), a_step("a", after=["nix"])],
            {
                "steps.2.id": "there is another step a: each has a name of its own",
                "steps.2.after.0": "there is no step nix. There is b.",
            },
        ),
        (
            [a_step("a", after=["c"]), a_step("b", after=["a"]), a_step("c", after=["b"])],
            {
                "steps.a.after": "these steps wait for each other, and none can begin: "
                "a -> b -> c -> a"
            },
        ),
        (
            [
                a_step("a", parameters={"n": {"$expr": "steps.b.outputs.read"}}),
                a_step("b", when="steps.a.outputs.read > 1"),
                a_step("c", after=["b"]),
            ],
            {"steps.a": "these steps wait for each other, and none can begin: a -> b -> a"},
        ),
        (
            [a_step("a", after=["a"], when="steps.a.outputs.read > 1")],
            {
                "steps.a.after.0": "a step cannot come after itself",
                "steps.a.when": "steps.a is this step itself: it can only refer to others.",
            },
        ),
        (
            [a_step("a", when="1 +"), a_step("b", for_each="item", parameters={"n": 1})],
            {
                "steps.a.when": "something is missing at the end",
                "steps.b.for_each": "item is known only in the parameters of a step with for_each",
            },
        ),
        (
            [a_step("a", parameters={"n": {"$expr": "item_index"}})],
            {
                "steps.a.parameters.n": "item_index is known only in the parameters of a step "
                "with for_each"
            },
        ),
        (
            [a_step("a", job="nix", parameters={"x": {"$expr": "steps.b"}, "y": {"$expr": 1}})],
            {
                "steps.a.job": "there is no job type nix. There is draw, load, quiet.",
                "steps.a.parameters.x": "there is no step b.",
                "steps.a.parameters.y": "the expression must be a text in quotes, not 1",
            },
        ),
    ],
)
def test_steps(steps: list[Document], errors: dict[str, str], jobs: JobRegistry) -> None:
    assert told(checking.check_document(of_steps(*steps), jobs)) == errors


@pytest.mark.parametrize(
    ("needs", "text", "said"),
    [
        ("success", "steps.load.outputs.read", None),
        ("end", "steps.load.outputs.read", "this may be null"),
        ("end", "coalesce(steps.load.outputs.read, 0)", None),
        ("success", "steps.each.outputs.read", "this is a list"),
        ("success", "length(steps.each.outputs)", None),
        ("success", "length(steps.each.job_id)", "there is no job_id"),
        ("success", "length(steps.load.job_id)", None),
        ("end", "length(steps.load.job_id)", "this may be null"),
        ("end", "length(steps.load.status)", None),
        ("success", "length(steps.gate.decision)", None),
        ("end", "length(steps.gate.decision)", "this may be null"),
        ("success", "length(steps.gate.note)", "this may be null"),
        ("success", "steps.gate.outputs", "there is no outputs. There is decision, note, status."),
        ("success", "steps.quiet.outputs.whatever", None),
        ("success", "length(run.date)", None),
        ("success", "length(run.day)", "there is no day. There is date, id."),
    ],
)
def test_what_is_known_of_other_steps(
    needs: str, text: str, said: str | None, jobs: JobRegistry
) -> None:
    steps = [
        a_step("load"),
        a_step("each", for_each="[1, 2]", parameters={"n": {"$expr": "item"}}),
        {"id": "gate", "kind": "gate", "message": "Go on?"},
        a_step("quiet", job="quiet"),
        a_step("last", needs=needs, parameters={"n": {"$expr": text}}),
    ]
    errors = told(checking.check_document(of_steps(*steps), jobs))
    if said is None:
        assert errors == {}
    else:
        assert list(errors) == ["steps.last.parameters.n"]
        assert said in errors["steps.last.parameters.n"]


@pytest.mark.parametrize(
    ("schedule", "errors"),
    [
        ({"cron": "0 2 * * 1", "inputs": {"blob": "a.gpkg"}}, {}),
        ({"cron": "0 0 2 * * 1", "inputs": {"blob": "a"}}, {"schedule.cron": "write five fields"}),
        ({"cron": "daily", "inputs": {"blob": "a"}}, {"schedule.cron": "has one field"}),
        ({"cron": "0 2 * * 1"}, {"schedule.inputs.blob": "a value is required"}),
        (
            {"cron": "0 2 * * 1", "inputs": {"blob": 3, "blub": 4}},
            {"schedule.inputs.blob": "where a text is wanted", "schedule.inputs.blub": "blob?"},
        ),
    ],
)
def test_schedules(
    schedule: Document, errors: dict[str, str], document: Document, jobs: JobRegistry
) -> None:
    found = told(checking.check_document({**document, "schedule": schedule}, jobs))
    assert found.keys() == errors.keys()
    assert all(said in found[place] for place, said in errors.items())


def test_warnings(document: Document, jobs: JobRegistry) -> None:
    document["inputs"]["spare"] = {"type": "string"}
    document["layout"] = {"load": {"x": 1, "y": 1}, "gone": {"x": 1, "y": 1}}
    document["steps"].append({"id": "last", "kind": "gate", "message": "?", "when": "1 == 1"})
    check = checking.check_document(document, jobs)
    assert not check.errors
    assert check.warnings == [
        {"loc": ["steps", "last", "when"], "msg": "this is the same in every run"},
        {"loc": ["inputs", "spare"], "msg": "no step uses this input"},
        {
            "loc": ["steps", "last"],
            "msg": "nothing comes after this gate: its decision holds up only the end of the run",
        },
        {"loc": ["layout", "gone"], "msg": "there is no such step: its place is not used"},
    ]
