"""How boundaries are drawn: colours that can be told apart, and a legend that is true."""

from __future__ import annotations

import pytest

from services.curated.handler import Style
from services.curated.natural_earth.styles import (
    COASTLINE,
    CONTINENTS,
    COUNTRIES_BY_CONTINENT,
    COUNTRY_BOUNDARIES,
    LAND,
    STATE_BOUNDARIES,
)
from tests.support.colours import (
    LEAST_SEEN,
    VISION,
    contrast_with_white,
    least_distance,
    linear,
    on_white,
)


@pytest.mark.parametrize("vision", VISION)
def test_continents_can_be_told_apart(vision: str) -> None:
    fill, _ = COUNTRIES_BY_CONTINENT.layers
    fills = [str(entry["color"]) for entry in COUNTRIES_BY_CONTINENT.legend]
    assert least_distance([linear(each) for each in fills], vision) > 5 * LEAST_SEEN
    opacity = float(fill["paint"]["fill-opacity"])
    assert least_distance([on_white(each, opacity) for each in fills], vision) > 3 * LEAST_SEEN


@pytest.mark.parametrize(
    "style", [COUNTRIES_BY_CONTINENT, COUNTRY_BOUNDARIES, STATE_BOUNDARIES, COASTLINE, LAND]
)
def test_lines_stand_out_from_a_white_map(style: Style) -> None:
    for entry in style.legend:
        # What WCAG 2.2 asks of graphics (1.4.11).
        assert contrast_with_white(str(entry.get("outline", entry["color"]))) >= 3


def test_every_continent_is_drawn_as_the_legend_says() -> None:
    fill, _ = COUNTRIES_BY_CONTINENT.layers
    operator, _, *cases, other = fill["paint"]["fill-color"]
    assert operator == "match"
    drawn = {value: cases[at + 1] for at in range(0, len(cases), 2) for value in cases[at]}
    assert drawn == {value: each.fill for each in CONTINENTS for value in each.values}
    assert [entry["color"] for entry in COUNTRIES_BY_CONTINENT.legend] == [*drawn.values(), other]
