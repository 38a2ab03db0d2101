"""The ramps of the legends are those that pictures are drawn with."""

from __future__ import annotations

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
        drawn = whole[round(step * 255 / 8)][:3]
        # One turned around need not have the very same 256 colours.
        apart = [abs(a - b) for a, b in zip(bytes.fromhex(colour[1:]), drawn, strict=True)]
        assert max(apart) <= 8


def test_what_is_not_known_has_no_colours() -> None:
    assert ramps.colours("somebodys") is None
