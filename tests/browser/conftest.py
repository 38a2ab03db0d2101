"""A real browser on a real stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from psycopg.rows import dict_row

from infrastructure import database
from tests.servers import StackUnderTest
from tests.support import chromium

# The defaults of 5 and 30 s are short where others work on the machine.
_PATIENCE = 60_000
expect.set_options(timeout=_PATIENCE)


# Not for the session: Playwright keeps an event loop running in this thread while it lives, and
# the asyncio tests of other packages need theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium.executable() is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def contexts(browser: Browser, stack: StackUnderTest) -> Iterator[Callable[..., BrowserContext]]:
    """Makes windows of any size and scheme, closed at the end of the test.

    Without motion, unless it is asked for: the frames of a flight are drawn by the processor.
    """
    opened: list[BrowserContext] = []

    def make(width: int = 1280, height: int = 900, **options: object) -> BrowserContext:
        opened.append(
            browser.new_context(
                base_url=stack.url,
                viewport={"width": width, "height": height},
                **({"reduced_motion": "reduce"} | options),  # type: ignore[arg-type]
            )
        )
        opened[-1].set_default_timeout(_PATIENCE)
        return opened[-1]

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def page(contexts: Callable[..., BrowserContext]) -> Iterator[Page]:
    """A page that may neither log an error, nor throw one, nor break its own policy."""
    page = contexts().new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    yield page
    # What a test refuses or breaks on purpose is logged, by the browser and by htmx.
    on_purpose = ("Failed to load resource", "htmx:", "Response Status Error Code ")
    assert [error for error in errors if not error.startswith(on_purpose)] == []


@pytest.fixture
def api(stack: StackUnderTest) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        yield client


@pytest.fixture
def ledger(stack: StackUnderTest) -> Iterator[database.Connection]:
    """The stack's ledger, for jobs that have ended and that no engine touches."""
    with psycopg.Connection.connect(
        stack.database_url, autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


@pytest.fixture
def submit(api: httpx.Client) -> Iterator[Callable[..., str]]:
    """Submits hello_fan_out, always as a new job; its id. What still runs is cancelled."""
    submitted: list[str] = []

    def submit(**parameters: float) -> str:
        answer = api.post("/api/jobs/submit/hello_fan_out?rerun=true", json=parameters)
        answer.raise_for_status()
        submitted.append(answer.json()["job_id"])
        return submitted[-1]

    yield submit
    for job_id in submitted:
        api.post(f"/api/jobs/{job_id}/cancel")
