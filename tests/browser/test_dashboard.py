"""The dashboard in a browser: it moves by itself, is filtered, and is left alone while unseen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from infrastructure import database
from tests.support.ledger import Stage, add_job

Contexts = Callable[..., BrowserContext]

PAGE = "/api/interface/metrics"


@pytest.fixture
def made_up(ledger: database.Connection) -> Iterator[list[str]]:
    """Jobs that no engine runs: one at work, one that failed. Their ids."""
    at_work = add_job(
        ledger, Stage("copy", total=500, completed=125, began=60), parameters={"made_up": "roads"}
    )
    failed = add_job(
        ledger, Stage("copy", "failed", total=1, failed=1, ended=1), status="failed",
        error={"code": "bad", "message": "The rivers are dry."}, parameters={"made_up": "rivers"},
    )  # fmt: skip
    ids = [at_work, failed]
    # The reconciler looks for jobs that nobody has touched, and for windows that are not full.
    ledger.execute(
        "UPDATE app.jobs SET updated_at = now() + interval '1 day' WHERE job_id = ANY(%s)", (ids,)
    )
    ledger.execute(
        "UPDATE app.job_stages SET next_index = coalesce(tasks_total, 0) WHERE job_id = ANY(%s)",
        (ids,),
    )
    yield ids
    for table in ("job_metrics", "jobs"):
        ledger.execute(f"DELETE FROM app.{table} WHERE job_id = ANY(%s)", (ids,))


def test_every_part_moves_without_a_reload(
    page: Page, ledger: database.Connection, made_up: list[str]
) -> None:
    page.goto(PAGE)
    page.evaluate("window.stillHere = true")
    card = page.locator(f"#job-{made_up[0][:16]}")
    expect(card).to_contain_text("125 of 500")
    ledger.execute(
        "UPDATE app.job_stages SET tasks_completed = 250 WHERE job_id = %s", (made_up[0],)
    )
    expect(card).to_contain_text("250 of 500")
    # A process of the stack, its queues and its database, none of which is known at once.
    expect(page.get_by_role("heading", name=re.compile("Processes [1-9]"))).to_be_visible()
    expect(page.locator("#queue-light")).to_contain_text("Active messages")
    expect(page.get_by_role("progressbar", name="Connections used")).to_be_visible()
    # And the tasks that ended meanwhile are in the chart.
    expect(page.locator("#chart-summary")).to_contain_text("ended within the last hour")
    assert page.evaluate("window.stillHere")


def test_a_part_that_does_not_come_stays_told_while_others_do(page: Page) -> None:
    page.goto(PAGE)
    broken = page.locator("[data-live]:not(#live)").first
    address = str(broken.get_attribute("hx-get"))
    page.route(lambda url: url.endswith(address), lambda route: route.fulfill(status=503))
    broken.evaluate("(part) => htmx.trigger(part, 'refresh')")
    expect(page.locator("#connection")).to_contain_text("What you see is old")
    page.evaluate(
        """() => new Promise((resolve) => {
          document.addEventListener("htmx:afterRequest", ({ detail }) => {
            if (detail.elt.id === "live" && detail.successful) resolve();
          });
          htmx.trigger(document.getElementById("live"), "refresh");
        })"""
    )
    expect(page.locator("#connection")).to_be_visible()
    page.unroute_all()
    broken.evaluate("(part) => htmx.trigger(part, 'refresh')")
    expect(page.locator("#connection")).to_be_hidden()


def test_jobs_are_found_by_keyboard_and_the_address_remembers(
    page: Page, made_up: list[str]
) -> None:
    page.goto(PAGE)
    search = page.get_by_label("Text")
    search.focus()
    search.fill("RIVERS")
    page.keyboard.press("Enter")
    page.wait_for_url("**text=RIVERS*")
    found = page.get_by_role("region", name="Jobs that fit")
    expect(found.get_by_role("listitem")).to_have_count(1)
    expect(found).to_contain_text("The rivers are dry.")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("RIVERS")
    page.get_by_role("link", name="7 days").click()
    page.wait_for_url("**span=week*")
    expect(page.get_by_label("Text")).to_have_value("RIVERS")
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("heading", name="Running now")).to_be_visible()


def test_a_page_that_nobody_sees_asks_for_nothing(page: Page, made_up: list[str]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(PAGE)
    with page.expect_request(re.compile("part=jobs")):
        pass
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    page.evaluate(hide % "true")
    # What htmx would have asked meanwhile is stopped by its own event, which can be waited for.
    asked.clear()
    page.evaluate(
        "new Promise((seen) => {let n = 0; document.addEventListener('htmx:beforeRequest',"
        " () => { n += 1; if (n === 3) seen(); });})"
    )
    assert [each for each in asked if "part=" in each] == []
    with (
        page.expect_request(re.compile("part=system")),
        page.expect_request(re.compile("part=charts")),
    ):
        page.evaluate(hide % "false" + "document.dispatchEvent(new Event('visibilitychange'));")


def test_what_is_old_is_told_and_forgotten_when_it_is_new_again(page: Page) -> None:
    page.goto(PAGE)
    page.route("**/api/interface/metrics?part=*", lambda route: route.abort())
    notice = page.locator("#connection")
    expect(notice).to_contain_text("What you see is old")
    page.unroute("**/api/interface/metrics?part=*")
    expect(notice).to_be_hidden()


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_it_fits(contexts: Contexts, made_up: list[str], width: int) -> None:
    page = contexts(width, 900).new_page()
    for path in (PAGE, f"{PAGE}?status=failed&span=week", f"{PAGE}/dead-letters"):
        page.goto(path)
        over = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, path


def test_it_shows_everything_without_scripts(contexts: Contexts, made_up: list[str]) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"{PAGE}?text=rivers")
    expect(page.get_by_text("The rivers are dry.")).to_be_visible()
    page.get_by_label("Status").select_option("running")
    page.get_by_label("Text").fill("")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(f"#job-{made_up[0][:16]}")).to_be_visible()
    expect(page.get_by_role("img", name="Tasks a minute")).to_be_visible()
