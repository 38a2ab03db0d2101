"""Every page under axe-core, in light and dark, on a desktop and on a phone, and in its states.

What is looked at is in PAGES; a page that is in the navigation and not there is missed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, ViewportSize, expect

from infrastructure import database
from tests.support.accessibility import violations
from tests.support.ledger import Stage, Task, add_job
from web_interfaces.pages.registry import ROOT

Contexts = Callable[..., BrowserContext]

# Paths under /api/interface; {job} is a job that has ended, with something of everything.
PAGES = (
    "",
    "/metrics",
    "/jobs",
    "/jobs/{job}",
    "/jobs?status=cancelled&job_type=hello_fan_out",
    "/jobs/new/ingest_collection",
    "/jobs/nothing",
    "/pipelines",
    "/pipelines/new",
    "/map",
    "/map?show=h3",
    "/vector",
    "/curated",
    "/curated/datasets/new",
    "/api",
    "/api/list_jobs",
    "/api/submit_hello_fan_out",
    "/design",
)

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


def open_page(page: Page, path: str) -> None:
    page.goto(f"{ROOT}{path}")
    page.wait_for_function("document.documentElement.classList.contains('scripted')")


@pytest.fixture
def job(ledger: database.Connection) -> str:
    """A job with something of everything."""
    error = {"code": "blob_not_found", "message": "There is no blob 'bronze/scene.tif'."}
    return add_job(
        ledger,
        Stage("inventory", "completed", total=1, completed=1, ended=20),
        Stage("copy", "completed_with_errors", total=3, completed=2, failed=1, ended=5),
        job_type="ingest_collection",
        status="completed_with_errors",
        current=1,
        parameters={"source_container": "bronze", "h3_theme": None},
        result={"items_read": 3, "quarantined": [{"item": "scene", "reason": "no geometry"}]},
        tasks=(
            Task(0, stage=1, result={"bytes": 12}),
            Task(1, stage=1, status="failed", error=error),
        ),
    )


@pytest.fixture
def still(contexts: Contexts) -> Page:
    """A page in light colours, whatever the machine prefers."""
    return contexts(color_scheme="light").new_page()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_keeps_anyone_out(still: Page, job: str, path: str) -> None:
    open_page(still, path.format(job=job))
    found = {}
    for size in (DESKTOP, PHONE):
        still.set_viewport_size(size)
        still.emulate_media(color_scheme="light")
        found[f"light {size['width']}"] = violations(still)
        # The other rules do not depend on the colours.
        still.emulate_media(color_scheme="dark")
        found[f"dark {size['width']}"] = violations(still, "color-contrast")
    assert {how: faults for how, faults in found.items() if faults} == {}


def test_what_would_keep_someone_out_is_found(still: Page) -> None:
    open_page(still, "/design")
    still.evaluate(
        """() => {
          const [picture, text] = [document.createElement("img"), document.createElement("p")];
          const tight = ["A", "B"].map((name) => {
            const button = document.createElement("button");
            button.textContent = name;
            button.style.cssText = "width: 8px; height: 8px; padding: 0; font-size: 4px";
            return button;
          });
          text.textContent = "Hardly to be read";
          text.style.color = "#e0e0dc";
          document.querySelector("main").append(picture, text, ...tight);
        }"""
    )
    found = " ".join(violations(still))
    assert all(rule in found for rule in ("image-alt", "color-contrast", "target-size"))


def test_every_page_of_the_navigation_is_looked_at(still: Page) -> None:
    open_page(still, "")
    links = still.get_by_role("navigation", name="Pages", exact=True).get_by_role("link").all()
    paths = {str(link.get_attribute("href")).removeprefix(ROOT) for link in links}
    assert len(paths) > 4
    assert paths <= set(PAGES)


class TestStates:
    """What shows only after something was done."""

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_a_dialog_that_asks(self, still: Page, scheme: str) -> None:
        still.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        open_page(still, "/design")
        still.locator("#design-remove").click()
        expect(still.get_by_role("dialog")).to_be_visible()
        assert violations(still) == []
        # What the server refuses is told in it.
        still.locator("#confirm-yes").click()
        expect(still.locator("#confirm-error")).to_be_visible()
        assert violations(still) == []

    def test_the_menu_of_pages_on_a_phone(self, still: Page) -> None:
        still.set_viewport_size({"width": 320, "height": 700})
        open_page(still, "/design")
        button = still.get_by_role("button", name="Menu")
        pages_menu = still.get_by_role("navigation", name="Pages", exact=True)
        expect(button).to_have_attribute("aria-expanded", "false")
        expect(pages_menu).to_be_hidden()
        button.press("Enter")
        expect(button).to_have_attribute("aria-expanded", "true")
        expect(pages_menu.get_by_role("link", name="Dashboard")).to_be_visible()
        assert violations(still) == []
        still.keyboard.press("Escape")
        expect(pages_menu).to_be_hidden()
        expect(button).to_be_focused()

    def test_a_form_with_what_is_wrong_beside_its_fields(self, still: Page) -> None:
        open_page(still, "/jobs/new/hello_fan_out")
        still.get_by_role("button", name="Submit").click()
        expect(still.locator("[aria-invalid=true]").first).to_be_visible()
        assert violations(still) == []

    def test_a_server_that_does_not_answer(self, still: Page) -> None:
        open_page(still, "/metrics")
        still.route("**/api/interface/metrics*", lambda route: route.abort())
        expect(still.locator("#connection")).to_be_visible()
        assert violations(still) == []

    def test_a_toast_says_what_was_done_and_goes_when_it_is_closed(self, still: Page) -> None:
        open_page(still, "/design")
        still.route("**/no-such-dataset/enable", lambda route: route.fulfill(json={}))
        still.locator("#design-enable").click()
        still.locator("#confirm-yes").click()
        toast = still.locator("#toasts .toast")
        expect(toast).to_have_text(re.compile("updated by schedule"))
        assert violations(still) == []
        toast.get_by_role("button", name="Close this message").click()
        expect(toast).to_have_count(0)


class TestScheme:
    GROUND = "getComputedStyle(document.body).backgroundColor"

    def test_follows_the_system_until_a_person_chooses_and_is_remembered(self, still: Page) -> None:
        open_page(still, "/design")
        light = still.evaluate(self.GROUND)
        still.emulate_media(color_scheme="dark")
        dark = still.evaluate(self.GROUND)
        assert light != dark

        switch = still.get_by_role("button", name=re.compile("^Colours: as the system"))
        switch.click()
        expect(still.get_by_role("button", name=re.compile("^Colours: light"))).to_be_visible()
        assert still.evaluate(self.GROUND) == light
        # Known before anything is drawn: the first script of the next page sees it.
        still.add_init_script(
            "new MutationObserver(() => { window.first ??= document.body"
            " && document.documentElement.dataset.theme; })"
            ".observe(document, { childList: true, subtree: true })"
        )
        open_page(still, "")
        assert still.evaluate("window.first") == "light"
        assert still.evaluate(self.GROUND) == light

        still.get_by_role("button", name=re.compile("^Colours: light")).click()
        assert still.evaluate(self.GROUND) == dark
        still.get_by_role("button", name=re.compile("^Colours: dark")).click()
        assert still.evaluate("document.documentElement.dataset.theme") is None


class TestWithoutScripts:
    def test_the_pages_can_be_reached_at_320_px(self, contexts: Contexts) -> None:
        page = contexts(width=320, height=700, java_script_enabled=False).new_page()
        page.goto(f"{ROOT}/design")
        expect(page.get_by_role("button", name="Menu")).to_be_hidden()
        for name in ("Dashboard", "Jobs", "Map", "Curated data"):
            expect(
                page.get_by_role("navigation", name="Pages", exact=True).get_by_text(name)
            ).to_be_visible()
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) <= 0


class TestFocus:
    def test_what_has_the_focus_is_not_under_the_masthead(self, still: Page) -> None:
        """WCAG 2.4.11; also on the way back, where the browser scrolls up to the element."""
        open_page(still, "/design")
        for _ in range(60):
            still.keyboard.press("Tab")
        for _ in range(40):
            still.keyboard.press("Shift+Tab")
            focused, masthead = still.evaluate(
                """() => {
                  const it = document.activeElement;
                  const masthead = document.querySelector(".masthead");
                  if (it.matches(".masthead *, .skip, body")) return [999, 0];
                  return [it, masthead].map((each) => each.getBoundingClientRect().bottom);
                }"""
            )
            assert focused > masthead
