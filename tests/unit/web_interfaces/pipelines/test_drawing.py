"""Where steps stand and how edges go, as the builder computes it too."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.models.pipeline import Pipeline
from web_interfaces.pipelines import drawing

LAYOUTS = json.loads(Path(__file__).with_name("layouts.json").read_text())


def pipeline(document: dict[str, Any]) -> Pipeline:
    """A pipeline of steps that are said as shortly as the table says them."""
    steps = [{"kind": "job", "job": "hello_fan_out", **step} for step in document["steps"]]
    return Pipeline.model_validate({"name": "drawn", **document, "steps": steps})


@pytest.mark.parametrize("case", LAYOUTS, ids=[case["name"] for case in LAYOUTS])
def test_a_drawing_is_as_the_table_says(case: dict[str, Any]) -> None:
    drawn = drawing.draw(pipeline(case["document"]))
    assert {card.step: [card.x, card.y] for card in drawn.cards} == case["cards"]
    assert [
        [edge.source, edge.target, edge.carries, [list(lane) for lane in edge.lanes], edge.path]
        for edge in drawn.edges
    ] == case["edges"]
    assert [drawn.width, drawn.height] == case["size"]


def test_no_two_steps_stand_on_each_other_however_many_wait_for_one() -> None:
    steps = [{"id": "a"}] + [{"id": f"b_{n}", "after": ["a"]} for n in range(30)]
    cards = drawing.draw(pipeline({"steps": [*steps, {"id": "c", "after": ["a", "b_3"]}]})).cards
    places = sorted((card.y, card.x) for card in cards)
    for (y, x), (other_y, other_x) in pairwise(places):
        assert other_y > y + drawing.HEIGHT or other_x >= x + drawing.WIDTH + drawing.GAP_ACROSS


def before(count: int) -> list[str]:
    return [f"s_{n}" for n in range(count)]


def test_steps_that_each_wait_for_all_before_them_are_a_chain() -> None:
    steps = [{"id": step, "after": before(n)} for n, step in enumerate(before(100))]
    drawn = drawing.draw(pipeline({"steps": steps}))
    assert [(edge.source, edge.target) for edge in drawn.edges] == list(pairwise(before(100)))
    assert not any(edge.lanes for edge in drawn.edges)


def test_layers_that_each_wait_for_all_earlier_ones_are_joined_to_the_one_above() -> None:
    steps = [{"id": step, "after": before(n // 10 * 10)} for n, step in enumerate(before(100))]
    edges = drawing.draw(pipeline({"steps": steps})).edges
    layer_of = {step: n // 10 for n, step in enumerate(before(100))}
    assert len(edges) == 9 * 10 * 10
    assert all(layer_of[edge.target] - layer_of[edge.source] == 1 for edge in edges)


def using(count: int) -> dict[str, Any]:
    """A chain whose last step also uses what the first ones give: edges that others imply."""
    chain: list[dict[str, Any]] = [
        {"id": step, "after": before(n)[-1:]} for n, step in enumerate(before(60))
    ]
    chain[-1]["parameters"] = {"n": [{"$expr": f"steps.{step}.outputs"} for step in before(count)]}
    return {"steps": chain}


def test_edges_that_carry_a_value_stay_until_there_are_too_many_to_follow() -> None:
    few, many = (drawing.draw(pipeline(using(count))).edges for count in (40, 41))
    assert sum(edge.carries for edge in few) == 40
    assert len(few) == 59 + 40
    assert len(many) == 59


def test_no_edge_of_a_circle_is_left_out() -> None:
    steps = [{"id": step, "after": [each for each in "abc" if each != step]} for step in "abc"]
    assert len(drawing.draw(pipeline({"steps": steps})).edges) == 6


def test_what_is_asked_for_again_is_not_drawn_again() -> None:
    document = LAYOUTS[2]["document"]
    assert drawing.draw(pipeline(document)) is drawing.draw(pipeline(document))
