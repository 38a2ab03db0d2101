"""Previews, tiles and values of rasters in the catalog."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import Transformer
from rio_tiler.colormap import cmap

from infrastructure import blob_storage
from services.access import ANYONE
from services.raster.rendering import published
from tests.servers import PostgresServer
from tests.support import raster_catalog
from tests.support.in_process import InProcessClient, Response
from tests.support.raster_catalog import COLLECTION, SECRET, read_png
from tests.support.settings import app_settings
from tests.support.stac_collection import new_container
from web_interfaces.api import raster

ROOT = f"/api/raster/{COLLECTION}"
# Places on the DEM: longitude and latitude. The first is well inside of a pixel; around the
# others, in the corner without data and beside it, neighbours are as they are.
PLACE = (15.1245, 49.5702)
NO_DATA = (15.02, 49.64)
BESIDE = (15.06, 49.64)


@pytest.fixture(scope="module")
def api(
    postgres_server: PostgresServer,
    migrated_template: str,
    blob_connection_string: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InProcessClient]:
    url = postgres_server.create_database(migrated_template)
    with app_settings(
        DATABASE_URL=url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_RESTRICTED_KEYS="known-key",
    ):
        raster_catalog.load(url, new_container("silver"), tmp_path_factory.mktemp("rasters"))
        yield InProcessClient(raster.bp)
    postgres_server.drop_database(url)


def pixels(answer: Response) -> NDArray[np.uint8]:
    """The bands of a PNG, as (band, row, column)."""
    assert (answer.status, answer.media_type) == (200, "image/png"), answer.body[:500]
    return read_png(answer.body)


def problem(answer: Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status, answer.media_type) == (status, "application/problem+json")
    found: dict[str, Any] = answer.json()
    assert found["code"] == code, found
    return found


def on_tiles(z: int, place: tuple[float, float]) -> tuple[float, float]:
    """Column and row of a place among the tiles of a zoom."""
    longitude, latitude = place
    n = 2**z
    x = (longitude + 180) / 360 * n
    y = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * n
    return x, y


def tile_at(z: int, place: tuple[float, float] = PLACE) -> str:
    """The path of the tile of a zoom that holds the place."""
    x, y = map(int, on_tiles(z, place))
    return f"{z}/{x}/{y}.png"


def height_at(place: tuple[float, float]) -> float:
    """What the DEM was made with at a place, which it has in UTM 33N."""
    to_utm = Transformer.from_crs("OGC:CRS84", "EPSG:32633", always_xy=True)
    x, y = to_utm.transform(*place)
    heights = raster_catalog.hills()[0]
    return float(heights[int((5_500_000 - y) / 30), int((x - 500_000) / 30)])


def test_a_preview_is_drawn_as_the_item_says(api: InProcessClient) -> None:
    picture = pixels(api.get(f"{ROOT}/dem/preview.png?size=128"))
    assert picture.shape == (4, 128, 110)
    opacity = picture[3]
    assert (opacity[:15, :15] == 0).all()
    assert (opacity[30:, 30:] == 255).all()
    # viridis from dark violet to yellow: its green rises with the value.
    heights = raster_catalog.hills()[0]
    low = np.unravel_index(np.argmin(np.where(heights < 0, 9999, heights)), heights.shape)
    high = np.unravel_index(np.argmax(heights), heights.shape)
    scale = 128 / 700
    greens = [picture[1][int(row * scale)][int(column * scale)] for row, column in (low, high)]
    assert greens[0] < 60
    assert greens[1] > 200


def test_a_picture_of_8_bits_is_shown_as_it_is(api: InProcessClient) -> None:
    picture = pixels(api.get(f"{ROOT}/photo/preview.png"))
    assert picture.shape == (3, 300, 400)
    assert [int(band[150, 200]) for band in picture] == [200, 100, 50]


def test_bands_are_chosen_by_their_names_and_stretched(api: InProcessClient) -> None:
    style = api.get(f"{ROOT}/scene/info").json()["style"]
    assert style["bidx"] == [3, 2, 1]
    assert len(style["rescale"]) == 3
    picture = pixels(api.get(f"{ROOT}/scene/preview.png"))
    assert picture.shape[0] == 3
    assert picture.min() == 0
    assert picture.max() == 255


def test_classes_keep_their_own_colours(api: InProcessClient) -> None:
    picture = pixels(api.get(f"{ROOT}/cover/preview.png?size=600"))
    # A TIFF keeps no transparency of its palette: black is what has no class.
    colours = {tuple(map(int, each)) for each in picture.reshape(3, -1).T}
    assert colours == {(0, 0, 0), (255, 0, 0), (0, 128, 0)}
    legend = api.get(f"{ROOT}/cover/info").json()["legend"]
    assert [(each["value"], each["colour"]) for each in legend["classes"]] == [
        (1, "#ff0000ff"),
        (2, "#008000ff"),
    ]


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("z", [10, 12, 13])
def test_a_tile_shows_each_place_where_it_is(api: InProcessClient, size: int, z: int) -> None:
    viridis = np.array(list(cast(dict[int, Any], cmap.get("viridis")).values()))
    for place in (PLACE, NO_DATA, BESIDE, (15.2, 49.5), (15.03, 49.48)):
        path = tile_at(z, place).replace(".png", "@2x.png" if size == 512 else ".png")
        picture = pixels(api.get(f"{ROOT}/dem/tiles/{path}"))
        assert picture.shape[1:] == (size, size)
        column, row = (int(share % 1 * size) for share in on_tiles(z, place))
        opacity = picture[3, row, column] if len(picture) == 4 else 255
        height = height_at(place)
        assert opacity == (0 if height == -9999 else 255), place
        if opacity:
            # Over some 150 m, a pixel of zoom 10, heights change by up to 15: four colours.
            near = viridis[max(0, round(height * 0.255) - 4) : round(height * 0.255) + 5, :3]
            shown = picture[:3, row, column]
            assert (shown >= near.min(axis=0)).all(), place
            assert (shown <= near.max(axis=0)).all(), place


def test_a_tile_where_nothing_is_is_transparent(api: InProcessClient) -> None:
    picture = pixels(api.get(f"{ROOT}/dem/tiles/12/0/0.png"))
    assert picture.shape == (2, 256, 256)
    assert picture[1].max() == 0


def test_tilejson_leads_to_tiles_that_can_be_kept(api: InProcessClient) -> None:
    document = api.get(f"{ROOT}/dem/tilejson.json?colormap=magma").json()
    west, south, east, north = document["bounds"]
    assert west < PLACE[0] < east
    assert south < PLACE[1] < north
    # 30 m at 49.5 degrees are 46 m of web Mercator; a pixel of zoom 12 is 38 m.
    assert (document["minzoom"], document["maxzoom"]) == (10, 12)
    assert document["center"][:2] == [(west + east) / 2, (south + north) / 2]
    z, x, y = tile_at(12).removesuffix(".png").split("/")
    (template,) = document["tiles"]
    answer = api.get(template.replace("{z}", z).replace("{x}", x).replace("{y}", y))
    assert answer.status == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert "immutable" not in api.get(f"{ROOT}/dem/tiles/{tile_at(12)}").headers["Cache-Control"]
    # Another ramp is another picture.
    assert answer.body != api.get(f"{ROOT}/dem/tiles/{tile_at(12)}").body


def test_tiles_across_the_antimeridian_are_asked_for_on_both_sides(api: InProcessClient) -> None:
    document = api.get(f"{ROOT}/fiji/tilejson.json").json()
    west, south, east, north = document["bounds"]
    assert (west, east) == (-180, 180)
    assert (round(south, 1), round(north, 1)) == (-21.7, -18.0)
    longitude, latitude, zoom = document["center"]
    assert abs(longitude) > 179
    assert south < latitude < north
    assert document["minzoom"] <= zoom <= document["maxzoom"] == 8
    found = api.get(f"{ROOT}/fiji/info").json()
    assert found["tile_bounds"] == document["bounds"]
    assert found["bounds"][0] > 177
    assert found["bounds"][2] < -177
    for longitude in (179.9, -179.9):
        # Within the raster: no pixel of it is transparent.
        picture = pixels(api.get(f"{ROOT}/fiji/tiles/{tile_at(8, (longitude, -19.5))}"))
        assert picture.shape == (3, 256, 256)


def test_a_style_of_others_without_a_range_has_the_same_contrast_everywhere(
    api: InProcessClient,
) -> None:
    """The item names bands of 16 bits, and nothing else."""
    style = api.get(f"{ROOT}/foreign/info").json()["style"]
    assert style["bidx"] == [1, 2, 3]
    # Made of values from 200 to 3,000.
    for low, high in style["rescale"]:
        assert 200 <= low < 300
        assert 2900 < high <= 3000
    assert api.get(f"{ROOT}/foreign/info?bidx=2").json()["style"]["rescale"] == [
        style["rescale"][1]
    ]


def test_who_has_a_picture_is_not_sent_it_again(api: InProcessClient) -> None:
    path = f"{ROOT}/dem/preview.png"
    tag = api.get(path).headers["ETag"]
    again = api.get(path, **{"If-None-Match": f'"other", W/{tag}'})
    assert (again.status, again.body) == (304, b"")
    assert api.get(path, **{"If-None-Match": '"other"'}).status == 200


def test_choices_replace_what_the_item_says(api: InProcessClient) -> None:
    one = pixels(api.get(f"{ROOT}/photo/preview.png?bidx=2&rescale=0,200&colormap=gray"))
    assert [int(band[10, 10]) for band in one] == [128, 128, 128]
    swapped = pixels(api.get(f"{ROOT}/photo/preview.png?bidx=3,2,1"))
    assert [int(band[10, 10]) for band in swapped] == [50, 100, 200]


def test_values_are_told_at_a_place(api: InProcessClient) -> None:
    found = api.get(f"{ROOT}/dem/point/{PLACE[0]},{PLACE[1]}").json()
    (band,) = found["bands"]
    assert found["inside"]
    assert band["value"] == band["stored"] == pytest.approx(height_at(PLACE), abs=0.001)
    for place, value in ((NO_DATA, None), (BESIDE, pytest.approx(height_at(BESIDE), abs=0.001))):
        found = api.get(f"{ROOT}/dem/point/{place[0]},{place[1]}").json()
        assert (found["inside"], found["bands"][0]["value"]) == (True, value)
    outside = api.get(f"{ROOT}/dem/point/0,0").json()
    assert (outside["inside"], outside["bands"][0]["value"]) == (False, None)


def test_info_tells_what_the_raster_is(api: InProcessClient) -> None:
    found = api.get(f"{ROOT}/dem/info").json()
    assert (found["type"], found["width"], found["height"]) == ("dem", 600, 700)
    assert found["style"]["colormap_name"] == "viridis"
    legend = found["legend"]
    assert (legend["title"], legend["low"], legend["high"]) == ("Heights", 0, 1000)
    assert legend["ramp"][0] == "#440154"
    assert found["bands"][0]["statistics"]["maximum"] <= 1000


def test_a_raster_without_a_place_has_a_preview_and_no_tiles(api: InProcessClient) -> None:
    assert pixels(api.get(f"{ROOT}/nowhere/preview.png")).shape[1:] == (300, 300)
    problem(api.get(f"{ROOT}/nowhere/tiles/{tile_at(12)}"), 409, "no_crs")
    problem(api.get(f"{ROOT}/nowhere/tilejson.json"), 409, "no_crs")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/raster/nothing/dem/info", 404, "collection_not_found"),
        (f"{ROOT}/nothing/info", 404, "item_not_found"),
        (f"{ROOT}/%00/info", 404, "item_not_found"),
        (f"{ROOT}/dem/info?asset=other", 404, "asset_not_found"),
        (f"{ROOT}/dem/info?asset=thumbnail", 409, "not_a_geotiff"),
        (f"{ROOT}/paper/info", 409, "no_raster"),
        (f"{ROOT}/elsewhere/preview.png", 409, "not_ours"),
        (f"{ROOT}/gone/preview.png", 404, "blob_not_found"),
        (f"{ROOT}/damaged/preview.png", 409, "unreadable_raster"),
        (f"{ROOT}/dem/preview.png?size=99999", 422, "invalid_parameters"),
        (f"{ROOT}/dem/preview.png?zize=9", 422, "invalid_parameters"),
        (f"{ROOT}/dem/preview.png?bidx=2", 422, "invalid_parameters"),
        (f"{ROOT}/dem/preview.png?bidx=1,2", 422, "invalid_parameters"),
        (f"{ROOT}/dem/preview.png?rescale=5,nan", 422, "invalid_parameters"),
        (f"{ROOT}/dem/preview.png?rescale=5,5", 422, "invalid_parameters"),
        (f"{ROOT}/dem/preview.png?colormap=rainbows", 422, "invalid_parameters"),
        (f"{ROOT}/scene/preview.png?colormap=viridis", 422, "invalid_parameters"),
        (f"{ROOT}/dem/tiles/2/9/0.png", 404, "unknown_tile"),
        (f"{ROOT}/dem/tiles/2/a/0.png", 422, "invalid_parameters"),
        (f"{ROOT}/dem/point/200,0", 422, "invalid_parameters"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    api: InProcessClient, path: str, status: int, code: str
) -> None:
    problem(api.get(path), status, code)


def test_restricted_rasters_are_shown_to_who_may_see_them(api: InProcessClient) -> None:
    path = f"/api/raster/{SECRET}/hidden/preview.png"
    problem(api.get(path), 403, "restricted")
    answer = api.get(path, **{"x-functions-key": "known-key"})
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_pages_of_every_site_may_ask(api: InProcessClient) -> None:
    assert api.get(f"{ROOT}/dem/info").headers["Access-Control-Allow-Origin"] == "*"
    assert api.call("OPTIONS", f"{ROOT}/dem/tiles/0/0/0.png").status == 204


def test_a_blob_that_is_written_anew_is_read_anew(api: InProcessClient, tmp_path: Path) -> None:
    path = f"{ROOT}/photo/preview.png"
    before = api.get(path)
    blob = published.find(COLLECTION, "photo", caller=ANYONE).blob
    container, name = blob.container, blob.path
    old = blob_storage.read_bytes(container, name)
    other = raster_catalog.write_cog(tmp_path, "other", np.full((3, 300, 400), 9, np.uint8))
    try:
        blob_storage.write_bytes(container, name, other.read_bytes())
        after = api.get(path)
        assert after.headers["ETag"] != before.headers["ETag"]
        assert int(pixels(after)[0, 5, 5]) != int(pixels(before)[0, 5, 5])
    finally:
        blob_storage.write_bytes(container, name, old)
