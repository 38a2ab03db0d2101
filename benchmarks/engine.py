"""geoforge itself: hello_fan_out through the whole path, from the HTTP submit to a finished job."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from benchmarks.app import App
from benchmarks.errors import BenchmarkError
from benchmarks.memory import MemoryWatch
from benchmarks.stack import BenchStack

EVENTS_PER_LOOK = 6
"""Events that one look of the watchdog adds to a history: its timer fires, a repair and an
attempt to close the stage are each scheduled and completed, the next timer is set."""

_LEDGER = ("app.jobs", "app.job_stages", "app.tasks", "app.job_metrics")


@dataclass(frozen=True)
class EngineRun:
    """One job of n no-op tasks.

    Attributes:
        tasks: how many there were; each is committed to the ledger as completed.
        seconds: from before the HTTP request that submits the job to its last commit.
        peak_bytes: the most memory that each part of the stack held, by part.
        grown_bytes: what each part held more after the job than before, by part.
        ledger_bytes_per_task: growth of the ledger's tables and indexes on disk, per task.
        history_events: events in the history of the job's orchestration.
        watchdog_looks: how often the stage's watchdog fired, which comes with time: it looks
            after a stage that runs for more than a minute, at ever longer intervals.
    """

    tasks: int
    seconds: float
    peak_bytes: dict[str, int]
    grown_bytes: dict[str, int]
    ledger_bytes_per_task: float
    history_events: int
    watchdog_looks: int

    @property
    def tasks_per_second(self) -> float:
        """Tasks per second of the whole path."""
        return self.tasks / self.seconds


class Engine:
    """The engine on a running stack, measured from outside, as its users see it."""

    def __init__(self, stack: BenchStack) -> None:
        self._stack = stack
        self._app = App(stack)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._app.close()

    def run(self, tasks: int) -> EngineRun:
        """Run one job and measure it.

        Raises:
            BenchmarkError: the app refuses, the job does not get on or does not complete, or
                the ledger does not hold what it must.
        """
        self._stack.checkpoint()
        ledger_before = self._ledger_bytes()
        with MemoryWatch(self._stack.processes()) as watched:
            # Both times are this machine's: polling neither rounds the figure up nor has to be
            # so frequent that it loads the host.
            began = time.time()
            job_id = self._app.submit("hello_fan_out", {"n": tasks})
            job = self._app.wait(job_id)
            seconds = datetime.fromisoformat(job["finished_at"]).timestamp() - began
        self._check(job_id, job, tasks)
        history = self._history(job_id)
        return EngineRun(
            tasks=tasks,
            seconds=seconds,
            peak_bytes=watched.peak,
            grown_bytes={
                part: after - watched.before[part] for part, after in watched.after.items()
            },
            ledger_bytes_per_task=(self._ledger_bytes() - ledger_before) / tasks,
            history_events=len(history),
            watchdog_looks=sum(event["EventType"] == "TimerFired" for event in history),
        )

    def _check(self, job_id: str, job: dict[str, Any], tasks: int) -> None:
        """A rate counts only if every task is in the ledger, completed, once."""
        with psycopg.connect(self._stack.database_url) as connection:
            rows = connection.execute(
                "SELECT status, count(*) FROM app.tasks WHERE job_id = %s GROUP BY status",
                [job_id],
            ).fetchall()
        if job["status"] != "completed" or dict(rows) != {"completed": tasks}:
            raise BenchmarkError(
                f"A job of {tasks} tasks ended as {job['status']}; its tasks: {dict(rows)}"
            )

    def _history(self, job_id: str) -> list[dict[str, Any]]:
        """The orchestration's events, as the Durable extension's HTTP API shows them."""
        deadline = time.monotonic() + 30.0
        while True:
            instance = self._app.call(
                "GET",
                f"/runtime/webhooks/durabletask/instances/{job_id}",
                params={"showHistory": "true"},
            )
            # The job's row is final a moment before the orchestration is.
            if instance["runtimeStatus"] == "Completed":
                events: list[dict[str, Any]] = instance["historyEvents"]
                return events
            if time.monotonic() > deadline:
                raise BenchmarkError(f"The orchestration is {instance['runtimeStatus']}.")
            time.sleep(0.1)

    def _ledger_bytes(self) -> int:
        with psycopg.connect(self._stack.database_url) as connection:
            row = connection.execute(
                "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name",
                [list(_LEDGER)],
            ).fetchone()
        return int(row[0]) if row else 0
