"""The page of the HTTP API: a call is found, unfolded by its address, and tried."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

PAGE = "/api/interface/api"


def test_calls_are_found_by_words_of_their_path_and_summary(page: Page) -> None:
    page.goto(PAGE)
    shown = page.locator(".operation:visible")
    everything = shown.count()
    page.get_by_label("Find a call").fill("post {job_id}/cancel")
    expect(shown).to_have_count(1)
    expect(page.locator("#api-count")).to_have_text(f"1 of {everything} calls")
    page.get_by_label("Find a call").fill("no such words")
    expect(shown).to_have_count(0)
    expect(page.get_by_text("No call has these words")).to_be_visible()


def test_an_address_unfolds_the_call_that_it_names(page: Page) -> None:
    page.goto(f"{PAGE}#submit_hello_fan_out")
    call = page.locator("#submit_hello_fan_out")
    expect(call).to_have_attribute("open", "")
    expect(call.get_by_role("heading", name="Result of the job")).to_be_visible()
    # What acts is not sent from here.
    expect(call.get_by_role("button", name="Send")).to_have_count(0)


def test_a_call_that_changes_nothing_can_be_tried(page: Page) -> None:
    page.goto(f"{PAGE}#list_jobs")
    call = page.locator("#list_jobs")
    call.get_by_label("limit").fill("1")
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_text("200 from /api/jobs?limit=1")).to_be_visible()
    expect(call.locator(".trial-answer code")).to_contain_text('"jobs"')
    call.get_by_label("limit").fill("many")
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_text("422 from /api/jobs?limit=many")).to_be_visible()


def test_without_scripts_all_is_there_to_be_read(contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(PAGE)
    call = page.locator("#get_job")
    call.locator("summary").first.click()
    expect(call.get_by_text("/api/jobs/{job_id}").first).to_be_visible()
    expect(call.get_by_role("heading", name="With curl")).to_be_visible()
    expect(page.get_by_label("Find a call")).to_be_hidden()
    expect(call.get_by_role("button", name="Send")).to_be_hidden()
