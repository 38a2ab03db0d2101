"""What the housekeeping timer removes of the metrics, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func
import pytest

from config import get_metrics_settings, get_settings
from core.models.metrics import Attempt, MetricRecord, MetricType
from infrastructure import database, job_progress, metrics_repository
from infrastructure.job_figures import speaking_for
from infrastructure.job_progress_contexts import H3AggregationTracker
from tests.support.ledger import Task, add_job
from tests.support.metrics import fresh_metrics

RETENTION_MINUTES = 10
LONG_AGO = 60 * RETENTION_MINUTES + 100


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("METRICS_RETENTION_MINUTES", str(RETENTION_MINUTES))
    with fresh_metrics(monkeypatch):
        assert get_metrics_settings().retention_minutes == RETENTION_MINUTES
        yield


def rows(job_id: str) -> list[MetricRecord]:
    return metrics_repository.transact(lambda c: metrics_repository.page(c, job_id, limit=1000))


def write(connection: database.Connection, job_id: str, kind: MetricType, minutes: float) -> None:
    connection.execute(
        'INSERT INTO app.job_metrics (job_id, "timestamp", metric_type, payload)'
        " VALUES (%s, now() - %s, %s, %s)",
        (job_id, timedelta(minutes=minutes), kind, json.dumps({"kind": "k", "message": "m"})),
    )


def contributions(connection: database.Connection, job_id: str) -> int:
    row = connection.execute(
        "SELECT count(*) AS n FROM app.job_contributions WHERE job_id = %s", (job_id,)
    ).fetchone()
    assert row is not None
    return int(row["n"])


def cells(job_id: str) -> float:
    figures = metrics_repository.transact(lambda c: metrics_repository.contexts(c, [job_id]))
    return float(figures[job_id]["h3_aggregation"]["cells_processed"])


def report(job_id: str, amount: int, attempt: int = 1) -> None:
    with speaking_for(Attempt(0, 0, attempt)):
        H3AggregationTracker(job_id).cells_processed("compute_stats:0", amount, amount)
    job_progress.flush(job_id)


def test_old_snapshots_go_and_young_ones_stay(ledger: database.Connection) -> None:
    job_id = add_job(ledger)
    write(ledger, job_id, MetricType.SNAPSHOT, 11)
    write(ledger, job_id, MetricType.DEBUG, 11)
    write(ledger, job_id, MetricType.SNAPSHOT, 9)
    assert job_progress.prune() == 2
    assert len(rows(job_id)) == 1


def test_events_stay_while_their_job_runs_and_as_long_after_it(
    ledger: database.Connection,
) -> None:
    running = add_job(ledger)
    just_ended = add_job(ledger, status="completed", created=3000, ended=60)
    long_ended = add_job(ledger, status="completed", created=3000, ended=LONG_AGO)
    for job_id in (running, just_ended, long_ended):
        write(ledger, job_id, MetricType.EVENT, 40)
        write(ledger, job_id, MetricType.ERROR, 40)
    assert job_progress.prune() == 2
    assert len(rows(running)) == len(rows(just_ended)) == 2
    assert rows(long_ended) == []


def test_what_tasks_gave_goes_when_their_job_is_long_over_and_the_sums_stay(
    ledger: database.Connection,
) -> None:
    task = (Task(0),)
    running = add_job(ledger, tasks=task)
    just_ended = add_job(ledger, status="completed", created=3000, ended=60, tasks=task)
    long_ended = add_job(ledger, status="completed", created=3000, ended=LONG_AGO, tasks=task)
    for job_id in (running, just_ended, long_ended):
        report(job_id, 7)
    job_progress.prune()
    assert [contributions(ledger, j) for j in (running, just_ended, long_ended)] == [1, 1, 0]
    assert [cells(job_id) for job_id in (running, just_ended, long_ended)] == [7, 7, 7]


def test_a_job_that_is_resumed_after_the_retention_counts_its_task_once(
    ledger: database.Connection,
) -> None:
    task = (Task(0, status="failed"),)
    job_id = add_job(ledger, status="failed", created=3000, ended=LONG_AGO, tasks=task)
    report(job_id, 7)  # and then the task failed
    job_progress.prune()
    ledger.execute("UPDATE app.tasks SET attempt = 2 WHERE job_id = %s", (job_id,))
    report(job_id, 10, attempt=2)
    assert cells(job_id) == 10
    # Its work files are gone: it cannot be resumed any more.
    ledger.execute("UPDATE app.jobs SET work_removed_at = now() WHERE job_id = %s", (job_id,))
    job_progress.prune()
    assert contributions(ledger, job_id) == 0


def test_a_timer_of_the_app_prunes(
    ledger: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the host calls it: what is registered, when it is due, and what it does."""
    # The schedules are read when it is imported.
    from jobs import orchestration

    for other in ("drop_abandoned", "holding", "cataloguing", "overviews"):
        monkeypatch.setattr(orchestration, other, _Nothing())
    app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
    app.register_functions(orchestration.bp)
    timer = {each.get_function_name(): each for each in app.get_functions()}["keep_house"]
    [trigger] = [b for b in timer.get_bindings() if b.type == "timerTrigger"]
    assert trigger.schedule == get_settings().housekeeping_schedule
    job_id = add_job(ledger, status="completed", created=3000, ended=LONG_AGO, tasks=(Task(0),))
    write(ledger, job_id, MetricType.SNAPSHOT, 11)
    report(job_id, 7)
    # Its work files are another matter, of which there is a test elsewhere.
    ledger.execute("UPDATE app.jobs SET work_removed_at = now()")
    timer.get_user_function()(timer=None)
    assert rows(job_id) == []
    assert contributions(ledger, job_id) == 0


class _Nothing:
    """In the place of the timer's other tasks."""

    def __call__(self) -> None: ...

    refresh = sweep = __call__
