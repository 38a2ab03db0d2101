"""What becomes of a task that fails, and of its stage."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessageBatch
from azure.servicebus.aio import ServiceBusSender

from core.errors import PermanentTaskError, TransientTaskError, Unavailable
from core.job_definition import FailurePolicy, JsonObject, RetryPolicy, TaskContext, tolerate
from core.models.task import TaskStatus
from services.orchestration import planning, worker
from services.orchestration.leases import LeaseKeeper
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Load, define, stage

QUICKLY = RetryPolicy(max_attempts=3, first_delay_seconds=0.05, max_delay_seconds=0.2)
LATER = RetryPolicy(max_attempts=3, first_delay_seconds=1000, max_delay_seconds=5000)


def refuse(context: TaskContext[Load]) -> None:
    raise PermanentTaskError(
        f"Tile {context.task['index']} is not a raster.", code="not_a_raster", tile="a/b.tif"
    )


def stumble(context: TaskContext[Load]) -> None:
    raise TransientTaskError("The source is busy.", code="source_busy")


def test_a_permanent_error_fails_at_once(engine: Engine) -> None:
    job = engine.job(stage(handler=refuse), n=1)
    assert job.run() == "failed"
    [task] = job.tasks()
    assert task["attempt"] == 1
    assert task["error"] == {
        "code": "not_a_raster",
        "message": "Tile 0 is not a raster.",
        "tile": "a/b.tif",
    }
    assert job.row.error == {
        **task["error"],
        "stage": 0,
        "stage_name": "only",
        "task_index": 0,
        "tasks_failed": 1,
        "tasks_total": 1,
    }
    job.check()


def test_a_bug_fails_at_once_and_is_named(engine: Engine) -> None:
    def broken(context: TaskContext[Load]) -> None:
        raise KeyError("crs")

    job = engine.job(stage(handler=broken), n=1)
    assert job.run() == "failed"
    assert job.tasks()[0]["error"] == {"code": "internal_error", "message": "KeyError: 'crs'"}


def test_a_transient_error_goes_again_by_a_scheduled_message(engine: Engine) -> None:
    def stumble_twice(context: TaskContext[Load]) -> JsonObject:
        if context.attempt < 3:
            raise Unavailable("The storage is busy.")
        return {"attempt": context.attempt}

    job = engine.job(stage(handler=stumble_twice, retry=QUICKLY), n=2)
    assert job.run() == "completed"
    assert [task["result"] for task in job.tasks()] == [{"attempt": 3}] * 2
    assert [task["error"] for task in job.tasks()] == [None, None]
    job.check()


def test_attempts_are_bounded(engine: Engine) -> None:
    job = engine.job(stage(handler=stumble, retry=QUICKLY), n=1)
    assert job.run() == "failed"
    [task] = job.tasks()
    assert (task["attempt"], task["error"]["code"]) == (3, "source_busy")
    job.check()


def test_the_retries_of_a_batch_are_sent_together(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = engine.job(stage(handler=stumble, retry=LATER, tasks_per_message=20), n=20)
    job.open()
    sends: list[str] = []
    send_messages = ServiceBusSender.send_messages

    async def noted(sender: ServiceBusSender, batch: ServiceBusMessageBatch) -> None:
        sends.append(sender.entity_name)
        await send_messages(sender, batch)

    monkeypatch.setattr(ServiceBusSender, "send_messages", noted)
    job.receive(20)
    assert len(sends) == 1
    job.check()


def test_a_waiting_retry_shows_its_reason_and_its_time(engine: Engine) -> None:
    job = engine.job(stage(handler=stumble, retry=LATER), n=1)
    job.open()
    assert job.receive() == []
    [task] = job.tasks()
    assert task["status"] == "pending"
    assert task["error"]["message"] == "The source is busy."
    now = datetime.datetime.now(datetime.UTC)
    assert 400 < (task["not_before"] - now).total_seconds() <= 1000
    job.check()


def test_fail_fast_cancels_what_has_not_begun(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=4), n=100)
    job.open()
    claimed = job.claim(0, 1)
    assert not job.settle(claimed[:1], TaskStatus.FAILED).done
    assert job.statuses() == ["failed", "running"] + ["cancelled"] * 98
    assert job.claim(2, 3) == []
    assert job.close()["next"] == "wait"
    job.check()
    assert job.settle(claimed[1:]).done
    verdict = job.close()
    assert verdict["next"] == "finalize"
    assert job.finalize(verdict["error"]) == "failed"
    assert job.stage().status == "failed"
    job.check()


def test_fail_fast_asks_running_siblings_to_stop(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    failing, working = job.claim(0, 1)
    with LeaseKeeper().hold(job.job_id, 0, [working], 60.0) as holding:
        holding.renew()
        assert holding.stop_reason(1) is None
        job.settle([failing], TaskStatus.FAILED)
        holding.renew()
    assert holding.stop_reason(1) == "The job was cancelled or its stage failed."


def test_fail_fast_cancels_waiting_retries_too(engine: Engine) -> None:
    """One batch brings a retry and the failure that ends the stage."""

    def mixed(context: TaskContext[Load]) -> None:
        (stumble if context.task["index"] == 0 else refuse)(context)

    job = engine.job(stage(handler=mixed, retry=LATER, tasks_per_message=2), n=2)
    job.open()
    assert job.receive(tasks=2) == [worker.StageDone(job.job_id, 0)]
    assert job.statuses() == ["cancelled", "failed"]
    assert engine.mailbox.rest(job.job_id) == []
    job.check()


@pytest.mark.parametrize(
    ("share", "total", "allowed"),
    [(0.0, 50, 0), (0.1, 30, 3), (0.29, 100, 29), (0.07, 100, 7), (0.5, 3, 1), (1.0, 4, 4)],
)
def test_a_stage_tolerates_its_share_and_not_one_more(
    engine: Engine, share: float, total: int, allowed: int
) -> None:
    options: dict[str, Any] = {"max_parallel": total, "on_failure": tolerate(share)}
    within = engine.job(stage(**options), n=total)
    within.open()
    claimed = within.claim(*range(total))
    within.settle(claimed[:allowed], TaskStatus.FAILED)
    assert within.settle(claimed[allowed:]).done or allowed == total
    assert within.close() == {"next": "continue", "error": None}
    ending = "completed_with_errors" if allowed else "completed"
    assert within.stage().status == ending
    assert within.finalize() == ending
    within.check()
    if allowed == total:
        return
    beyond = engine.job(stage(**options), n=total)
    beyond.open()
    claimed = beyond.claim(*range(total))
    beyond.settle(claimed[: allowed + 1], TaskStatus.FAILED)
    beyond.settle(claimed[allowed + 1 :])
    assert beyond.close()["next"] == "finalize"
    assert beyond.stage().status == "failed"
    beyond.check()


def test_a_stage_may_judge_at_the_end_only(engine: Engine) -> None:
    policy = FailurePolicy(max_failed_share=0.5, stop_early=False)
    job = engine.job(stage(max_parallel=3, on_failure=policy), n=4)
    job.open()
    assert job.settle(job.claim(0, 1, 2), TaskStatus.FAILED).to_send == [3]
    assert job.settle(job.claim(3)).done
    assert job.close()["next"] == "finalize"
    assert job.statuses() == ["failed"] * 3 + ["completed"]


def test_the_stages_after_a_failed_one_are_not_begun(engine: Engine) -> None:
    job = engine.job(stage("first", refuse), stage("second"), n=2)
    assert job.run() == "failed"
    assert [job.stage(index).status for index in (0, 1)] == ["failed", "pending"]
    assert job.tasks(1) == []


def test_after_tolerated_failures_the_job_goes_on(engine: Engine) -> None:
    def odd_ones_fail(context: TaskContext[Load]) -> JsonObject:
        if context.task["index"] % 2:
            refuse(context)
        return {}

    stages = (stage("first", odd_ones_fail, on_failure=tolerate(0.5)), stage("second"))
    job = engine.submit(define(*stages), n=4)
    assert job.run() == "completed_with_errors"
    assert [job.stage(index).status for index in (0, 1)] == ["completed_with_errors", "completed"]
    job.check()


@pytest.mark.parametrize(
    "result",
    [
        {"area": float("nan")},
        {"path": Path("a.tif")},
        {"text": "x" * 300_000},
        {"text": "a\0b"},
        {"text": "file-\udc80.tif"},
    ],
    ids=["NaN", "object", "too large", "NUL", "lone surrogate"],
)
def test_a_result_that_cannot_be_kept_fails_its_task_alone(
    engine: Engine, result: JsonObject
) -> None:
    def first_is_odd(context: TaskContext[Load]) -> JsonObject:
        return result if context.task["index"] == 0 else {"fine": True}

    options: dict[str, Any] = {"tasks_per_message": 3, "on_failure": tolerate(0.5)}
    job = engine.job(stage(handler=first_is_odd, **options), n=3)
    assert job.run() == "completed_with_errors"
    assert job.statuses() == ["failed", "completed", "completed"]
    assert job.tasks()[0]["error"]["code"] in ("result_not_json", "result_too_large")


@pytest.mark.parametrize(
    "error",
    [
        PermanentTaskError("No such file: a\0b.tif", path="a\0b.tif"),
        PermanentTaskError("No such file: \udc80.tif", names=["\udc80.tif"]),
        PermanentTaskError("Not in the extent.", bounds={"west": float("nan")}),
        PermanentTaskError("Too old.", since=datetime.date(2020, 1, 1), path=Path("x")),
        ValueError("cannot read a\0b \udc80"),
    ],
    ids=["NUL", "lone surrogate", "NaN", "objects", "foreign"],
)
def test_any_error_can_be_kept(engine: Engine, error: Exception) -> None:
    """Whatever an error holds, its siblings in the batch are settled with it."""

    def first_fails(context: TaskContext[Load]) -> None:
        if context.task["index"] == 0:
            raise error

    options: dict[str, Any] = {"tasks_per_message": 3, "on_failure": tolerate(0.5)}
    job = engine.job(stage(handler=first_fails, **options), n=3)
    assert job.run() == "completed_with_errors"
    assert job.statuses() == ["failed", "completed", "completed"]
    assert job.tasks()[0]["error"]["message"]


def test_an_error_keeps_no_password(engine: Engine) -> None:
    def leak(context: TaskContext[Load]) -> None:
        raise RuntimeError("cannot open https://acc.blob/x?sig=abc%2Fdef&se=1 at pg://u:pw@h/d")

    job = engine.job(stage(handler=leak), n=1)
    job.run()
    message = job.tasks()[0]["error"]["message"]
    assert "abc%2Fdef" not in message
    assert "pw@" not in message


def test_a_job_whose_type_is_gone_fails_with_a_reason(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app was deployed again without the job type."""
    job = engine.job(n=1)
    from core.registry import registry

    monkeypatch.setattr(registry, "_definitions", {})
    verdict = planning.plan_stage(job.job_id, 0)
    assert verdict["next"] == "finalize"
    assert job.finalize(verdict["error"]) == "failed"
    assert "There is no job type" in job.row.error["message"]  # type: ignore[index]
