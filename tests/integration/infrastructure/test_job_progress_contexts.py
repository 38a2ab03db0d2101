"""The sums that many workers show of one job, and that no task counts twice in them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from config import get_metrics_settings
from core.errors import Unavailable
from core.models.metrics import Attempt, MetricType
from infrastructure import database, job_progress, metrics_repository
from infrastructure.job_figures import speaking_for
from infrastructure.job_progress_contexts import (
    FathomETLTracker,
    H3AggregationTracker,
    ProgressTracker,
    RasterCollectionTracker,
)
from tests.support.engine import eventually
from tests.support.ledger import Stage, Task, add_job
from tests.support.metrics import fresh_metrics, new_process

WORKERS = 8
ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("progress_worker.py")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fresh_metrics(monkeypatch):
        yield


@pytest.fixture
def job_id(ledger: database.Connection) -> str:
    return add_job(ledger)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many words each transaction had that wrote figures."""
    sizes: list[int] = []
    put = metrics_repository.put_words

    def counted(connection: database.Connection, job_id: str, words: Any) -> None:
        sizes.append(len(words))
        put(connection, job_id, words)

    monkeypatch.setattr(metrics_repository, "put_words", counted)
    return sizes


def stored(job_id: str, tracker: type[ProgressTracker]) -> dict[str, Any]:
    """The context as it is in the database; nothing where there is none."""
    figures = metrics_repository.transact(lambda c: metrics_repository.contexts(c, [job_id]))
    context: dict[str, Any] = figures.get(job_id, {}).get(tracker.NAME, {})
    return context


def shown(job_id: str, tracker: type[ProgressTracker] = RasterCollectionTracker) -> dict[str, Any]:
    """The context when all that was said is written."""
    job_progress.flush(job_id)
    return stored(job_id, tracker)


class TestContexts:
    def test_an_aggregation(self, job_id: str) -> None:
        tracker = H3AggregationTracker(job_id)
        tracker.begin(cells_total=90_000, tiles_discovered=3)
        assert shown(job_id, H3AggregationTracker) == {
            "cells_total": 90_000,
            "cells_processed": 0,
            "stats_computed": 0,
            "tiles_discovered": 3,
            "tiles_processed": 0,
        }
        tracker.working_on("block 1")
        tracker.cells_processed("compute_stats:0", cells=30_000, stats=90_000)
        tracker.tile_processed("compute_stats:0")
        tracker.cells_processed("compute_stats:1", cells=10_000, stats=30_000)
        assert shown(job_id, H3AggregationTracker) == {
            "cells_total": 90_000,
            "cells_processed": 40_000,
            "stats_computed": 120_000,
            "tiles_discovered": 3,
            "tiles_processed": 1,
            "current_tile": "block 1",
        }

    def test_fathom_tiles(self, job_id: str) -> None:
        tracker = FathomETLTracker(job_id)
        tracker.begin(tiles_total=16)
        tracker.working_on("n00e006")
        tracker.tile_done("stack:0", tiles=5, bytes_processed=2**33)
        tracker.tile_done("stack:0", tiles=8, bytes_processed=2**34 + 1)
        tracker.region_completed("stack:0")
        tracker.tile_done("stack:1", tiles=1, bytes_processed=1)
        assert shown(job_id, FathomETLTracker) == {
            "tiles_total": 16,
            "tiles_merged": 9,
            "bytes_processed": 2**34 + 2,
            "regions_completed": 1,
            "current_region": "n00e006",
        }

    def test_a_collection_of_rasters(self, job_id: str) -> None:
        tracker = RasterCollectionTracker(job_id)
        tracker.begin(3)
        tracker.working_on("dem/tile_1.tif")
        tracker.cog_created("create_cog:0", bytes_in=1_500_000_000, bytes_out=400_000_001)
        tracker.cog_created("create_cog:1", bytes_in=7, bytes_out=3)
        tracker.refused("validate:2", bytes_in=100_000_000)
        assert shown(job_id) == {
            "files_total": 3,
            "files_processed": 3,
            "cogs_created": 2,
            "input_size_gb": 1.600000007,
            "output_size_gb": 0.400000004,
            "current_file": "dem/tile_1.tif",
        }

    def test_jobs_do_not_mix(self, job_id: str, ledger: database.Connection) -> None:
        other = add_job(ledger)
        RasterCollectionTracker(job_id).refused("validate:0", bytes_in=0)
        RasterCollectionTracker(other).refused("compare", files=3)
        assert shown(job_id)["files_processed"] == 1
        assert shown(other)["files_processed"] == 3

    def test_contexts_and_other_figures_of_a_job_stay_beside_each_other(self, job_id: str) -> None:
        job_progress.context(job_id, bytes_fetched=12)
        RasterCollectionTracker(job_id).begin(1)
        FathomETLTracker(job_id).begin(2)
        job_progress.flush(job_id)
        figures = metrics_repository.transact(lambda c: metrics_repository.contexts(c, [job_id]))
        assert figures[job_id]["bytes_fetched"] == 12
        assert figures[job_id]["raster_collection"]["files_total"] == 1
        assert figures[job_id]["fathom_etl"]["tiles_total"] == 2

    def test_snapshots_carry_them_with_their_rate(self, ledger: database.Connection) -> None:
        job_id = add_job(ledger, Stage(began=10), created=20)
        H3AggregationTracker(job_id).cells_processed("a", cells=1000, stats=1000)
        assert job_progress.sample(job_id, force=True)
        [snapshot] = metrics_repository.transact(
            lambda c: metrics_repository.page(c, job_id, limit=5, types=[MetricType.SNAPSHOT])
        )
        context = snapshot.payload["context"]["h3_aggregation"]
        # In the 20 s until now, and in however long it took to ask.
        assert 0 < context.pop("cells_rate_per_sec") <= 50
        assert context == {"cells_processed": 1000, "stats_computed": 1000}

    def test_disabled_metrics_write_nothing(
        self, job_id: str, monkeypatch: pytest.MonkeyPatch, writes: list[int]
    ) -> None:
        monkeypatch.setenv("METRICS_ENABLED", "false")
        get_metrics_settings.cache_clear()
        RasterCollectionTracker(job_id).begin(1)
        RasterCollectionTracker(job_id).refused("validate:0")
        assert shown(job_id) == {}
        assert writes == []

    def test_a_missing_table_makes_itself(self, ledger: database.Connection, job_id: str) -> None:
        ledger.execute("DROP TABLE app.job_contributions")
        RasterCollectionTracker(job_id).refused("validate:0")
        assert shown(job_id)["files_processed"] == 1


class TestSampling:
    def test_a_task_that_reports_often_does_not_cost_a_transaction_each(
        self, job_id: str, writes: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("METRICS_SAMPLE_INTERVAL", "60")
        get_metrics_settings.cache_clear()
        tracker = H3AggregationTracker(job_id)
        for cells in range(1, 2001):
            tracker.working_on(f"block {cells % 7}")
            tracker.cells_processed("compute_stats:0", cells, cells)
        # At most the one that the first word is owed, however slow this machine is.
        assert len(writes) <= 1
        assert shown(job_id, H3AggregationTracker)["cells_processed"] == 2000
        assert len(writes) <= 2

    def test_what_nobody_asks_for_is_written_within_an_interval(
        self, job_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("METRICS_SAMPLE_INTERVAL", "1")
        get_metrics_settings.cache_clear()
        tracker = H3AggregationTracker(job_id)

        def is_written(cells: int) -> bool:
            return stored(job_id, H3AggregationTracker).get("cells_processed") == cells

        for cells in (10, 20):  # the second comes when an interval is running already
            tracker.cells_processed("compute_stats:0", cells, cells)
            eventually("the last word is written", partial(is_written, cells))
        # A task that runs for an hour is seen moving: its words bring snapshots with them.
        eventually(
            "there is a snapshot",
            lambda: metrics_repository.transact(
                lambda c: metrics_repository.page(c, job_id, limit=5, types=[MetricType.SNAPSHOT])
            ),
        )

    def test_tasks_of_one_process_are_written_together(
        self, job_id: str, writes: list[int]
    ) -> None:
        for number in range(100):
            RasterCollectionTracker(job_id).refused(f"validate:{number}")
        assert shown(job_id)["files_processed"] == 100
        assert len(writes) <= 2


class TestAttempts:
    """Task 0 of a job is being done; who may speak for it is what the ledger says."""

    @pytest.fixture
    def job_id(self, ledger: database.Connection) -> str:
        return add_job(ledger, tasks=(Task(0, status="running"), Task(1, status="running")))

    @staticmethod
    def claim_again(ledger: database.Connection) -> None:
        ledger.execute("UPDATE app.tasks SET attempt = attempt + 1 WHERE task_index = 0")

    @staticmethod
    def tracker(job_id: str, attempt: int, task: int = 0) -> H3AggregationTracker:
        with speaking_for(Attempt(0, task, attempt)):
            return H3AggregationTracker(job_id)

    def test_a_later_word_takes_the_place_of_the_earlier_ones(self, job_id: str) -> None:
        first = self.tracker(job_id, 1)
        first.cells_processed("a", 10, 20)
        assert shown(job_id, H3AggregationTracker)["cells_processed"] == 10
        first.cells_processed("a", 15, 30)
        assert shown(job_id, H3AggregationTracker)["cells_processed"] == 15
        first.tile_processed("a")
        # What is not said anew stays.
        assert shown(job_id, H3AggregationTracker) == {
            "cells_processed": 15,
            "stats_computed": 30,
            "tiles_processed": 1,
        }

    def test_a_second_attempt_takes_back_all_that_the_first_said(
        self, job_id: str, ledger: database.Connection
    ) -> None:
        first = self.tracker(job_id, 1)
        first.cells_processed("a", 10, 20)
        first.tile_processed("a")
        self.tracker(job_id, 1, task=1).cells_processed("b", 100, 100)
        assert shown(job_id, H3AggregationTracker)["tiles_processed"] == 1
        self.claim_again(ledger)
        self.tracker(job_id, 2).cells_processed("a", 3, 6)
        assert shown(job_id, H3AggregationTracker) == {
            "cells_processed": 103,
            "stats_computed": 106,
            "tiles_processed": 0,
        }

    @pytest.mark.parametrize("same_process", [True, False])
    def test_a_worker_that_was_given_up_is_not_heard_any_more(
        self,
        job_id: str,
        ledger: database.Connection,
        monkeypatch: pytest.MonkeyPatch,
        same_process: bool,
    ) -> None:
        lost = self.tracker(job_id, 1)
        lost.cells_processed("a", 10, 10)
        job_progress.flush(job_id)
        self.claim_again(ledger)
        self.tracker(job_id, 2).cells_processed("a", 40, 40)
        if not same_process:
            job_progress.flush(job_id)
            new_process(monkeypatch)
        lost.cells_processed("a", 20, 20)  # it has only slept
        assert shown(job_id, H3AggregationTracker)["cells_processed"] == 40

    def test_of_two_tasks_that_take_one_name_the_last_word_counts(self, job_id: str) -> None:
        """As two strips of one file do, each of which says that the file is refused."""
        for task, cells in ((0, 10), (1, 20), (0, 30)):
            self.tracker(job_id, 1, task).cells_processed("shared", cells, cells)
        assert shown(job_id, H3AggregationTracker)["cells_processed"] == 30

    def test_a_task_that_has_ended_may_still_have_its_last_word(
        self, job_id: str, ledger: database.Connection
    ) -> None:
        tracker = self.tracker(job_id, 1)
        tracker.cells_processed("a", 10, 10)
        ledger.execute("UPDATE app.tasks SET status = 'completed', lease_expires_at = NULL")
        assert shown(job_id, H3AggregationTracker)["cells_processed"] == 10


class TestExactness:
    def test_threads_at_the_same_time_lose_nothing(self, job_id: str) -> None:
        together = threading.Barrier(WORKERS)

        def work(worker: int) -> None:
            tracker = RasterCollectionTracker(job_id)
            together.wait()
            tracker.begin(WORKERS * 5)
            for number in range(5):
                # The last is a task that all workers take for theirs.
                task = "shared" if number == 4 else f"create_cog:{worker}.{number}"
                tracker.working_on(task)
                tracker.cog_created(task, bytes_in=1_000_000_000, bytes_out=500_000_000)
                job_progress.flush(job_id)

        with ThreadPoolExecutor(WORKERS) as workers:
            list(workers.map(work, range(WORKERS)))
        context = shown(job_id)
        assert context["cogs_created"] == context["files_processed"] == WORKERS * 4 + 1
        assert context["output_size_gb"] == (WORKERS * 4 + 1) / 2

    def test_processes_retries_and_a_killed_worker(self, ledger: database.Connection) -> None:
        """Each of three processes has four threads, that all do tasks of their own, some in two
        attempts. One is killed amid its tasks, and another does them again."""
        tasks = 12
        job_id = add_job(ledger, tasks=tuple(Task(index) for index in range(3 * tasks)))

        with ExitStack() as stack:

            def start(first: int, attempt: int, mode: str) -> subprocess.Popen[str]:
                words = [job_id, str(first), str(tasks), str(attempt), mode]
                process = subprocess.Popen(
                    [sys.executable, str(WORKER), *words],
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                stack.enter_context(process)
                stack.callback(process.kill)
                return process

            def written(process: subprocess.Popen[str]) -> None:
                assert process.stdout is not None
                assert process.stdout.readline() == "written\n"

            workers = [start(0, 1, "whole"), start(tasks, 1, "whole"), start(2 * tasks, 1, "half")]
            for worker in workers:
                written(worker)
            workers[2].send_signal(signal.SIGKILL)
            ledger.execute(
                "UPDATE app.tasks SET attempt = 2 WHERE job_id = %s AND task_index >= %s",
                (job_id, 2 * tasks),
            )
            workers.append(start(2 * tasks, 2, "whole"))
            written(workers[3])
            for worker in workers:
                worker.communicate("" if worker is workers[2] else "go\n", timeout=60)
        assert [worker.returncode for worker in workers] == [0, 0, -signal.SIGKILL, 0]
        assert stored(job_id, H3AggregationTracker) == {
            "cells_processed": sum(100 + index for index in range(3 * tasks)),
            "stats_computed": sum(200 + index for index in range(3 * tasks)),
            "tiles_processed": 3 * tasks,
        }


class TestTrouble:
    def test_a_job_that_does_not_exist_is_counted_and_raises_nothing(
        self, ledger: database.Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        gone = RasterCollectionTracker("0" * 64)  # the foreign key refuses it
        for number in range(3):
            gone.refused(f"validate:{number}")
            job_progress.flush(gone.job_id)
        assert caplog.text.count("could not write figures") == 1
        assert job_progress.losses.counts["figures"] == 3

    @pytest.mark.parametrize("amount", [float("nan"), float("inf")])
    def test_an_amount_that_is_no_number_spoils_no_sum(
        self, job_id: str, amount: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        tracker = H3AggregationTracker(job_id)
        tracker.cells_processed("a", 10, 10)
        tracker.cells_processed("b", amount, 10)  # type: ignore[arg-type]
        assert shown(job_id, H3AggregationTracker)["cells_processed"] == 10
        assert job_progress.losses.counts["figures"] == 1
        assert "h3_aggregation.cells_processed" in caplog.text

    def test_what_was_said_while_the_database_was_down_is_written_when_it_is_back(
        self, job_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        transact = metrics_repository.transact
        is_down = True

        def fragile(operation: Callable[[database.Connection], Any]) -> Any:
            if is_down:
                raise Unavailable("The database does not answer.")
            return transact(operation)

        monkeypatch.setattr(metrics_repository, "transact", fragile)
        tracker = H3AggregationTracker(job_id)
        tracker.cells_processed("a", 10, 10)
        tracker.cells_processed("b", 5, 5)
        job_progress.flush(job_id)
        tracker.cells_processed("a", 12, 12)  # newer than the one that was kept
        job_progress.flush(job_id)
        is_down = False
        assert shown(job_id, H3AggregationTracker)["cells_processed"] == 17
        assert job_progress.losses.counts["figures"] == 0
