"""The figures of jobs at work, as they move on the dashboard and fit on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from psycopg.types.json import Jsonb

from infrastructure import database
from tests.support.ledger import Stage, add_job

Contexts = Callable[..., BrowserContext]

STAGE = Stage("compute_stats", total=200, completed=57, began=40)

CONTEXTS: dict[str, dict[str, Any]] = {
    "h3_aggregation": {
        "cells_total": 1_204_311,
        "cells_processed": 311_042,
        "stats_computed": 933_126,
        "tiles_discovered": 200,
        "tiles_processed": 57,
        "current_tile": "28.8 E 2.9 S to 30.9 E 1.0 S, and a name as long as those of sources are",
    },
    "fathom_etl": {
        "tiles_total": 1872,
        "tiles_merged": 640,
        "bytes_processed": 48_211_000_000,
        "regions_completed": 80,
        "current_region": "n00e025_FLUVIAL_UNDEFENDED_2050_SSP5_8.5_with_all_return_periods",
    },
    "raster_collection": {
        "files_total": 40,
        "files_processed": 13,
        "cogs_created": 12,
        "input_size_gb": 18.0005,
        "output_size_gb": 3.0,
        "current_file": "dem/2026/with/folders/in/folders/n00e025_elevation_of_the_ground.tif",
    },
}


def show(connection: database.Connection, job_id: str, name: str, **figures: Any) -> None:
    connection.execute(
        "INSERT INTO app.job_context VALUES (%s, %s, %s)"
        " ON CONFLICT (job_id, name) DO UPDATE SET value = job_context.value || excluded.value",
        (job_id, name, Jsonb(figures)),
    )


@pytest.fixture
def jobs(ledger: database.Connection) -> Iterator[dict[str, str]]:
    """A running job for each context: {context: its id}. No engine runs them."""
    ids = {name: add_job(ledger, STAGE, parameters={"label": name}) for name in CONTEXTS}
    for name, job_id in ids.items():
        show(ledger, job_id, name, **CONTEXTS[name])
    # The reconciler looks for jobs that nobody has touched for a while.
    ledger.execute(
        "UPDATE app.jobs SET updated_at = now() + interval '1 day' WHERE job_id = ANY(%s)",
        (list(ids.values()),),
    )
    yield ids
    # Their events stay where a job goes, and tell of losses.
    for table in ("job_metrics", "jobs"):
        ledger.execute(f"DELETE FROM app.{table} WHERE job_id = ANY(%s)", (list(ids.values()),))


def not_written(api: httpx.Client) -> dict[str, int]:
    """What could not be written of metrics so far, by kind."""
    answer = api.get("/api/metrics/summary")
    answer.raise_for_status()
    found: dict[str, int] = answer.json()["not_written"]
    return found


def card(page: Page, job_id: str) -> Locator:
    return page.locator(f"#job-{job_id[:16]}")


def test_cells_and_tiles_are_seen_moving(
    page: Page, ledger: database.Connection, jobs: dict[str, str]
) -> None:
    page.goto("/api/interface/metrics")
    page.evaluate("window.stillHere = true")
    aggregation, fathom = card(page, jobs["h3_aggregation"]), card(page, jobs["fathom_etl"])
    expect(aggregation).to_contain_text("311,042 of 1,204,311")
    expect(aggregation.get_by_role("progressbar", name="Cells computed")).to_have_js_property(
        "value", 25.8
    )
    expect(fathom).to_contain_text("48.2 GB")
    show(ledger, jobs["h3_aggregation"], "h3_aggregation", cells_processed=602_156)
    show(ledger, jobs["fathom_etl"], "fathom_etl", tiles_merged=648, regions_completed=81)
    expect(aggregation).to_contain_text("602,156 of 1,204,311")
    expect(aggregation.get_by_role("progressbar", name="Cells computed")).to_have_js_property(
        "value", 50
    )
    expect(fathom).to_contain_text("648 of 1,872")
    assert page.evaluate("window.stillHere")


@pytest.mark.parametrize("width", [320, 768])
def test_long_names_fit(contexts: Contexts, jobs: dict[str, str], width: int) -> None:
    page = contexts(width, 800).new_page()
    for path in ("metrics", *(f"jobs/{job_id}" for job_id in jobs.values())):
        page.goto(f"/api/interface/{path}")
        expect(page.get_by_text("Current ").first).to_be_visible()
        over = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, path


def test_what_is_missing_is_said(
    page: Page, api: httpx.Client, ledger: database.Connection, jobs: dict[str, str]
) -> None:
    # Tests before this one may have made the stack lose something.
    before = not_written(api)
    page.goto("/api/interface/metrics")
    notice = page.locator("#metrics-lost")
    expect(notice).to_be_visible(visible=sum(before.values()) > 0)
    job_id = jobs["fathom_etl"]
    lost = {"kind": "metrics_lost", "message": "Its progress has gaps", "details": {"events": 3}}
    ledger.execute(
        "INSERT INTO app.job_metrics (job_id, metric_type, payload) VALUES (%s, 'error', %s)",
        (job_id, Jsonb(lost)),
    )
    expect(notice).to_contain_text(
        re.compile(rf"Some progress could not be written: {before['events'] + 3:,} events\b")
    )
    # The event beneath leads to the job.
    link = page.get_by_role("listitem").filter(has_text="Its progress has gaps").get_by_role("link")
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{job_id}*")
