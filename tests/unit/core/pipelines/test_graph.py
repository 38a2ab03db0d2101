"""The order of steps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.pipeline import Pipeline
from core.pipelines import graph
from core.pipelines.graph import Dependencies

_NAMES = "abcdefgh"


def of(**needed: str) -> Dependencies:
    return {step: frozenset(each) for step, each in needed.items()}


def test_what_steps_depend_on() -> None:
    parameters = {"x": [{"$expr": "steps.b.outputs"}, {"$expr": "1 +"}, {"$expr": 3}]}
    steps = [
        {"id": "a", "kind": "job", "job": "x", "parameters": parameters,
         "when": "steps.c.status == 'failed'", "for_each": "steps.d.outputs",
         "after": ["e", "nix"]},
        *({"id": each, "kind": "job", "job": "x"} for each in "bcd"),
        {"id": "e", "kind": "gate", "message": "?", "when": "steps.e.decision == steps.b.job_id"},
        {"id": "b", "kind": "job", "job": "x", "after": ["a"]},
    ]  # fmt: skip
    pipeline = Pipeline.model_validate({"name": "p", "steps": steps})
    assert graph.dependencies(pipeline) == of(a="bcde", b="", c="", d="", e="b")


@pytest.mark.parametrize(
    ("dependencies", "layers"),
    [
        (of(), ()),
        (of(b="", a=""), (("b", "a"),)),
        (of(c="ab", b="a", a=""), (("a",), ("b",), ("c",))),
        (of(a="", b="c", c="b", d="c"), (("a",), ("b", "c", "d"))),
    ],
)
def test_layers(dependencies: Dependencies, layers: tuple[tuple[str, ...], ...]) -> None:
    assert graph.layers(dependencies) == layers


@pytest.mark.parametrize(
    ("dependencies", "cycles"),
    [
        (of(a="", b="a"), []),
        (of(a="c", b="a", c="b"), [("a", "b", "c", "a")]),
        # Two circles with a step in common are one; others are told on their own.
        (of(a="b", b="ac", c="b", d="e", e="da"), [("a", "b", "a"), ("d", "e", "d")]),
        (of(x="a", a="b", b="a"), [("a", "b", "a")]),
    ],
)
def test_cycles(dependencies: Dependencies, cycles: list[tuple[str, ...]]) -> None:
    assert graph.cycles(dependencies) == cycles


@given(st.dictionaries(st.sampled_from(_NAMES), st.frozensets(st.sampled_from(_NAMES), max_size=3)))
def test_the_order_is_that_of_the_dependencies(drawn: dict[str, frozenset[str]]) -> None:
    dependencies = {step: (needed & drawn.keys()) - {step} for step, needed in drawn.items()}
    layers = graph.layers(dependencies)
    cycles = graph.cycles(dependencies)
    assert sorted(step for layer in layers for step in layer) == sorted(dependencies)
    for way in cycles:
        assert way[0] == way[-1]
        assert all(before in dependencies[step] for before, step in pairwise(way))
    done: set[str] = set()
    in_order = True
    for layer in layers:
        in_order = in_order and all(dependencies[step] <= done for step in layer)
        done |= set(layer)
    assert in_order is (not cycles)
