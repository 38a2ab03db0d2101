"""What stands in for a map, and its bounds."""

from __future__ import annotations

import pytest

from web_interfaces.curated.maps import drawn, unwrapped
from web_interfaces.vector import drawing


@pytest.mark.parametrize(
    ("bbox", "bounds"),
    [
        ([-10.0, 36.0, 36.0, 52.0], (-10.0, 36.0, 36.0, 52.0)),
        ([170.0, -20.0, -170.0, -10.0], (170.0, -20.0, 190.0, -10.0)),
    ],
)
def test_east_is_to_the_right_of_west(bbox: list[float], bounds: tuple[float, ...]) -> None:
    assert unwrapped(bbox) == bounds


@pytest.mark.parametrize(
    "bounds",
    [
        (-10.0, 36.0, 36.0, 52.0),
        (-180.0, -90.0, 180.0, 83.6),
        (170.0, -20.0, 190.0, -10.0),
        (14.0, 50.0, 14.0, 50.0),
    ],
)
def test_the_extent_is_drawn_within_the_frame(bounds: tuple[float, float, float, float]) -> None:
    frame, (x, y, width, height) = drawn(bounds)
    assert frame.meridians
    assert width > 0
    assert height > 0
    assert 0 <= x < x + width <= drawing.WIDTH
    assert 0 <= y < y + height <= drawing.HEIGHT
