"""The sums that many workers show of one job, and that no task counts twice in them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from config import get_metrics_settings
from core.models.metrics import MetricType
from infrastructure import database, job_progress, metrics_repository
from infrastructure.job_progress_contexts import RasterCollectionTracker
from tests.support.ledger import add_job

WORKERS = 8


@pytest.fixture
def job_id(ledger: database.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(job_progress, "_warnings", job_progress._Throttle())
    get_metrics_settings.cache_clear()
    yield add_job(ledger)
    get_metrics_settings.cache_clear()


def shown(job_id: str) -> dict[str, Any]:
    """The context as the dashboard gets it; nothing where there is none."""
    figures = metrics_repository.transact(lambda c: metrics_repository.contexts(c, [job_id]))
    context: dict[str, Any] = figures.get(job_id, {}).get("raster_collection", {})
    return context


def test_a_job_begins_with_its_number_of_files_and_nothing_done(job_id: str) -> None:
    RasterCollectionTracker(job_id).begin(40)
    assert shown(job_id) == {
        "files_total": 40,
        "files_processed": 0,
        "cogs_created": 0,
        "input_size_gb": 0,
        "output_size_gb": 0,
    }


def test_what_the_tasks_did_adds_up(job_id: str) -> None:
    progress = RasterCollectionTracker(job_id)
    progress.begin(3)
    progress.working_on("dem/tile_1.tif")
    progress.cog_created("create_cog:0", bytes_in=1_500_000_000, bytes_out=400_000_001)
    progress.cog_created("create_cog:1", bytes_in=7, bytes_out=3)
    progress.refused("validate:2", bytes_in=100_000_000)
    assert shown(job_id) == {
        "files_total": 3,
        "files_processed": 3,
        "cogs_created": 2,
        "input_size_gb": 1.600000007,
        "output_size_gb": 0.400000004,
        "current_file": "dem/tile_1.tif",
    }


def test_a_task_that_is_tried_again_counts_once(job_id: str) -> None:
    progress = RasterCollectionTracker(job_id)
    for _ in range(3):
        progress.begin(2)
        progress.cog_created("create_cog:0", bytes_in=2_000_000_000, bytes_out=1_000_000_000)
    assert shown(job_id)["cogs_created"] == 1
    assert shown(job_id)["output_size_gb"] == 1
    # What the last attempt says is what holds, also where it says less.
    progress.refused("create_cog:0", bytes_in=2_000_000_000)
    assert shown(job_id) == {
        "files_total": 2,
        "files_processed": 1,
        "cogs_created": 0,
        "input_size_gb": 2,
        "output_size_gb": 0,
    }


def test_workers_at_the_same_time_lose_nothing(job_id: str) -> None:
    together = threading.Barrier(WORKERS)

    def work(worker: int) -> None:
        progress = RasterCollectionTracker(job_id)
        together.wait()
        progress.begin(WORKERS * 5)
        for number in range(5):
            # The last is a task that all workers take for theirs.
            task = "shared" if number == 4 else f"create_cog:{worker}.{number}"
            progress.working_on(task)
            progress.cog_created(task, bytes_in=1_000_000_000, bytes_out=500_000_000)

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(work, range(WORKERS)))
    context = shown(job_id)
    assert context["cogs_created"] == context["files_processed"] == WORKERS * 4 + 1
    assert context["output_size_gb"] == (WORKERS * 4 + 1) / 2


def test_jobs_do_not_mix(job_id: str, ledger: database.Connection) -> None:
    other = add_job(ledger)
    RasterCollectionTracker(job_id).refused("validate:0", bytes_in=0)
    RasterCollectionTracker(other).refused("compare", files=3)
    assert shown(job_id)["files_processed"] == 1
    assert shown(other)["files_processed"] == 3


def test_other_figures_of_the_job_stay_beside_it(job_id: str) -> None:
    job_progress.context(job_id, bytes_fetched=12)
    job_progress.flush_context(job_id)
    RasterCollectionTracker(job_id).begin(1)
    figures = metrics_repository.transact(lambda c: metrics_repository.contexts(c, [job_id]))
    assert figures[job_id]["bytes_fetched"] == 12
    assert figures[job_id]["raster_collection"]["files_total"] == 1


def test_snapshots_carry_it(job_id: str) -> None:
    RasterCollectionTracker(job_id).begin(12)
    assert job_progress.sample(job_id, force=True)
    [snapshot] = metrics_repository.transact(
        lambda c: metrics_repository.page(c, job_id, limit=5, types=[MetricType.SNAPSHOT])
    )
    assert snapshot.payload["context"]["raster_collection"]["files_total"] == 12


def test_disabled_metrics_write_nothing(job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_ENABLED", "false")
    get_metrics_settings.cache_clear()
    RasterCollectionTracker(job_id).begin(1)
    RasterCollectionTracker(job_id).refused("validate:0")
    assert shown(job_id) == {}


def test_trouble_is_logged_once_and_raises_nothing(
    ledger: database.Connection, job_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    gone = RasterCollectionTracker("0" * 64)  # no such job: the foreign key refuses it
    for number in range(3):
        gone.refused(f"validate:{number}")
    assert caplog.text.count("could not write a job's raster_collection context") == 1
    assert shown(job_id) == {}


def test_a_missing_table_makes_itself(ledger: database.Connection, job_id: str) -> None:
    ledger.execute("DROP TABLE app.job_contributions")
    RasterCollectionTracker(job_id).refused("validate:0")
    assert shown(job_id)["files_processed"] == 1
