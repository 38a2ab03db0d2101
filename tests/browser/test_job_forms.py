"""Forms of jobs as a person fills them in: help at hand, errors at once, a plan beforehand."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

AGGREGATION = "/api/interface/jobs/new/h3_raster_aggregation"

CONTAINERS = [
    {"value": "bronze-maps", "label": "bronze-maps", "note": "3 files"},
    {"value": "bronze-tiles", "label": "bronze-tiles", "note": ""},
]


def open_form(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.locator("html.scripted")).to_be_attached()


def sent_by(page: Page) -> dict[str, object]:
    """The body that a dry run sends."""
    with page.expect_request("**/api/jobs/submit/*") as sent:
        page.get_by_role("button", name="Dry run").click()
    body = sent.value.post_data_json
    assert isinstance(body, dict)
    return body


@pytest.fixture
def suggestions(page: Page) -> list[str]:
    """Pickers that know two containers; the addresses that they were asked by."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        wanted = re.search(r"[?&]q=([^&]*)", route.request.url)
        found = [each for each in CONTAINERS if wanted and wanted[1] in each["value"]]
        route.fulfill(json={"options": found, "more": False})

    page.route("**/api/pickers/**", answer)
    return asked


class TestFields:
    def test_lists_boxes_and_pairs_reach_the_api_as_what_they_are(self, page: Page) -> None:
        open_form(page, AGGREGATION)
        for title in ("What becomes of it", "Area and time", "More settings"):
            page.get_by_text(title).click()
        page.get_by_label("Theme").fill("elevation")
        page.get_by_label("Statistics").fill("mean\n p95 \n")
        for side, value in {"West": "28.8", "South": "-2.9", "East": "30.9", "North": "-1"}.items():
            page.get_by_label(side).fill(value)
        page.get_by_label("Properties").fill("fathom:year: 2020\nfathom:flood_type: fluvial")
        page.get_by_label("Nodata").fill("nan")
        page.get_by_label("Exclude").fill("-32767")
        body = sent_by(page)
        assert body["statistics"] == ["mean", "p95"]
        assert body["bbox"] == [28.8, -2.9, 30.9, -1]
        assert body["properties"] == {"fathom:year": 2020, "fathom:flood_type": "fluvial"}
        assert body["nodata"] == "nan"
        assert body["exclude"] == [-32767]
        assert body["band"] == 1
        assert "polygon" not in body

    def test_choices_are_boxes_to_tick(self, page: Page) -> None:
        open_form(page, "/api/interface/jobs/new/process_fathom_merge")
        page.get_by_text("Area and time").click()
        page.get_by_label("fluvial", exact=True).check()
        page.get_by_label("pluvial", exact=True).check()
        body = sent_by(page)
        assert body["flood_types"] == ["fluvial", "pluvial"]
        assert "defences" not in body

    def test_a_click_on_an_example_fills_it_in(self, page: Page) -> None:
        open_form(page, AGGREGATION)
        page.get_by_text("Area and time").click()
        page.get_by_role("button", name="28.8, -2.9, 30.9, -1.0").click()
        expect(page.get_by_label("West")).to_have_value("28.8")
        expect(page.get_by_label("North")).to_have_value("-1")
        expect(page.get_by_label("West")).to_be_focused()


class TestChecking:
    def test_what_is_wrong_is_told_while_a_person_writes(self, page: Page) -> None:
        open_form(page, AGGREGATION)
        page.get_by_label("Resolution").fill("99")
        error = page.locator("#field-resolution-error")
        expect(error).to_contain_text("less than or equal to 12")
        expect(page.get_by_label("Resolution")).to_have_attribute("aria-invalid", "true")
        # What nobody has written in yet is not wrong yet.
        expect(page.locator("#field-theme-error")).to_be_hidden()
        page.get_by_label("Resolution").fill("6")
        expect(error).to_be_hidden()

    def test_text_that_is_not_json_is_told_too(self, page: Page) -> None:
        open_form(page, AGGREGATION)
        page.get_by_text("Area and time").click()
        page.get_by_label("Polygon").fill("{")
        expect(page.locator("#field-polygon-error")).to_contain_text("not valid JSON")

    def test_an_error_within_a_fold_is_shown_when_the_form_is_sent(self, page: Page) -> None:
        open_form(page, AGGREGATION + "?theme=elevation&dataset_id=a&resolution=3")
        page.get_by_text("Speed and memory").click()
        page.get_by_label("Max parallel").fill("1000")
        page.get_by_text("Speed and memory").click()
        page.get_by_role("button", name="Submit").click()
        expect(page.locator("#field-max_parallel-error")).to_be_visible()


class TestPlan:
    def test_a_dry_run_shows_the_stages(self, page: Page) -> None:
        open_form(page, "/api/interface/jobs/new/hello_fan_out?n=7")
        page.get_by_role("button", name="Dry run").click()
        plan = page.locator("#form-answer")
        expect(plan).to_contain_text("Nothing was written")
        expect(plan.get_by_role("listitem")).to_contain_text(
            ["hello 7 tasks · many at a time, at most 2,000"]
        )


class TestPickers:
    def test_suggests_and_takes_what_is_chosen_by_keyboard(
        self, page: Page, suggestions: list[str]
    ) -> None:
        open_form(page, AGGREGATION)
        control = page.get_by_role("combobox", name="Container name")
        control.fill("tiles")
        listed = page.get_by_role("listbox", name="Suggestions")
        expect(listed.get_by_role("option")).to_have_text(["bronze-tiles"])
        expect(control).to_have_attribute("aria-expanded", "true")
        control.press("ArrowDown")
        expect(listed.get_by_role("option", selected=True)).to_have_text("bronze-tiles")
        control.press("Enter")
        expect(control).to_have_value("bronze-tiles")
        expect(listed).to_be_hidden()

    def test_asks_within_the_field_that_it_depends_on(
        self, page: Page, suggestions: list[str]
    ) -> None:
        open_form(page, AGGREGATION + "?container_name=bronze-maps")
        with page.expect_response("**/api/pickers/*q=dem*"):
            page.get_by_role("combobox", name="Blob name").fill("dem")
        [asked] = [url for url in suggestions if "q=dem" in url]
        assert "/api/pickers/blob?" in asked
        assert "container_name=bronze-maps" in asked

    def test_a_click_chooses_and_escape_leaves_the_text_alone(
        self, page: Page, suggestions: list[str]
    ) -> None:
        open_form(page, AGGREGATION)
        control = page.get_by_role("combobox", name="Container name")
        control.fill("bronze")
        listed = page.get_by_role("listbox", name="Suggestions")
        listed.get_by_role("option", name="bronze-maps").click()
        expect(control).to_have_value("bronze-maps")
        control.fill("bronze-")
        expect(listed.get_by_role("option")).to_have_count(2)
        control.press("Escape")
        expect(listed).to_be_hidden()
        expect(control).to_have_value("bronze-")

    def test_without_suggestions_it_is_a_plain_input(self, page: Page) -> None:
        page.route("**/api/pickers/**", lambda route: route.fulfill(status=503, json={}))
        open_form(page, AGGREGATION)
        page.get_by_role("combobox", name="Container name").fill("bronze-other")
        assert sent_by(page)["container_name"] == "bronze-other"

    def test_a_list_is_added_to(self, page: Page, suggestions: list[str]) -> None:
        open_form(page, "/api/interface/jobs/new/process_raster_collection")
        page.get_by_label("Blob names", exact=True).fill("own.tif")
        page.get_by_role("combobox", name="Find one to add to Blob names").fill("maps")
        page.get_by_role("option", name="bronze-maps").click()
        expect(page.get_by_label("Blob names", exact=True)).to_have_value("own.tif\nbronze-maps")
