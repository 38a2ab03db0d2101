"""The map of H3 statistics in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from infrastructure import database
from tests.servers import StackUnderTest
from tests.support import h3_layers
from tests.support.settings import app_settings

ADDRESS = "/api/interface/map?dataset=cells-{}"
MAP = "document.querySelector('[data-cells-map]').map"
FOUND = h3_layers.cells_of((28.0, -3.0, 31.0, -0.5), 7)
FAR = h3_layers.cells_of((178.0, -18.0, -178.0, -15.0), 4)
CLASSES = np.arange(len(FOUND)) % 3 + 1.0


@pytest.fixture(scope="module", autouse=True)
def _datasets(stack: StackUnderTest) -> None:
    height = np.linspace(900, 4500, len(FOUND))
    values = {"mean": height, "max": height + 50, "median": height + 5, "sum": height * 4}
    about = {
        "title": "Heights",
        "unit": "m",
        "source": {"blob_name": "dem/rwanda.tif", "container_name": "bronze"},
    }
    with (
        app_settings(DATABASE_URL=stack.database_url),
        database.connect(autocommit=True) as connection,
    ):
        h3_layers.put(connection, "cells-heights", FOUND, values, **about)
        h3_layers.put(connection, "cells-heights", FOUND, {"mean": height / 2}, band=2, **about)
        h3_layers.put(connection, "cells-cover", FOUND, {"majority": CLASSES}, theme="land")
        h3_layers.put(connection, "cells-steps", FOUND, {"majority": CLASSES / 8}, theme="land")
        h3_layers.put(
            connection,
            "cells-far",
            FAR,
            {"mean": np.arange(len(FAR), dtype=float)},
            bounds=(178.0, -18.0, -178.0, -15.0),
        )
        h3_layers.put(
            connection, "cells-secret", FOUND[:9], {"mean": height[:9]}, is_restricted=True
        )


def drawn(page: Page) -> None:
    """Wait until the map shows the cells, all of them."""
    figure = page.locator("[data-cells-map]")
    expect(figure).to_have_attribute("data-state", "ready")
    assert figure.get_attribute("data-trouble") is None


def look(page: Page, west: float, south: float, east: float, north: float) -> None:
    """Move the map there, and wait for the cells."""
    page.evaluate(
        "([w, s, e, n]) => { const figure = document.querySelector('[data-cells-map]');"
        " figure.dataset.state = 'moving';"
        " figure.map.fitBounds([[w, s], [e, n]], { duration: 0 }); }",
        [west, south, east, north],
    )
    drawn(page)


def shown(page: Page) -> str:
    return page.locator("[data-part=shown]").inner_text()


def test_cells_are_drawn_with_their_legend(page: Page) -> None:
    page.goto(ADDRESS.format("heights"))
    drawn(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Heights")
    expect(page.locator(".raster-ramp figcaption span")).to_have_text(["900", "m", "4500"])
    assert "of resolution 6, rolled up from 7 in view." in shown(page)
    expect(page.get_by_text("Made of dem/rwanda.tif.")).to_be_visible()
    view = page.get_by_role("link", name="H3 statistics")
    expect(view).to_have_attribute("aria-current", "page")
    [colour] = page.evaluate(
        f"[{MAP}.queryRenderedFeatures({MAP}.project([29.5, -1.7]), {{layers: ['cells']}})"
        "[0].layer.paint['fill-color'].toString()]"
    )
    assert colour.startswith("rgba(")


def test_closer_in_the_cells_are_those_of_the_dataset(page: Page) -> None:
    page.goto(ADDRESS.format("heights"))
    drawn(page)
    look(page, 29.4, -1.8, 29.9, -1.4)
    assert re.fullmatch(r"[\d,]+ cells of resolution 7 in view\.", shown(page))
    look(page, -20, -40, 60, 40)
    assert re.search(r"of resolution [0-5], rolled up from 7", shown(page))


def test_a_cell_is_read_with_the_keyboard(page: Page) -> None:
    page.goto(ADDRESS.format("heights"))
    drawn(page)
    look(page, 29.4, -1.8, 29.9, -1.4)
    page.locator(".map-canvas canvas").press("Enter")
    values = page.locator("[data-part=values]")
    expect(values.get_by_role("heading")).to_have_text(re.compile(r"Cell 87[0-9a-f]{13}"))
    titles = ["Largest value", "Mean", "Median", "Sum", "Pixels with data", "Pixels without data"]
    expect(values.locator("dt")).to_have_text(titles)
    largest, mean = (float(text) for text in values.locator("dd").all_inner_texts()[:2])
    assert largest == pytest.approx(mean + 50, abs=0.01)
    page.locator(".map-canvas canvas").press("Escape")
    expect(values).to_be_empty()


def test_a_large_cell_has_what_can_be_rolled_up(page: Page) -> None:
    page.goto(ADDRESS.format("heights"))
    drawn(page)
    page.locator(".map-canvas canvas").press("Enter")
    values = page.locator("[data-part=values]")
    expect(values.locator("p")).to_have_text("Resolution 6, rolled up from 7")
    expect(values.locator("dt")).not_to_contain_text(["Median"])
    expect(values.locator("dt")).to_contain_text(["Mean"])


def test_the_colours_may_span_what_is_in_view(page: Page) -> None:
    page.goto(ADDRESS.format("heights"))
    drawn(page)
    look(page, 29.4, -1.8, 29.6, -1.6)
    expect(page.locator("[data-part=high]")).to_have_text("4500")
    page.get_by_label("Colours span").select_option("view")
    expect(page.locator("[data-part=high]")).not_to_have_text("4500")
    expect(page.locator("[data-part=low]")).not_to_have_text("900")


def test_another_statistic_and_band_are_chosen(page: Page) -> None:
    page.goto(ADDRESS.format("heights"))
    page.get_by_label("Statistic").select_option("sum")
    page.get_by_role("button", name="Show this statistic").click()
    page.wait_for_url("**stat=sum**")
    drawn(page)
    # Larger cells have larger sums than any of the dataset's.
    assert float(page.locator("[data-part=high]").inner_text()) > 4500 * 4
    page.goto(ADDRESS.format("heights") + "&band=2")
    drawn(page)
    expect(page.locator("[data-part=high]")).to_have_text("2250")


def test_what_cannot_be_rolled_up_is_shown_closer_in(page: Page) -> None:
    page.goto(ADDRESS.format("cover"))
    drawn(page)
    expect(page.locator("[data-part=status]")).to_contain_text("Too many cells to draw: zoom in")
    look(page, 29.4, -1.8, 29.6, -1.6)
    expect(page.locator("[data-part=status]")).to_be_hidden()
    expect(page.locator("[data-part=classes] li")).to_have_text(["1", "2", "3"])


def test_with_other_layers_the_legend_and_the_focus_stay(page: Page) -> None:
    page.goto("/api/interface/map?layers=cells:cells-cover&view=29.5,-1.7,11&q=Heights")
    figure = page.locator("[data-layers-map]")
    expect(figure).to_have_attribute("data-state", "ready")
    classes = page.locator("[data-part=classes] li")
    expect(classes).to_have_text(["1", "2", "3"])
    # The panel comes anew from the server, which knows no classes.
    page.locator("[id='add-cells:cells-heights']").click()
    statistic = page.get_by_label("Statistic")
    expect(statistic).to_be_visible()
    expect(classes).to_have_text(["1", "2", "3"])
    statistic.focus()
    statistic.select_option(label="Largest value")
    page.wait_for_url("**max**")
    expect(statistic).to_be_focused()
    expect(classes).to_have_text(["1", "2", "3"])
    # What had the focus is gone with its card.
    page.get_by_role("link", name="Remove Heights").first.press("Enter")
    expect(statistic).to_have_count(0)
    expect(page.get_by_role("heading", name="On the map")).to_be_focused()


def test_classes_need_not_be_integers(page: Page) -> None:
    page.goto(ADDRESS.format("steps"))
    drawn(page)
    look(page, 29.4, -1.8, 29.6, -1.6)
    expect(page.locator("[data-part=classes] li")).to_have_text(["0.125", "0.25", "0.375"])
    colours = page.evaluate(
        f"{MAP}.queryRenderedFeatures({{layers: ['cells']}})"
        ".map((each) => each.layer.paint['fill-color'].toString())"
    )
    assert len(set(colours)) == 3
    assert not any(each.endswith(",0)") for each in colours)


def test_cells_over_the_antimeridian_are_in_one_piece(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url) if "/h3/stats" in each.url else None)
    page.goto(ADDRESS.format("far"))
    drawn(page)
    assert shown(page).startswith(f"{len(FAR)} cells of resolution 4")
    width = page.evaluate(f"{MAP}.getBounds().getEast() - {MAP}.getBounds().getWest()")
    assert width < 40
    for place in ([179.5, -16.5], [180.5, -16.5]):
        found = page.evaluate(
            f"place => {MAP}.queryRenderedFeatures({MAP}.project(place), {{layers: ['cells']}})"
            ".length",
            place,
        )
        assert found == 1
    assert len(asked) == 1


def test_a_refusal_is_told(page: Page) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"detail": "The database does not answer."})

    page.route("**/api/h3/stats**", refuse)
    page.goto(ADDRESS.format("heights"))
    expect(page.locator("[data-cells-map]")).to_have_attribute("data-state", "failed")
    expect(page.locator("[data-part=status]")).to_contain_text("The database does not answer.")


def test_the_page_fits_a_phone_and_can_be_touched(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(360, 800).new_page()
    page.goto(ADDRESS.format("heights"))
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # However long the name of what may be chosen.
    page.locator("select[name=dataset]").evaluate(
        "(select) => select.add(new Option('Heights above the sea '.repeat(9)))"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
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


def test_without_scripts_there_is_where_the_cells_are(
    contexts: Callable[..., BrowserContext],
) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(ADDRESS.format("heights"))
    expect(page.locator("svg.map-still")).to_be_visible()
    expect(page.locator(".raster-ramp figcaption span")).to_have_text(["900", "m", "4500"])
    expect(page.get_by_label("Colours span")).to_be_hidden()
    page.get_by_label("Statistic").select_option("max")
    page.get_by_role("button", name="Show this statistic").click()
    expect(page.get_by_role("heading", name="Largest value")).to_be_visible()
