"""What a crash loses between a commit and the word that should follow it is made up for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.job_definition import JobDefinition
from core.models.job import JobStatus
from infrastructure import locks
from services.orchestration import control as jobs_control
from services.pipelines import control, following, reconcile, runs, starting
from tests.support.engine import Load
from tests.support.pipeline_runs import Run, end_job, expression, gate, job, saved


class Client:
    """A Durable client that notes what it is asked, and may be away."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.started: list[tuple[str, str | None]] = []
        self.events: list[tuple[str, str]] = []

    async def start_new(self, name: str, instance_id: str | None = None) -> str:
        self._answer()
        self.started.append((name, instance_id))
        return str(instance_id)

    async def get_status(self, instance_id: str) -> Any:
        self._answer()
        return None

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any = None) -> None:
        self._answer()
        self.events.append((instance_id, event_name))

    def _answer(self) -> None:
        if self.is_away:
            raise Exception("The hub does not answer.")  # as bare as the SDK raises


def unheard() -> list[str]:
    return reconcile.reconcile_all().to_tell


async def test_a_job_that_ends_tells_its_run_by_the_number_of_its_turn(
    load: JobDefinition[Load],
) -> None:
    run, client = Run.start(job("a", load)), Client()
    job_id = run.jobs("a")[0].job_id
    end_job(job_id)
    await starting.tell_run_of(client, job_id)
    assert client.events == [(run.run_id, "moved_1")]
    run.turn()
    await starting.tell_run_of(client, job_id)  # the run has ended
    await starting.tell_run_of(client, "0" * 64)  # no run's job
    assert len(client.events) == 1


async def test_of_jobs_that_end_together_one_tells(load: JobDefinition[Load]) -> None:
    run, client = Run.start(job("a", load), job("b", load)), Client()
    for step_id in ("a", "b"):
        job_id = run.jobs(step_id)[0].job_id
        end_job(job_id)
        await starting.tell_run_of(client, job_id)
    assert client.events == [(run.run_id, "moved_1")]
    run.turn()
    assert run.status == "completed"


async def test_a_run_that_was_not_told_is_told_again(load: JobDefinition[Load]) -> None:
    run, away, client = Run.start(job("a", load)), Client(is_away=True), Client()
    job_id = run.jobs("a")[0].job_id
    end_job(job_id)
    await starting.tell_run_of(away, job_id)
    assert unheard() == []  # it may be on its way
    run.hours_pass()
    assert unheard() == [run.run_id]
    await starting.tell(client, unheard())
    assert client.events == [(run.run_id, "moved_1")]
    run.turn()
    assert unheard() == []


def test_an_end_that_nobody_told_of_is_found(load: JobDefinition[Load]) -> None:
    """The process died between the job's end and telling."""
    run = Run.start(job("a", load), job("b", load, after=["a"]))
    end_job(run.jobs("a")[0].job_id)
    run.hours_pass()
    assert unheard() == [run.run_id]
    run.turn()
    assert unheard() == []


def test_a_job_that_was_resumed_by_hand_is_found(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load), job("slow", load))
    run.end("a", JobStatus.FAILED)
    assert unheard() == []
    jobs_control.resume(run.jobs("a")[0].job_id)
    assert unheard() == [run.run_id]
    run.turn()
    assert unheard() == []


async def test_the_end_of_a_job_that_is_replaced_is_heard_once(load: JobDefinition[Load]) -> None:
    """The run was given up while it was under way, and it is of no use after the resume."""
    label = expression("coalesce(steps.a.outputs.table, 'none')")
    run = Run.start(
        job("a", load, on_failure="continue"),
        job("b", load, needs="end", parameters={"label": label}),
    )
    run.end("a", JobStatus.FAILED)
    before = run.jobs("b")[0]
    for _ in range(21):
        await starting.ensure_started(Client(), run.run_id)
    assert run.status == "failed"
    run.resume()
    run.end("a", result={"table": "parks", "rows": []})
    assert run.turn().to_cancel == [before.job_id]
    end_job(before.job_id, JobStatus.CANCELLED)
    run.turn()
    assert run.jobs("b")[0].attempt == 2
    run.hours_pass()
    assert unheard() == []


@pytest.mark.parametrize("what", ["decided", "cancelled", "late"])
def test_what_was_asked_and_not_heard_is_found(load: JobDefinition[Load], what: str) -> None:
    run = Run.start(gate("look", timeout_hours=2), job("a", load, after=["look"]))
    run.hours_pass()
    assert unheard() == []
    if what == "decided":
        control.decide(run.run_id, "look", "approved")
    elif what == "cancelled":
        control.cancel(run.run_id)
    run.hours_pass(1 if what != "late" else 3)
    assert unheard() == [run.run_id]
    run.turn()
    assert unheard() == []


def test_a_run_whose_orchestration_was_not_started_is_found(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load))
    assert reconcile.reconcile_all().to_check == []
    run.hours_pass()
    assert reconcile.reconcile_all().to_check == [run.run_id]


def test_a_run_that_only_waits_at_its_gates_is_looked_for_seldom(
    load: JobDefinition[Load],
) -> None:
    run = Run.start(gate("look"), job("a", load, after=["look"]))
    run.hours_pass()
    assert reconcile.reconcile_all().to_check == [run.run_id]
    assert reconcile.reconcile_all().to_check == []
    run.hours_pass()
    assert reconcile.reconcile_all().to_check == [run.run_id]
    assert reconcile.reconcile_all().to_check == []
    control.decide(run.run_id, "look", "approved")
    run.query("UPDATE app.pipeline_runs SET updated_at = updated_at - interval '1 hour'")
    assert reconcile.reconcile_all().to_check == [run.run_id]
    run.turn()
    run.query("UPDATE app.pipeline_runs SET updated_at = updated_at - interval '1 hour'")
    for _ in range(2):  # a job of it is at work
        assert reconcile.reconcile_all().to_check == [run.run_id]


def test_a_round_checks_so_many_and_the_next_one_others(
    load: JobDefinition[Load], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "_CHECKS", 2)
    made = [Run.start(job("a", load)) for _ in range(3)]
    for run in made:
        run.hours_pass()
    first, second = (reconcile.reconcile_all().to_check for _ in range(2))
    assert (len(first), len(second)) == (2, 2)
    assert {*first, *second} == {run.run_id for run in made}


async def test_it_is_started_again_and_not_for_ever(load: JobDefinition[Load]) -> None:
    run, client = Run.start(job("a", load), gate("g")), Client()
    for _ in range(20):
        await starting.ensure_started(client, run.run_id)
    assert client.started == [("run_pipeline", run.run_id)] * 20
    await starting.ensure_started(client, run.run_id)
    assert len(client.started) == 20
    assert run.status == "failed"
    error = run.row.error
    assert error is not None
    assert error["code"] == "orchestration_failed"
    run.check()
    # It can be resumed, with the job that went on by itself.
    end_job(run.jobs("a")[0].job_id)
    run.resume()
    assert run.statuses == {"a": "completed", "g": "awaiting_approval"}


async def test_a_turn_starts_and_cancels_jobs_after_its_commit(
    load: JobDefinition[Load],
) -> None:
    run, client = Run.start(gate("look"), job("a", load, after=["look"])), Client()
    control.decide(run.run_id, "look", "approved")
    verdict = await following.take_turn(client, run.run_id)
    job_id = run.jobs("a")[0].job_id
    assert verdict["next"] == "wait"
    assert client.started == [("run_job", job_id)]
    control.cancel(run.run_id)
    await following.take_turn(client, run.run_id)
    assert run.jobs("a")[0].cancel_requested


async def test_what_is_to_be_cancelled_is_named_until_it_is(load: JobDefinition[Load]) -> None:
    """The process died between the turn's commit and the cancel of its jobs."""
    run = Run.start(job("a", load))
    control.cancel(run.run_id)
    assert run.turn().to_cancel == run.turn().to_cancel == [run.jobs("a")[0].job_id]


def test_one_reconciler_is_at_work_at_a_time(load: JobDefinition[Load]) -> None:
    run = Run.start(job("a", load))
    run.hours_pass()
    with locks.singleton("pipelines") as mine:
        assert mine
        assert reconcile.reconcile_all().to_check == []
    assert reconcile.reconcile_all().to_check == [run.run_id]


def test_turns_that_are_taken_at_once_begin_each_job_once(load: JobDefinition[Load]) -> None:
    """Say the orchestration that was given up for dead, and the one that was started for it."""
    run = Run(runs.start(saved(*(job(step_id, load) for step_id in "abc")), {}).run_id)
    with ThreadPoolExecutor(6) as pool:
        turns = list(pool.map(lambda _: run.turn(), range(6)))
    assert sorted(len(turn.to_start) for turn in turns) == [0] * 5 + [3]
    assert sorted(turn.verdict["turn"] for turn in turns) == [1, 2, 3, 4, 5, 6]
    assert all(len(run.jobs(step_id)) == 1 for step_id in "abc")
