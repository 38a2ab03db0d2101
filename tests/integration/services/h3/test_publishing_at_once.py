"""Readers see a dataset as it was before a job or after it, whatever becomes of the job."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.h3_index import all_cells
from infrastructure import database, h3_loading, h3_repository
from infrastructure.database import Connection
from infrastructure.h3_loading import Staged
from infrastructure.locks import Space, lock_patiently, try_lock
from tests.support.h3_job import aggregation, cells_around, publish, rows
from tests.support.run_job import TaskFailed

HILLS = cells_around(47.0, 11.0)
OF_BEFORE = (frozenset({1.0}), len(HILLS), (1.0, 1.0))
OF_AFTER = (frozenset({2.0}), len(HILLS) - 7, (2.0, 2.0))


class Stopped(Exception):
    """The job is stopped in the middle."""


def seen(connection: Connection) -> tuple[frozenset[float], int, tuple[float, float]]:
    """The values of the dataset, how many, and what is said of them, at one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = h3_repository.dataset(connection, "hills")
        assert found is not None
        values = [
            float(value)
            for batch in h3_repository.rows(
                connection, "elevation", "hills", 1, ("mean",), [all_cells(6)]
            )
            for value in batch.values["mean"]
        ]
    [layer] = found.layers
    assert layer.cells == len(values)
    return frozenset(values), len(values), layer.statistics["mean"]


@pytest.fixture
def before(db: Connection) -> Connection:
    """A connection to a database in which all hills are 1 high."""
    publish(aggregation([rows(HILLS, mean=1.0)]))
    assert seen(db) == OF_BEFORE
    return db


def after() -> list[object]:
    """What another job computes: seven hills are gone, and the others are 2 high."""
    return [rows(HILLS[:7], mean=None, pixel_count=0.0), rows(HILLS[7:], mean=2.0)]


def test_readers_see_what_was_before_until_all_is_there(
    before: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_is_written, may_commit = threading.Event(), threading.Event()
    put_layer = h3_loading.put_layer

    def and_wait(*given: object, **named: object) -> None:
        put_layer(*given, **named)  # type: ignore[arg-type]
        everything_is_written.set()
        assert may_commit.wait(120)

    monkeypatch.setattr(h3_loading, "put_layer", and_wait)
    with ThreadPoolExecutor(1) as threads:
        publishing_it = threads.submit(publish, aggregation(after()))
        try:
            assert everything_is_written.wait(120)
            assert seen(before) == OF_BEFORE
        finally:
            may_commit.set()
        publishing_it.result(120)
    assert seen(before) == OF_AFTER


@pytest.mark.parametrize("step", ["close", "load"])
def test_a_job_that_fails_in_the_middle_leaves_nothing(
    before: Connection, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    original = getattr(Staged, step)

    def then_fail(*given: object) -> object:
        original(*given)
        raise Stopped

    run = aggregation(after())
    with monkeypatch.context() as broken:
        broken.setattr(Staged, step, then_fail)
        with pytest.raises(TaskFailed) as failed:
            publish(run)
    assert isinstance(failed.value.__cause__, Stopped)
    assert seen(before) == OF_BEFORE
    # The next attempt finds the lock free, and the same files.
    publish(run)
    assert seen(before) == OF_AFTER


def test_a_job_that_is_cancelled_after_its_last_row_leaves_nothing(before: Connection) -> None:
    run = aggregation(after())
    checks = 0

    def count() -> None:
        nonlocal checks
        checks += 1

    run.on_check = count
    publish(run)
    publish(aggregation([rows(HILLS, mean=1.0)]))
    left = checks

    def stop_at_the_last() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Stopped

    other = aggregation(after())
    other.on_check = stop_at_the_last
    with pytest.raises(TaskFailed):
        publish(other)
    assert seen(before) == OF_BEFORE


def test_jobs_of_one_dataset_write_one_after_the_other(before: Connection) -> None:
    waits = threading.Event()
    run = aggregation(after())
    with database.connect() as holder:
        lock_patiently(holder, lambda: None, Space.H3_DATASET, "hills")

        def look() -> None:
            # The lock is asked for once all files are read.
            if "cells_staged" in run.figures:
                waits.set()

        run.on_check = look
        with ThreadPoolExecutor(1) as threads:
            publishing_it = threads.submit(publish, run)
            try:
                assert waits.wait(120)
                assert seen(before) == OF_BEFORE
                assert not publishing_it.done()
            finally:
                holder.rollback()
            publishing_it.result(120)
    assert seen(before) == OF_AFTER
    with before.transaction():
        assert try_lock(before, Space.H3_DATASET, "hills")


def test_a_theme_has_one_partition_however_many_begin_at_once(db: Connection) -> None:
    runs = [
        aggregation([rows(HILLS, mean=1.0)], theme="slopes", dataset_id=f"hills-{number}")
        for number in range(3)
    ]
    with ThreadPoolExecutor(len(runs)) as threads:
        results = list(threads.map(publish, runs))
    assert [result["rows_written"] for result in results] == [len(HILLS)] * 3
    row = db.execute("SELECT count(*) AS rows FROM h3.zonal_stats_slopes").fetchone()
    assert row == {"rows": 3 * len(HILLS)}
