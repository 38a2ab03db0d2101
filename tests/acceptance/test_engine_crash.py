"""A job of 10,000 tasks while host, Service Bus endpoint and PostgreSQL are killed under it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import Api, api_of
from tests.servers import ScratchDirectory, StackUnderTest
from tests.support.engine import eventually

TASKS = 10_000

# Which part is killed when which share of the tasks is completed.
KILLS = (("host", 0.1), ("service-bus", 0.35), ("postgres", 0.6))


@pytest.fixture
def mortal() -> Iterator[StackUnderTest]:
    """A stack of the test's own, whose reconciler looks every five seconds."""
    with ScratchDirectory() as directory:
        stack = StackUnderTest(
            directory,
            GEOFORGE_RECONCILE_SCHEDULE="*/5 * * * * *",
            GEOFORGE_RESEND_AFTER_SECONDS="5",
        )
        yield stack
        stack.close()


@pytest.fixture
def mortal_api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


def test_killing_every_part_loses_nothing_and_repeats_no_effect(
    mortal: StackUnderTest, mortal_api: Api
) -> None:
    api = mortal_api
    # They sleep a little: the job is still under way when the last part is killed.
    job_id = api.submit("hello_fan_out", n=TASKS, sleep_ms=10)

    def completed() -> int:
        return int(api.job(job_id)["stages"][0]["tasks_completed"])

    for part, share in KILLS:
        eventually(f"{share:.0%} are completed", lambda s=share: completed() >= s * TASKS, 180)
        before = api.job(job_id)
        assert before["status"] == "running"
        assert before["stages"][0]["tasks_completed"] < TASKS, f"too late to kill {part}"
        if part == "host":
            stop_amid_tasks(mortal, api, job_id)
        mortal.restart(part)

    job = api.ended(job_id, 120)
    assert job["status"] == "completed"
    [stage] = job["stages"]
    counters = [stage[f"tasks_{name}"] for name in ("total", "completed", "failed", "cancelled")]
    assert counters == [TASKS, TASKS, 0, 0]
    ledger = api.rows(
        "SELECT status, count(*) AS n, count(DISTINCT task_index) AS tasks, max(attempt) AS most"
        " FROM app.tasks WHERE job_id = %(id)s GROUP BY status",
        id=job_id,
    )
    assert [(row["status"], row["n"], row["tasks"]) for row in ledger] == [
        ("completed", TASKS, TASKS)
    ]
    # What the host was doing when it was killed was done again, by a second attempt.
    assert ledger[0]["most"] >= 2
    endings = api.rows(
        "SELECT payload->>'kind' AS kind FROM app.job_metrics"
        " WHERE job_id = %(id)s AND metric_type IN ('event', 'error')"
        " AND payload->>'kind' IN ('stage_started', 'job_completed', 'job_failed')",
        id=job_id,
    )
    assert sorted(row["kind"] for row in endings)[0] == "job_completed"
    assert sum(row["kind"].startswith("job_") for row in endings) == 1
    assert history_events(api, job_id) < 60


def stop_amid_tasks(stack: StackUnderTest, api: Api, job_id: str) -> None:
    """Halt the host at a moment when it holds tasks, so that the kill interrupts them."""

    def holds_tasks() -> bool:
        os.kill(stack.pid("host"), signal.SIGSTOP)
        [row] = api.rows(
            "SELECT count(*) AS n FROM app.tasks WHERE job_id = %(id)s AND status = 'running'",
            id=job_id,
        )
        if not row["n"]:
            os.kill(stack.pid("host"), signal.SIGCONT)
        return bool(row["n"])

    eventually("the host holds tasks", holds_tasks)


def history_events(api: Api, job_id: str) -> int:
    """The length of the orchestration's history, when it has completed."""

    def status() -> dict[str, Any]:
        answer = api.http.get(
            f"/runtime/webhooks/durabletask/instances/{job_id}", params={"showHistory": "true"}
        )
        body: dict[str, Any] = answer.raise_for_status().json()
        return body

    eventually("the orchestration ends", lambda: status()["runtimeStatus"] == "Completed")
    return len(status()["historyEvents"])
