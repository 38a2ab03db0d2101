"""What a person meets on the pages: live progress, actions, a form, a phone, a keyboard."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from infrastructure import database
from tests.support.ledger import Stage, Task, add_job

Submit = Callable[..., str]
Contexts = Callable[..., BrowserContext]

SLOW = {"n": 400, "sleep_ms": 300}
"""A job that runs for some seconds, whatever the machine."""


def open_page(page: Page, path: str) -> None:
    page.goto(f"/api/interface{path}")
    page.wait_for_function("document.documentElement.classList.contains('scripted')")


class TestLiveUpdates:
    def test_progress_appears_without_a_reload(self, page: Page, submit: Submit) -> None:
        open_page(page, "/metrics")
        page.evaluate("window.stillHere = true")
        job_id = submit(**SLOW)
        card = page.locator(f"#job-{job_id[:16]}")
        expect(card).to_be_visible()
        percent = card.locator(".card-percent")
        first = percent.inner_text()
        expect(percent).not_to_have_text(first)
        assert page.evaluate("window.stillHere")

    def test_a_page_stops_asking_when_its_job_has_ended(self, page: Page, submit: Submit) -> None:
        job_id = submit(n=60, sleep_ms=100)
        open_page(page, f"/jobs/{job_id}")
        page.evaluate("window.stillHere = true")
        expect(page.locator("h1 .badge")).to_have_text("completed")
        expect(page.locator(".overview-percent")).to_have_text("100%")
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request))
        page.wait_for_timeout(4500)
        assert asked == []
        assert page.evaluate("window.stillHere")

    def test_focus_survives_an_update(self, page: Page, submit: Submit) -> None:
        job_id = submit(**SLOW)
        open_page(page, "/metrics")
        page.locator(f"#link-{job_id[:16]}").focus()
        for _ in range(2):
            with page.expect_response("**/metrics?*"):
                pass
        focused = page.evaluate("document.activeElement.id")
        assert focused == f"link-{job_id[:16]}"

    def test_a_server_that_does_not_answer_is_said_so_until_it_does(self, page: Page) -> None:
        open_page(page, "/metrics")
        page.route("**/api/interface/metrics*", lambda route: route.abort())
        expect(page.locator("#connection")).to_contain_text("does not answer")
        page.unroute("**/api/interface/metrics*")
        page.route("**/api/interface/metrics*", lambda route: route.fulfill(status=503))
        expect(page.locator("#connection")).to_contain_text("(503)")
        page.unroute("**/api/interface/metrics*")
        expect(page.locator("#connection")).to_be_hidden()

    def test_a_server_that_keeps_an_answer_back_is_not_waited_for(self, page: Page) -> None:
        open_page(page, "/metrics")
        page.route("**/api/interface/metrics*", lambda route: None)
        expect(page.locator("#connection")).to_contain_text("does not answer")
        page.unroute("**/api/interface/metrics*")
        expect(page.locator("#connection")).to_be_hidden()


class TestActions:
    def test_cancel_asks_first(self, page: Page, submit: Submit, api: httpx.Client) -> None:
        job_id = submit(**SLOW)
        open_page(page, f"/jobs/{job_id}")
        page.get_by_role("button", name="Cancel", exact=True).click()
        dialog = page.get_by_role("dialog", name="Cancel this job?")
        expect(dialog).to_be_visible()
        dialog.get_by_role("button", name="Keep it as it is").click()
        expect(dialog).to_be_hidden()
        assert not api.get(f"/api/jobs/{job_id}").json()["cancel_requested"]

        page.get_by_role("button", name="Cancel", exact=True).click()
        dialog.get_by_role("button", name="Cancel the job").click()
        expect(page.locator("h1 .badge")).to_have_text("cancelled")

    def test_resume_goes_on_with_a_cancelled_job(
        self, page: Page, submit: Submit, api: httpx.Client
    ) -> None:
        job_id = submit(n=100, sleep_ms=200)
        api.post(f"/api/jobs/{job_id}/cancel").raise_for_status()
        open_page(page, f"/jobs/{job_id}")
        page.get_by_role("button", name="Resume", exact=True).click()
        page.get_by_role("button", name="Resume the job").click()
        expect(page.locator("h1 .badge")).to_have_text(re.compile("queued|running|completed"))

    def test_what_the_api_refuses_is_told_in_the_dialog(
        self, page: Page, submit: Submit, api: httpx.Client
    ) -> None:
        job_id = submit(**SLOW)
        open_page(page, f"/jobs/{job_id}")
        page.get_by_role("button", name="Cancel", exact=True).click()
        api.post(f"/api/jobs/{job_id}/cancel").raise_for_status()
        deadline = time.monotonic() + 60
        while api.get(f"/api/jobs/{job_id}").json()["finished_at"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        page.get_by_role("button", name="Cancel the job").click()
        expect(page.locator("#confirm-error")).to_contain_text("The job has ended")


class TestForm:
    def test_errors_are_shown_beside_their_fields(self, page: Page) -> None:
        open_page(page, "/jobs/new/hello_fan_out")
        page.get_by_label("Failure rate").fill("2")
        page.get_by_label("Sleep ms").fill("soon")
        page.get_by_role("button", name="Submit").click()
        for field in ("n", "sleep_ms", "failure_rate"):
            expect(page.locator(f"#field-{field}-error")).not_to_be_empty()
            expect(page.locator(f"#field-{field}")).to_have_attribute("aria-invalid", "true")
        assert page.evaluate("document.activeElement.id") == "field-n"

        page.get_by_label("N required").fill("5")
        page.get_by_label("Failure rate").fill("0")
        page.get_by_label("Sleep ms").fill("0")
        page.get_by_role("button", name="Dry run").click()
        expect(page.locator("#form-answer")).to_contain_text("hello 5 tasks")
        expect(page.locator("[aria-invalid]")).to_have_count(0)

    def test_submits_and_opens_the_job_and_knows_it_again(
        self, page: Page, api: httpx.Client
    ) -> None:
        n = str(time.time_ns() % 1_000_000 % 97 + 3)
        open_page(page, "/jobs/new/hello_fan_out")
        page.get_by_label("N required").fill(n)
        page.get_by_label("N required").press("Enter")
        page.wait_for_url(re.compile(r"/jobs/[0-9a-f]{64}$"))
        first = page.url
        expect(page.locator("h1")).to_contain_text("Hello fan out")

        page.get_by_role("link", name="Submit a similar job").click()
        expect(page.get_by_label("N required")).to_have_value(n)
        page.get_by_role("button", name="Submit").click()
        expect(page.locator("#form-answer")).to_contain_text("A job with these parameters exists")
        page.get_by_role("button", name="Run it again").click()
        page.wait_for_url(lambda url: re.search(r"/jobs/[0-9a-f]{64}$", url) and url != first)
        expect(page.locator("#live")).to_contain_text("run 2")

    def test_strings_booleans_and_empty_fields_reach_the_api_as_what_they_are(
        self, page: Page
    ) -> None:
        open_page(page, "/jobs/new/ingest_collection")
        page.get_by_label("Source container required").fill("bronze-test")
        page.get_by_label("Target container required").fill("silver-test")
        page.get_by_text("More settings").click()
        page.get_by_label("Strict").check()
        with page.expect_request("**/submit/ingest_collection*") as sent:
            page.get_by_role("button", name="Dry run").click()
        body = sent.value.post_data_json
        assert body == {
            "source_container": "bronze-test",
            "target_container": "silver-test",
            "collection_json_path": "collection.json",
            "batch_size": 100,
            "overwrite": False,
            "skip_existing": True,
            "create_target_container": True,
            "strict": True,
        }

    def test_the_function_key_of_the_page_goes_with_the_call(self, page: Page) -> None:
        open_page(page, "/jobs/new/hello_fan_out?code=the-key")
        page.get_by_label("N required").fill("1")
        with page.expect_request("**/submit/**") as sent:
            page.get_by_role("button", name="Dry run").click()
        assert sent.value.headers["x-functions-key"] == "the-key"


PATHS = ("", "/metrics", "/jobs", "/jobs/new/ingest_collection", "/jobs/nothing")


@pytest.fixture
def ended(ledger: database.Connection) -> str:
    """A job with something of everything, long words among it."""
    error = {"code": "blob_not_found", "message": f"There is no blob {'bronze/' + 'x' * 90!r}."}
    return add_job(
        ledger,
        Stage("inventory", "completed", total=1, completed=1, ended=20),
        Stage("copy", "completed_with_errors", total=3, completed=2, failed=1, ended=5),
        job_type="ingest_collection",
        status="completed_with_errors",
        current=1,
        parameters={"source_container": "bronze-" + "y" * 56, "h3_theme": None},
        result={"items_read": 3, "quarantined": [{"item": "i" * 80, "reason": "r" * 40}]},
        tasks=(
            Task(0, stage=1, result={"bytes": 12, "etag": "e" * 120}),
            Task(1, stage=1, status="failed", error=error),
        ),
    )


class TestLook:
    @pytest.mark.parametrize("width", [320, 375, 768])
    def test_nothing_is_wider_than_the_screen(
        self, contexts: Contexts, ended: str, submit: Submit, width: int
    ) -> None:
        running = submit(**SLOW)
        page = contexts(width=width, height=800).new_page()
        for path in (*PATHS, f"/jobs/{ended}", f"/jobs/{running}"):
            page.goto(f"/api/interface{path}")
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, f"{path} is {over} px too wide"


class TestKeyboard:
    def test_the_skip_link_comes_first_and_leads_to_the_content(self, page: Page) -> None:
        open_page(page, "/jobs")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"

    def test_a_job_can_be_found_cancelled_and_left_alone(self, page: Page, submit: Submit) -> None:
        job_id = submit(**SLOW)
        open_page(page, "/jobs")
        self.tab_to(page, f"link-{job_id[:16]}")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{job_id}")
        page.wait_for_function("document.documentElement.classList.contains('scripted')")
        self.tab_to(page, "action-cancel")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        assert page.evaluate("document.activeElement.id") == "action-cancel"

    @staticmethod
    def tab_to(page: Page, element: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == element:
                return
        pytest.fail(f"{element} cannot be reached by Tab")


class TestSafety:
    def test_markup_in_a_job_is_harmless(self, page: Page, ledger: database.Connection) -> None:
        evil = "<img src=x onerror='window.broken = 1'><script>window.broken = 1</script>"
        job_id = add_job(
            ledger,
            Stage(evil, "failed", total=1, failed=1),
            status="failed",
            parameters={evil: evil},
            result={"quarantined": [{evil: evil}]},
            error={"code": evil, "message": evil},
            tasks=(Task(0, status="failed", error={"code": evil, "message": evil}),),
        )
        for path in (f"/jobs/{job_id}", "/jobs", "/metrics"):
            open_page(page, path)
            page.wait_for_timeout(300)
            assert page.evaluate("window.broken") is None
        open_page(page, f"/jobs/{job_id}")
        expect(page.get_by_text(evil).first).to_be_visible()

    def test_an_inline_script_would_not_run(self, contexts: Contexts) -> None:
        page = contexts().new_page()
        page.goto("/api/interface/jobs")
        page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.broken = 1";
              document.body.append(script);
            }"""
        )
        assert page.evaluate("window.broken") is None


class TestWithoutScripts:
    def test_the_pages_show_everything(self, contexts: Contexts, ended: str) -> None:
        page = contexts(java_script_enabled=False).new_page()
        page.goto(f"/api/interface/jobs/{ended}")
        expect(page.get_by_role("heading", name="Failed tasks")).to_be_visible()
        assert "need JavaScript" in page.content()
        expect(page.get_by_role("button")).to_have_text(["Search"])
        page.get_by_role("link", name="failed", exact=True).click()
        expect(page.get_by_role("table", name="Tasks").get_by_role("row")).to_have_count(2)
        page.goto("/api/interface/jobs")
        page.get_by_label("Status").select_option("failed")
        page.get_by_role("button", name="Filter").click()
        assert "status=failed" in page.url
