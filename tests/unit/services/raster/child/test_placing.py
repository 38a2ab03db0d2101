"""Where rasters lie on a map that ends at the antimeridian."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rasterio import Affine
from rasterio.io import MemoryFile
from rio_tiler.constants import WEB_MERCATOR_TMS

from services.raster.child import rendering
from services.raster.rendering.model import RenderStyle
from tests.support.raster_catalog import read_png

# rasterio multiplies transforms as affine would have it done otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIDE = 256
STYLE = RenderStyle(bidx=(1,), rescale=((0.0, 255.0),)).model_dump(mode="json")

Pixels = npt.NDArray[Any]


def geotiff(pixels: Pixels, crs: str, transform: Affine, nodata: float | None = None) -> bytes:
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=pixels.shape[1], height=pixels.shape[0], count=1,
            dtype=pixels.dtype, crs=crs, transform=transform, nodata=nodata,
        ) as dataset:  # fmt: skip
            dataset.write(pixels, 1)
        return bytes(memory.read())


def fiji() -> bytes:
    """800 x 800 pixels of 500 m across the antimeridian, in UTM 1S."""
    rows, _ = np.mgrid[0:800, 0:800]
    return geotiff(
        (rows % 250).astype(np.uint8),
        "EPSG:32701",
        Affine(500, 0, 0, 0, -500, 8_000_000),
    )


def brightness(longitude: Any, latitude: Any) -> Any:
    """What `around` holds at a place: it differs everywhere, and changes slowly."""
    return 128 + 60 * np.sin(np.radians(longitude + 20)) + 0.6 * latitude


def around(west: float, east: float, *, step: float = 0.5, nodata: float | None = None) -> bytes:
    """A geographic grid of `brightness`, from 60 degrees south to 60 degrees north."""
    longitudes = np.arange(west + step / 2, east, step)
    latitudes = np.arange(60 - step / 2, -60, -step)
    pixels = brightness(longitudes[np.newaxis], latitudes[:, np.newaxis])
    transform = Affine(step, 0, west, 0, -step, 60)
    return geotiff(pixels.astype(np.float32), "EPSG:4326", transform, nodata)


def place(data: bytes) -> dict[str, Any]:
    return rendering.place(len(data), io.BytesIO(data))


def point(data: bytes, longitude: float, latitude: float) -> float | None:
    found = rendering.point(len(data), longitude, latitude, io.BytesIO(data))
    assert found["inside"] == (found["values"] != [None])
    value: float | None = found["values"][0]
    return value


def tile_pixel(data: bytes, longitude: float, latitude: float, z: int) -> tuple[int, int]:
    """Brightness and opacity of the pixel of a tile that shows a place."""
    tile = WEB_MERCATOR_TMS.tile(longitude, latitude, z)
    box = WEB_MERCATOR_TMS.xy_bounds(tile)
    x, y = WEB_MERCATOR_TMS.xy(longitude, latitude)
    column = int((x - box.left) / (box.right - box.left) * SIDE)
    row = int((box.top - y) / (box.top - box.bottom) * SIDE)
    pieces: list[bytes] = []
    rendering.tile(
        len(data),
        STYLE,
        z,
        tile.x,
        tile.y,
        SIDE,
        io.BytesIO(data),
        lambda _, png: pieces.append(png),
    )
    picture = read_png(b"".join(pieces))
    opacity = picture[1, row, column] if len(picture) == 2 else 255
    return int(picture[0, row, column]), int(opacity)


def test_across_the_antimeridian_zooms_are_those_of_its_pixels() -> None:
    found = place(fiji())
    west, south, east, north = found["bounds"]
    assert 177 < west < 179
    assert -179 < east < -177
    assert (round(south, 1), round(north, 1)) == (-21.7, -18.0)
    # A pixel of zoom 8 is 611 m of web Mercator, of zoom 6 2,446 m: four of 500 m.
    assert (found["minzoom"], found["maxzoom"]) == (6, 8)


@pytest.mark.parametrize("longitude", [178.9, 179.9, -179.9, -178.9])
def test_both_sides_of_the_antimeridian_are_drawn(longitude: float) -> None:
    data = fiji()
    value = point(data, longitude, -19.5)
    assert value is not None
    shade, opacity = tile_pixel(data, longitude, -19.5, 8)
    assert opacity == 255
    assert abs(shade - value) <= 3


@pytest.mark.parametrize(
    ("west", "east", "bounds"),
    [
        (0, 360, [-180, 180]),
        (-180, 180, [-180, 180]),
        (-0.25, 359.75, [-180, 180]),
        (170, 190, [170, -170]),
        (-190, -170, [170, -170]),
        (180, 200, [-180, -160]),
        (160, 180, [160, 180]),
        (200, 300, [-160, -60]),
    ],
)
def test_bounds_are_within_one_turn(west: float, east: float, bounds: list[float]) -> None:
    found = place(around(west, east))["bounds"]
    assert [found[0], found[2]] == bounds
    assert [found[1], found[3]] == [-60, 60]


@pytest.mark.parametrize("nodata", [None, -9999.0])
@pytest.mark.parametrize(("west", "east"), [(0, 360), (-180, 180), (-0.25, 359.75), (-190, 170)])
def test_grids_of_a_turn_show_both_hemispheres(
    west: float, east: float, nodata: float | None
) -> None:
    data = around(west, east, nodata=nodata)
    for longitude in (-180.0, -179.6, -90.0, -0.1, 0.0, 0.1, 90.0, 179.6, 180.0):
        expected = brightness(longitude, 10)
        assert point(data, longitude, 10) == pytest.approx(expected, abs=1)
    for longitude in (-179.6, -90.0, -0.1, 0.1, 90.0, 179.6):
        for z in (0, 1, 3):
            shade, opacity = tile_pixel(data, longitude, 10, z)
            assert opacity == 255
            assert shade == pytest.approx(brightness(longitude, 10), abs=2)


@pytest.mark.parametrize(("west", "east"), [(170, 190), (-190, -170)])
def test_a_grid_beyond_the_antimeridian_is_seen_on_both_sides(west: float, east: float) -> None:
    data = around(west, east)
    for longitude in (171.0, 179.9, -179.9, -171.0):
        expected: Any = pytest.approx(brightness(longitude, 10), abs=2)
        assert point(data, longitude, 10) == expected
        shade, opacity = tile_pixel(data, longitude, 10, 4)
        assert (shade, opacity) == (expected, 255)
    for longitude in (160.0, -160.0, 0.0):
        assert point(data, longitude, 10) is None
        assert tile_pixel(data, longitude, 10, 4)[1] == 0


def test_a_grid_in_grads_from_another_meridian_is_in_its_place() -> None:
    """NTF (Paris): 400 grads are a turn, from 2.34 degrees east."""
    longitudes = np.arange(0.25, 400, 0.5)
    pixels = np.tile(brightness(longitudes * 0.9 + 2.337, 0), (100, 1)).astype(np.float32)
    data = geotiff(pixels, "EPSG:4807", Affine(0.5, 0, 0, 0, -0.5, 25))
    assert [round(side) for side in place(data)["bounds"]][::2] == [-180, 180]
    for longitude in (-90.0, 1.0, 3.0, 90.0):
        expected: Any = pytest.approx(brightness(longitude, 0), abs=2)
        assert point(data, longitude, 5) == expected
        shade, opacity = tile_pixel(data, longitude, 5, 3)
        assert (shade, opacity) == (expected, 255)


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:3031"])
def test_around_a_pole_zooms_are_those_of_the_finest_pixels(crs: str) -> None:
    data = geotiff(
        np.ones((600, 600), np.uint8), crs, Affine(10_000, 0, -3_000_000, 0, -10_000, 3_000_000)
    )
    found = place(data)
    # 10 km at 63 degrees are 22 km of web Mercator; a pixel of zoom 3 is 19.6 km.
    assert (found["minzoom"], found["maxzoom"]) == (1, 3)


def test_places_along_all_of_a_raster_are_its_pixels() -> None:
    random = np.random.default_rng(11)
    values = random.integers(0, 255, (50, 40)).astype(np.uint8)
    data = geotiff(values, "EPSG:4326", Affine(0.5, 0, 10, 0, -0.25, 60))
    for row, column in random.integers(0, (50, 40), (20, 2)):
        longitude, latitude = 10 + (column + 0.3) * 0.5, 60 - (row + 0.6) * 0.25
        assert point(data, longitude, latitude) == values[row, column]
