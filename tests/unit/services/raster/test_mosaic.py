"""MosaicJSON documents: right for those who read them, and as fine as the COGs are."""

from __future__ import annotations

from typing import Any

import morecantile
import pytest
from cogeo_mosaic.backends.memory import MemoryBackend
from cogeo_mosaic.mosaic import MosaicJSON
from shapely.geometry import box, mapping

from services.raster import mosaic
from services.raster.mosaic import Footprint

TMS = morecantile.tms.get("WebMercatorQuad")


def footprint(
    name: str, west: float, south: float, side: float = 1.0, pixels: int = 4096
) -> Footprint:
    bounds = (west, south, west + side, south + side)
    return Footprint(f"https://x/{name}.tif", mapping(box(*bounds)), bounds, pixels, pixels)


def assets_at(document: dict[str, Any], longitude: float, latitude: float) -> list[str]:
    """What a reader of MosaicJSON is told of a point."""
    with MemoryBackend(mosaic_def=MosaicJSON.model_validate(document)) as backend:
        found: list[str] = backend.assets_for_point(longitude, latitude)
    return found


GRID = [footprint(f"{x}_{y}", 4 * x, 4 * y) for x in range(3) for y in range(2)]


def test_a_reader_finds_the_cogs_of_a_place() -> None:
    document = mosaic.mosaic_json(GRID, name="dem")
    assert document["name"] == "dem"
    assert document["mosaicjson"] == "0.0.3"
    assert document["bounds"] == [0, 0, 9, 5]
    assert assets_at(document, 0.5, 0.5) == ["https://x/0_0.tif"]
    assert assets_at(document, 8.5, 4.5) == ["https://x/2_1.tif"]
    assert assets_at(document, 10.0, 2.5) == []


def test_every_cog_is_listed_where_it_is_and_nowhere_else() -> None:
    document = mosaic.mosaic_json(GRID, name="dem")
    listed: dict[str, set[str]] = {}
    for key, hrefs in document["tiles"].items():
        assert len(set(hrefs)) == len(hrefs)
        for href in hrefs:
            listed.setdefault(href, set()).add(key)
    assert set(listed) == {each.href for each in GRID}
    for each in GRID:
        touched = {
            TMS.quadkey(tile) for tile in TMS.tiles(*each.bbox, zooms=[document["quadkey_zoom"]])
        }
        assert listed[each.href] <= touched


def test_zooms_follow_the_size_of_the_pixels() -> None:
    # A degree at the equator in 4,096 pixels: 27 m, between those of zoom 12 (38 m) and 13 (19 m).
    least, most = footprint("a", 0, -0.5).zooms
    assert most == TMS.zoom_for_res(27.2, zoom_level_strategy="auto")
    assert least == most - 4
    document = mosaic.mosaic_json(GRID, name="dem")
    assert (document["minzoom"], document["maxzoom"]) == (least, most)


def test_a_raster_of_few_pixels_has_one_zoom() -> None:
    least, most = footprint("a", 0, 0, pixels=100).zooms
    assert least == most


def test_what_crosses_the_antimeridian_is_found_on_both_sides() -> None:
    geometry = {
        "type": "MultiPolygon",
        "coordinates": [
            mapping(box(179, -17, 180, -16))["coordinates"],
            mapping(box(-180, -17, -179, -16))["coordinates"],
        ],
    }
    fiji = Footprint("https://x/fiji.tif", geometry, (179, -17, -179, -16), 8192, 4096)
    assert fiji.metres_a_pixel == pytest.approx(27.6, rel=0.02)
    document = mosaic.mosaic_json([fiji], name="fiji")
    assert assets_at(document, 179.5, -16.5) == ["https://x/fiji.tif"]
    assert assets_at(document, -179.5, -16.5) == ["https://x/fiji.tif"]
    assert assets_at(document, 0, -16.5) == []


def test_what_reaches_the_poles_is_listed_as_far_as_the_map_goes() -> None:
    world = Footprint(
        "https://x/world.tif", mapping(box(-180, -90, 180, 90)), (-180, -90, 180, 90), 36000, 18000
    )
    document = mosaic.mosaic_json([world], name="world")
    assert assets_at(document, 10, 84) == ["https://x/world.tif"]
    assert -85.1 < document["bounds"][1] < document["bounds"][3] < 85.1


def test_the_list_stays_short_where_small_and_large_rasters_are_mixed() -> None:
    world = Footprint(
        "https://x/world.tif", mapping(box(-180, -80, 180, 80)), (-180, -80, 180, 80), 36000, 18000
    )
    document = mosaic.mosaic_json(
        [world, *(footprint(f"{n}", n / 100, 0, 0.01) for n in range(9))], name="mixed"
    )
    assert len(document["tiles"]) <= 50_000
    assert document["quadkey_zoom"] < document["minzoom"]
    assert set(assets_at(document, 0.005, 0.005)) >= {"https://x/world.tif", "https://x/0.tif"}


def test_an_item_says_where_its_cog_is() -> None:
    item = {
        "geometry": mapping(box(0, 0, 1, 1)),
        "bbox": [0, 0, -5, 1, 1, 900],
        "properties": {"proj:shape": [200, 100]},
        "assets": {"data": {"href": "https://x/a.tif"}},
    }
    found = Footprint.of(item)
    assert (found.href, found.bbox) == ("https://x/a.tif", (0, 0, 1, 1))
    assert (found.width, found.height) == (100, 200)


def test_no_cogs_make_no_mosaic() -> None:
    with pytest.raises(ValueError, match="no footprints"):
        mosaic.mosaic_json([], name="none")
