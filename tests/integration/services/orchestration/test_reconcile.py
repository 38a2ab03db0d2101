"""A crash at any point loses nothing: the reconciler finds what is left and brings it on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from config import get_settings
from core.errors import TransientTaskError, Unavailable
from core.job_definition import JsonObject, RetryPolicy, TaskContext
from core.models.task import TaskStatus
from infrastructure import locks, task_queue
from infrastructure.task_queue import TaskQueue
from services.orchestration import control, planning, reconcile, window
from services.orchestration.worker import StageDone
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Job, Load, run_messages, stage


def reconcile_until_done(job: Job, rounds: int = 10) -> None:
    """Rounds of reconciler and workers, time passing in between."""
    for _ in range(rounds):
        if reconcile.reconcile_stage(job.job_id, 0):
            return
        assert job.mailbox is not None
        run_messages(job.mailbox.rest(job.job_id))
        job.hours_pass()
    raise AssertionError(f"not done after {rounds} rounds: {job.stage()}")


def test_nothing_is_sent_again_before_its_time(engine: Engine) -> None:
    job = engine.job(n=3)
    job.open()
    engine.mailbox.take(job.job_id, tasks=3)
    job.claim(0)
    before = job.tasks()
    assert reconcile.reconcile_stage(job.job_id, 0) is False
    assert job.tasks() == before
    assert engine.mailbox.rest(job.job_id) == []
    assert job.events("workers_lost") == []


def test_a_lost_message_is_sent_again(engine: Engine) -> None:
    job = engine.job(n=3)
    job.open()
    engine.mailbox.take(job.job_id, tasks=3)
    job.hours_pass()
    assert reconcile.reconcile_stage(job.job_id, 0) is False
    assert job.receive(tasks=3) == [StageDone(job.job_id, 0)]
    assert [task["attempt"] for task in job.tasks()] == [1, 1, 1]
    job.check()


def test_each_resend_waits_longer(engine: Engine) -> None:
    """A queue that is only slow is not flooded with copies."""
    job = engine.job(n=1)
    job.open()
    sent = []
    for minutes in (1.5, 1.5, 3.0, 3.0):
        job.query(
            "UPDATE app.tasks SET queued_at = now() - make_interval(secs => %(seconds)s)"
            " WHERE job_id = %(job_id)s",
            seconds=60 * minutes,
        )
        reconcile.reconcile_stage(job.job_id, 0)
        sent.append(job.tasks()[0]["resends"])
    assert sent == [1, 1, 2, 2]


def test_a_lost_retry_is_sent_again(engine: Engine) -> None:
    def stumble(context: TaskContext[Load]) -> JsonObject:
        if context.attempt == 1:
            raise TransientTaskError("The source is busy.")
        return {}

    job = engine.job(stage(handler=stumble, retry=RetryPolicy(first_delay_seconds=900)), n=1)
    job.open()
    job.receive()
    assert job.statuses() == ["pending"]
    job.hours_pass()
    assert reconcile.reconcile_stage(job.job_id, 0) is False
    assert job.receive() == [StageDone(job.job_id, 0)]
    job.check()


def test_the_task_of_a_dead_worker_is_done_by_another(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    engine.mailbox.take(job.job_id, tasks=2)
    job.claim(0, 1)
    job.hours_pass()
    assert reconcile.reconcile_stage(job.job_id, 0) is False
    assert job.statuses() == ["queued", "queued"]
    job.check()
    assert job.receive(tasks=2) == [StageDone(job.job_id, 0)]
    assert [task["attempt"] for task in job.tasks()] == [2, 2]
    job.check()


def test_a_task_that_kills_every_worker_fails_in_the_end(engine: Engine) -> None:
    job = engine.job(stage(retry=RetryPolicy(max_attempts=3)), n=1)
    job.open()
    for attempt in (1, 2, 3):
        assert [task.attempt for task in job.claim(0)] == [attempt]
        job.hours_pass()
        done = reconcile.reconcile_stage(job.job_id, 0)
        assert done is (attempt == 3)
    assert job.claim(0) == []
    [task] = job.tasks()
    assert (task["status"], task["error"]["code"]) == ("failed", "worker_lost")
    assert job.close()["next"] == "finalize"
    job.check()


def test_a_dead_worker_in_a_cancelled_job_does_not_keep_it_open(engine: Engine) -> None:
    job = engine.job(n=3)
    job.open()
    job.claim(0)
    assert control.cancel(job.job_id) == []
    assert job.statuses() == ["running", "cancelled", "cancelled"]
    job.hours_pass()
    assert reconcile.reconcile_stage(job.job_id, 0) is True
    job.close()
    assert job.finalize() in ("cancelled", "failed")
    job.check()


@pytest.fixture
def service_bus_down(engine: Engine) -> Iterator[pytest.MonkeyPatch]:
    """Sends go to a port at which nothing listens, until the test is over or undoes it."""
    address = (
        "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0;"
        "UseDevelopmentEmulator=true;"
    )
    settings = get_settings().model_copy(
        update={"service_bus_connection_string": SecretStr(address)}
    )
    unreachable = TaskQueue(settings)
    with pytest.MonkeyPatch.context() as down:
        down.setattr(task_queue, "_queue", unreachable)
        yield down
    unreachable.close()


def test_what_could_not_be_sent_is_sent_in_the_next_round(
    engine: Engine, service_bus_down: pytest.MonkeyPatch
) -> None:
    job = engine.job(stage(max_parallel=2), n=3)
    assert job.open() is False
    assert job.statuses() == ["queued", "queued", "pending"]
    assert len(job.events("service_bus_unavailable")) == 1
    # Still down: nothing is lost by trying.
    assert reconcile.reconcile_stage(job.job_id, 0) is False
    service_bus_down.undo()
    assert reconcile.reconcile_stage(job.job_id, 0) is False
    assert len(engine.mailbox.take(job.job_id, tasks=2)) == 2
    job.check()


def test_a_completion_survives_a_send_that_fails(
    engine: Engine, service_bus_down: pytest.MonkeyPatch
) -> None:
    job = engine.job(stage(max_parallel=1), n=2)
    job.open()
    assert job.settle(job.claim(0)).send() is False
    assert job.statuses() == ["completed", "queued"]
    service_bus_down.undo()
    reconcile.reconcile_stage(job.job_id, 0)
    assert job.receive() == [StageDone(job.job_id, 0)]
    job.check()


def test_a_crash_between_commit_and_send_loses_nothing(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=2), n=6)
    planning.plan_stage(job.job_id, 0)
    # Committed, and never sent: the process died here.
    job.open()
    engine.mailbox.take(job.job_id, tasks=2)
    assert job.settle(job.claim(0, 1)).to_send == [2, 3]
    job.hours_pass()
    reconcile_until_done(job)
    assert job.statuses() == ["completed"] * 6
    job.check()


def test_an_event_that_was_lost_is_raised_again(engine: Engine) -> None:
    job = engine.job(n=1)
    job.open()
    assert job.settle(job.claim(0)).done
    findings = reconcile.reconcile_all()
    assert findings is not None
    assert findings.ended == []  # it ended a moment ago: its event is on the way
    job.hours_pass()
    findings = reconcile.reconcile_all()
    assert findings is not None
    assert findings.ended == [StageDone(job.job_id, 0)]
    job.close()
    findings = reconcile.reconcile_all()
    assert findings is not None
    assert findings.ended == []


def test_a_job_without_an_orchestration_is_found(engine: Engine) -> None:
    job = engine.job(n=1)
    findings = reconcile.reconcile_all()
    assert findings is not None
    assert findings.to_check == []  # submitted a moment ago: it is being started
    job.hours_pass()
    findings = reconcile.reconcile_all()
    assert findings is not None
    assert findings.to_check == [job.job_id]
    assert reconcile.may_restart(job.job_id)
    assert job.run() == "completed"
    job.hours_pass()
    findings = reconcile.reconcile_all()
    assert findings is not None
    assert findings.to_check == []
    assert not reconcile.may_restart(job.job_id)


def test_an_orchestration_that_always_fails_ends_the_job(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    for _ in range(20):
        assert reconcile.may_restart(job.job_id)
        planning.plan_stage(job.job_id, 0)  # as each new orchestration does: it is no progress
    assert not reconcile.may_restart(job.job_id)
    ended = job.row
    assert ended.status == "failed"
    assert ended.error is not None
    assert ended.error["code"] == "orchestration_failed"
    assert job.statuses() == ["cancelled", "cancelled"]
    job.check()


def test_progress_forgives_earlier_restarts(engine: Engine) -> None:
    job = engine.job(stage("first"), stage("second"), n=1)
    job.open()
    job.work_off()
    job.close()
    for _ in range(20):
        reconcile.may_restart(job.job_id)
    planning.plan_stage(job.job_id, 1)
    assert reconcile.may_restart(job.job_id)


def test_one_reconciler_is_at_work_at_a_time(engine: Engine) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with locks.singleton("reconcile") as mine:
            assert mine
            entered.set()
            leave.wait(timeout=60)

    other = threading.Thread(target=hold)
    other.start()
    assert entered.wait(timeout=60)
    assert reconcile.reconcile_all() is None
    leave.set()
    other.join()
    assert reconcile.reconcile_all() is not None


def test_many_reconcilers_of_one_stage_send_once(engine: Engine) -> None:
    """The watchdog of the orchestrator and the timer look at the same time."""
    job = engine.job(stage(max_parallel=5), n=5)
    job.open()
    engine.mailbox.take(job.job_id, tasks=5)
    job.hours_pass()
    threads = [
        threading.Thread(target=reconcile.reconcile_stage, args=(job.job_id, 0)) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engine.mailbox.rest(job.job_id)) == 5


def test_a_worker_waits_for_a_database_that_restarts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is done: the outcome is written when the database is back, once."""
    failures = [Unavailable("The database does not answer.")] * 2
    settle = window.settle

    def settle_later(*arguments: object) -> object:
        if failures:
            raise failures.pop()
        return settle(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(window, "settle", settle_later)
    job = engine.job(n=1)
    job.open()
    assert job.receive() == [StageDone(job.job_id, 0)]
    assert job.tasks()[0]["attempt"] == 1


def test_an_answer_that_was_lost_with_the_connection_changes_nothing(engine: Engine) -> None:
    """The commit went through, the worker does not know and settles again."""
    job = engine.job(stage(max_parallel=1), n=2)
    job.open()
    claimed = job.claim(0)
    assert job.settle(claimed).to_send == [1]
    assert job.settle(claimed).to_send == []
    job.check()
    job.hours_pass()
    reconcile_until_done(job)
    assert [task["attempt"] for task in job.tasks()] == [1, 1]


def test_reconciling_respects_the_window(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=3), n=9)
    job.open()
    job.settle(job.claim(0), TaskStatus.PENDING, retry_in=5)
    job.claim(1)
    job.hours_pass()
    for _ in range(3):
        reconcile.reconcile_stage(job.job_id, 0)
        job.check()
        job.hours_pass()
    assert job.stage().in_flight == 3
