"""Looking for tasks of a job: by number, by text, by state; a bounded part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import InvalidParameters, NotFound
from core.models.task import TaskStatus
from infrastructure import database, metrics_repository, status_repository
from services.orchestration import status, task_views
from services.orchestration.task_views import TaskQuery
from tests.support.ledger import Stage, Task, add_job

MANY = 2500


@pytest.fixture
def job(ledger: database.Connection) -> str:
    """Two stages: two files, then many tasks, of which some speak of something."""
    stages = (
        Stage("list", "completed", total=2, completed=2),
        Stage("copy", total=MANY, completed=MANY - 1, failed=1),
    )
    job_id = add_job(
        ledger,
        *stages,
        current=1,
        tasks=(
            Task(0, parameters={"blob": "Bronze/Östersund.tif"}),
            Task(1, parameters={"note": 'he said "no"'}),
            Task(7, stage=1, result={"etag": "needle-1"}),
            Task(2400, stage=1, status="failed", error={"message": "A needle broke."}),
        ),
    )
    ledger.execute(
        """
        INSERT INTO app.tasks (job_id, stage, task_index, task_type, parameters, status)
        SELECT %s, 1, n, 'test.copy', '{}', 'completed' FROM generate_series(0, %s) AS n
        WHERE n NOT IN (7, 2400)
        """,
        (job_id, MANY - 1),
    )
    return job_id


def keys(page: dict[str, Any]) -> list[tuple[int, int]]:
    return [(task["stage"], task["task_index"]) for task in page["tasks"]]


def pages(job_id: str, **query: Any) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = status.list_tasks(job_id, cursor=cursor, **query)
        yield page
        cursor = page["next"]
        if cursor is None:
            return


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("NEEDLE", [(1, 7), (1, 2400)]),
        ("östersund", [(0, 0)]),
        ('"no"', [(0, 1)]),
        ("100%", []),
    ],
)
def test_finds_text_in_parameters_results_and_errors(
    job: str, text: str, found: list[tuple[int, int]]
) -> None:
    assert [key for page in pages(job, text=text) for key in keys(page)] == found


def test_a_number_finds_the_task_of_that_index_first(job: str) -> None:
    assert keys(status.list_tasks(job, text="1,234")) == [(1, 1234)]
    assert keys(status.list_tasks(job, text="1")) == [(0, 1), (1, 1), (1, 7)]
    assert keys(status.list_tasks(job, text="1", stage=1, limit=1))[:1] == [(1, 1)]


def test_a_search_is_narrowed_by_stage_and_state(job: str) -> None:
    assert keys(status.list_tasks(job, text="needle", status="failed")) == [(1, 2400)]
    assert keys(status.list_tasks(job, text="needle", status="completed")) == [(1, 7)]
    assert keys(status.list_tasks(job, text="needle", stage=0)) == []


def test_a_page_goes_on_where_the_one_before_ended(job: str) -> None:
    each = [keys(page) for page in pages(job, text="needle", limit=1)]
    assert [key for found in each for key in found] == [(1, 7), (1, 2400)]


def look(job_id: str, query: TaskQuery) -> dict[str, Any]:
    return metrics_repository.transact(
        lambda connection: task_views.page(connection, status.find(connection, job_id), query)
    )


def test_a_request_looks_at_so_many_tasks_and_says_which(job: str) -> None:
    told = [look(job, TaskQuery(text="needle", most_seen=1000))]
    while told[-1]["next"] is not None:
        query = TaskQuery(text="needle", most_seen=1000, cursor=told[-1]["next"])
        told.append(look(job, query))
    assert [page["searched"]["tasks"] for page in told] == [1000, 1000, 502]
    assert [page["searched"]["complete"] for page in told] == [False, False, True]
    assert told[1]["searched"]["first"] == {"stage": 1, "task_index": 998}
    assert told[1]["searched"]["last"] == {"stage": 1, "task_index": 1997}
    assert [keys(page) for page in told] == [[(1, 7)], [], [(1, 2400)]]


def test_failed_tasks_are_found_without_a_look_at_the_others(job: str) -> None:
    page = status.list_tasks(job, status="failed")
    assert keys(page) == [(1, 2400)]
    assert page["searched"] is None


def test_what_runs_is_looked_for_near_what_was_sent_last(
    job: str, ledger: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.execute(
        "UPDATE app.tasks SET status = 'running', lease_expires_at = now() + interval '1 hour' "
        "WHERE job_id = %s AND stage = 1 AND task_index IN (3, 2200)",
        (job,),
    )
    ledger.execute(
        "UPDATE app.job_stages SET next_index = 2300, in_flight = 2, tasks_completed = 2497 "
        "WHERE job_id = %s AND stage = 1",
        (job,),
    )
    monkeypatch.setattr(task_views, "_NEAR", 200)
    everywhere = keys(status.list_tasks(job, status="running"))
    assert everywhere == [(1, 3), (1, 2200)]

    near = look(job, TaskQuery(status="running", nearby=True))
    assert keys(near) == [(1, 2200)]
    assert near["searched"]["first"] == {"stage": 1, "task_index": 2100}
    assert keys(look(job, TaskQuery(status="running"))) == everywhere


def test_tasks_can_be_read_from_an_index_on(job: str) -> None:
    assert keys(look(job, TaskQuery(stage=1, start=2000, limit=1))) == [(1, 2000)]


def test_what_the_counters_rule_out_is_not_looked_for(job: str) -> None:
    page = status.list_tasks(job, status="cancelled")
    assert page == {"tasks": [], "next": None, "searched": None}


def test_one_task_has_all_that_is_known_of_it(job: str) -> None:
    task = status.find_task(job, 1, 2400)
    assert task["error"] == {"message": "A needle broke."}
    assert (task["stage_name"], task["tasks_total"], task["max_attempts"]) == ("copy", MANY, 4)
    for stage, index in ((1, MANY), (2, 0), (0, 2**40), (2**40, 0)):
        with pytest.raises(NotFound):
            status.find_task(job, stage, index)


def test_a_cause_that_is_none_is_refused(job: str) -> None:
    with pytest.raises(InvalidParameters):
        status.list_tasks(job, cause="' OR 1 = 1")


def test_a_signature_of_an_address_is_neither_shown_nor_found(
    ledger: database.Connection,
) -> None:
    parameters = {"source_url": "https://data.example.org/parks.gpkg?sig=NeverShown"}
    job_id = add_job(
        ledger,
        Stage("load", total=1, completed=1),
        tasks=(Task(0, parameters=parameters, error={"message": "x", "of": [parameters]}),),
    )
    [task] = status.list_tasks(job_id, text="parks.gpkg")["tasks"]
    assert "NeverShown" not in str(task)
    assert status.list_tasks(job_id, text="nevershown")["tasks"] == []


def test_no_more_rows_are_read_than_are_wanted(ledger: database.Connection, job: str) -> None:
    window = status_repository.window(
        ledger, job, size=1000, most=3, stage=1, status=TaskStatus.COMPLETED
    )
    assert [row["task_index"] for row in window.matches] == [0, 1, 2]
    assert (window.seen, window.last) == (1000, (1, 999))
