"""Metrics that cannot be written: they fail nothing, and somebody notices."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config import get_metrics_settings
from core.errors import Unavailable
from core.models.metrics import MetricRecord, MetricType
from infrastructure import database, job_progress, metrics_losses, metrics_repository
from tests.support.ledger import add_job
from tests.support.metrics import fresh_metrics
from tests.support.settings import app_settings


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fresh_metrics(monkeypatch):
        yield


@pytest.fixture
def job_id(ledger: database.Connection) -> str:
    return add_job(ledger)


class Database:
    """Whether the database can be written to, and whether a job's snapshots can be made."""

    is_down = False
    snapshots_fail = False


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> Database:
    state = Database()
    transact, turn = metrics_repository.transact, metrics_repository.take_turn

    def write(operation: Callable[[database.Connection], Any]) -> Any:
        if state.is_down:
            raise Unavailable("The database does not answer.")
        return transact(operation)

    def take_turn(*arguments: Any) -> bool:
        if state.snapshots_fail:
            raise ZeroDivisionError
        return turn(*arguments)

    monkeypatch.setattr(metrics_repository, "transact", write)
    monkeypatch.setattr(metrics_repository, "take_turn", take_turn)
    return state


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Lines of the log about losses, warnings all of them."""
    lines = [r for r in caplog.records if r.name == metrics_losses.__name__]
    assert all(r.levelno == logging.WARNING for r in lines)
    return [r.getMessage() for r in lines]


def losses_of(job_id: str) -> list[MetricRecord]:
    rows = metrics_repository.transact(
        lambda c: metrics_repository.page(c, job_id, limit=100, types=[MetricType.ERROR])
    )
    return [row for row in rows if row.payload["kind"] == metrics_losses.LOST]


def test_a_database_that_is_down_fails_nothing_and_is_said_once(
    job_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    database.close_pool()
    with app_settings(GEOFORGE_DATABASE_TIMEOUT_SECONDS="0.2"), caplog.at_level("WARNING"):
        for number in range(3):
            job_progress.event(job_id, "note", f"Note {number}")
        assert not job_progress.sample(job_id, force=True)
        job_progress.context(job_id, files=1)
        job_progress.flush(job_id)
    assert [line.split(":")[0] for line in told(caplog)] == [
        "[METRICS] could not write events of jobs",
        "[METRICS] could not write snapshots of jobs",
        "[METRICS] could not write figures of jobs",
    ]
    # The figures are kept, to be tried again.
    assert job_progress.losses.counts == {"events": 3, "snapshots": 1, "figures": 0}


def test_when_it_is_back_the_log_and_the_job_say_what_is_missing(
    job_id: str, fragile: Database, caplog: pytest.LogCaptureFixture
) -> None:
    fragile.is_down = True
    for number in range(3):
        job_progress.event(job_id, "note", f"Note {number}")
    job_progress.sample(job_id, force=True)
    fragile.is_down = False
    caplog.clear()
    for number in range(2):
        job_progress.event(job_id, "note", f"Later {number}")
    job_progress.sample(job_id, force=True)
    assert [line.split(" within")[0] for line in told(caplog)] == [
        "[METRICS] writes events of jobs again: 3 were lost",
        "[METRICS] writes snapshots of jobs again: 1 were lost",
    ]
    [row] = losses_of(job_id)
    assert row.payload == {
        "kind": "metrics_lost",
        "message": "Its progress has gaps: 3 events and 1 snapshot could not be written",
        "details": {"events": 3, "snapshots": 1},
    }
    assert job_progress.losses.untold == {"events": 0, "snapshots": 0, "figures": 0}
    # What this process has lost is never forgotten.
    assert job_progress.losses.counts == {"events": 3, "snapshots": 1, "figures": 0}


def test_every_job_is_told_of_its_own_losses(
    job_id: str, ledger: database.Connection, fragile: Database
) -> None:
    other = add_job(ledger)
    fragile.is_down = True
    job_progress.event(job_id, "note", "Note")
    job_progress.sample(other, force=True)
    fragile.is_down = False
    job_progress.event(job_id, "note", "Note")
    assert [row.payload["details"] for row in losses_of(job_id)] == [{"events": 1}]
    assert [row.payload["details"] for row in losses_of(other)] == [{"snapshots": 1}]


def test_what_fails_for_good_is_told_while_something_else_works_but_does_not_fill_the_log(
    job_id: str, fragile: Database, caplog: pytest.LogCaptureFixture
) -> None:
    fragile.snapshots_fail = True
    for number in range(20):
        assert not job_progress.sample(job_id, force=True)
        job_progress.event(job_id, "note", f"Note {number}")
    assert len(told(caplog)) == 1
    assert [row.payload["details"] for row in losses_of(job_id)] == [{"snapshots": 1}]
    assert job_progress.losses.untold["snapshots"] == 19
    assert job_progress.losses.counts["snapshots"] == 20


def test_one_that_comes_and_goes_does_not_fill_the_log(
    job_id: str, fragile: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        fragile.is_down = not fragile.is_down
        job_progress.event(job_id, "note", f"Note {number}")
    assert len(told(caplog)) == 2
    assert job_progress.losses.counts["events"] == 10


def test_losses_that_cannot_be_told_are_told_later(
    job_id: str, fragile: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile.is_down = True
    job_progress.event(job_id, "note", "Note")
    fragile.is_down = False
    insert = metrics_repository.insert

    def no_errors(*arguments: Any) -> None:
        if arguments[2] is MetricType.ERROR:
            raise Unavailable("The database went away again.")
        insert(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(metrics_repository, "insert", no_errors)
        job_progress.event(job_id, "note", "Note")
    assert losses_of(job_id) == []
    job_progress.event(job_id, "note", "Note")
    assert [row.payload["details"] for row in losses_of(job_id)] == [{"events": 1}]


def test_a_figure_that_cannot_be_written_costs_no_other(
    job_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    endless: list[object] = []
    endless.append(endless)
    job_progress.context(job_id, files=1)
    job_progress.context(job_id, tree=endless)
    job_progress.flush(job_id)
    figures = metrics_repository.transact(lambda c: metrics_repository.contexts(c, [job_id]))
    assert figures[job_id] == {"files": 1}
    assert "could not write figures" in caplog.text
    assert job_progress.losses.counts["figures"] == 1


def test_figures_are_not_kept_without_end(
    job_id: str, fragile: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_progress, "_MOST_KEPT", 3)
    fragile.is_down = True
    job_progress.context(job_id, a=1, b=2, c=3)
    job_progress.flush(job_id)
    assert job_progress.losses.counts["figures"] == 0
    job_progress.context(job_id, d=4)
    job_progress.flush(job_id)
    assert job_progress.losses.counts["figures"] == 4


def test_disabled_metrics_lose_nothing(
    job_id: str, fragile: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_ENABLED", "false")
    get_metrics_settings.cache_clear()
    fragile.is_down = True
    job_progress.event(job_id, "note", "Note")
    job_progress.sample(job_id, force=True)
    job_progress.context(job_id, files=1)
    job_progress.flush(job_id)
    assert sum(job_progress.losses.counts.values()) == 0
