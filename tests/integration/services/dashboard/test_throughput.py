"""Counting tasks over time: each once, however often and by whomever it is counted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.models.throughput import Outcomes, Span
from infrastructure import database, throughput_repository
from services.dashboard import throughput
from tests.support.ledger import Stage, add_job

RUNNING = Stage(total=1000, completed=40, failed=2)


def count(connection: database.Connection) -> bool:
    """Count now, whenever it was done last."""
    with connection.transaction():
        return throughput_repository.count(connection, timedelta(0))


def total(job_type: str | None = None, span: Span = Span.HOUR) -> Outcomes:
    return throughput.history(span, job_type).throughput.total


def test_what_counters_have_grown_by_is_counted_once(charts: database.Connection) -> None:
    job_id = add_job(charts, RUNNING)
    for completed, failed in ((40, 2), (40, 2), (900, 5)):
        charts.execute(
            "UPDATE app.job_stages SET tasks_completed = %s, tasks_failed = %s WHERE job_id = %s",
            (completed, failed, job_id),
        )
        assert count(charts)
        assert total() == Outcomes(completed, failed)
    assert total(span=Span.WEEK) == total(span=Span.DAY) == Outcomes(900, 5)


def test_a_job_that_ended_between_two_counts_is_counted(charts: database.Connection) -> None:
    count(charts)
    stage = Stage(total=7, completed=6, failed=1, status="completed")
    add_job(charts, stage, status="completed_with_errors", ended=1)
    count(charts)
    count(charts)
    assert total() == Outcomes(6, 1)


def test_a_counter_that_begins_again_is_counted_from_nothing(charts: database.Connection) -> None:
    """As that of failures does where a job is resumed."""
    job_id = add_job(charts, Stage(total=1000, completed=40, failed=20))
    count(charts)
    charts.execute(
        "UPDATE app.job_stages SET tasks_completed = 50, tasks_failed = 3 WHERE job_id = %s",
        (job_id,),
    )
    count(charts)
    assert total() == Outcomes(50, 23)


def test_what_ended_long_ago_is_not_counted_now(charts: database.Connection) -> None:
    add_job(charts, Stage(total=9, completed=9), status="completed", created=90_000, ended=86_000)
    charts.execute("UPDATE app.throughput_turn SET at = now()")
    count(charts)
    assert total(span=Span.WEEK) == Outcomes()


def test_job_types_are_told_apart_those_with_failures_first(charts: database.Connection) -> None:
    add_job(charts, Stage(total=100, completed=90), job_type="hello_fan_out")
    add_job(charts, Stage(total=100, completed=5, failed=4), job_type="process_vector")
    count(charts)
    assert list(throughput.history(Span.DAY).job_types.items()) == [
        ("process_vector", Outcomes(5, 4)),
        ("hello_fan_out", Outcomes(90, 0)),
    ]
    assert total("process_vector") == Outcomes(5, 4)
    assert total("no_such_type") == Outcomes()


def test_of_many_processes_one_counts(charts: database.Connection) -> None:
    add_job(charts, RUNNING)
    with database.connect() as other, other.transaction():
        assert throughput_repository.count(other, timedelta(0))
        # It has not committed yet: the next one does not wait for it.
        assert not count(charts)
    assert not throughput_repository.count(charts, timedelta(hours=1)), "it was done just now"
    assert total() == Outcomes(40, 2)


def test_what_is_old_goes(charts: database.Connection) -> None:
    charts.execute(
        "INSERT INTO app.throughput (width, begins, job_type, completed)"
        " SELECT width, now() - age, 'hello_fan_out', 1"
        " FROM unnest(ARRAY['minute', 'hour']) AS width,"
        " unnest(ARRAY[interval '1 hour', '2 days', '36 days']) AS age"
    )
    count(charts)
    rows = charts.execute("SELECT width, begins FROM app.throughput ORDER BY width, begins")
    assert [row["width"] for row in rows] == ["hour", "hour", "minute"]


@pytest.mark.parametrize("span", Span)
def test_a_span_begins_where_its_first_bin_does(charts: database.Connection, span: Span) -> None:
    width = "hour" if span is Span.WEEK else "minute"
    points = throughput.history(span).throughput.points
    inside, outside = points[1].begins, points[0].begins - timedelta(seconds=span.bin_seconds)
    for begins in (inside, outside):
        charts.execute(
            "INSERT INTO app.throughput VALUES (%s, %s, 'hello_fan_out', 3, 1)", (width, begins)
        )
    assert total(span=span) == Outcomes(3, 1)
