"""The page of rasters in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.servers import StackUnderTest
from tests.support import raster_catalog
from tests.support.raster_catalog import COLLECTION
from tests.support.settings import app_settings

ADDRESS = f"/api/interface/map?collection={COLLECTION}"


@pytest.fixture(scope="module", autouse=True)
def _catalog(stack: StackUnderTest, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = stack.environment
    with app_settings(
        DATABASE_URL=environment["DATABASE_URL"],
        AZURE_STORAGE_CONNECTION_STRING=environment["AZURE_STORAGE_CONNECTION_STRING"],
    ):
        folder: Path = tmp_path_factory.mktemp("rasters")
        raster_catalog.load(environment["DATABASE_URL"], "silver-pictures", folder)


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
    expect(page.locator("[data-part=values]")).to_be_hidden()


def test_another_item_and_another_drawing_are_chosen(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=photo")
    page.locator(".raster-items").get_by_role("link", name="dem").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("dem")
    drawn(page)
    page.get_by_text("Draw otherwise").click()
    page.get_by_label("Colours").select_option("magma")
    page.get_by_label("Range of values").fill("200,800")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator(".raster-ramp figcaption")).to_have_text("200800")
    assert "colormap=magma" in page.url
    drawn(page)


def test_what_cannot_be_drawn_says_why_and_the_list_stays(page: Page) -> None:
    page.goto(f"{ADDRESS}&item=elsewhere")
    expect(page.get_by_role("heading", name="elsewhere cannot be shown")).to_be_visible()
    expect(page.locator(".raster-items li")).to_have_count(9)
    page.goto(f"{ADDRESS}&item=nowhere")
    expect(page.get_by_text("does not say where on the Earth it is")).to_be_visible()
    expect(page.locator("img.raster-still")).to_be_visible()


def test_the_page_fits_a_phone(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(390, 800).new_page()
    page.goto(f"{ADDRESS}&item=dem")
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_scripts_there_is_the_picture(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"{ADDRESS}&item=dem")
    expect(page.locator("img.raster-still")).to_be_visible()
    assert page.locator("img.raster-still").evaluate("image => image.naturalWidth") > 0
    expect(page.locator(".raster-ramp")).to_be_visible()
    expect(page.get_by_label("Opacity")).to_be_hidden()
