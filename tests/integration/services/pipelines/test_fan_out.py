"""A step with for_each: one job for each value, so many at a time, and some may fail."""

from __future__ import annotations

from typing import Any

import pytest

from core.job_definition import JobDefinition
from core.models.job import JobStatus
from core.registry import registry
from infrastructure import pipeline_runs_repository as pipeline_runs
from infrastructure.database import Connection
from services.orchestration import control as jobs_control
from tests.support.engine import Load
from tests.support.pipeline_runs import Run, expression, job

FAILED, CANCELLED = JobStatus.FAILED, JobStatus.CANCELLED
PLACES = {"places": {"type": "list", "items": "string"}}


def each_place(load: JobDefinition[Load], **fields: Any) -> dict[str, Any]:
    parameters = {"label": expression("item"), "n": expression("item_index")}
    return job("each", load, for_each="inputs.places", parameters=parameters, **fields)


def start(load: JobDefinition[Load], *places: str, **fields: Any) -> Run:
    after = job("after", load, parameters={"n": expression("length(steps.each.outputs)")})
    given = {"places": list(places)}
    return Run.start(each_place(load, **fields), after, inputs=PLACES, given=given)


def test_each_value_has_a_job_and_later_steps_have_a_list(load: JobDefinition[Load]) -> None:
    run = start(load, "a", "b", "c")
    made = [run.job_row("each", index).parameters for index in range(3)]
    assert [(each["label"], each["n"]) for each in made] == [("a", 0), ("b", 1), ("c", 2)]
    for index in (2, 0, 1):
        run.end("each", index=index, result={"table": f"t{index}", "rows": []})
    assert [each["table"] for each in run.steps["each"].outputs] == ["t0", "t1", "t2"]
    assert run.job_row("after").parameters["n"] == 3


def test_so_many_run_at_the_same_time(load: JobDefinition[Load]) -> None:
    run = start(load, *"abcde", max_parallel=2)
    assert [each.item_index for each in run.jobs("each")] == [0, 1]
    run.end("each", index=1)
    assert [each.item_index for each in run.jobs("each")] == [0, 1, 2]
    for index in (0, 2, 3, 4):
        run.check()
        run.end("each", index=index)
    assert run.statuses["each"] == "completed"


def test_a_step_that_only_sends_off_its_next_jobs_is_not_written_anew(
    load: JobDefinition[Load],
) -> None:
    run = start(load, *"abc", max_parallel=1)
    written = (
        "SELECT xmin::text FROM app.pipeline_steps WHERE run_id = %(run_id)s ORDER BY position"
    )
    before = run.query(written)
    run.end("each", index=0)
    assert [each.item_index for each in run.jobs("each")] == [0, 1]
    assert run.query(written) == before


def test_an_empty_list_has_completed(load: JobDefinition[Load]) -> None:
    run = start(load)
    assert run.statuses == {"each": "completed", "after": "running"}
    assert run.steps["each"].outputs == []


def test_a_failure_lets_what_runs_go_on_and_begins_no_more(load: JobDefinition[Load]) -> None:
    run = start(load, *"abcd", max_parallel=2)
    run.end("each", FAILED, index=0)
    assert [each.item_index for each in run.jobs("each")] == [0, 1]
    assert run.statuses["each"] == "running"
    run.end("each", index=1)
    assert run.statuses == {"each": "failed", "after": "skipped"}
    error = run.steps["each"].error
    assert error is not None
    assert (error["jobs_failed"], error["jobs_total"], error["item_index"]) == (1, 4, 0)
    assert error["message"] == (
        "1 of 4 jobs of step each did not complete: that of item 0 failed: The file is broken."
    )


def test_a_share_of_failures_is_borne(load: JobDefinition[Load]) -> None:
    run = start(load, *"abcd", max_failed_share=0.25)
    for index in range(4):
        run.end("each", FAILED if index == 1 else JobStatus.COMPLETED, index=index)
    assert run.statuses == {"each": "completed_with_errors", "after": "running"}
    assert len(run.steps["each"].outputs) == 3
    run.end("after")
    assert run.status == "completed_with_errors"


def test_what_the_cancel_of_the_run_ends_is_no_failure_that_is_borne(
    load: JobDefinition[Load],
) -> None:
    run = start(load, *"abc", max_failed_share=1.0)
    run.end("each", index=0)
    for job_id in run.cancel().to_cancel:
        jobs_control.cancel(job_id)
    run.end("each", CANCELLED, index=1)
    run.end("each", CANCELLED, index=2)
    assert run.statuses == {"each": "cancelled", "after": "cancelled"}
    assert run.steps["each"].reason == "The run was cancelled."
    assert run.status == "cancelled"
    run.resume()
    assert [made.is_open for made in run.jobs("each")] == [False, True, True]
    run.end("each", index=1)
    run.end("each", index=2)
    run.end("after")
    assert run.status == "completed"


def test_a_step_that_can_go_on_no_more_waits_for_its_jobs(
    load: JobDefinition[Load], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job type is gone from a new release, while jobs of it are at work."""
    run = start(load, *"abcd", max_parallel=2)
    with monkeypatch.context() as release:
        release.delitem(registry._definitions, load.name)
        run.end("each", index=0)
        run.turn()
        assert run.statuses == {"each": "running", "after": "pending"}
        assert [made.item_index for made in run.jobs("each")] == [0, 1]
        run.end("each", index=1)
    assert run.statuses == {"each": "failed", "after": "skipped"}
    error = run.row.error
    assert error is not None
    assert (error["step"], error["errors"][0]["loc"]) == ("each", ["steps", "each", "job"])
    assert len(run.steps["each"].outputs) == 2
    run.resume()
    for index in (2, 3):
        run.end("each", index=index)
    run.end("after")
    assert run.status == "completed"


def test_a_turn_does_not_read_again_what_has_been_done(
    load: JobDefinition[Load], pipelines: Connection
) -> None:
    """Neither the outputs to which nothing refers that is still to be done, nor the jobs."""
    last = job("last", load, after=["after"])
    after = job("after", load, parameters={"n": expression("length(steps.each.outputs)")})
    given = {"places": ["a", "b"]}
    run = Run.start(each_place(load), after, last, inputs=PLACES, given=given)
    for index in range(2):
        run.end("each", index=index)
    run.end("after")
    whole = run.steps["each"]
    assert (len(whole.jobs), len(whole.outputs)) == (2, 2)
    read = pipeline_runs.steps(pipelines, run.run_id)
    assert (read["each"].jobs, read["each"].items, read["each"].outputs) == ((), None, None)
    assert read["last"].jobs == tuple(run.jobs("last"))
    # Nor can it lose what it has not read.
    pipeline_runs.save_steps(pipelines, run.run_id, [(read["each"], False)])
    assert run.steps["each"] == whole


def test_no_job_begins_where_the_parameters_of_one_are_wrong(load: JobDefinition[Load]) -> None:
    step = job(
        "each",
        load,
        for_each="inputs.numbers",
        parameters={"n": expression("item")},
        max_parallel=1,
    )
    run = Run.start(
        step,
        inputs={"numbers": {"type": "list", "items": "integer"}},
        given={"numbers": [1, 2, -3]},
    )
    error = run.steps["each"].error
    assert error is not None
    assert (error["parameter"], error["item_index"]) == ("n", 2)
    assert error["message"].startswith("Step each cannot begin, for item 2: n: ")
    assert run.jobs("each") == []


def test_after_a_resume_only_what_had_failed_goes_again(load: JobDefinition[Load]) -> None:
    run = start(load, "a", "b", "c", max_parallel=3)
    run.end("each", FAILED, index=1)
    for index in (0, 2):
        run.end("each", index=index)
    assert run.status == "failed"
    before = {each.item_index: each.job_id for each in run.jobs("each")}
    run.resume()
    jobs = {each.item_index: each for each in run.jobs("each")}
    assert {index: each.job_id for index, each in jobs.items()} == before
    assert [jobs[index].is_open for index in range(3)] == [False, True, False]
    run.end("each", index=1)
    run.end("after")
    assert run.status == "completed"


def test_a_run_that_stops_begins_no_more_items(load: JobDefinition[Load]) -> None:
    each = each_place(load, max_parallel=2)
    run = Run.start(each, job("other", load), inputs=PLACES, given={"places": ["a", "b", "c"]})
    run.end("other", FAILED)
    run.end("each", index=0)
    assert run.statuses["each"] == "running"
    run.end("each", index=1)
    assert [made.item_index for made in run.jobs("each")] == [0, 1]
    assert run.statuses == {"each": "cancelled", "other": "failed"}
    assert run.steps["each"].reason == "The run stopped: step other failed."
    assert run.status == "failed"
    run.resume()
    assert [made.is_open for made in run.jobs("each")] == [False, False, True]
    run.end("each", index=2)
    run.end("other")
    assert run.status == "completed"
