"""Colours of event types that can be told apart, and circles that grow with the fatalities."""

from __future__ import annotations

from typing import Any

import pytest

from services.curated.acled.styles import BY_EVENT_TYPE, EVENT_TYPES, SIZES
from tests.support.colours import (
    LEAST_SEEN,
    VISION,
    contrast_with_white,
    least_distance,
    linear,
    on_white,
)

[LAYER] = BY_EVENT_TYPE.layers
PAINT: dict[str, Any] = LAYER["paint"]
TYPES = BY_EVENT_TYPE.legend[: len(EVENT_TYPES) + 1]
SIZED = BY_EVENT_TYPE.legend[len(TYPES) :]


@pytest.mark.parametrize("vision", VISION)
def test_types_can_be_told_apart(vision: str) -> None:
    fills = [str(entry["color"]) for entry in TYPES]
    assert least_distance([linear(each) for each in fills], vision) > 5 * LEAST_SEEN
    on_map = [on_white(each, float(PAINT["circle-opacity"])) for each in fills]
    assert least_distance(on_map, vision) > 3 * LEAST_SEEN


def test_outlines_stand_out_from_a_white_map() -> None:
    # What WCAG 2.2 asks of graphics (1.4.11).
    assert min(contrast_with_white(str(entry["outline"])) for entry in BY_EVENT_TYPE.legend) >= 3


def test_every_type_is_drawn_as_the_legend_says() -> None:
    for part, key in (("circle-color", "color"), ("circle-stroke-color", "outline")):
        operator, _, *cases, other = PAINT[part]
        assert operator == "match"
        drawn = dict(zip([value for [value] in cases[::2]], cases[1::2], strict=True))
        assert list(drawn) == [
            "Battles",
            "Explosions/Remote violence",
            "Violence against civilians",
            "Protests",
            "Riots",
            "Strategic developments",
        ]
        assert [entry[key] for entry in TYPES] == [*drawn.values(), other]


def test_circles_grow_with_the_fatalities_and_with_the_zoom() -> None:
    operator, _, _, *stops = PAINT["circle-radius"]
    assert operator == "interpolate"
    zooms, radii = stops[::2], stops[1::2]
    assert zooms == sorted(zooms)
    for radius in radii:
        step, fatalities, smallest, *steps = radius
        assert (step, fatalities) == ("step", ["to-number", ["get", "fatalities"], 0])
        assert steps[::2] == [size.fatalities for size in SIZES[1:]]
        assert [smallest, *steps[1::2]] == sorted({smallest, *steps[1::2]})
    assert radii[0][2] < radii[1][2]


def test_the_legend_shows_the_sizes_as_they_are_to_each_other() -> None:
    assert [entry["radius"] for entry in SIZED] == [size.radius for size in SIZES]
    for radius in PAINT["circle-radius"][4::2]:
        _, _, smallest, *steps = radius
        scales = [
            drawn / entry["radius"]
            for drawn, entry in zip([smallest, *steps[1::2]], SIZED, strict=True)
        ]
        assert scales == pytest.approx([scales[0]] * len(SIZES))
    assert {entry["kind"] for entry in BY_EVENT_TYPE.legend} == {"circle"}
