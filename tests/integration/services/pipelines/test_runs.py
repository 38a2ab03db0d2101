"""A run from its start to its end: what begins when, and with which parameters."""

from __future__ import annotations

import pytest

from core.errors import InvalidParameters, NotFound
from core.job_definition import JobDefinition
from core.models.job import JobStatus
from infrastructure import pipelines_repository
from infrastructure.database import Connection
from services.pipelines import runs
from tests.support.engine import Load
from tests.support.pipeline_runs import Run, expression, gate, job, saved

FAILED, WITH_ERRORS = JobStatus.FAILED, JobStatus.COMPLETED_WITH_ERRORS
TEXT = {"type": "string"}


def test_a_step_is_given_what_the_one_before_it_left(load: JobDefinition[Load]) -> None:
    run = Run.start(
        job("first", load, parameters={"label": expression("inputs.place")}),
        job(
            "second",
            load,
            parameters={
                "label": expression("steps.first.outputs.table + '_' + run.date"),
                "n": expression("length(steps.first.outputs.rows)"),
            },
        ),
        inputs={"place": TEXT},
        given={"place": "Utrecht"},
    )
    assert run.statuses == {"first": "running", "second": "pending"}
    assert run.job_row("first").parameters["label"] == "Utrecht"
    run.end("first", result={"table": "parks", "rows": [4, 5, 6]})
    assert run.statuses == {"first": "completed", "second": "running"}
    made = run.job_row("second").parameters
    assert (made["label"], made["n"]) == (f"parks_{run.row.created_at:%Y-%m-%d}", 3)
    run.end("second")
    assert run.status == "completed"
    run.check()


def test_a_step_is_given_what_was_left_turns_before(load: JobDefinition[Load]) -> None:
    run = Run.start(
        job("a", load),
        job("b", load),
        job("c", load, after=["b"], parameters={"label": expression("steps.a.outputs.table")}),
    )
    run.end("a", result={"table": "parks", "rows": []})
    run.turn()
    run.end("b")
    assert run.job_row("c").parameters["label"] == "parks"


def test_steps_that_wait_for_nothing_run_at_the_same_time(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("b", load), job("c", load, after=["a", "b"]))
    assert run.statuses == {"a": "running", "b": "running", "c": "pending"}
    run.end("a")
    assert run.statuses["c"] == "pending"
    run.end("b")
    assert run.statuses["c"] == "running"


def test_turns_are_counted_and_change_nothing_by_themselves(load: JobDefinition[Load]) -> None:
    run = Run.start(job("only", load))
    before = run.steps
    turns = [run.turn() for _ in range(3)]
    assert [turn.verdict["turn"] for turn in turns] == [2, 3, 4]
    assert run.steps == before
    assert all(turn.to_start == [] for turn in turns)
    run.end("only")
    ended = run.turn()
    assert ended.verdict["next"] == "end"
    assert ended.verdict["status"] == "completed"


def test_each_run_has_jobs_of_its_own(load: JobDefinition[Load]) -> None:
    name = saved(job("only", load))
    first, second = (Run(runs.start(name, {}).run_id) for _ in range(2))
    first.turn()
    second.turn()
    assert first.jobs("only")[0].job_id != second.jobs("only")[0].job_id


def test_a_condition_that_is_false_skips_what_depends_on_it(load: JobDefinition[Load]) -> None:
    run = Run.start(
        job("look", load),
        job("load", load, when="length(steps.look.outputs.rows) > 5"),
        job("after", load, after=["load"]),
        job("always", load, after=["load"], needs="end"),
    )
    run.end("look", result={"table": "t", "rows": [1]})
    assert run.statuses == {
        "look": "completed",
        "load": "skipped",
        "after": "skipped",
        "always": "running",
    }
    assert run.steps["load"].reason == "Its condition was not met."
    assert run.steps["after"].reason == "Step load was skipped."
    run.end("always")
    assert run.status == "completed"
    run.check()


def test_a_failure_stops_what_has_not_begun(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("b", load), job("c", load, after=["b"]), gate("g"))
    run.end("a", FAILED)
    assert run.statuses == {"a": "failed", "b": "running", "c": "skipped", "g": "cancelled"}
    assert run.status == "running"
    run.end("b")
    assert run.status == "failed"
    error = run.row.error
    assert error is not None
    assert (error["step"], error["code"]) == ("a", "job_failed")
    assert error["message"] == "The job of step a failed: The file is broken."
    assert error["cause"]["code"] == "broken"
    run.check()


def test_a_failure_that_may_happen_costs_only_what_depends_on_it(
    load: JobDefinition[Load],
) -> None:
    run = Run.start(
        job("a", load, on_failure="continue"),
        job("b", load, after=["a"]),
        job("c", load),
        job("tidy", load, after=["b"], needs="end"),
    )
    run.end("a", FAILED)
    assert run.statuses == {"a": "failed", "b": "skipped", "c": "running", "tidy": "running"}
    run.end("c")
    run.end("tidy")
    assert run.status == "completed_with_errors"
    assert run.row.error is None
    run.check()


def test_a_job_with_errors_counts_as_a_success_and_is_told(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("b", load, after=["a"]))
    run.end("a", WITH_ERRORS)
    run.end("b")
    assert run.statuses == {"a": "completed_with_errors", "b": "completed"}
    assert run.status == "completed_with_errors"


def test_parameters_that_turn_out_wrong_fail_the_step_and_say_which(
    load: JobDefinition[Load],
) -> None:
    below = expression("length(steps.a.outputs.rows) - 5")
    run = Run.start(job("a", load), job("b", load, parameters={"n": below}))
    run.end("a")
    step = run.steps["b"]
    assert step.error is not None
    assert step.error["code"] == "invalid_parameters"
    assert step.error["parameter"] == "n"
    assert step.error["errors"][0]["loc"] == ["steps", "b", "parameters", "n"]
    assert step.error["message"].startswith("Step b cannot begin: n: ")
    assert step.jobs == ()
    assert run.status == "failed"


def test_an_expression_without_a_value_fails_the_step_and_says_where(
    load: JobDefinition[Load],
) -> None:
    run = Run.start(
        job("a", load), job("b", load, parameters={"n": expression("steps.a.outputs.rows[7]")})
    )
    run.end("a")
    error = run.steps["b"].error
    assert error is not None
    assert error["errors"][0]["loc"] == ["steps", "b", "parameters", "n"]
    assert run.status == "failed"


def test_a_run_keeps_to_its_version(load: JobDefinition[Load]) -> None:
    name = saved(job("only", load, parameters={"label": "old"}))
    run = Run(runs.start(name, {}).run_id)
    run.query(
        "INSERT INTO app.pipeline_versions (name, version, document) SELECT name, 2,"
        " replace(document::text, 'old', 'new')::json FROM app.pipeline_versions"
        " WHERE name = %(name)s",
        name=name,
    )
    run.query("UPDATE app.pipelines SET version = 2 WHERE name = %(name)s", name=name)
    run.turn()
    assert run.job_row("only").parameters["label"] == "old"
    newest = runs.start(name, {})
    pinned = runs.start(name, {}, version=1)
    assert (newest.version, pinned.version) == (2, 1)


def test_a_pipeline_that_is_deleted_does_not_stop_its_runs(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("b", load, after=["a"]))
    run.query("UPDATE app.pipelines SET deleted_at = now()")
    run.end("a")
    run.end("b")
    assert run.status == "completed"
    with pytest.raises(NotFound):
        runs.start(run.row.name, {})


def test_the_same_request_is_the_same_run(load: JobDefinition[Load]) -> None:
    name = saved(job("only", load))
    first = runs.start(name, {}, request_id="r-1")
    again = runs.start(name, {}, request_id="r-1")
    other = runs.start(name, {}, request_id="r-2")
    assert (first.created, again.created, other.created) == (True, False, True)
    assert first.run_id == again.run_id != other.run_id
    assert runs.start(name, {}).run_id != runs.start(name, {}).run_id


def test_a_retry_is_answered_before_anything_else_is_looked_at(
    load: JobDefinition[Load],
) -> None:
    name = saved(job("only", load))
    first = runs.start(name, {}, request_id="r-1")
    again = runs.start(name, {"no": "such input"}, version=9, request_id="r-1")
    assert (again.run_id, again.created) == (first.run_id, False)


def test_a_pipeline_made_anew_knows_no_requests_for_the_one_before_it(
    load: JobDefinition[Load], pipelines: Connection
) -> None:
    name = saved(job("only", load))
    old = Run(runs.start(name, {}, request_id="r-1").run_id)
    old.cancel()
    document = old.pipeline.as_document()
    pipelines_repository.delete(pipelines, name)
    pipelines_repository.create(pipelines, name, document)
    new = runs.start(name, {}, request_id="r-1")
    assert (new.created, new.version) == (True, 2)
    assert new.run_id != old.run_id


def test_inputs_are_checked_and_completed(load: JobDefinition[Load]) -> None:
    name = saved(
        job("only", load, parameters={"label": expression("inputs.place")}),
        inputs={"place": {"type": "string", "required": False, "default": "Delft"}},
    )
    run = Run(runs.start(name, {}).run_id)
    assert run.row.inputs == {"place": "Delft"}
    with pytest.raises(InvalidParameters) as refused:
        runs.start(name, {"place": 7})
    assert refused.value.errors[0]["loc"] == ["inputs", "place"]


def test_a_draft_that_cannot_be_run_is_refused(load: JobDefinition[Load]) -> None:
    name = saved(job("only", load, after=["nobody"]))
    with pytest.raises(InvalidParameters) as refused:
        runs.start(name, {})
    assert refused.value.error_code == "pipeline_has_problems"
    assert refused.value.errors[0]["loc"][:2] == ["steps", "only"]
