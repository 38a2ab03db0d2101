"""The tiles of the web Mercator grid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from core.errors import InvalidParameters, NotFound
from services.tiles.areas import bounds_in
from services.tiles.grid import MAX_ZOOM, Tile, pixel_in

TO_DEGREES = Transformer.from_crs(3857, 4326, always_xy=True)


@st.composite
def tiles(draw: st.DrawFn) -> Tile:
    z = draw(st.integers(0, MAX_ZOOM))
    last = 2**z - 1
    return Tile(z, draw(st.integers(0, last)), draw(st.integers(0, last)))


@given(tiles())
def test_degrees_are_those_of_the_projection(tile: Tile) -> None:
    west, south, east, north = tile.drawn_bounds
    expected = (*TO_DEGREES.transform(west, south), *TO_DEGREES.transform(east, north))
    # Beyond the antimeridian, where the buffer of the outermost tiles is, PROJ begins anew.
    found = tile.drawn_degrees
    assert found[1::2] == pytest.approx(expected[1::2], abs=1e-9)
    if found[0] > -180 and found[2] < 180:
        assert found[::2] == pytest.approx(expected[::2], abs=1e-9)
    assert -86 < found[1] < found[3] < 86


@given(tiles())
def test_four_tiles_are_the_one_above_them(tile: Tile) -> None:
    above = Tile(tile.z - 1, tile.x // 2, tile.y // 2) if tile.z else tile
    west, south, east, north = above.bounds
    inner = tile.bounds
    assert west - 1e-6 <= inner[0] < inner[2] <= east + 1e-6
    assert south - 1e-6 <= inner[1] < inner[3] <= north + 1e-6


def test_the_world_is_one_tile() -> None:
    world = Tile.parse("0", "0", "0")
    assert world.bounds == pytest.approx((-20037508.34, -20037508.34, 20037508.34, 20037508.34))
    assert world.drawn_degrees[1] == pytest.approx(-85.513, abs=0.001)


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (("x", "0", "0"), "z"),
        (("1", "-1", "0"), "x"),
        (("1", "0", "1.5"), "y"),
        (("1", "0", ""), "y"),
        (("1", "0", "\u0661"), "y"),
        (("23", "0", "0"), "z"),
        (("1", "0", "9" * 5000), "y"),
    ],
)
def test_a_tile_is_named_by_numbers(address: tuple[str, str, str], field: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        Tile.parse(*address)
    assert caught.value.errors[0]["loc"] == ["path", field]


@pytest.mark.parametrize("address", [("0", "1", "0"), ("3", "0", "8"), ("22", "4194304", "0")])
def test_a_tile_outside_the_grid_is_not_found(address: tuple[str, str, str]) -> None:
    with pytest.raises(NotFound, match=r"from 0 to \d+") as caught:
        Tile.parse(*address)
    assert caught.value.error_code == "unknown_tile"


class TestPixels:
    def test_of_the_equator_are_as_wide_as_high(self) -> None:
        tile = Tile(10, 512, 511)
        pixel = pixel_in(4326, tile)
        assert pixel.width == pytest.approx(360 / 2**10 / 512)
        assert pixel.height == pytest.approx(pixel.width, rel=1e-3)

    def test_are_flat_in_the_north(self) -> None:
        tile = Tile(10, 512, 296)  # 60 degrees north, where everything is twice as long
        pixel = pixel_in(4326, tile)
        assert tile.stretch == pytest.approx(2, abs=0.02)
        assert pixel.height == pytest.approx(pixel.width / 2, rel=0.01)

    def test_in_feet_and_metres(self) -> None:
        tile = Tile(12, 1205, 1539)  # New York
        metres = pixel_in(32618, tile).width
        feet = pixel_in(2263, tile).width
        assert metres == pytest.approx(tile.pixel / tile.stretch)
        assert feet == pytest.approx(metres / 0.3048, rel=1e-3)

    def test_of_a_crs_that_is_not_known_are_taken_for_degrees(self) -> None:
        assert pixel_in(999_999, Tile(0, 0, 0)) == pixel_in(4326, Tile(0, 0, 0))


class TestBounds:
    TILE = Tile(9, 275, 178)  # around 14 E, 47.5 N

    @pytest.mark.parametrize("srid", [4326, 4258, 3857, 32633, 3035])
    def test_enclose_the_tile_in_any_crs(self, srid: int) -> None:
        bounds = bounds_in(srid, self.TILE, (5.0, 40.0, 20.0, 55.0))
        assert bounds is not None
        west, south, east, north = self.TILE.bounds
        to_stored = Transformer.from_crs(3857, srid, always_xy=True)
        xs, ys = to_stored.transform([west, west, east, east], [south, north, south, north])
        assert bounds[0] <= min(xs)
        assert bounds[1] <= min(ys)
        assert max(xs) <= bounds[2]
        assert max(ys) <= bounds[3]

    @pytest.mark.parametrize("srid", [4326, 4258])
    def test_in_degrees_leave_the_poles_out(self, srid: int) -> None:
        bounds = bounds_in(srid, Tile(0, 0, 0), (-180.0, -90.0, 180.0, 90.0))
        assert bounds is not None
        assert -86 < bounds[1] < -85.06
        assert 85.06 < bounds[3] < 86
