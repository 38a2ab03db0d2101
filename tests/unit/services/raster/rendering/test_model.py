"""What is a style, and what could not be drawn of any raster."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from services.raster.rendering.model import RenderStyle


@pytest.mark.parametrize(
    "said",
    [
        {"colormap_name": "jet", "rescale": [[0, 1]]},
        {"colormap": {"1": "#FF0000", "2": "#00ff0080"}},
        {"expression": "(b2-b1)/(b2+b1)", "rescale": [[-1, 1]]},
        {"bidx": [3, 2, 1], "rescale": [[0, 1], [0, 1], [0, 1]]},
        {},
    ],
)
def test_a_style_can_be_followed(said: dict[str, Any]) -> None:
    style = RenderStyle.model_validate(said)
    assert RenderStyle.model_validate(style.model_dump(mode="json")) == style


@pytest.mark.parametrize(
    "said",
    [
        {"colormap_name": "no such ramp"},
        {"colormap_name": "../viridis"},
        {"colormap": {"1": "red"}},
        {"colormap": {"1": "#ff00000"}},
        {"colormap": {"1": "#ff0000\n"}},
        {"colormap": {}},
        {"rescale": []},
        {"rescale": [[0, "nan"]]},
        {"bidx": [0]},
        {"bidx": [1, 2]},
        {"expression": "nir/red"},
    ],
)
def test_what_cannot_be_drawn_is_no_style(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RenderStyle.model_validate(said)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (RenderStyle(), {1}),
        (RenderStyle(bidx=(4, 3, 2)), {2, 3, 4}),
        (RenderStyle(bidx=(1,), expression="b1/b9"), {1, 9}),
    ],
)
def test_a_style_says_which_bands_it_draws(style: RenderStyle, expected: set[int]) -> None:
    assert style.bands == expected
