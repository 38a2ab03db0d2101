"""What every job tells of itself, and that telling it costs no task."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from config import get_metrics_settings
from core.models.metrics import MetricRecord, MetricType
from infrastructure import database, job_progress, metrics_repository
from infrastructure.job_figures import Words
from tests.support.engine import eventually
from tests.support.ledger import Stage, add_job
from tests.support.metrics import fresh_metrics, new_process


@pytest.fixture
def connection(
    ledger: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> Iterator[database.Connection]:
    """The ledger, in a process that has just begun."""
    with fresh_metrics(monkeypatch):
        yield ledger


@pytest.fixture
def metrics_settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets METRICS_* for the rest of the test."""

    def change(**settings: str) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(f"METRICS_{name.upper()}", value)
        get_metrics_settings.cache_clear()

    return change


def rows(job_id: str, *types: MetricType) -> list[MetricRecord]:
    """The job's rows, oldest first."""
    return metrics_repository.transact(
        lambda c: metrics_repository.page(c, job_id, limit=1000, types=types or None)
    )[::-1]


def test_a_snapshot_has_progress_rates_context_and_recent_events(
    connection: database.Connection,
) -> None:
    job_id = add_job(connection, Stage("copy", total=50, completed=18, failed=2, began=30))
    for number in range(12):
        job_progress.event(job_id, "note", f"Note {number}", number=number)
    job_progress.context(job_id, files_copied=18)
    job_progress.flush(job_id)
    assert job_progress.sample(job_id)

    [snapshot] = rows(job_id, MetricType.SNAPSHOT)
    assert snapshot.payload["progress"] == {
        "stage": 0,
        "total_stages": 1,
        "stage_name": "copy",
        "tasks_total": 50,
        "tasks_completed": 18,
        "tasks_failed": 2,
        "progress_pct": 40.0,
    }
    rates = snapshot.payload["rates"]
    # 20 in the 30 s until now, and in however long it took to ask.
    assert 20 < rates["tasks_per_minute"] <= 40
    assert 45 <= rates["eta_seconds"] < 90
    assert rates["error_rate_pct"] == 10.0
    assert 31 <= rates["elapsed_seconds"] < 61
    assert snapshot.payload["context"] == {"files_copied": 18}
    recent = [event["message"] for event in snapshot.payload["recent_events"]]
    assert recent == [f"Note {number}" for number in range(11, 1, -1)]
    for event in snapshot.payload["recent_events"]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["timestamp"])


def test_events_and_errors_are_kept_with_their_details(connection: database.Connection) -> None:
    job_id = add_job(connection)
    job_progress.event(job_id, "stage_completed", "Stage copy completed", stage=0)
    job_progress.event(job_id, "job_failed", "No container", error=True)
    event, error = rows(job_id)
    assert event.metric_type is MetricType.EVENT
    assert event.payload == {
        "kind": "stage_completed",
        "message": "Stage copy completed",
        "details": {"stage": 0},
    }
    assert error.metric_type is MetricType.ERROR


class TestSampling:
    def test_of_many_workers_at_once_one_writes(
        self,
        connection: database.Connection,
        monkeypatch: pytest.MonkeyPatch,
        metrics_settings: Callable[..., None],
    ) -> None:
        metrics_settings(sample_interval="60")
        job_id = add_job(connection)
        # As if each thread were a worker process of its own.
        monkeypatch.setattr(job_progress._Throttle, "passes", lambda *_: True)
        together = threading.Barrier(12)

        def work(_: int) -> bool:
            together.wait()
            return any(job_progress.sample(job_id) for _ in range(5))

        with ThreadPoolExecutor(12) as workers:
            wrote = list(workers.map(work, range(12)))
        assert sum(wrote) == 1
        assert len(rows(job_id, MetricType.SNAPSHOT)) == 1

    def test_the_next_comes_when_the_last_is_old(
        self,
        connection: database.Connection,
        monkeypatch: pytest.MonkeyPatch,
        metrics_settings: Callable[..., None],
    ) -> None:
        metrics_settings(sample_interval="60")
        job_id = add_job(connection)
        assert job_progress.sample(job_id)
        assert not job_progress.sample(job_id)
        # Another process, which has asked for nothing yet: the database says how old the last is.
        new_process(monkeypatch)
        assert not job_progress.sample(job_id)
        metrics_settings(sample_interval="1")
        eventually("the last is old", lambda: job_progress.sample(job_id))

    def test_a_process_asks_the_database_once_an_interval(
        self,
        connection: database.Connection,
        monkeypatch: pytest.MonkeyPatch,
        metrics_settings: Callable[..., None],
    ) -> None:
        metrics_settings(sample_interval="60")
        job_id = add_job(connection)
        asked = []
        transact = metrics_repository.transact
        monkeypatch.setattr(
            metrics_repository, "transact", lambda operation: asked.append(1) or transact(operation)
        )
        for _ in range(1000):
            job_progress.sample(job_id)
        assert len(asked) == 1

    def test_a_forced_one_is_always_written(self, connection: database.Connection) -> None:
        job_id = add_job(connection)
        assert job_progress.sample(job_id)
        assert job_progress.sample(job_id, force=True)
        assert len(rows(job_id, MetricType.SNAPSHOT)) == 2

    def test_jobs_do_not_throttle_each_other(self, connection: database.Connection) -> None:
        assert job_progress.sample(add_job(connection))
        assert job_progress.sample(add_job(connection))

    def test_an_unknown_job_has_none(self, connection: database.Connection) -> None:
        assert not job_progress.sample("f" * 64)
        assert rows("f" * 64) == []


class TestContext:
    def test_figures_of_several_workers_are_merged(self, connection: database.Connection) -> None:
        job_id = add_job(connection)
        for figures in ({"files": 1, "bytes": 10}, {"files": 2}, {"item": "a"}):
            job_progress.context(job_id, **figures)
            job_progress.flush(job_id)
        assert self.figures(job_id) == {"files": 2, "bytes": 10, "item": "a"}

    def test_they_are_written_together_a_moment_later(
        self, connection: database.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job_id = add_job(connection)
        written: list[Words] = []
        put = metrics_repository.put_words

        def noted(connection: database.Connection, job_id: str, words: Words) -> None:
            written.append(words)
            put(connection, job_id, words)

        monkeypatch.setattr(metrics_repository, "put_words", noted)
        for number in range(500):
            job_progress.context(job_id, number=number)
        eventually("the last is written", lambda: self.figures(job_id) == {"number": 499})
        # Each moment's together, however long the 500 took.
        assert len(written) < 100

    def test_a_forced_snapshot_has_the_latest(self, connection: database.Connection) -> None:
        job_id = add_job(connection)
        job_progress.context(job_id, files=7)
        job_progress.sample(job_id, force=True)
        [snapshot] = rows(job_id, MetricType.SNAPSHOT)
        assert snapshot.payload["context"] == {"files": 7}

    def test_what_json_does_not_know_is_shown_as_text(
        self, connection: database.Connection
    ) -> None:
        job_id = add_job(connection)
        job_progress.context(job_id, file=Path("a/b.tif"), day=date(2026, 5, 1))
        job_progress.flush(job_id)
        assert self.figures(job_id) == {"file": "a/b.tif", "day": "2026-05-01"}

    def test_what_jsonb_cannot_hold_is_shown_as_text(self, connection: database.Connection) -> None:
        job_id = add_job(connection)
        began = datetime(2026, 5, 1, 12, tzinfo=UTC)
        job_progress.context(
            job_id, ratio=float("nan"), file="a\0b", name="\udce9.tif", began=began
        )
        job_progress.flush(job_id)
        assert self.figures(job_id) == {
            "ratio": "nan",
            "file": "a\\0b",
            "name": "\\udce9.tif",
            "began": "2026-05-01T12:00:00+00:00",
        }

    @staticmethod
    def figures(job_id: str) -> dict[str, object]:
        return metrics_repository.transact(lambda c: metrics_repository.contexts(c, [job_id])).get(
            job_id, {}
        )


class TestTrouble:
    def test_missing_tables_make_themselves(self, connection: database.Connection) -> None:
        job_id = add_job(connection)
        connection.execute("DROP TABLE app.job_metrics, app.job_context, app.job_contributions")
        with ThreadPoolExecutor(4) as workers:
            list(workers.map(lambda n: job_progress.event(job_id, "note", f"{n}"), range(4)))
        job_progress.context(job_id, files=1)
        assert job_progress.sample(job_id, force=True)
        assert len(rows(job_id)) == 5

    def test_a_column_that_is_missing_makes_itself(self, connection: database.Connection) -> None:
        """A worker may be newer than its database: no figure is lost until it is migrated."""
        job_id = add_job(connection)
        connection.execute("ALTER TABLE app.job_contributions DROP COLUMN said_by")
        job_progress.contribute(job_id, "h3_aggregation", "a", None, {"cells_processed": 5})
        job_progress.flush(job_id)
        assert TestContext.figures(job_id) == {"h3_aggregation": {"cells_processed": 5}}
        assert job_progress.losses.counts["figures"] == 0

    def test_tables_that_made_themselves_are_those_of_the_migrations(
        self, connection: database.Connection
    ) -> None:
        shape = """
            SELECT table_name, column_name, data_type, is_nullable, column_default
            FROM information_schema.columns
            WHERE table_schema = 'app'
              AND table_name IN ('job_metrics', 'job_context', 'job_contributions')
            ORDER BY table_name, ordinal_position
        """
        migrated = connection.execute(shape).fetchall()
        connection.execute("DROP TABLE app.job_metrics, app.job_context, app.job_contributions")
        metrics_repository.bootstrap()
        assert connection.execute(shape).fetchall() == migrated


class TestSettings:
    def test_disabled_metrics_write_nothing(
        self, connection: database.Connection, metrics_settings: Callable[..., None]
    ) -> None:
        metrics_settings(enabled="false")
        job_id = add_job(connection)
        job_progress.event(job_id, "note", "Note")
        assert not job_progress.sample(job_id, force=True)
        job_progress.context(job_id, files=1)
        job_progress.flush(job_id)
        assert rows(job_id) == []
        assert TestContext.figures(job_id) == {}

    def test_debug_mode_tells_who_wrote_and_what_it_cost(
        self, connection: database.Connection, metrics_settings: Callable[..., None]
    ) -> None:
        metrics_settings(debug_mode="true")
        job_id = add_job(connection)
        job_progress.sample(job_id)
        [debug] = rows(job_id, MetricType.DEBUG)
        assert debug.payload["wrote"] == "snapshot"
        assert set(debug.payload) == {"wrote", "milliseconds", "pid"}

    def test_log_lines_begin_with_the_prefix(
        self,
        connection: database.Connection,
        metrics_settings: Callable[..., None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        metrics_settings(log_prefix="[M]")
        with caplog.at_level("INFO"):
            job_progress.event(add_job(connection), "note", "Note")
        assert "[M] note: Note" in caplog.messages
