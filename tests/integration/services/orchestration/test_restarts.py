"""What an orchestration that comes late, or again, may still do to its job."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from core.errors import PermanentTaskError
from core.job_definition import JobContext, TaskContext, TaskSpec
from core.messages import TaskMessage
from core.models.task import TaskStatus
from core.registry import registry
from infrastructure import database, job_repository, locks
from services.orchestration import closing, control, leases, planning, reconcile, worker
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Job, Load, define, eventually, stage


def break_down(context: TaskContext[Load]) -> None:
    raise PermanentTaskError("The bridge is out.", code="bridge_out")


def test_a_new_orchestration_does_not_go_on_behind_a_failed_stage(engine: Engine) -> None:
    job = engine.job(stage("first", break_down), stage("second"))
    job.open()
    job.work_off()
    assert job.close()["next"] == "finalize"
    # Here the orchestration dies, and the reconciler starts another.
    assert planning.plan_stage(job.job_id, 0) == {"next": "finalize", "error": None}
    assert job.finalize() == "failed"
    error = job.row.error
    assert error is not None
    assert (error["code"], error["stage_name"]) == ("bridge_out", "first")
    assert job.stage(1).tasks_total is None


def test_an_end_from_before_a_resume_does_not_end_the_resumed_job(engine: Engine) -> None:
    job = engine.job(stage("only", break_down))
    job.open()
    job.work_off()
    verdict = job.close()
    before = planning.find_run(job.job_id)["resumes"]
    assert closing.finalize_job(job.job_id, verdict["error"], before) == "failed"
    control.resume(job.job_id)
    assert closing.finalize_job(job.job_id, verdict["error"], before) == "queued"
    assert job.row.status == "queued"
    assert job.run() == "failed"


def test_the_files_of_a_resumed_job_are_left_alone(engine: Engine) -> None:
    job = engine.job(stage("only", break_down))
    assert job.run() == "failed"
    control.resume(job.job_id)
    closing.remove_work(job.job_id)  # by housekeeping, which listed the job before the resume
    assert job.row.work_removed_at is None


def test_files_that_could_not_be_removed_are_tried_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = engine.job(stage("only", break_down))
    assert job.run() == "failed"

    def refuse(workspace: object) -> int:
        raise OSError("the storage is away")

    monkeypatch.setattr(closing.BlobWorkspace, "remove", refuse)
    with pytest.raises(OSError, match="away"):
        closing.remove_work(job.job_id)
    assert job.row.work_removed_at is None


def test_a_stage_that_cannot_be_repaired_does_not_hold_up_the_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, healthy = engine.job(), engine.job()
    for job in (broken, healthy):
        job.open()
        job.claim(0)
        job.hours_pass()
    repair = reconcile.reconcile_stage

    def fail_for_one(job_id: str, index: int) -> bool:
        if job_id == broken.job_id:
            raise ValueError("not to be repaired")
        return repair(job_id, index)

    monkeypatch.setattr(reconcile, "reconcile_stage", fail_for_one)
    assert reconcile.reconcile_all() is not None
    assert healthy.statuses() == ["queued"]
    assert broken.statuses() == ["running"]


def test_a_dead_worker_of_a_stopping_stage_leaves_a_cancelled_task(engine: Engine) -> None:
    job = engine.job(n=1)
    job.open()
    job.claim(0)
    control.cancel(job.job_id)
    job.hours_pass()
    assert reconcile.reconcile_stage(job.job_id, 0)
    assert job.statuses() == ["cancelled"]
    job.close()
    assert job.finalize() == "cancelled"


def test_one_bad_message_does_not_hide_the_stage_that_ended_beside_it(engine: Engine) -> None:
    job = engine.job(n=1)
    job.open()
    worked = worker.work_off([b"{", *engine.mailbox.take(job.job_id)])
    assert worked.done == [worker.StageDone(job.job_id, 0)]
    assert worked.error is not None


def test_tasks_of_a_job_type_that_is_gone_fail_with_that_reason(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = engine.job(n=2)
    job.open()
    monkeypatch.setattr(registry, "_definitions", {})
    worked = worker.work_off([TaskMessage(job.job_id, 0, [0, 1]).encode().encode()])
    assert (worked.done, worked.error) == ([worker.StageDone(job.job_id, 0)], None)
    assert [task["error"]["code"] for task in job.tasks()] == ["unknown_job_type"] * 2


def test_a_cancel_does_not_wait_for_the_planner(engine: Engine) -> None:
    planning_began, may_end = threading.Event(), threading.Event()

    def plan_slowly(context: JobContext[Load]) -> Any:
        planning_began.set()
        assert may_end.wait(60)
        yield TaskSpec({"index": 0})

    job = engine.submit(define(stage(planner=plan_slowly)), n=1)
    thread = threading.Thread(target=planning.plan_stage, args=(job.job_id, 0))
    thread.start()
    assert planning_began.wait(60)
    try:
        control.cancel(job.job_id)  # would wait for as long as the planner takes
        assert job.row.status == "running"
    finally:
        may_end.set()
        thread.join()
    assert planning.dispatch_stage(job.job_id, 0)
    assert job.statuses() == ["cancelled"]


def test_a_resumed_stage_is_not_searched_again_behind_its_last_pending_task(
    engine: Engine,
) -> None:
    job = engine.job(stage(max_parallel=4), n=6)
    job.open()
    job.settle(job.claim(0, 1, 2, 3))
    job.query("UPDATE app.tasks SET status = 'failed' WHERE job_id = %(job_id)s AND task_index = 0")
    job.query(
        "UPDATE app.job_stages SET tasks_completed = 3, tasks_failed = 1 WHERE job_id = %(job_id)s"
    )
    job.settle(job.claim(4, 5))
    assert job.close()["next"] == "finalize"
    job.finalize()
    control.resume(job.job_id)
    job.open()
    assert job.stage().next_index == job.stage().tasks_total == 6
    assert job.statuses() == ["queued", *["completed"] * 5]


def test_leases_are_renewed_in_turn_with_whoever_settles(engine: Engine) -> None:
    job = engine.job(n=1)
    job.open()
    holding = leases.Holding(job.job_id, 0, job.claim(0), lease_seconds=30)
    with database.transaction() as connection:
        locks.lock(connection, locks.Space.STAGE, job.job_id, 0)
        renewing = threading.Thread(target=holding.renew)
        renewing.start()
        eventually("the renewal waits for the stage's lock", lambda: _waits(job))
    renewing.join(60)
    assert holding.stop_reason(0) is None


def _waits(job: Job) -> bool:
    [row] = job.query(
        "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    )
    return row["n"] > 0


def test_an_outcome_is_settled_after_a_deadlock(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    job = engine.job(n=1)
    job.open()
    settle, tries = worker.window.settle, []

    def deadlock_once(*args: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise psycopg.errors.DeadlockDetected("deadlock detected")
        return settle(*args)

    monkeypatch.setattr(worker.window, "settle", deadlock_once)
    assert job.receive() == [worker.StageDone(job.job_id, 0)]
    assert len(tries) == 2


def test_an_ended_job_keeps_its_terminal_state_for_a_second_finalizer(engine: Engine) -> None:
    job = engine.job(n=0)
    assert job.run() == "completed"
    with database.transaction() as connection:
        resumes = job_repository.get(connection, job.job_id).resumes
    assert closing.finalize_job(job.job_id, {"code": "late", "message": "late"}, resumes) == (
        "completed"
    )
    assert TaskStatus.FAILED not in job.statuses()
