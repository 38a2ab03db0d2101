"""The page of rasters in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from rasterio.enums import ColorInterp

from infrastructure import blob_storage
from tests.servers import StackUnderTest
from tests.support import raster_catalog
from tests.support.raster_catalog import COLLECTION, SECRET
from tests.support.settings import app_settings

CONTAINER = "silver-pictures"
ADDRESS = f"/api/interface/map?collection={COLLECTION}"


@pytest.fixture(scope="module", autouse=True)
def _catalog(stack: StackUnderTest, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = stack.environment
    with app_settings(
        DATABASE_URL=environment["DATABASE_URL"],
        AZURE_STORAGE_CONNECTION_STRING=environment["AZURE_STORAGE_CONNECTION_STRING"],
    ):
        folder: Path = tmp_path_factory.mktemp("rasters")
        raster_catalog.load(environment["DATABASE_URL"], CONTAINER, folder)
        far, both = over_the_antimeridian(folder), two_files()
        raster_catalog.add(environment["DATABASE_URL"], far, both)


def over_the_antimeridian(folder: Path) -> dict[str, Any]:
    """An item of one colour on both sides of it, whose footprint is cut there."""
    bands = np.stack([np.full((600, 600), value, np.uint8) for value in (200, 100, 50)])
    file = raster_catalog.write_cog(
        folder,
        "far",
        bands,
        crs="EPSG:32660",
        origin=(708_000.0, 5_500_000.0),
        colours=(ColorInterp.red, ColorInterp.green, ColorInterp.blue),
    )
    blob_storage.write_bytes(CONTAINER, "rasters/far.tif", file.read_bytes())
    item = raster_catalog.item("far", blob_url("far"))
    west, south, east, north = 179.87, 49.44, -179.87, 49.61
    halves = [
        [[[a, south], [b, south], [b, north], [a, north], [a, south]]]
        for a, b in ((west, 180.0), (-180.0, east))
    ]
    item["geometry"] = {"type": "MultiPolygon", "coordinates": halves}
    item["bbox"] = [west, south, east, north]
    return item


def two_files() -> dict[str, Any]:
    """An item of two rasters."""
    assets = {
        "before": {"href": blob_url("photo"), "type": raster_catalog.COG_TYPE},
        "after": {"href": blob_url("dem"), "type": raster_catalog.COG_TYPE},
    }
    return {**raster_catalog.item("pair", ""), "assets": assets}


def blob_url(name: str) -> str:
    return str(blob_storage.blob_client(CONTAINER, f"rasters/{name}.tif").url)


def drawn(page: Page) -> None:
    """Wait until the map shows the raster, all of it."""
    figure = page.locator("[data-raster-map]")
    expect(figure).to_have_attribute("data-state", "drawn")
    assert figure.get_attribute("data-trouble") is None


def colour_in_the_middle(page: Page) -> list[int]:
    """Red, green and blue of the pixel in the middle of the map, as the screen has it."""
    canvas = page.locator(".map-canvas canvas")
    shot = raster_catalog.read_png(canvas.screenshot())
    return [int(band[shot.shape[1] // 2, shot.shape[2] // 2]) for band in shot[:3]]


def test_a_raster_is_drawn_where_it_is_with_its_legend(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=photo")
    drawn(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("photo")
    expect(page.locator(".raster-channels li")).to_have_text(
        ["Red: band 1", "Green: band 2", "Blue: band 3"]
    )
    red, green, blue = colour_in_the_middle(page)
    assert abs(red - 200) + abs(green - 100) + abs(blue - 50) < 15


def test_the_land_shows_through_as_the_slider_says(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=photo")
    drawn(page)
    slider = page.get_by_label("Opacity")
    slider.focus()
    slider.press("Home")
    page.wait_for_function(
        "document.querySelector('[data-raster-map]').map"
        ".getPaintProperty('raster', 'raster-opacity') === 0"
    )
    slider.press("ArrowRight")
    page.wait_for_function(
        "document.querySelector('[data-raster-map]').map"
        ".getPaintProperty('raster', 'raster-opacity') === 0.01"
    )


def test_values_are_read_with_the_keyboard(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=photo")
    drawn(page)
    page.locator(".map-canvas canvas").press("Enter")
    values = page.locator("[data-part=values] dd")
    expect(values).to_have_text(["200", "100", "50"])
    page.locator(".map-canvas canvas").press("Escape")
    expect(page.locator("[data-part=values]")).to_be_empty()


def test_a_reader_is_told_that_values_are_on_their_way(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=photo")
    drawn(page)
    panel = page.locator("[data-part=values][aria-live=polite]")
    # What is not displayed is not in the tree of those who listen to the page.
    assert panel.evaluate("panel => getComputedStyle(panel).display") != "none"
    seen: list[str] = []

    def answer(route: Route) -> None:
        seen.append(panel.inner_text())
        route.continue_()

    page.route("**/point/**", answer)
    page.locator(".map-canvas canvas").press("Enter")
    expect(panel.locator("dd")).to_have_text(["200", "100", "50"])
    assert "Reading…" in seen[0]


def test_a_raster_over_the_antimeridian_is_in_one_piece(page: Page) -> None:
    asked: list[list[str]] = []
    page.on(
        "request",
        lambda request: (
            asked.append(request.url.partition("?")[0].split("/"))
            if "/tiles/" in request.url
            else None
        ),
    )
    page.goto(f"{ADDRESS}&item=far")
    drawn(page)
    red, green, blue = colour_in_the_middle(page)
    assert abs(red - 200) + abs(green - 100) + abs(blue - 50) < 15
    map_ = "document.querySelector('[data-raster-map]').map"
    width = page.evaluate(f"{map_}.getBounds().getEast() - {map_}.getBounds().getWest()")
    assert 0.2 < width < 3
    # The first column of tiles and the last.
    columns = {int(parts[-2]) / 2 ** int(parts[-3]) for parts in asked}
    assert min(columns) == 0
    assert max(columns) > 0.99
    (outline,) = page.evaluate(
        f"[{map_}.getSource('footprint').serialize().data.geometry.coordinates]"
    )
    longitudes = [place[0] for line in outline for place in line]
    assert min(longitudes) == pytest.approx(179.87)
    assert max(longitudes) == pytest.approx(180.13)
    edges = [edge for line in outline for edge in pairwise(line)]
    assert not [edge for edge in edges if edge[0][0] == edge[1][0] == 180]


def test_nothing_is_sent_before_the_button_is_pressed(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=pair&asset=before&rescale=0,99")
    page.evaluate(
        "addEventListener('submit', event => { window.sent = true; event.preventDefault(); })"
    )
    page.get_by_label("File").select_option("after")
    page.get_by_label("Collection").select_option(SECRET)
    assert page.evaluate("window.sent") is None
    page.goto(f"{ADDRESS}&item=pair&asset=before&rescale=0,99")
    page.get_by_label("File").select_option("after")
    page.get_by_role("button", name="Show this file").click()
    page.wait_for_url("**asset=after**")
    assert "rescale" not in page.url
    drawn(page)


def test_a_mistyped_range_is_told_beside_it(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=dem")
    page.get_by_text("Draw otherwise").click()
    page.get_by_label("Range of values").fill("abc")
    page.get_by_role("button", name="Draw").click()
    field = page.get_by_label("Range of values")
    expect(field).to_have_value("abc")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(
        "The range of values must be numbers with commas between them, not 'abc'."
    )
    drawn(page)


def test_another_item_and_another_drawing_are_chosen(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=photo")
    page.locator(".raster-items").get_by_role("link", name="dem").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("dem")
    drawn(page)
    page.get_by_text("Draw otherwise").click()
    page.get_by_role("combobox", name="Colours").select_option("magma")
    page.get_by_label("Range of values").fill("200,800")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator(".raster-ramp figcaption")).to_have_text("200800")
    assert "colormap=magma" in page.url
    drawn(page)


def test_what_cannot_be_drawn_says_why_and_the_list_stays(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=elsewhere")
    expect(page.get_by_role("heading", name="elsewhere cannot be shown")).to_be_visible()
    expect(page.locator(".raster-items").get_by_role("link", name="dem")).to_be_visible()
    page.goto(f"{ADDRESS}&item=nowhere")
    expect(page.get_by_text("does not say where on the Earth it is")).to_be_visible()
    expect(page.locator("img.raster-still")).to_be_visible()


def test_the_page_fits_a_phone(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(390, 800).new_page()
    page.goto(f"{ADDRESS}&item=dem")
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_everything_can_be_touched(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(360, 800).new_page()
    page.goto(f"{ADDRESS}&item=pair&asset=after&rescale=0,900")
    drawn(page)
    # WCAG 2.5.8: 24 pixels.
    small = page.locator("main").evaluate(
        """main => [...main.querySelectorAll("a, button, summary, select, input")]
            .filter((each) => each.type !== "hidden")
            .filter((each) => !each.closest(".maplibregl-control-container"))
            .map((each) => [each.textContent.trim() || each.name, each.getBoundingClientRect()])
            .filter(([, { width, height }]) => width < 24 || height < 24)
            .map(([name]) => name)"""
    )
    assert small == []


def test_without_scripts_there_is_the_picture(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"{ADDRESS}&item=dem")
    expect(page.locator("img.raster-still")).to_be_visible()
    assert page.locator("img.raster-still").evaluate("image => image.naturalWidth") > 0
    expect(page.locator(".raster-ramp")).to_be_visible()
    expect(page.get_by_label("Opacity")).to_be_hidden()
