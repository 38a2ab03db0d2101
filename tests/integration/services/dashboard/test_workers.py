"""Processes that live are on the list, those that hang or died too, those replaced are not."""

from __future__ import annotations

import os
import threading

import pytest

from core.models.task import ClaimedTask
from core.models.throughput import Span
from core.models.worker import WorkerState
from infrastructure import database
from infrastructure.process_memory import proportional_bytes
from services.dashboard import pulse, throughput, workers
from services.dashboard.workers import Heart
from services.orchestration.leases import keeper
from tests.support.engine import eventually
from tests.support.ledger import Stage, add_job
from tests.support.metrics import fresh_metrics


def test_a_beat_tells_what_the_process_is_at(charts: database.Connection) -> None:
    job_id = add_job(charts, Stage(total=9), job_type="process_raster")
    heart = Heart()
    heart.beat()
    [idle] = workers.recent()
    assert (idle.pid, idle.state, idle.tasks, idle.busy) == (os.getpid(), "alive", 0, ())
    assert idle.memory_bytes == pytest.approx(proportional_bytes(os.getpid()), rel=0.5)
    tasks = [ClaimedTask(index, 1, 0, {}) for index in range(3)]
    with keeper.hold(job_id, 0, tasks, lease_seconds=3600):
        heart.beat()
    [busy] = workers.recent()
    assert (busy.worker_id, busy.tasks) == (idle.worker_id, 3)
    assert busy.pool.size >= 1
    [work] = busy.busy
    assert (work.job_id, work.stage, work.tasks) == (job_id, 0, 3)
    assert busy.job_types == {job_id: "process_raster"}
    assert busy.last_seen > idle.last_seen


def test_one_that_hangs_is_silent_and_one_that_is_gone_for_long_is_not_shown(
    charts: database.Connection,
) -> None:
    Heart().beat()
    for age, states in (("30 seconds", [WorkerState.SILENT]), ("11 minutes", [])):
        charts.execute(
            f"UPDATE app.workers SET last_seen = now() - interval '{age}',"
            " started_at = now() - interval '1 day'"
        )
        assert [worker.state for worker in workers.recent()] == states
    charts.execute("UPDATE app.workers SET last_seen = now() - interval '2 hours'")
    Heart().beat()
    assert charts.execute("SELECT count(*) AS n FROM app.workers").fetchone() == {"n": 1}


def test_one_in_whose_place_another_began_is_not_shown(charts: database.Connection) -> None:
    Heart().beat()
    charts.execute(
        "UPDATE app.workers SET last_seen = now() - interval '30 seconds',"
        " started_at = now() - interval '1 day'"
    )
    Heart().beat()
    assert [worker.state for worker in workers.recent()] == [WorkerState.ALIVE]
    # One of another machine is not replaced by it.
    charts.execute(
        "UPDATE app.workers SET instance = 'elsewhere' WHERE started_at < now() - interval '1 hour'"
    )
    assert [worker.state for worker in workers.recent()] == ["silent", "alive"]


def test_a_process_beats_until_it_is_stopped_and_counts_tasks(
    charts: database.Connection,
) -> None:
    add_job(charts, Stage(total=9, completed=4))
    mine = pulse.Pulse()
    mine.start()
    try:
        eventually("a first beat", lambda: workers.recent())
        eventually(
            "a first count", lambda: throughput.history(Span.HOUR).throughput.total.ended == 4
        )
    finally:
        mine.stop()
    assert "pulse" not in {thread.name for thread in threading.enumerate()}


def test_trouble_is_logged_once_and_the_next_beat_tries_again(
    charts: database.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> bool:
        raise RuntimeError("no room")

    mine = pulse.Pulse()
    with monkeypatch.context() as trouble:
        trouble.setattr(throughput, "count", fail)
        for _ in range(3):
            mine.beat()
    mine.beat()
    told = [record.message for record in caplog.records if "dashboard" in record.message]
    assert told == [
        "the dashboard's figures cannot be written: no room",
        "the dashboard's figures are written again",
    ]


def test_nothing_is_written_while_metrics_are_off(
    charts: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_ENABLED", "false")
    with fresh_metrics(monkeypatch):
        mine = pulse.Pulse()
        mine.start()
        mine.stop()
    assert workers.recent() == []
