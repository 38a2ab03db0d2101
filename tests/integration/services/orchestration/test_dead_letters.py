"""What Service Bus gives up delivering is kept, and its tasks are settled."""

from __future__ import annotations

import pytest

from core.job_definition import Queue, RetryPolicy, tolerate
from core.messages import MalformedMessage, TaskMessage
from infrastructure import database
from infrastructure.database import Row
from services.orchestration import control, dead_letters, status
from services.orchestration.dead_letters import DeadLetter
from services.orchestration.worker import StageDone
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Job, run_messages, stage, unknown_job

SOON = RetryPolicy(max_attempts=2, first_delay_seconds=0.05)
LATER = RetryPolicy(max_attempts=2, first_delay_seconds=900)


def letter(body: str | bytes, reason: str | None = "MaxDeliveryCountExceeded") -> DeadLetter:
    raw = body.encode() if isinstance(body, str) else body
    return DeadLetter(Queue.LIGHT, raw, "message-1", reason, "Ten deliveries failed.")


def kept() -> list[Row]:
    with database.transaction() as connection:
        return connection.execute("SELECT * FROM app.dead_letters ORDER BY id").fetchall()


def messages(job: Job) -> int:
    """The messages that the job has cost."""
    cost: int = status.job_view(job.job_id)["cost"]["messages"]
    return cost


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\x00\xff",
        b"[]",
        b"null",
        b'{"job_id": 1, "stage": 0, "tasks": "0"}',
        b"[" * 9999,
    ],
)
def test_an_unreadable_message_is_kept(engine: Engine, body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        run_messages([body])
    assert dead_letters.bury(letter(body)) is None
    [row] = kept()
    assert (row["queue"], row["message_id"], row["job_id"]) == ("light", "message-1", None)
    assert row["reason"] == "MaxDeliveryCountExceeded"
    assert row["description"] == "Ten deliveries failed."
    assert len(row["body"]) <= 4096 * 4


def test_an_unreadable_message_does_not_hold_up_the_others(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    with pytest.raises(MalformedMessage):
        run_messages([b"{", *engine.mailbox.take(job.job_id, tasks=2)])
    assert job.statuses() == ["completed"] * 2


def test_a_dead_letter_costs_an_attempt_and_the_task_goes_again(engine: Engine) -> None:
    job = engine.job(stage(retry=SOON), n=2)
    job.open()
    [first, _] = engine.mailbox.take(job.job_id, tasks=2)
    assert dead_letters.bury(letter(first)) is None
    assert job.statuses() == ["pending", "queued"]
    assert job.tasks()[0]["error"]["code"] == "dead_lettered"
    assert [row["job_id"] for row in kept()] == [job.job_id]
    assert len(job.events("dead_lettered")) == 1
    job.check()
    assert job.receive() == []
    assert job.statuses() == ["completed", "queued"]
    assert job.tasks()[0]["attempt"] == 2
    job.check()


def test_a_poisoned_message_fails_its_task_in_the_end(engine: Engine) -> None:
    job = engine.job(stage(retry=LATER), n=1)
    job.open()
    [body] = engine.mailbox.take(job.job_id)
    assert dead_letters.bury(letter(body)) is None
    assert job.statuses() == ["pending"]
    assert dead_letters.bury(letter(body)) == StageDone(job.job_id, 0)
    [task] = job.tasks()
    assert (task["status"], task["attempt"]) == ("failed", 2)
    assert "MaxDeliveryCountExceeded" in task["error"]["message"]
    assert job.close()["next"] == "finalize"
    assert len(kept()) == 2
    job.check()


def test_messages_that_a_dead_letter_leads_to_are_counted(engine: Engine) -> None:
    job = engine.job(
        stage(max_parallel=2, retry=RetryPolicy(max_attempts=1), on_failure=tolerate(1.0)), n=4
    )
    job.open()
    [body, _] = engine.mailbox.take(job.job_id, tasks=2)
    assert messages(job) == 2
    # Its task fails, and the third takes its place.
    assert dead_letters.bury(letter(body)) is None
    assert messages(job) == 3
    job.check()


def test_a_retry_after_a_dead_letter_is_a_message(engine: Engine) -> None:
    job = engine.job(stage(retry=SOON), n=1)
    job.open()
    [body] = engine.mailbox.take(job.job_id)
    assert dead_letters.bury(letter(body)) is None
    assert messages(job) == 2
    job.check()


def test_one_message_of_many_tasks_settles_each(engine: Engine) -> None:
    once = RetryPolicy(max_attempts=1)
    job = engine.job(stage(retry=once, tasks_per_message=50, max_parallel=50), n=50)
    job.open()
    [body] = engine.mailbox.take(job.job_id, tasks=50)
    assert dead_letters.bury(letter(body)) == StageDone(job.job_id, 0)
    assert job.statuses() == ["failed"] * 50
    job.check()


def test_tasks_that_are_held_or_ended_are_left_alone(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=3), n=4)
    job.open()
    job.settle(job.claim(0))
    job.claim(1)
    before = job.tasks()
    message = TaskMessage(job.job_id, 0, [0, 1, 3]).encode()
    # 0 is completed, 1 runs, and 3 took the place of 0 in the window.
    assert dead_letters.bury(letter(message)) is None
    after = job.tasks()
    assert after[:3] == before[:3]
    assert after[3]["status"] == "pending"
    job.check()


def test_a_dead_letter_in_a_cancelled_job_changes_nothing(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    bodies = engine.mailbox.take(job.job_id, tasks=2)
    assert control.cancel(job.job_id) == [StageDone(job.job_id, 0)]
    for body in bodies:
        assert dead_letters.bury(letter(body)) is None
    assert job.statuses() == ["cancelled"] * 2
    job.check()


@pytest.mark.parametrize("reason", [None, "TTLExpiredException"])
def test_a_letter_for_what_is_not_in_the_ledger_is_kept(engine: Engine, reason: str | None) -> None:
    job = engine.job(n=1)
    job.open()
    for message in (TaskMessage(unknown_job(), 0, [0]), TaskMessage(job.job_id, 7, [0])):
        assert dead_letters.bury(letter(message.encode(), reason)) is None
    assert len(kept()) == 2
    job.check()
