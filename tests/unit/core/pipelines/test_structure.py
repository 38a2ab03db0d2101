"""Documents that are not formed as they must be: what is told, and what is checked all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.models.pipeline import MAX_STEPS
from core.pipelines import checking, structure
from core.registry import JobRegistry

Document = dict[str, Any]


def errors_of(document: object, jobs: JobRegistry) -> dict[str, str]:
    errors = checking.check_document(document, jobs).errors
    return {".".join(map(str, each["loc"])): each["msg"] for each in errors}


@pytest.mark.parametrize("document", [None, 3, "parks", [], [{}]])
def test_what_is_no_object(document: object, jobs: JobRegistry) -> None:
    assert errors_of(document, jobs) == {"": "a pipeline is an object in curly brackets"}


def test_an_empty_document(jobs: JobRegistry) -> None:
    assert errors_of({}, jobs) == {
        "name": "this is missing",
        "steps": "a pipeline has at least one step",
    }


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"name": "Parks"}, {"name": "a name begins with a small letter"}),
        ({"name": "runs"}, {"name": "a pipeline cannot be named 'runs'"}),
        ({"format": "other/2"}, {"format": "no document of a pipeline"}),
        ({"titel": "x"}, {"titel": "Did you mean title?"}),
        ({"steps": "none"}, {"steps": "valid list"}),
        ({"steps": [{"id": "a"}] * (MAX_STEPS + 1)}, {"steps": f"at most {MAX_STEPS}"}),
        ({"inputs": {"Bad": {"type": "string"}}}, {"inputs.Bad": "a name begins with"}),
        ({"inputs": {"a": {"type": "string", "items": "string"}}}, {"inputs.a": "items goes with"}),
        ({"inputs": {"a": {"type": "text"}}}, {"inputs.a.type": "Input should be 'string'"}),
        ({"inputs": {"a": {}}}, {"inputs.a.type": "this is missing"}),
        ({"inputs": {"a": {"type": "string", "choice": []}}},
         {"inputs.a.choice": "Did you mean choices?"}),
        ({"schedule": {"corn": "0 0 * * *"}},
         {"schedule.cron": "this is missing", "schedule.corn": "Did you mean cron?"}),
        ({"layout": {"a": {"x": -1, "y": 0}}}, {"layout.a.x": "greater than or equal to 0"}),
    ],
)  # fmt: skip
def test_the_document(
    changes: Document, errors: dict[str, str], jobs: JobRegistry, document: Document
) -> None:
    if "inputs" in changes:
        changes["inputs"]["blob"] = {"type": "string"}
    found = errors_of({**document, **changes}, jobs)
    assert found.keys() == errors.keys()
    assert all(said in found[place] for place, said in errors.items())


@pytest.mark.parametrize(
    ("step", "errors"),
    [
        (3, {"steps.1": "valid dictionary"}),
        ({"id": "x"}, {"steps.x.kind": "of kind job or of kind gate"}),
        ({"id": "x", "kind": "jobs"}, {"steps.x.kind": "of kind job or of kind gate"}),
        ({"kind": "job", "job": "draw"}, {"steps.1.id": "this is missing"}),
        ({"id": "X!", "kind": "job", "job": "draw"}, {"steps.X!.id": "a name begins with"}),
        ({"id": "x", "kind": "job"}, {"steps.x.job": "this is missing"}),
        ({"id": "x", "kind": "gate"}, {"steps.x.message": "this is missing"}),
        ({"id": "x", "kind": "gate", "message": "", "job": "draw"},
         {"steps.x.message": "at least 1 character", "steps.x.job": "there is no field job here"}),
        ({"id": "x", "kind": "job", "job": "draw", "max_paralel": 3},
         {"steps.x.max_paralel": "Did you mean max_parallel?"}),
        # What is wrong with a field does not hide what is wrong with the others.
        ({"id": "x", "kind": "job", "job": "draw", "max_parallel": 0, "when": "inputs.blub",
          "parameters": {"n": "many"}},
         {"steps.x.max_parallel": "greater than or equal to 1",
          "steps.x.when": "Did you mean blob?", "steps.x.parameters.n": "valid integer"}),
    ],
)  # fmt: skip
def test_a_step(
    step: object, errors: dict[str, str], jobs: JobRegistry, document: Document
) -> None:
    # Behind it stands one that is told by its place, as its name is not its own.
    document["steps"][1:] = [step, {**document["steps"][0], "parameters": {}}]
    found = errors_of(document, jobs)
    later = {place for place in found if place.startswith("steps.2.")}
    assert later == {"steps.2.id", "steps.2.parameters.container_name"}
    assert found.keys() - later == errors.keys()
    assert all(said in found[place] for place, said in errors.items())


def test_what_cannot_be_read_is_known_by_name(document: Document, jobs: JobRegistry) -> None:
    """A step or an input that is at fault is not said to be missing where others refer to it."""
    document["inputs"]["blob"]["type"] = "text"
    document["steps"][0].pop("kind")
    document["layout"] = {"load": {"x": 0, "y": 0}}
    document["schedule"] = {"cron": "0 0 * * *", "inputs": {"blob": "a"}}
    check = checking.check_document(document, jobs)
    assert [each["loc"] for each in check.errors] == [
        ["inputs", "blob", "type"],
        ["steps", "load", "kind"],
    ]
    assert check.warnings == []
    assert check.layers == (("look",), ("draw",))


def test_what_cannot_be_kept(document: Document, jobs: JobRegistry) -> None:
    document["title"] = "a\x00b"
    document["steps"][0]["parameters"] |= {"table_name": "\ud800", "limit": float("nan")}
    document["steps"][1]["message"] = object()
    document["layout"] = {"a\x00": {}, 3: {}}
    found = errors_of(document, jobs)
    assert found.keys() == {
        "title",
        "steps.load.parameters.table_name",
        "steps.load.parameters.limit",
        "steps.look.message",
        "layout",
    }


def test_what_is_nested_too_deep(document: Document, jobs: JobRegistry) -> None:
    document["steps"][0]["parameters"]["key_columns"] = json.loads("[" * 900 + "]" * 900)
    found = errors_of(document, jobs)
    assert list(found) == ["steps.load.parameters.key_columns"]
    assert f"more than {structure.MAX_NESTING} levels" in found["steps.load.parameters.key_columns"]


def test_addresses_with_secrets_are_refused_and_the_rest_is_checked(jobs: JobRegistry) -> None:
    address = "https://example.org/a.gpkg?sig=SECRET"
    parameters = {"source_url": address, "more": [{"$expr": f"'{address}'"}]}
    document: Document = {
        "name": "parks",
        "inputs": {"url": {"type": "string", "default": "https://usr:SECRET@example.org/a"}},
        "steps": [{"id": "load", "kind": "job", "job": "no_such_job", "parameters": parameters}],
    }
    errors = errors_of(document, jobs)
    assert "make the address an input" in errors["steps.load.parameters.source_url"]
    assert "'sig'" in errors["steps.load.parameters.more.0.$expr"]
    assert "a user or a password" in errors["inputs.url.default"]
    assert "steps.load.job" in errors
    assert "SECRET" not in str(errors)
