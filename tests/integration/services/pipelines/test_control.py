"""Gates, cancel and resume, and jobs that somebody cancels or resumes on their own pages."""

from __future__ import annotations

import pytest

from core.errors import Conflict, NotFound
from core.job_definition import JobDefinition
from core.models.job import JobStatus
from services.orchestration import control as jobs_control
from services.pipelines import control
from tests.support.engine import Load
from tests.support.pipeline_runs import Run, end_job, expression, gate, job

FAILED, CANCELLED = JobStatus.FAILED, JobStatus.CANCELLED


# -- gates


def test_a_gate_holds_the_run_until_it_is_approved(load: JobDefinition[Load]) -> None:
    run = Run.start(
        gate("look"),
        job(
            "publish",
            load,
            when="steps.look.decision == 'approved'",
            parameters={"label": expression("coalesce(steps.look.note, '')")},
        ),
    )
    assert run.statuses == {"look": "awaiting_approval", "publish": "pending"}
    run.decide("look", by="Anna", note="Well done")
    assert run.statuses == {"look": "completed", "publish": "running"}
    decision = run.steps["look"].decision
    assert decision is not None
    assert (decision["decision"], decision["by"]) == ("approved", "Anna")
    assert run.job_row("publish").parameters["label"] == "Well done"


def test_a_gate_that_is_rejected_fails(load: JobDefinition[Load]) -> None:
    run = Run.start(gate("look"), job("publish", load, after=["look"]))
    run.decide("look", "rejected", by="Anna", note="The parks are too small")
    assert run.statuses == {"look": "failed", "publish": "skipped"}
    assert run.status == "failed"
    error = run.row.error
    assert error is not None
    assert (error["code"], error["step"]) == ("rejected", "look")
    assert error["message"] == "Step look was rejected by Anna: The parks are too small"


def test_a_gate_whose_time_is_over_fails(load: JobDefinition[Load]) -> None:
    run = Run.start(gate("look", timeout_hours=2), job("publish", load, after=["look"]))
    wait = run.turn().verdict["wake_in_seconds"]
    assert wait is not None
    assert 7100 < wait <= 7200
    run.hours_pass(3)
    with pytest.raises(Conflict, match="its time is over"):
        control.decide(run.run_id, "look", "approved")
    run.turn()
    assert run.status == "failed"
    error = run.row.error
    assert error is not None
    assert error["code"] == "not_approved_in_time"


def test_only_an_open_gate_is_decided(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), gate("look", after=["a"]))
    with pytest.raises(NotFound):
        control.decide("f" * 64, "look", "approved")
    with pytest.raises(NotFound) as unknown:
        control.decide(run.run_id, "nothing", "approved")
    assert unknown.value.error_code == "unknown_step"
    with pytest.raises(Conflict) as refused:
        control.decide(run.run_id, "a", "approved")
    assert refused.value.error_code == "not_a_gate"
    with pytest.raises(Conflict, match="has not come there yet"):
        control.decide(run.run_id, "look", "approved")
    run.end("a")
    control.decide(run.run_id, "look", "approved")
    with pytest.raises(Conflict, match="it is completed"):
        control.decide(run.run_id, "look", "rejected")


# -- cancel


def test_a_cancel_ends_all_of_a_run(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), gate("look"), job("b", load, after=["a", "look"]))
    turn = run.cancel()
    assert turn.to_cancel == [run.jobs("a")[0].job_id]
    assert run.statuses == {"a": "running", "look": "cancelled", "b": "cancelled"}
    with pytest.raises(Conflict):
        control.decide(run.run_id, "look", "approved")
    jobs_control.cancel(turn.to_cancel[0])
    assert run.turn().to_cancel == []
    run.end("a", CANCELLED)
    assert run.status == "cancelled"
    run.check()
    with pytest.raises(Conflict) as ended:
        control.cancel(run.run_id)
    assert ended.value.error_code == "run_ended"


def test_a_cancel_before_the_first_turn_begins_nothing(load: JobDefinition[Load]) -> None:
    run = Run.start(gate("first"), job("a", load, after=["first"]))
    control.decide(run.run_id, "first", "approved")
    run.cancel()
    assert run.jobs("a") == []
    assert run.status == "cancelled"


def test_a_job_that_completes_all_the_same_keeps_its_outputs(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("b", load, after=["a"]))
    run.cancel()
    run.end("a")
    assert run.statuses == {"a": "completed", "b": "cancelled"}
    assert run.status == "cancelled"


def test_a_cancel_that_comes_when_all_is_done_has_stopped_nothing(
    load: JobDefinition[Load],
) -> None:
    run = Run.start(job("a", load))
    control.cancel(run.run_id)
    run.end("a")
    assert run.status == "completed"


# -- resume


def test_a_failed_run_goes_on_where_it_failed(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("b", load, after=["a"]), job("c", load, after=["b"]))
    run.end("a")
    run.end("b", FAILED)
    assert run.statuses == {"a": "completed", "b": "failed", "c": "skipped"}
    before = run.jobs("b")[0]
    assert control.resume(run.run_id) == ["b", "c"]
    turn = run.turn()
    after = run.jobs("b")[0]
    # The same job, resumed: what it has done is not done again.
    assert (after.job_id, after.attempt, after.is_open) == (before.job_id, 1, True)
    assert turn.to_start == [before.job_id]
    assert run.jobs("a")[0].attempt == 1
    run.end("b")
    run.end("c")
    assert run.status == "completed"
    run.check()


def test_a_job_that_cannot_be_resumed_is_made_anew(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load))
    run.end("a", FAILED)
    before = run.jobs("a")[0]
    run.query("UPDATE app.jobs SET work_removed_at = now()")
    run.resume()
    after = run.jobs("a")[0]
    assert after.attempt == 2
    assert after.job_id != before.job_id
    run.end("a")
    assert run.status == "completed"


def test_a_job_whose_parameters_have_changed_is_made_anew(load: JobDefinition[Load]) -> None:
    """What comes before it was done again, and came out differently."""
    run = Run.start(
        job("a", load, on_failure="continue"),
        job(
            "b",
            load,
            needs="end",
            parameters={"label": expression("coalesce(steps.a.outputs.table, 'none')")},
        ),
    )
    run.end("a", FAILED)
    assert run.job_row("b").parameters["label"] == "none"
    run.end("b", FAILED)
    assert run.status == "failed"
    run.resume()
    assert run.statuses == {"a": "running", "b": "pending"}
    run.end("a", result={"table": "parks", "rows": []})
    assert run.jobs("b")[0].attempt == 2
    assert run.job_row("b").parameters["label"] == "parks"
    run.end("b")
    assert run.status == "completed"


def test_a_resume_fails_again_where_its_job_does(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load))
    for _ in range(3):
        run.end("a", FAILED)
        assert run.status == "failed"
        run.resume()
        assert run.status == "running"
    run.end("a")
    assert run.status == "completed"


def test_a_step_skipped_by_its_condition_stays_so(load: JobDefinition[Load]) -> None:
    run = Run.start(
        job("a", load),
        job("never", load, when="length(steps.a.outputs.rows) > 100"),
        job("b", load, after=["a"]),
    )
    run.end("a")
    run.end("b", FAILED)
    run.resume()
    assert run.statuses == {"a": "completed", "never": "skipped", "b": "running"}
    assert run.steps["never"].reason == "Its condition was not met."


def test_a_rejected_gate_is_asked_again_after_a_resume(load: JobDefinition[Load]) -> None:
    run = Run.start(gate("look", timeout_hours=1), job("a", load, after=["look"]))
    run.decide("look", "rejected")
    run.resume()
    step = run.steps["look"]
    assert step.status.value == "awaiting_approval"
    assert step.decision is None
    run.decide("look")
    run.end("a")
    assert run.status == "completed"


def test_an_approved_gate_is_not_asked_again(load: JobDefinition[Load]) -> None:
    run = Run.start(gate("look"), job("a", load, after=["look"]))
    run.decide("look")
    before = run.steps["look"]
    run.end("a", FAILED)
    run.resume()
    assert run.steps["look"] == before
    assert run.statuses["a"] == "running"


def test_a_cancelled_run_goes_on_after_a_resume(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), gate("look"), job("b", load, after=["a", "look"]))
    turn = run.cancel()
    jobs_control.cancel(turn.to_cancel[0])
    run.end("a", CANCELLED)
    assert run.status == "cancelled"
    run.resume()
    assert run.statuses == {"a": "running", "look": "awaiting_approval", "b": "pending"}
    assert not run.jobs("a")[0].cancel_requested
    run.end("a")
    run.decide("look")
    run.end("b")
    assert run.status == "completed"


def test_nothing_is_resumed_that_runs_or_has_completed(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load))
    with pytest.raises(Conflict, match="it is running"):
        control.resume(run.run_id)
    run.end("a")
    with pytest.raises(Conflict, match="it is completed"):
        control.resume(run.run_id)


# -- jobs on pages of their own


def test_a_job_that_is_cancelled_by_hand_ends_its_step(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("b", load, after=["a"]))
    jobs_control.cancel(run.jobs("a")[0].job_id)
    run.end("a", CANCELLED)
    assert run.statuses == {"a": "cancelled", "b": "skipped"}
    assert run.status == "failed"
    error = run.row.error
    assert error is not None
    assert error["message"] == "The job of step a was cancelled."


def test_a_job_that_is_resumed_by_hand_lets_the_run_go_on(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("b", load, after=["a"]), gate("g"), job("slow", load))
    run.end("a", FAILED)
    assert run.statuses == {"a": "failed", "b": "skipped", "g": "cancelled", "slow": "running"}
    jobs_control.resume(run.jobs("a")[0].job_id)
    run.turn()
    assert run.statuses == {
        "a": "running",
        "b": "pending",
        "g": "awaiting_approval",
        "slow": "running",
    }
    run.end("a")
    assert run.statuses["b"] == "running"
    run.check()


def test_a_step_stays_as_it_ended_where_another_has_begun_on_that(
    load: JobDefinition[Load],
) -> None:
    """All jobs of a step see the same of those before it."""
    label = expression("coalesce(steps.a.outputs.table, 'none')")
    run = Run.start(
        job("a", load, on_failure="continue"),
        job("between", load, after=["a"]),
        job(
            "tidy",
            load,
            for_each="[1, 2]",
            max_parallel=1,
            after=["between"],
            needs="end",
            parameters={"label": label},
        ),
    )
    run.end("a", FAILED)
    ended = {"a": "failed", "between": "skipped", "tidy": "running"}
    assert run.statuses == ended
    jobs_control.resume(run.jobs("a")[0].job_id)
    run.turn()
    assert run.statuses == ended
    run.check()
    run.end("a", result={"table": "parks", "rows": []})
    run.end("tidy", index=0)
    assert run.statuses == ended
    assert [run.job_row("tidy", index).parameters["label"] for index in (0, 1)] == ["none", "none"]
    run.end("tidy", index=1)
    assert run.status == "completed_with_errors"
    # A resume takes up what came of it since.
    run.resume()
    assert run.statuses == {"a": "completed", "between": "running", "tidy": "completed"}


def test_nor_does_one_go_back_on_which_another_has_begun_by_way_of_a_third(
    load: JobDefinition[Load],
) -> None:
    run = Run.start(
        job("a", load, on_failure="continue"),
        job("between", load, after=["a"]),
        job("tidy", load, after=["between"], needs="end"),
    )
    run.end("a", FAILED)
    jobs_control.resume(run.jobs("a")[0].job_id)
    run.turn()
    assert run.statuses == {"a": "failed", "between": "skipped", "tidy": "running"}
    run.check()


def test_a_job_resumed_by_hand_after_the_end_is_taken_up_by_a_resume(
    load: JobDefinition[Load],
) -> None:
    run = Run.start(job("a", load), job("b", load, after=["a"]))
    run.end("a", FAILED)
    job_id = run.jobs("a")[0].job_id
    jobs_control.resume(job_id)
    before = run.steps
    # A turn of a run that has ended changes nothing.
    assert run.turn().verdict["next"] == "end"
    assert run.steps == before
    end_job(job_id)
    assert run.status == "failed"
    run.resume()
    assert run.statuses == {"a": "completed", "b": "running"}
    assert run.jobs("a")[0].job_id == job_id
