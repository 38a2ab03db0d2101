"""What a job's failed tasks failed with: each cause once, exact from the first to the last."""

from __future__ import annotations

import pytest

from core.errors import InvalidParameters, PermanentTaskError
from core.job_definition import TaskContext, tolerate
from core.models.task import TaskOutcome, TaskStatus
from infrastructure import database, error_groups_repository, task_repository
from services.orchestration import control, status
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Load, stage
from tests.support.ledger import Stage, Task, add_job

ANY = tolerate(1.0)


def refuse_some(context: TaskContext[Load]) -> None:
    """Tasks 0 to 3 and 5 are refused, with two causes; all have messages of their own."""
    index = context.task["index"]
    if index < 4:
        raise PermanentTaskError(
            f"Tile {index * 1000} of 'bronze/tile_{index}.tif' is not a raster.", code="bad_tile"
        )
    if index == 5:
        raise PermanentTaskError("There is no such band.", code="no_band")


def test_each_cause_is_told_once_with_its_count_and_an_example(engine: Engine) -> None:
    job = engine.job(stage(handler=refuse_some, on_failure=ANY), n=8)
    assert job.run() == "completed_with_errors"
    job.check()
    told = status.list_causes(job.job_id)
    assert told["next"] is None
    assert [(each["code"], each["count"], each["stage"]) for each in told["errors"]] == [
        ("bad_tile", 4, 0),
        ("no_band", 1, 0),
    ]
    first = told["errors"][0]
    assert first["message"] == "Tile 0 of 'bronze/tile_0.tif' is not a raster."
    assert first["example"] == {"task_index": 0, "parameters": {"index": 0}}
    assert first["first_at"] <= first["last_at"]


def test_the_tasks_of_a_cause_are_found_by_it(engine: Engine) -> None:
    job = engine.job(stage(handler=refuse_some, on_failure=ANY), n=8)
    job.run()
    cause = status.list_causes(job.job_id)["errors"][0]["fingerprint"]
    page = status.list_tasks(job.job_id, cause=cause, limit=3)
    rest = status.list_tasks(job.job_id, cause=cause, cursor=page["next"])
    found = [task["task_index"] for task in (*page["tasks"], *rest["tasks"])]
    assert found == [0, 1, 2, 3]
    assert rest["next"] is None
    within = status.list_tasks(job.job_id, cause=cause, text="TILE_2")
    assert [task["task_index"] for task in within["tasks"]] == [2]


def test_what_a_version_before_has_settled_is_entered_when_the_stage_ends(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = engine.job(stage(handler=refuse_some, on_failure=ANY), n=8)
    job.open()
    with monkeypatch.context() as before:
        before.setattr(error_groups_repository, "record", lambda *_: None)
        job.work_off()
    assert status.list_causes(job.job_id)["errors"] == []
    job.close()
    job.check()
    assert [each["count"] for each in status.list_causes(job.job_id)["errors"]] == [4, 1]


def test_what_a_version_before_has_put_back_fails_again_and_is_counted_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = engine.job(stage(handler=refuse_some, on_failure=ANY), n=8)
    assert job.run() == "completed_with_errors"
    with monkeypatch.context() as before:
        before.setattr(error_groups_repository, "forget_from", lambda *_: None)
        assert control.resume(job.job_id) == 5
    assert job.run() == "completed_with_errors"
    job.check()
    assert [each["count"] for each in status.list_causes(job.job_id)["errors"]] == [4, 1]


def test_a_cause_is_not_looked_for_among_tasks_in_another_state(engine: Engine) -> None:
    job = engine.job(stage(handler=refuse_some, on_failure=ANY), n=8)
    job.run()
    cause = status.list_causes(job.job_id)["errors"][0]["fingerprint"]
    for text in (None, "bronze"):
        found = status.list_tasks(job.job_id, status="completed", cause=cause, text=text)
        assert (found["tasks"], found["next"]) == ([], None)


def test_the_beginning_of_a_message_tells_its_cause(ledger: database.Connection) -> None:
    job_id = add_job(ledger, Stage("copy", total=40, failed=40))
    rows = ("Not a raster: " + "-" * 2000 + str(index) for index in range(40))
    failures = [
        TaskOutcome(index, 1, TaskStatus.FAILED, error={"message": message})
        for index, message in enumerate(rows)
    ]
    error_groups_repository.record(ledger, job_id, 0, failures)
    [cause] = status.list_causes(job_id)["errors"]
    assert cause["count"] == 40
    assert cause["message"].startswith("Not a raster: --")


def test_a_resume_forgets_the_causes_of_what_it_puts_back(engine: Engine) -> None:
    job = engine.job(stage(handler=refuse_some, on_failure=ANY), n=8)
    job.run()
    assert control.resume(job.job_id) == 5
    assert status.list_causes(job.job_id)["errors"] == []
    assert status.list_tasks(job.job_id, status="failed")["tasks"] == []
    job.check()
    assert job.run() == "completed_with_errors"
    job.check()
    assert [each["count"] for each in status.list_causes(job.job_id)["errors"]] == [4, 1]


def test_an_outcome_that_is_refused_is_no_failure(engine: Engine) -> None:
    job = engine.job(stage(), n=2)
    job.open()
    [task] = job.claim(0)
    late = TaskOutcome(0, task.attempt + 1, TaskStatus.FAILED, error={"code": "late"})
    with database.transaction() as connection:
        assert task_repository.settle(connection, job.job_id, 0, [late]).failed == 0
    assert status.list_causes(job.job_id)["errors"] == []
    job.check()


class TestPatterns:
    """Which messages are one cause."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Row 17 is broken.", "Row 1,234,567 is broken."),
            ("Value -3.5e-7 is out of range.", "Value 12 is out of range."),
            ("There is no blob 'a/b c/1.tif'.", "There is no blob 'x/y z/2.tif'."),
            ("Cannot read parks.kml.", "Cannot read rivers-2.gpkg."),
            ("GET https://a.example/x?y=1 failed.", "GET http://b.example:8080/z failed."),
            (
                "Lease 0d4a1c89-45ae-4e9f-9a32-000000000001 was lost.",
                "Lease ffffa1c8-0001-4e9f-9a32-00ab00000001 was lost.",
            ),
            ("etag 9f86d081884c7d65 differs", "etag 0123456789abcdef differs"),
        ],
    )
    def test_what_differs_from_task_to_task_is_left_out(
        self, ledger: database.Connection, one: str, other: str
    ) -> None:
        assert fingerprint(ledger, one) == fingerprint(ledger, other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("There is no blob 'a/b.tif'.", "There is no container 'a'."),
            ("The column geom is missing.", "The column id is missing."),
            ("", "Something"),
        ],
    )
    def test_what_is_different_stays_different(
        self, ledger: database.Connection, one: str, other: str
    ) -> None:
        assert fingerprint(ledger, one) != fingerprint(ledger, other)

    def test_the_code_tells_causes_apart(self, ledger: database.Connection) -> None:
        assert fingerprint(ledger, "No.", "a") != fingerprint(ledger, "No.", "b")


def fingerprint(connection: database.Connection, message: str, code: str = "failed") -> str:
    row = connection.execute(
        "SELECT app.error_fingerprint(%s, %s) AS it", (code, message)
    ).fetchone()
    assert row is not None
    return str(row["it"])


def test_causes_are_paged_the_most_frequent_first(ledger: database.Connection) -> None:
    codes = ["a", "b", "b", "c", "c", "c", "d"]
    tasks = (Task(n, status="failed", error={"code": code}) for n, code in enumerate(codes))
    job_id = add_job(ledger, Stage(total=7, failed=7), tasks=tuple(tasks))
    found, cursor = [], None
    while True:
        page = status.list_causes(job_id, limit=1, cursor=cursor)
        found += [(each["code"], each["count"]) for each in page["errors"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found[:2] == [("c", 3), ("b", 2)]
    assert sorted(found[2:]) == [("a", 1), ("d", 1)]
    with pytest.raises(InvalidParameters):
        status.list_causes(job_id, cursor="bm90IG9uZQ")


def test_a_stage_whose_every_message_is_another_has_so_many_causes_at_most(
    ledger: database.Connection,
) -> None:
    most = error_groups_repository.MOST_CAUSES
    words = ["".join(chr(ord("g") + int(digit)) for digit in str(n)) for n in range(most + 50)]
    job_id = add_job(ledger, Stage(total=len(words), failed=len(words)))
    for index, word in enumerate(words):
        failure = TaskOutcome(
            index, 1, TaskStatus.FAILED, error={"code": "lost", "message": f"Lost {word}."}
        )
        error_groups_repository.record(ledger, job_id, 0, [failure])
    assert error_groups_repository.causes(ledger, job_id) == most + 1
    [largest, *_] = status.list_causes(job_id)["errors"]
    assert (largest["code"], largest["count"]) == ("lost", 50)
