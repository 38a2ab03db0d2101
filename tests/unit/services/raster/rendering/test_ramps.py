"""The ramps of the legends are those that pictures are drawn with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rio_tiler.colormap import cmap

from services.raster.rendering import ramps


@pytest.mark.parametrize("name", ramps.NAMES)
def test_colours_are_rio_tiler_s(name: str) -> None:
    whole = cmap.get(name)
    assert isinstance(whole, dict)
    found = ramps.colours(name)
    assert found is not None
    for step, colour in enumerate(found):
        place = round(step * 255 / 8)
        # One turned around need not have the very same 256 colours.
        near = [whole[max(0, min(255, place + shift))] for shift in (-1, 0, 1)]
        assert min(_apart(colour, each) for each in near) <= 8


def _apart(colour: str, drawn: Sequence[int]) -> int:
    """The greatest difference of red, green and blue."""
    parts = bytes.fromhex(colour.removeprefix("#"))
    return max(abs(one - int(other)) for one, other in zip(parts, drawn[:3], strict=True))


def test_what_is_not_known_has_no_colours() -> None:
    assert ramps.colours("somebodys") is None


def test_pictures_are_drawn_in_all_ramps_of_rio_tiler() -> None:
    assert ramps.drawn() == set(cmap.list())
    assert set(ramps.NAMES) <= ramps.drawn()
