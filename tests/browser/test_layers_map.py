"""The map of layers, and of repairs before and after, in a real browser."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from psycopg.rows import dict_row

from core.models.feature_table import TableName
from tests.servers import StackUnderTest
from tests.support import published, raster_catalog
from tests.support.accessibility import violations
from tests.support.raster_catalog import COLLECTION
from tests.support.settings import app_settings
from tests.support.vector_report import add_report

Contexts = Callable[..., BrowserContext]

ADDRESS = "/api/interface/map"
MAP = "document.querySelector('[data-layers-map]').map"
JOB_ID = secrets.token_hex(32)
# Of tests that share the stack, each has its own.
WELLS = f"wells_{secrets.token_hex(4)}"
HIDDEN = f"hidden_{secrets.token_hex(4)}"


@pytest.fixture(scope="module", autouse=True)
def _published(stack: StackUnderTest, tmp_path_factory: pytest.TempPathFactory) -> None:
    with psycopg.Connection.connect(
        stack.database_url, autocommit=True, row_factory=dict_row
    ) as connection:
        rows = [(1, "The <deep> well", (15.1, 49.5)), (2, "The shallow well", (15.2, 49.6))]
        about = published.provenance(title=f"Wells {WELLS}", attribution="Dug by hand")
        published.put(connection, rows, target=TableName(table_name=WELLS), provenance=about)
        published.put(connection, rows, target=TableName(table_name=HIDDEN), restricted=True)
        add_report(connection, JOB_ID)
    environment = stack.environment
    with app_settings(
        DATABASE_URL=environment["DATABASE_URL"],
        AZURE_STORAGE_CONNECTION_STRING=environment["AZURE_STORAGE_CONNECTION_STRING"],
    ):
        folder: Path = tmp_path_factory.mktemp("rasters")
        raster_catalog.load(environment["DATABASE_URL"], "silver-layers", folder)


def drawn(page: Page) -> None:
    """Wait until the map shows its layers, all of them."""
    figure = page.locator("[data-layers-map]")
    expect(figure).to_have_attribute("data-state", "ready")
    assert figure.get_attribute("data-trouble") is None


def layers_of(page: Page) -> list[str]:
    """The layers that the page's address names."""
    return parse_qs(urlsplit(page.url).query).get("layers", [""])[0].split(",")


def look(page: Page, longitude: float, latitude: float, zoom: float) -> None:
    page.evaluate(f"place => {MAP}.jumpTo(place)", {"center": [longitude, latitude], "zoom": zoom})
    drawn(page)


def read_the_middle(page: Page) -> None:
    page.locator(".map-canvas canvas").press("Enter")


def test_a_table_is_found_drawn_and_read_with_the_keyboard(page: Page) -> None:
    page.goto(ADDRESS)
    drawn(page)
    page.get_by_role("searchbox").fill(WELLS)
    page.get_by_role("searchbox").press("Enter")
    entry = page.get_by_role("link", name=f"Add Wells {WELLS}")
    entry.press("Enter")
    card = page.locator(".layer-card")
    expect(card.get_by_role("heading")).to_have_text(f"Wells {WELLS}")
    drawn(page)
    expect(card).to_contain_text("2 features")
    expect(card).to_contain_text("Dug by hand")
    expect(card.locator(".map-legend li")).not_to_have_count(0)
    assert layers_of(page) == [f"vector:{WELLS}"]
    look(page, 15.1, 49.5, 12)
    read_the_middle(page)
    popup = page.locator(".map-popup")
    expect(popup.get_by_role("heading")).to_have_text("The <deep> well")
    expect(popup.locator("dt", has_text="code")).to_be_visible()
    page.keyboard.press("Escape")
    expect(popup).to_have_count(0)
    expect(page.locator(".map-canvas canvas")).to_be_focused()


def test_a_layer_goes_and_comes_back_with_the_browser(page: Page) -> None:
    page.goto(f"{ADDRESS}?layers=vector:{WELLS}")
    drawn(page)
    shown = f"Object.keys({MAP}.getStyle().sources).filter(name => name.startsWith('vector:'))"
    assert len(page.evaluate(shown)) == 1
    page.get_by_role("link", name=f"Remove Wells {WELLS}").first.click()
    expect(page.locator(".layer-card")).to_have_count(0)
    assert page.evaluate(shown) == []
    page.go_back()
    expect(page.locator(".layer-card")).to_have_count(1)
    drawn(page)
    assert len(page.evaluate(shown)) == 1


def test_outlines_lead_to_their_raster(page: Page) -> None:
    page.goto(f"{ADDRESS}?layers=items:{COLLECTION}")
    drawn(page)
    expect(page.locator(".layer-card [data-part=state]")).to_have_text(
        re.compile(r"\d+ items in view\.")
    )
    look(page, 15.15, 49.55, 10)
    read_the_middle(page)
    popup = page.locator(".map-popup")
    expect(popup.locator(".map-turner")).to_contain_text("of")
    first = popup.get_by_role("heading").inner_text()
    popup.get_by_role("button", name="Next").click()
    expect(popup.get_by_role("heading")).not_to_have_text(first)
    expect(popup.get_by_role("button", name="Next")).to_be_focused()
    # Of the items at this place, one whose raster is in this app's storage.
    for _ in range(30):
        if popup.get_by_role("heading").inner_text() == "photo":
            break
        popup.get_by_role("button", name="Next").click()
    expect(popup.locator("img")).to_be_visible()
    popup.get_by_role("link", name="Put its raster on the map").click()
    expect(page.locator(".layer-card")).to_have_count(2)
    drawn(page)
    assert layers_of(page) == [f"items:{COLLECTION}", f"raster:{COLLECTION}:photo"]
    expect(page.locator(".layer-card").first.locator(".raster-channels li")).to_have_count(3)


def test_a_link_shows_what_was_shared(page: Page) -> None:
    page.goto(f"{ADDRESS}?layers=raster:{COLLECTION}:photo,vector:{WELLS}&view=15.2,49.55,11")
    drawn(page)
    expect(page.locator(".layer-card h3")).to_have_text([f"Wells {WELLS}", "photo"])
    middle = page.evaluate(f"[{MAP}.getCenter().lng, {MAP}.getCenter().lat, {MAP}.getZoom()]")
    assert middle == pytest.approx([15.2, 49.55, 11], abs=0.001)
    order = page.evaluate(f"{MAP}.getStyle().layers.map(layer => layer.id)")
    names = list(dict.fromkeys(name.partition(":")[0] for name in order if ":" in name))
    assert names == ["raster", "vector"]
    page.get_by_role("link", name="On top").click()
    expect(page.locator(".layer-card h3")).to_have_text(["photo", f"Wells {WELLS}"])
    drawn(page)
    order = page.evaluate(f"{MAP}.getStyle().layers.map(layer => layer.id)")
    assert order[-1] == f"raster:{COLLECTION}:photo"


def test_what_is_restricted_is_explained_and_not_asked_for(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if HIDDEN in each.url else None)
    page.goto(f"{ADDRESS}?layers=vector:{HIDDEN}")
    drawn(page)
    expect(page.locator(".layer-trouble")).to_contain_text("do not allow to show its data")
    assert all("/api/interface/map" in address for address in asked)


def test_a_layer_that_fails_says_so_on_its_card(page: Page) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"detail": "The database does not answer."})

    page.route("**/api/stac/search", refuse)
    page.goto(f"{ADDRESS}?layers=items:{COLLECTION}")
    expect(page.locator("[data-layers-map]")).to_have_attribute("data-state", "failed")
    expect(page.locator(".layer-failed")).to_contain_text("The database does not answer.")


def test_the_coarse_land_is_drawn_where_the_countries_do_not_come(page: Page) -> None:
    countries = {"tiles": ["/api/tiles/none/{z}/{x}/{y}.pbf"], "layer": "none"}
    told = html.escape(json.dumps({**countries, "minzoom": 0, "maxzoom": 14}))

    def with_countries(route: Route) -> None:
        answer = route.fetch()
        text = re.sub(r' data-countries="[^"]*"', "", answer.text())
        told_so = text.replace("data-layers-map", f'data-layers-map data-countries="{told}"', 1)
        route.fulfill(response=answer, body=told_so)

    page.route(f"**{ADDRESS}", with_countries)
    page.route("**/api/tiles/none/**", lambda route: route.fulfill(status=503))
    page.goto(ADDRESS)
    drawn(page)
    with_land = f"{MAP}.getStyle().sources['geoforge-land'].type"
    for _ in range(600):
        if page.evaluate(with_land) == "geojson":
            break
        page.wait_for_timeout(100)
    assert page.evaluate(with_land) == "geojson"
    expect(page.locator("[data-part=status]")).to_be_hidden()


def test_the_panel_is_a_sheet_on_a_phone(contexts: Contexts) -> None:
    page = contexts(360, 740).new_page()
    page.goto(f"{ADDRESS}?layers=vector:{WELLS}")
    drawn(page)
    card, handle = page.locator(".layer-card"), page.get_by_role("button", name="Layers")
    expect(card).to_be_hidden()
    handle.press("Enter")
    expect(card).to_be_visible()
    expect(handle).to_have_attribute("aria-expanded", "true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    card.get_by_role("button", name="Zoom to it").click()
    expect(card).to_be_hidden()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_keeps_anyone_from_using_it(contexts: Contexts, width: int, scheme: str) -> None:
    page = contexts(width=width, height=850, color_scheme=scheme).new_page()
    page.goto(f"{ADDRESS}?layers=vector:{WELLS}")
    drawn(page)
    read_the_middle(page)
    handle = page.locator("[data-part=sheet]")
    if handle.is_visible():
        handle.click()
    assert violations(page) == []
    page.goto(f"{ADDRESS}?report={JOB_ID}")
    expect(page.locator("[data-repairs-map]")).to_have_attribute("data-state", "ready")
    assert violations(page) == []


def test_without_scripts_choices_are_links(contexts: Contexts) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"{ADDRESS}?q={WELLS}")
    page.get_by_role("link", name=f"Add Wells {WELLS}").click()
    expect(page.locator(".layer-card h3")).to_have_text(f"Wells {WELLS}")
    expect(page.locator("svg.map-still .map-extent")).to_have_count(1)
    expect(page.locator(".layer-card .map-legend")).to_be_visible()
    expect(page.get_by_role("button", name="Copy the link")).to_be_hidden()


def test_without_room_for_a_second_map_the_drawings_stay(page: Page) -> None:
    # Of all canvases the first one alone is drawn on by WebGL.
    page.add_init_script(
        """const whole = HTMLCanvasElement.prototype.getContext;
        let first;
        HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
          if (!kind.startsWith("webgl")) return whole.call(this, kind, ...more);
          first ??= this;
          return first === this ? whole.call(this, kind, ...more) : null;
        };"""
    )
    page.goto(f"{ADDRESS}?report={JOB_ID}")
    figure = page.locator("[data-repairs-map]")
    expect(figure).to_have_attribute("data-state", "none")
    expect(figure.locator("[data-part=status]")).to_contain_text("There can be no map: WebGL")
    expect(figure.locator(".map-still").first).to_be_visible()
    expect(page.get_by_label("Side by side")).to_have_count(0)


def test_repairs_are_compared_and_chosen(page: Page) -> None:
    page.goto(f"{ADDRESS}?report={JOB_ID}")
    figure = page.locator("[data-repairs-map]")
    expect(figure).to_have_attribute("data-state", "ready")
    after = page.locator(".maps-after")
    clipped = "element => element.style.clipPath"
    assert after.evaluate(clipped) == "inset(0px 0px 0px 50%)"
    slider = page.get_by_label("Where the map changes")
    slider.press("End")
    assert after.evaluate(clipped) == "inset(0px 0px 0px 100%)"
    chosen = page.locator("a[data-repair][aria-current]")
    expect(chosen).to_contain_text("Record 12")
    page.get_by_role("link", name="Record 40").click()
    expect(chosen).to_contain_text("Record 40")
    assert "repair=" in page.url
    page.get_by_label("Side by side").check()
    expect(slider).to_be_hidden()
    before = page.locator(".maps .map-canvas").first
    left, right = before.bounding_box(), after.bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]
    # All of the repair of record 40 is in view.
    west, east = page.evaluate(
        "(() => { const seen = document.querySelector('[data-repairs-map]').map.getBounds();"
        " return [seen.getWest(), seen.getEast()]; })()"
    )
    assert west < -73.95
    assert east > -73.9
