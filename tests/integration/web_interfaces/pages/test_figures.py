"""What jobs show of their work, on the dashboard and on their own page."""

from __future__ import annotations

import re
from collections.abc import Callable

import azure.functions as func
import pytest

from infrastructure import database, job_progress
from infrastructure.job_progress_contexts import (
    FathomETLTracker,
    H3AggregationTracker,
    RasterCollectionTracker,
)
from tests.support.ledger import Stage, add_job
from tests.support.metrics import fresh_metrics
from tests.support.pages import EVIL, html, text

Get = Callable[..., func.HttpResponse]

LATER = Stage("register", "pending", total=None, began=None)


def test_shows_how_far_a_collection_of_rasters_is(get: Get, ledger: database.Connection) -> None:
    job_id = add_job(ledger, Stage("create_cog", total=40, completed=11), LATER)
    tracker = RasterCollectionTracker(job_id)
    tracker.begin(40)
    job_progress.flush(job_id)
    for page in ("/api/interface/metrics", f"/api/interface/jobs/{job_id}"):
        assert "Files 0 of 40" in text(get(page))
    tracker.refused("validate:0", bytes_in=500_000)
    for number in range(1, 13):
        task = f"create_cog:{number}"
        tracker.cog_created(task, bytes_in=1_500_000_000, bytes_out=250_000_000)
    tracker.working_on(f"dem/{EVIL}.tif")
    job_progress.flush(job_id)
    for page in ("/api/interface/metrics", f"/api/interface/jobs/{job_id}"):
        shown = text(get(page))
        assert "Files 13 of 40 32.5% COGs created 12 1 refused" in shown
        assert "Read 18.0 GB Written 3.0 GB" in shown
        assert f"Current file dem/{EVIL}.tif" in shown
        assert EVIL not in html(get(page))
    tracker.refused("compare", files=27)
    job_progress.flush(job_id)
    assert "Current file" not in text(get(f"/api/interface/jobs/{job_id}"))


def test_shows_how_far_an_aggregation_is(get: Get, ledger: database.Connection) -> None:
    job_id = add_job(ledger, Stage("compute_stats", total=40, completed=11), LATER)
    tracker = H3AggregationTracker(job_id)
    tracker.working_on(f"10 E 50 N {EVIL}")
    job_progress.flush(job_id)
    for page in ("/api/interface/metrics", f"/api/interface/jobs/{job_id}"):
        assert "Cells 0 so far Cells a second 0 Statistics 0 Tiles 0 Current" in text(get(page))
    tracker.begin(cells_total=1_200_000, tiles_discovered=40)
    tracker.cells_processed("compute_stats:0", cells=300_000, stats=900_000)
    tracker.tile_processed("compute_stats:0")
    job_progress.flush(job_id)
    for page in ("/api/interface/metrics", f"/api/interface/jobs/{job_id}"):
        shown = text(get(page))
        assert "Cells 300,000 of 1,200,000 25% Cells a second" in shown
        assert re.search(r"Cells a second [1-9][\d,]* Statistics 900,000 Tiles 1 of 40", shown)
        assert f"Current tile 10 E 50 N {EVIL}" in shown
        assert EVIL not in html(get(page))
    tracker.cells_processed("compute_stats:0", cells=1_200_000, stats=900_000)
    job_progress.flush(job_id)
    assert "Current tile" not in text(get(f"/api/interface/jobs/{job_id}"))


def test_shows_that_there_are_no_cells_to_compute(get: Get, ledger: database.Connection) -> None:
    job_id = add_job(ledger, status="completed")
    H3AggregationTracker(job_id).begin(cells_total=0, tiles_discovered=0)
    job_progress.flush(job_id)
    assert "Cells none to do" in text(get(f"/api/interface/jobs/{job_id}"))


def test_shows_how_far_fathom_tiles_are(get: Get, ledger: database.Connection) -> None:
    job_id = add_job(ledger, Stage("stack", total=4, completed=1), LATER)
    tracker = FathomETLTracker(job_id)
    tracker.begin(tiles_total=32)
    tracker.working_on("n00e006")
    tracker.tile_done("stack:0", tiles=8, bytes_processed=2_500_000_000)
    tracker.region_completed("stack:0")
    job_progress.flush(job_id)
    for page in ("/api/interface/metrics", f"/api/interface/jobs/{job_id}"):
        shown = text(get(page))
        assert "Tiles 8 of 32 25% Regions completed 1 Read 2.5 GB" in shown
        assert "Current region n00e006" in shown


def test_says_that_progress_could_not_be_written(get: Get, ledger: database.Connection) -> None:
    assert "could not be written" not in text(get("/api/interface/metrics"))
    job_id = add_job(ledger)
    ledger.execute(
        "INSERT INTO app.job_metrics (job_id, metric_type, payload) VALUES (%s, 'error', %s)",
        (
            job_id,
            '{"kind": "metrics_lost", "message": "Its progress has gaps",'
            ' "details": {"events": 1, "figures": 1200}}',
        ),
    )
    shown = text(get("/api/interface/metrics"))
    assert "Some progress could not be written: 1 event, 1,200 figures. No job" in shown
    assert "Error: Its progress has gaps" in shown


def test_says_that_metrics_are_switched_off(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "switched off" not in text(get("/api/interface/metrics"))
    monkeypatch.setenv("METRICS_ENABLED", "false")
    with fresh_metrics(monkeypatch):
        assert "Metrics are switched off" in text(get("/api/interface/metrics"))
