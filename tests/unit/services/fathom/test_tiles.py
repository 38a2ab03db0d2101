"""Tiles by their names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fathom.tiles import Tile


def test_a_tile_is_named_after_its_south_west_corner() -> None:
    assert Tile.of("n04w006").bounds == (-6, 4, -5, 5)
    assert Tile.of("S03E028").bounds == (28, -3, 29, -2)
    assert Tile.of("n00e000").bounds == (0, 0, 1, 1)
    assert Tile.of("s90w180").bounds == (-180, -90, -179, -89)


@given(st.builds(Tile, south=st.integers(-90, 89), west=st.integers(-180, 179)))
def test_every_tile_of_the_earth_has_one_name(tile: Tile) -> None:
    assert Tile.of(tile.name) == tile
    assert Tile.of(tile.name.upper()) == tile


@pytest.mark.parametrize("name", ["n90e000", "s91e000", "n00e180", "n00w181", "s00e006", "n04w000"])
def test_what_is_not_on_the_earth_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"there is no tile {name} on the Earth"):
        Tile.of(name)


@pytest.mark.parametrize("name", ["", "n4w6", "n04w06", "w006n04", "xn04w006", "n04w006x"])
def test_what_is_no_tile_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no tile such as n04w006"):
        Tile.of(name)
