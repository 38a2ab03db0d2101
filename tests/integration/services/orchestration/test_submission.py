"""Submitting: the same submission is the same job; a preview writes nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.errors import InvalidParameters, NotFound
from core.job_definition import Queue
from infrastructure import database
from services.orchestration import submission
from services.orchestration.submission import Submission
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import define, stage


def all_at_once(name: str, times: int, **options: Any) -> list[Submission]:
    together = threading.Barrier(times)

    def submit(_: int) -> Submission:
        together.wait(timeout=60)
        return submission.submit(name, {"n": 3}, **options)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(submit, range(times)))


def jobs() -> int:
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS n FROM app.jobs").fetchone()
    assert row is not None
    return int(row["n"])


def test_the_same_submission_is_the_same_job(engine: Engine) -> None:
    definition = define()
    submissions = all_at_once(definition.name, 20)
    assert len({each.job_id for each in submissions}) == 1
    assert sum(each.created for each in submissions) == 1
    assert jobs() == 1


def test_every_rerun_is_a_job_of_its_own(engine: Engine) -> None:
    definition = define()
    first = submission.submit(definition.name, {"n": 3})
    reruns = all_at_once(definition.name, 8, rerun=True)
    assert all(each.created for each in reruns)
    assert len({first.job_id, *(each.job_id for each in reruns)}) == 9
    assert submission.submit(definition.name, {"n": 3}) == Submission(
        first.job_id, definition.name, "queued", False
    )


def test_defaults_that_are_spelled_out_change_nothing(engine: Engine) -> None:
    definition = define()
    plain = submission.submit(definition.name, {"n": 1})
    spelled = submission.submit(definition.name, {"label": "", "share": 0, "n": 1})
    assert (spelled.job_id, spelled.created) == (plain.job_id, False)


def test_stages_are_written_as_they_are_for_the_parameters(engine: Engine) -> None:
    options: dict[str, Any] = {
        "queue": lambda p: Queue.HEAVY if p.n > 10 else Queue.LIGHT,
        "max_parallel": lambda p: p.n,
        "tasks_per_message": 7,
    }
    job = engine.submit(define(stage(**options)), n=11)
    written = job.stage()
    assert (written.queue, written.max_parallel, written.tasks_per_message) == ("heavy", 11, 7)
    assert written.max_attempts == 4


def test_a_preview_writes_nothing(engine: Engine) -> None:
    definition = define(stage("first"), stage("second"))
    plan = submission.preview(definition.name, {"n": 12})
    assert [each["tasks_total"] for each in plan["plan"]["stages"]] == [12, None]
    assert plan["parameters"] == {"n": 12, "label": "", "share": 0.0}
    assert jobs() == 0


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"n": "3"}, "n"),
        ({"n": 3.5}, "n"),
        ({"n": True}, "n"),
        ({"n": None}, "n"),
        ({"n": -1}, "n"),
        ({"n": 1, "m": 1}, "m"),
        ({"label": 5}, "label"),
        ({"label": "a\0b"}, "label"),
        ({"label": "\ud800"}, "label"),
        ({"share": 1e999}, "share"),
        ({"share": "0.5"}, "share"),
        ({"share": [0.5]}, "share"),
    ],
)
def test_fields_at_fault_are_named(engine: Engine, parameters: dict[str, Any], field: str) -> None:
    definition = define()
    for action in (submission.submit, submission.preview):
        with pytest.raises(InvalidParameters) as refused:
            action(definition.name, parameters)
        assert [error["loc"] for error in refused.value.errors] == [[field]]
        assert refused.value.errors[0]["msg"]
        assert field in refused.value.message
    assert jobs() == 0


def test_every_field_at_fault_is_named(engine: Engine) -> None:
    with pytest.raises(InvalidParameters) as refused:
        submission.submit(define().name, {"n": -1, "label": 1, "extra": 2})
    assert {error["loc"][0] for error in refused.value.errors} == {"n", "label", "extra"}


def test_an_unknown_job_type_is_told_the_known_ones(engine: Engine) -> None:
    known = define().name
    with pytest.raises(NotFound, match=known) as refused:
        submission.submit("count_trees", {})
    assert known in refused.value.details["known_job_types"]
