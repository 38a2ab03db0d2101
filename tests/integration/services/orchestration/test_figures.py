"""What tasks report of their work is whole when their job has ended, whoever did them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config import get_metrics_settings
from core.errors import TransientTaskError
from core.job_definition import JobContext, RetryPolicy, TaskContext, TaskSpec
from core.models.metrics import MetricType
from infrastructure import job_progress, metrics_repository
from infrastructure.job_progress_contexts import H3AggregationTracker
from services.orchestration import metrics, reconcile
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Job, Load, define, plan_n, run_messages, stage
from tests.support.metrics import fresh_metrics, new_process

Context = TaskContext[Load]


@pytest.fixture(autouse=True)
def _rarely_written(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No word is written by its age: what is written is what the engine asks for."""
    monkeypatch.setenv("METRICS_SAMPLE_INTERVAL", "60")
    with fresh_metrics(monkeypatch):
        assert get_metrics_settings().sample_interval == 60
        monkeypatch.setattr("infrastructure.job_figures._FIRST_DELAY_SECONDS", 60)
        yield


def compute(context: Context) -> None:
    """A task whose first attempt fails when it has done more than there is."""
    index = context.task["index"]
    tracker = H3AggregationTracker(context.job_id)
    for cells in range(0, 100 + index, 10):
        tracker.cells_processed(f"compute:{index}", cells, cells)
    if context.attempt == 1 and index % 2:
        tracker.cells_processed(f"compute:{index}", 5000, 5000)
        raise TransientTaskError("Its source went away.")
    tracker.cells_processed(f"compute:{index}", 100 + index, 100 + index)
    tracker.tile_processed(f"compute:{index}")


def shown(job: Job) -> dict[str, Any]:
    figures: dict[str, Any] = metrics.job_metrics(job.job_id)["context"]["h3_aggregation"]
    return figures


def test_figures_are_whole_before_a_stage_is_done(engine: Engine) -> None:
    job = engine.job(
        stage(
            handler=compute,
            tasks_per_message=5,
            retry=RetryPolicy(max_attempts=3, first_delay_seconds=0.1),
        ),
        n=20,
    )
    job.open()
    job.work_off()
    # Not closed yet: who closes it is another process, which knows of no words of this one.
    context = shown(job)
    assert context["cells_processed"] == context["stats_computed"] == 20 * 100 + sum(range(20))
    assert context["tiles_processed"] == 20
    job.close()
    assert job.finalize() == "completed"
    rate = context.pop("cells_rate_per_sec")
    ended = shown(job)
    assert ended.pop("cells_rate_per_sec") > 0  # the mean of its run
    assert rate > 0
    assert ended == context


def test_what_planner_and_finalizer_show_is_written_when_they_are_done(engine: Engine) -> None:
    def plan(context: JobContext[Load]) -> Iterator[TaskSpec]:
        H3AggregationTracker(context.job_id).begin(cells_total=100, tiles_discovered=1)
        return plan_n(context)

    def finalize(context: JobContext[Load]) -> dict[str, Any]:
        H3AggregationTracker(context.job_id).working_on("the end")
        return {}

    def seen_by_the_task(context: Context) -> None:
        before.update(shown(job))

    before: dict[str, Any] = {}
    definition = define(stage(planner=plan, handler=seen_by_the_task), finalize=finalize)
    job = engine.submit(definition, n=1)
    assert job.run() == "completed"
    assert before["cells_total"] == 100
    assert shown(job)["current_tile"] == "the end"


def test_a_worker_that_comes_back_from_the_dead_changes_no_sum(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(context: Context) -> None:
        tracker = H3AggregationTracker(context.job_id)
        if context.attempt == 1:
            tracker.cells_processed("compute:0", 30, 30)
            # The lease ends while this worker sleeps; another one does the task.
            job.query("UPDATE app.tasks SET lease_expires_at = now() - interval '1 s'")
            run_messages(messages)
        tracker.cells_processed("compute:0", 40 + context.attempt, 40)

    job = engine.job(stage(handler=slow))
    assert not job.open()
    assert job.mailbox is not None
    messages = job.mailbox.take(job.job_id)
    run_messages(messages)
    job.close()
    assert job.finalize() == "completed"
    assert shown(job)["cells_processed"] == 42


def test_the_reconcilers_timer_takes_a_snapshot_of_a_job_that_stands_still(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = engine.job()
    assert not job.open()
    before = snapshots(job)
    new_process(monkeypatch)
    job.query(
        'UPDATE app.job_metrics SET "timestamp" = "timestamp" - interval \'5 min\''
        " WHERE job_id = %(job_id)s"
    )
    reconcile.reconcile_all()
    assert snapshots(job) == before + 1


def snapshots(job: Job) -> int:
    rows = metrics_repository.transact(
        lambda c: metrics_repository.page(c, job.job_id, limit=9, types=[MetricType.SNAPSHOT])
    )
    return len(rows)


def test_a_handler_that_reports_costs_one_transaction_a_batch(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    put = metrics_repository.put_words

    def counted(*arguments: Any) -> None:
        written.append(len(arguments[2]))
        put(*arguments)

    monkeypatch.setattr(metrics_repository, "put_words", counted)

    def report(context: Context) -> None:
        for cells in range(100):
            H3AggregationTracker(context.job_id).cells_processed(
                f"compute:{context.task['index']}", cells, cells
            )

    job = engine.job(stage(handler=report, tasks_per_message=50, max_parallel=50), n=50)
    assert not job.open()
    assert job.mailbox is not None
    run_messages(job.mailbox.take(job.job_id, 50))
    assert written == [50]
    assert job_progress.losses.counts["figures"] == 0
