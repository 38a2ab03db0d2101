"""The pages of the HTTP API: a call is found in the list, read on its own page, and tried."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

LIST = "/api/interface/api"


def test_calls_are_found_by_words_of_their_path_and_summary(page: Page) -> None:
    page.goto(LIST)
    shown = page.locator(".call:visible")
    everything = shown.count()
    page.get_by_label("Find a call").fill("post {job_id}/cancel")
    expect(shown).to_have_count(1)
    expect(page.locator("#api-count")).to_have_text(f"1 of {everything} calls")
    page.get_by_label("Find a call").fill("no such words")
    expect(shown).to_have_count(0)
    expect(page.get_by_text("No call has these words")).to_be_visible()


def test_from_the_list_to_a_call_and_on_to_its_neighbour(page: Page) -> None:
    page.goto(LIST)
    page.get_by_role("link", name="POST /api/jobs/submit/hello_fan_out", exact=True).click()
    expect(page.locator("h1")).to_have_text("POST /api/jobs/submit/hello_fan_out")
    expect(page.get_by_role("heading", name="Result of the job")).to_be_visible()
    # What acts is not sent from here.
    expect(page.get_by_role("button", name="Send")).to_have_count(0)
    others = page.get_by_role("navigation", name="Calls of Job types").get_by_role("link")
    expect(others.and_(page.locator("[aria-current=page]"))).to_have_count(1)
    others.and_(page.locator(":not([aria-current])")).first.click()
    expect(page.locator("h1")).not_to_have_text("POST /api/jobs/submit/hello_fan_out")
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="API").click()
    expect(page.locator("h1")).to_have_text("HTTP API")


def test_a_call_that_changes_nothing_can_be_tried(page: Page) -> None:
    page.goto(f"{LIST}/list_jobs")
    page.get_by_label("limit").fill("1")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("200 from /api/jobs?limit=1")).to_be_visible()
    expect(page.locator(".trial-answer code")).to_contain_text('"jobs"')
    page.get_by_label("limit").fill("many")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("422 from /api/jobs?limit=many")).to_be_visible()


def test_without_scripts_all_is_there_to_be_read(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(LIST)
    expect(page.get_by_label("Find a call")).to_be_hidden()
    page.get_by_role("link", name="GET /api/jobs/{job_id}", exact=True).click()
    expect(page.get_by_role("heading", name="With curl")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_hidden()


def test_a_call_that_there_is_not_is_said_to_be_none(page: Page) -> None:
    answer = page.goto(f"{LIST}/guess")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_text("The API has no call 'guess'.")).to_be_visible()
