"""The page of a job: what went wrong, its tasks, one of them, and what can be copied."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from infrastructure import database
from tests.support.ledger import Stage, Task, add_job

Contexts = Callable[..., BrowserContext]


@pytest.fixture
def failed(ledger: database.Connection) -> str:
    """A job of 40 tasks, of which 32 failed of two causes."""
    tasks = [
        Task(
            n,
            status="failed" if n < 32 else "completed",
            parameters={"blob": f"tiles/{n}.tif"},
            result=None if n < 32 else {"bytes": n},
            error={"code": "bad_tile", "message": f"Tile {n} is bad."}
            if n < 30
            else {"code": "no_band", "message": "There is no band."}
            if n < 32
            else None,
        )
        for n in range(40)
    ]
    return add_job(
        ledger,
        Stage("list", "completed", total=0, began=30, ended=25),
        Stage("copy", "completed_with_errors", total=40, completed=8, failed=32, began=24, ended=5),
        status="completed_with_errors",
        current=1,
        parameters={"n": 40},
        tasks=tuple(Task(t.index, 1, t.status, t.parameters, t.result, t.error) for t in tasks),
    )


def open_job(page: Page, job_id: str, query: str = "") -> None:
    page.goto(f"/api/interface/jobs/{job_id}{query}")
    expect(page.locator("html.scripted")).to_be_attached()


def test_each_cause_is_told_once_and_leads_to_its_tasks(page: Page, failed: str) -> None:
    open_job(page, failed)
    causes = page.get_by_role("region", name="Failed tasks").get_by_role("listitem")
    expect(causes).to_have_count(2)
    expect(causes.first).to_contain_text("Tile 0 is bad.")
    expect(causes.first).to_contain_text("30 tasks of copy")
    causes.last.get_by_role("link", name="All 2 tasks").click()
    rows = page.get_by_role("table", name="Tasks").get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("copy 30")
    page.get_by_role("link", name="Show those of others too").click()
    expect(page.get_by_role("link", name="More tasks")).to_be_visible()


def test_tasks_are_searched_by_text_and_by_number(page: Page, failed: str) -> None:
    open_job(page, failed)
    page.get_by_role("searchbox").fill("TILES/35")
    page.get_by_role("searchbox").press("Enter")
    rows = page.get_by_role("table", name="Tasks").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(page.get_by_text("Looked through 40 tasks")).to_be_visible()
    page.get_by_role("link", name="copy 35").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Copy 35")
    expect(page.get_by_role("region", name="Parameters")).to_contain_text("tiles/35.tif")
    page.get_by_role("link", name="Task before").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Copy 34")


def test_parameters_can_be_copied(contexts: Contexts, failed: str) -> None:
    context = contexts(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    open_job(page, failed)
    page.locator("#parameters-json-copy").click()
    expect(page.locator("#parameters-json-copy")).to_have_text("Copied")
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == {"n": 40}


def test_it_fits_a_phone_and_needs_no_script_to_be_read(contexts: Contexts, failed: str) -> None:
    page = contexts(width=320, height=700, java_script_enabled=False).new_page()
    page.goto(f"/api/interface/jobs/{failed}?search=35")
    expect(page.get_by_role("table", name="Tasks")).to_contain_text("copy 35")
    page.get_by_role("link", name="copy 35").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Copy 35")


@pytest.mark.parametrize("path", ["", "/errors", "/tasks/1/3"])
def test_nothing_is_wider_than_a_phone(contexts: Contexts, failed: str, path: str) -> None:
    page = contexts(width=320, height=700).new_page()
    page.goto(f"/api/interface/jobs/{failed}{path}")
    over = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert over <= 0


def test_the_ages_on_a_page_that_asks_for_nothing_any_more_go_on(page: Page, failed: str) -> None:
    page.clock.install()
    open_job(page, failed)
    age = page.locator("time[data-age]").first
    expect(age).to_be_visible()
    page.clock.fast_forward("03:00:00")
    expect(age).to_have_text("3 h ago")
