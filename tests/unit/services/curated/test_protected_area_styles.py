"""Colours that can be told apart, whatever the colour vision, and that stand out from the map."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from services.curated.handler import Style
from services.curated.protected_area_styles import (
    IUCN_CATEGORIES,
    KBA_BY_STATUS,
    KBA_STATUSES,
    REALMS,
    WDPA_BY_CATEGORY,
    WDPA_BY_REALM,
    Class,
)

Colour = npt.NDArray[np.float64]

STYLES = [
    pytest.param(WDPA_BY_CATEGORY, IUCN_CATEGORIES, id="category"),
    pytest.param(WDPA_BY_REALM, REALMS, id="realm"),
    pytest.param(KBA_BY_STATUS, KBA_STATUSES, id="KBA status"),
]

# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision
# Deficiency (2009), severity 1, on linear RGB.
VISION = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# A difference of 0.02 in OKLab is about the least that is seen side by side.
LEAST_SEEN = 0.02
OPACITY = float(WDPA_BY_CATEGORY.layers[0]["paint"]["fill-opacity"])


def linear(colour: str) -> Colour:
    """#rrggbb as linear RGB from 0 to 1."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(rgb: Colour) -> Colour:
    """Linear RGB in Ottosson's OKLab, where distances are about as large as they look."""
    cones = np.cbrt(
        np.array(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ]
        )
        @ rgb
    )
    lab: Colour = (
        np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        )
        @ cones
    )
    return lab


def on_white(colour: str) -> Colour:
    """A fill as the map shows it: mixed with white, as browsers do it, channel by channel."""
    channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    mixed = [round(OPACITY * channel + (1 - OPACITY) * 255) for channel in channels]
    return linear("#" + "".join(f"{channel:02x}" for channel in mixed))


def least_distance(colours: Sequence[Colour], vision: str) -> float:
    seen = [oklab(np.clip(np.array(VISION[vision]) @ colour, 0, 1)) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


def contrast_with_white(colour: str) -> float:
    """WCAG's ratio."""
    luminance = float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722]))
    return 1.05 / (luminance + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("style", [WDPA_BY_CATEGORY, WDPA_BY_REALM, KBA_BY_STATUS])
def test_colours_can_be_told_apart(style: Style, vision: str) -> None:
    in_legend = [linear(str(entry["color"])) for entry in style.legend]
    on_map = [on_white(str(entry["color"])) for entry in style.legend]
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
