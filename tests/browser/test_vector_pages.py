"""What a person meets on the pages of vector data: drawings, downloads, going back."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from core.models.feature_table import TableName
from infrastructure import database
from services.publishing import checks, publish, staging
from tests.support.accessibility import violations
from tests.support.vector_report import HOSTILE, SHAPE, add_quarantined, add_report

Contexts = Callable[..., BrowserContext]

ROOT = "/api/interface/vector"


@pytest.fixture
def job_id(ledger: database.Connection) -> str:
    job_id = secrets.token_hex(32)
    add_report(ledger, job_id)
    return job_id


@pytest.fixture
def table(ledger: database.Connection) -> str:
    """A published table of two versions, the newer one with more rows."""
    # By its name on the first page of the list, whatever other tests have published.
    name = f"a_park_{secrets.token_hex(4)}"
    staged = f"staged_{name}"
    for rows in (1, 2):
        staging.create(ledger, staged, SHAPE)
        ledger.execute(
            f"""INSERT INTO geo_staging.{staged} (gid, name, geom)
                SELECT n, 'park', ST_Multi(ST_MakeEnvelope(0, 0, 1, 1, 4326))
                FROM generate_series(1, {rows}) AS n"""
        )
        with ledger.transaction():
            checks.finish(ledger, staged, SHAPE, key_columns=())
            publish.publish(
                ledger,
                TableName(table_name=name),
                staged,
                SHAPE,
                mode="replace",
                provenance=publish.Provenance(secrets.token_hex(32), f"release {rows}.gpkg"),
            )
    return f"geo.{name}"


def open_page(page: Page, path: str) -> None:
    page.goto(ROOT + path)
    page.wait_for_function("document.documentElement.classList.contains('scripted')")


def box(drawing: Locator) -> list[float]:
    """What the drawing shows: x, y, width, height."""
    text = drawing.get_attribute("viewBox")
    assert text is not None
    return [float(number) for number in text.split()]


class TestDrawings:
    WHOLE = [0.0, 0.0, 800.0, 500.0]

    def test_can_be_seen_closer_and_moved_by_buttons_and_keys(
        self, page: Page, job_id: str
    ) -> None:
        open_page(page, f"/{job_id}")
        figure = page.locator("#repairs [data-drawing]").first
        drawing = figure.locator("svg")
        assert box(drawing) == self.WHOLE

        figure.get_by_role("button", name="Closer").click()
        closer = box(drawing)
        assert closer[2] == pytest.approx(800 / 1.5)
        assert closer[0] == pytest.approx((800 - closer[2]) / 2)

        drawing.focus()
        page.keyboard.press("+")
        page.keyboard.press("ArrowRight")
        assert box(drawing)[2] < closer[2]
        assert box(drawing)[0] > closer[0]

        figure.get_by_role("button", name="All").click()
        assert box(drawing) == self.WHOLE

    def test_the_wheel_scrolls_the_page_unless_the_drawing_has_the_focus(
        self, page: Page, job_id: str
    ) -> None:
        open_page(page, f"/{job_id}")
        drawing = page.locator("#repairs [data-drawing] svg").first
        drawing.scroll_into_view_if_needed()
        drawing.hover()
        page.mouse.wheel(0, -50)
        assert box(drawing) == self.WHOLE

        drawing.focus()
        page.mouse.wheel(0, -50)
        expect(drawing).not_to_have_attribute("viewBox", "0 0 800.0 500.0")
        assert box(drawing)[2] < 800

    def test_can_be_dragged_when_it_is_closer(self, page: Page, job_id: str) -> None:
        open_page(page, f"/{job_id}")
        figure = page.locator("#repairs [data-drawing]").first
        drawing = figure.locator("svg")
        figure.get_by_role("button", name="Closer").click()
        before = box(drawing)
        drawing.hover()
        page.mouse.down()
        place = drawing.bounding_box()
        assert place is not None
        page.mouse.move(place["x"] + place["width"] / 2 - 40, place["y"] + place["height"] / 2)
        page.mouse.up()
        assert box(drawing)[0] > before[0]

    def test_before_and_after_can_be_seen_alone(self, page: Page, job_id: str) -> None:
        open_page(page, f"/{job_id}")
        before, after = page.locator("#repairs .drawn-before"), page.locator(".drawn-after")
        page.get_by_label("Before").uncheck()
        expect(before.first).to_be_hidden()
        expect(after.first).to_be_visible()
        page.get_by_label("Before").check()
        expect(before.first).to_be_visible()

    def test_another_repair_is_a_link_away(self, page: Page, job_id: str) -> None:
        open_page(page, f"/{job_id}")
        page.get_by_role("link", name="Show the repair of record 40").click()
        expect(page.locator("#shown h3")).to_have_text("Record 40")
        expect(page.locator("tr.chosen th")).to_have_text("40")

    def test_are_there_without_scripts(self, contexts: Contexts, job_id: str) -> None:
        page = contexts(java_script_enabled=False).new_page()
        page.goto(f"{ROOT}/{job_id}")
        expect(page.locator("#repairs .drawn-before").first).to_be_visible()
        expect(page.get_by_role("button", name="Closer")).to_have_count(0)


class TestRecords:
    def test_the_raw_text_is_shown_on_demand_and_harmless(
        self, page: Page, ledger: database.Connection, job_id: str
    ) -> None:
        evil = "<img src=x onerror='window.broken = 1'>" + HOSTILE
        add_quarantined(ledger, job_id, 99, "malformed", detail=evil, raw=evil)
        open_page(page, f"/{job_id}?reason=malformed")
        record = page.locator(".records li", has_text="Record 99")
        expect(record.locator("pre")).to_be_hidden()
        record.get_by_text("Attributes and raw text").click()
        expect(record.locator("pre")).to_have_text(evil)
        assert page.evaluate("window.broken") is None

    def test_are_downloaded_as_geojson(self, page: Page, job_id: str) -> None:
        open_page(page, f"/{job_id}")
        with page.expect_download() as started:
            page.get_by_role("link", name="Set-aside records as GeoJSON").click()
        path: Path = started.value.path()
        assert len(json.loads(path.read_text())["features"]) == 7


class TestGoingBack:
    def test_asks_first_and_shows_the_new_version(self, page: Page, table: str) -> None:
        open_page(page, f"/tables/{table}")
        page.get_by_role("button", name="Bring back").click()
        dialog = page.get_by_role("dialog", name="Bring this version back?")
        expect(dialog).to_contain_text(f"{table}, version 1 of 1 rows.")
        dialog.get_by_role("button", name="Keep it as it is").click()
        expect(page.locator("tbody tr").first).to_contain_text("2 current")

        page.get_by_role("button", name="Bring back").click()
        dialog.get_by_role("button", name="Bring it back").click()
        newest = page.locator("tbody tr").first
        expect(newest).to_contain_text("3 current")
        expect(newest).to_contain_text("rollback to 1")

    def test_what_is_refused_is_told(
        self, page: Page, ledger: database.Connection, table: str
    ) -> None:
        open_page(page, f"/tables/{table}")
        page.get_by_role("button", name="Bring back").click()
        ledger.execute(f"ALTER TABLE {table} ADD COLUMN note text")
        page.get_by_role("button", name="Bring it back").click()
        expect(page.locator("#confirm-error")).to_contain_text("were changed since")

    def test_the_list_leads_to_the_table(self, page: Page, table: str) -> None:
        open_page(page, "")
        page.get_by_role("link", name=table, exact=True).click()
        expect(page.locator("h1")).to_have_text(table)
        expect(page.locator("nav [aria-current]")).to_have_text("Vector data")


class TestLook:
    @pytest.mark.parametrize("width", [320, 375, 768])
    def test_nothing_is_wider_than_the_screen(
        self, contexts: Contexts, job_id: str, table: str, width: int
    ) -> None:
        page = contexts(width=width, height=800).new_page()
        for path in ("", f"/{job_id}", f"/tables/{table}"):
            page.goto(ROOT + path)
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, f"{path} is {over} px too wide"

    def test_no_page_keeps_anyone_out(self, contexts: Contexts, job_id: str, table: str) -> None:
        page = contexts(color_scheme="light").new_page()
        for path in ("", f"/{job_id}", f"/tables/{table}"):
            page.emulate_media(color_scheme="light")
            page.goto(ROOT + path)
            page.wait_for_function("document.documentElement.classList.contains('scripted')")
            assert violations(page) == [], path
            page.emulate_media(color_scheme="dark")
            assert violations(page, "color-contrast") == [], path
