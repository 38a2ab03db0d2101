"""The parameters of a step, with and without expressions, held against the job's model."""

from __future__ import annotations

from typing import Any

import pytest

from core.pipelines.expressions import parse
from core.pipelines.parameters import ParameterModel
from core.pipelines.types import List, Null, Number, Object, Property, Text, Type, union
from core.registry import JobRegistry

SCOPE: dict[str, Type] = {
    "inputs": Object(
        {
            "text": Property(Text()),
            "mode": Property(Text(("replace", "append"))),
            "maybe": Property(union([Text(), Null()])),
            "n": Property(Number(whole=True)),
            "names": Property(List(Text())),
            "counts": Property(Object({}, Number(whole=True))),
            "bbox": Property(List(Number())),
        }
    )
}


def expr(text: str) -> dict[str, Any]:
    return {"$expr": text}


def faults(jobs: JobRegistry, job: str, parameters: dict[str, Any]) -> dict[str, str]:
    model = ParameterModel(job, jobs.get(job).parameters)
    found = model.faults(parameters, lambda text: parse(text).type_in(SCOPE))
    return {".".join(map(str, at)): message for at, message in found}


@pytest.mark.parametrize(
    "parameters",
    [
        {"blob_name": "a.gpkg", "schema": "geo"},
        {"source_url": "https://a", "schema_name": "geo", "limit": 5},
        {"blob_name": expr("inputs.text"), "schema": expr("inputs.text")},
        {"blob_name": expr("inputs.maybe"), "schema_name": expr("'geo'")},
        # Which of the two will be given is known only when it runs.
        {"blob_name": expr("inputs.maybe"), "source_url": expr("inputs.maybe")},
        {"blob_name": "a", "mode": expr("inputs.mode"), "limit": expr("inputs.n")},
        {"blob_name": "a", "key_columns": expr("inputs.names")},
        {"blob_name": "a", "key_columns": ["id", expr("inputs.text")]},
    ],
)
def test_parameters_with_which_nothing_is_wrong(
    parameters: dict[str, Any], jobs: JobRegistry
) -> None:
    assert faults(jobs, "load", {"container_name": "bronze", **parameters}) == {}


@pytest.mark.parametrize(
    ("parameters", "errors"),
    [
        ({}, {"container_name": "load requires a value here"}),
        ({"container_name": "b"}, {"": "give either blob_name or source_url"}),
        # The same expression in every run: as good as its value.
        ({"container_name": expr("'b' + 'c'")}, {"": "give either blob_name or source_url"}),
        ({"container_name": expr("inputs.text"), "limit": 5000}, {"limit": "less than or equal"}),
        ({"container_name": expr("inputs.n")},
         {"container_name": "this is a whole number, where a text is wanted"}),
        ({"container_name": expr("inputs.maybe")}, {"container_name": "this may be null"}),
        ({"container_name": "b", "schema_name": "X", "blob_name": expr("inputs.text")},
         {"schema_name": "should match pattern"}),
        ({"container_name": "b", "schema": "X", "blob_name": expr("inputs.text")},
         {"schema": "should match pattern"}),
        ({"container_name": "b", "mode": expr("inputs.text")},
         {"mode": 'this is a text, where one of "replace", "append" is wanted'}),
        ({"container_name": "b", "mode": "add", "limit": "5", "blob_name": expr("inputs.text")},
         {"mode": "Input should be 'replace' or 'append'", "limit": "valid integer"}),
        ({"container_name": "b", "table_name": "reserved", "blob_name": expr("inputs.text")},
         {"table_name": "is taken by the system"}),
        ({"container_name": "b", "limit": expr("0 - 1"), "blob_name": "a"},
         {"limit": "greater than or equal to 1"}),
        ({"container_name": "b", "key_columns": ["a", expr("inputs.n"), 3], "blob_name": "a"},
         {"key_columns.1": "this is a whole number, where a text is wanted"}),
        ({"container_name": "b", "key_columns": [expr("inputs.text"), 3], "blob_name": "a"},
         {"key_columns": "of the values in the list: this is 3, where a text is wanted"}),
        ({"container_name": "b", "blub_name": expr("inputs.nix")},
         {"blub_name": "load has no parameter blub_name. Did you mean blob_name?"}),
        ({"container_name": "b", "table_name": "a\x00"}, {"table_name": "holds a NUL"}),
        ({"container_name": {"$expr": "inputs.text", "or": 1}},
         {"container_name": "nothing may stand beside it (or)"}),
        ({"container_name": {"$expr": ["a"]}}, {"container_name": 'not ["a"]'}),
        ({"container_name": expr("inputs.")}, {"container_name": "missing at the end"}),
    ],
)  # fmt: skip
def test_what_is_wrong_with_parameters(
    parameters: dict[str, Any], errors: dict[str, str], jobs: JobRegistry
) -> None:
    found = faults(jobs, "load", parameters)
    assert found.keys() == errors.keys()
    assert all(said in found[place] for place, said in errors.items())


@pytest.mark.parametrize(
    ("name", "value", "errors"),
    [
        ("bbox", expr("inputs.bbox"), {}),
        ("bbox", [0, 0, expr("inputs.n"), 1], {}),
        ("bbox", [0, 0, expr("inputs.n")], {"bbox": "this has 3 values, where 4 are wanted"}),
        ("bbox", [0, 0, expr("inputs.text"), 1], {"bbox.2": "where a number is wanted"}),
        ("counts", expr("inputs.counts"), {}),
        ("counts", {"a": expr("inputs.n"), "b": 2}, {}),
        ("counts", {"a": expr("inputs.text"), "b": 2}, {"counts.a": "this is a text"}),
        ("counts", {"a": expr("inputs.n"), "b": "x"}, {"counts": "in 'b': this is \"x\""}),
        ("share", expr("inputs.n"), {}),
        ("note", expr("inputs.maybe"), {}),
        ("note", [expr("inputs.nix")], {"note.0": "there is no input nix"}),
    ],
)
def test_expressions_within_values(
    name: str, value: Any, errors: dict[str, str], jobs: JobRegistry
) -> None:
    found = faults(jobs, "draw", {name: value})
    assert found.keys() == errors.keys()
    assert all(said in found[place] for place, said in errors.items())
