"""A task's effect counts once for each (task, attempt), whoever works on it and how often."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from core.job_definition import Handler, JsonObject, RetryPolicy, TaskContext
from core.messages import TaskMessage
from core.models.task import TaskOutcome, TaskStatus
from infrastructure import database, task_repository
from services.orchestration import leases, window, worker
from services.orchestration.leases import LeaseKeeper
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Job, Load, eventually, run_messages, stage, unknown_job


def test_a_task_is_claimed_once(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    [claimed] = job.claim(0)
    assert (claimed.task_index, claimed.attempt, claimed.parameters) == (0, 1, {"index": 0})
    assert job.claim(0) == []
    assert [task.task_index for task in job.claim(0, 1)] == [1]
    job.check()


def test_workers_that_claim_the_same_tasks_at_once_share_them(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=300), n=300)
    job.open()
    together = threading.Barrier(8)

    def claim(_: int) -> list[int]:
        together.wait(timeout=60)
        return [task.task_index for task in job.claim(*range(300))]

    with ThreadPoolExecutor(8) as threads:
        claimed = [index for indexes in threads.map(claim, range(8)) for index in indexes]
    assert sorted(claimed) == list(range(300))
    assert {task["attempt"] for task in job.tasks()} == {1}
    job.check()


def test_a_claim_does_not_wait_for_another(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=6), n=6)
    job.open()
    with database.transaction() as first, database.transaction() as second:
        mine = task_repository.claim(first, job.job_id, 0, [0, 1, 2, 3])
        second.execute("SET LOCAL lock_timeout = '1s'")
        theirs = task_repository.claim(second, job.job_id, 0, [2, 3, 4, 5])
    assert [task.task_index for task in mine] == [0, 1, 2, 3]
    assert [task.task_index for task in theirs] == [4, 5]
    job.check()


def test_what_was_not_queued_cannot_be_claimed(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=1), n=3)
    job.open()
    assert [task.task_index for task in job.claim(0, 1, 2, 77)] == [0]


def test_a_stale_attempt_is_refused(engine: Engine) -> None:
    """A worker that was taken for dead comes back with its result, after another took over."""
    job = engine.job(n=1)
    job.open()
    late = job.claim(0)
    job.hours_pass()
    current = job.claim(0)
    assert current[0].attempt == late[0].attempt + 1
    outcome = TaskOutcome(0, late[0].attempt, TaskStatus.COMPLETED, result={"by": "late"})
    progress, settled = window.settle(job.job_id, 0, [outcome])
    assert (settled.ended, progress.done) == (0, False)
    assert job.statuses() == ["running"]
    job.check()
    outcome = TaskOutcome(0, current[0].attempt, TaskStatus.COMPLETED, result={"by": "current"})
    assert window.settle(job.job_id, 0, [outcome])[0].done
    assert job.tasks()[0]["result"] == {"by": "current"}
    job.check()


def test_a_result_that_comes_twice_counts_once(engine: Engine) -> None:
    job = engine.job(n=3)
    job.open()
    claimed = job.claim(0)
    together = threading.Barrier(6)

    def settle(_: int) -> int:
        together.wait(timeout=60)
        outcome = TaskOutcome(0, claimed[0].attempt, TaskStatus.COMPLETED)
        return window.settle(job.job_id, 0, [outcome])[1].completed

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(settle, range(6))) == 1
    assert job.stage().tasks_completed == 1
    job.check()


def test_a_live_lease_cannot_be_taken(engine: Engine) -> None:
    job = engine.job(stage(lease_seconds=3600.0), n=1)
    job.open()
    assert len(job.claim(0)) == 1
    assert job.claim(0) == []
    [task] = job.tasks()
    assert task["lease_expires_at"] is not None
    job.settle([])
    assert job.tasks() == [task]


def test_the_last_attempt_cannot_be_taken_over(engine: Engine) -> None:
    """A copy of its message comes when the lease has ended: the reconciler fails the task."""
    job = engine.job(stage(retry=RetryPolicy(max_attempts=1)), n=1)
    job.open()
    job.claim(0)
    job.hours_pass()
    assert job.claim(0) == []


def test_a_retry_is_not_taken_before_its_time(engine: Engine) -> None:
    job = engine.job(n=1)
    job.open()
    job.settle(job.claim(0), TaskStatus.PENDING, retry_in=1000)
    assert job.claim(0) == []
    job.hours_pass()
    assert [task.attempt for task in job.claim(0)] == [2]


def counting(counter: Counter[tuple[int, int]]) -> Handler[Load]:
    guard = threading.Lock()

    def handler(context: TaskContext[Load]) -> JsonObject:
        with guard:
            counter[context.task["index"], context.attempt] += 1
        return {"attempt": context.attempt}

    return handler


def test_duplicate_messages_run_a_task_once(engine: Engine) -> None:
    calls: Counter[tuple[int, int]] = Counter()
    job = engine.job(stage(handler=counting(calls)), n=10)
    job.open()
    bodies = engine.mailbox.take(job.job_id, tasks=10)
    together = threading.Barrier(4)

    def work(_: int) -> list[worker.StageDone]:
        together.wait(timeout=60)
        return run_messages(bodies)

    with ThreadPoolExecutor(4) as threads:
        done = [stage for ended in threads.map(work, range(4)) for stage in ended]
    assert run_messages(bodies) == []
    assert calls == {(index, 1): 1 for index in range(10)}
    assert done == [worker.StageDone(job.job_id, 0)]
    job.check()


def test_a_duplicate_in_the_same_batch_runs_a_task_once(engine: Engine) -> None:
    """The reconciler sent a task again that was only waiting: one worker receives both."""
    calls: Counter[tuple[int, int]] = Counter()
    job = engine.job(stage(handler=counting(calls)), n=3)
    job.open()
    bodies = engine.mailbox.take(job.job_id, tasks=3)
    again = TaskMessage(job.job_id, 0, [0, 1, 2]).encode().encode()
    assert run_messages([*bodies, again, *bodies]) == [worker.StageDone(job.job_id, 0)]
    assert calls == {(index, 1): 1 for index in range(3)}
    job.check()


def test_one_batch_serves_many_jobs(engine: Engine) -> None:
    jobs = [engine.job(n=2) for _ in range(3)]
    bodies = []
    for job in jobs:
        job.open()
        bodies += engine.mailbox.take(job.job_id, tasks=2)
    done = run_messages(bodies)
    assert {ended.job_id for ended in done} == {job.job_id for job in jobs}
    assert done[0].event == "stage_0_done"


def test_a_message_for_what_is_not_in_the_ledger_needs_no_work(engine: Engine) -> None:
    job = engine.job(n=1)
    job.open()
    strange = [
        TaskMessage(unknown_job(), 0, [0]),
        TaskMessage(job.job_id, 7, [0]),
        TaskMessage(job.job_id, 0, [99]),
    ]
    assert run_messages([message.encode().encode() for message in strange]) == []
    job.check()


def test_leases_are_renewed_while_a_task_runs(engine: Engine) -> None:
    """The task takes longer than its lease of four seconds; nobody can take it meanwhile."""
    release = threading.Event()

    def wait(context: TaskContext[Load]) -> None:
        assert release.wait(timeout=120)

    job = engine.job(stage(handler=wait, lease_seconds=4.0), n=1)
    job.open()
    bodies = engine.mailbox.take(job.job_id)
    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(run_messages, bodies)
        eventually("the task runs", lambda: job.statuses() == ["running"])
        first = job.tasks()[0]["lease_expires_at"]
        eventually("two renewals", lambda: (expiry(job) - first).total_seconds() > 4.0)
        assert job.claim(0) == []
        release.set()
        assert working.result(timeout=60) == [worker.StageDone(job.job_id, 0)]
    assert job.tasks()[0]["attempt"] == 1


def expiry(job: Job) -> datetime:
    at: datetime = job.tasks()[0]["lease_expires_at"]
    return at


def test_a_worker_learns_that_its_lease_was_lost(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = LeaseKeeper()
    monkeypatch.setattr(leases, "_NOTICE_SECONDS", 0.1)
    job = engine.job(n=2)
    job.open()
    held = job.claim(0, 1)
    with keeper.hold(job.job_id, 0, held, 60.0) as holding:
        holding.renew()
        assert [holding.stop_reason(index) for index in (0, 1)] == [None, None]
        job.hours_pass()
        job.claim(0)
        holding.renew()
    assert holding.stop_reason(0) == "The task's lease was lost to another worker."
    assert holding.stop_reason(1) is None


def test_a_handler_that_lost_its_lease_stops_and_changes_nothing(engine: Engine) -> None:
    taken, nap = threading.Event(), threading.Event()

    def until_told(context: TaskContext[Load]) -> None:
        job.hours_pass()
        job.claim(0)
        taken.set()
        while not nap.wait(timeout=0.05):
            context.check()

    job = engine.job(stage(handler=until_told, lease_seconds=1.0), n=1)
    job.open()
    assert run_messages(engine.mailbox.take(job.job_id)) == []
    assert taken.is_set()
    assert job.statuses() == ["running"]
    assert job.tasks()[0]["attempt"] == 2
    job.check()
