"""Colours that can be told apart, whatever the colour vision, and that stand out from the map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.curated.class_styles import Class
from services.curated.handler import Style
from services.curated.protected_area_styles import (
    IUCN_CATEGORIES,
    KBA_BY_STATUS,
    KBA_STATUSES,
    REALMS,
    WDPA_BY_CATEGORY,
    WDPA_BY_REALM,
)
from tests.support.colours import (
    LEAST_SEEN,
    VISION,
    contrast_with_white,
    least_distance,
    linear,
    on_white,
)

STYLES = [
    pytest.param(WDPA_BY_CATEGORY, IUCN_CATEGORIES, id="category"),
    pytest.param(WDPA_BY_REALM, REALMS, id="realm"),
    pytest.param(KBA_BY_STATUS, KBA_STATUSES, id="KBA status"),
]

OPACITY = float(WDPA_BY_CATEGORY.layers[0]["paint"]["fill-opacity"])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("style", [WDPA_BY_CATEGORY, WDPA_BY_REALM, KBA_BY_STATUS])
def test_colours_can_be_told_apart(style: Style, vision: str) -> None:
    in_legend = [linear(str(entry["color"])) for entry in style.legend]
    on_map = [on_white(str(entry["color"]), OPACITY) for entry in style.legend]
    assert least_distance(in_legend, vision) > 5 * LEAST_SEEN
    assert least_distance(on_map, vision) > 3 * LEAST_SEEN


def test_the_measure_finds_colours_that_cannot() -> None:
    green_and_brown = [linear("#5a9e3a"), linear("#b08030")]
    assert least_distance(green_and_brown, "normal") > 5 * LEAST_SEEN
    assert least_distance(green_and_brown, "deuteranopia") < 3 * LEAST_SEEN


@pytest.mark.parametrize(("style", "classes"), STYLES)
def test_outlines_stand_out_from_a_white_map(style: Style, classes: Sequence[Class]) -> None:
    # What WCAG 2.2 asks of graphics (1.4.11).
    assert min(contrast_with_white(each.outline) for each in classes) >= 3
    for entry in style.legend:
        assert contrast_with_white(str(entry["outline"])) >= 3


def test_the_legend_is_in_the_order_of_the_categories() -> None:
    assert [entry["label"] for entry in WDPA_BY_CATEGORY.legend] == [
        *("Ia", "Ib", "II", "III", "IV", "V", "VI"),
        *("Not Reported", "Not Assigned", "Not Applicable"),
        "No category, or too small to tell",
    ]


@pytest.mark.parametrize(("style", "classes"), STYLES)
def test_what_is_drawn_and_what_the_legend_says_agree(
    style: Style, classes: Sequence[Class]
) -> None:
    by_type = {layer["type"]: layer for layer in style.layers}
    assert list(by_type) == ["fill", "line", "circle"]
    for paint in (
        by_type["fill"]["paint"]["fill-color"],
        by_type["circle"]["paint"]["circle-color"],
    ):
        drawn = cases(paint)
        assert [drawn[value] for each in classes for value in each.values] == [
            each.fill for each in classes for _ in each.values
        ]
        of_the_others = paint[-1]
    *entries, other = [entry["color"] for entry in style.legend]
    assert entries == [each.fill for each in classes]
    assert other == of_the_others


def test_polygons_and_points_are_drawn_each_in_their_way() -> None:
    filters = {layer["id"]: layer["filter"] for layer in WDPA_BY_CATEGORY.layers}
    assert filters == {
        "iucn-category-fill": ["==", ["geometry-type"], "Polygon"],
        "iucn-category-outline": ["==", ["geometry-type"], "Polygon"],
        "iucn-category-points": ["==", ["geometry-type"], "Point"],
    }


def cases(expression: list[Any]) -> dict[str, str]:
    """The cases of a match expression, each value with its colour."""
    assert expression[0] == "match"
    pairs = expression[2:-1]
    return {value: pairs[at + 1] for at in range(0, len(pairs), 2) for value in pairs[at]}
