"""Random histories of one stage: whatever happens in whatever order, the invariants hold.

Hypothesis plays the workers, the clock, the operator and a Service Bus that loses, repeats,
reorders and refuses messages; ledger and engine are the real ones. After each step the ledger
is held against the invariants; at the end everything works again, and every task must end.

GEOFORGE_TEST_HISTORIES sets the number of histories (default 25), for a longer search.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.errors import Conflict, Unavailable
from core.job_definition import FailurePolicy, Queue, RetryPolicy
from core.messages import TaskMessage
from core.models.task import ClaimedTask, TaskOutcome, TaskStatus
from infrastructure import task_queue
from services.orchestration import control, dead_letters, planning, reconcile, window
from services.orchestration.dead_letters import DeadLetter
from services.orchestration.window import Progress
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import Job, define, stage

HISTORIES = int(os.environ.get("GEOFORGE_TEST_HISTORIES", "25"))
STEPS = 40

# How often the machinery may be wound up at the end before a history counts as stuck.
ROUNDS = 30


class Post:
    """A Service Bus under the test's control, in the place of `TaskQueue`."""

    def __init__(self) -> None:
        self.due: list[TaskMessage] = []
        self.scheduled: list[TaskMessage] = []
        self.is_down = False

    def send(self, queue: Queue, messages: Sequence[TaskMessage]) -> None:
        self._open()
        self.due.extend(messages)

    def schedule(self, queue: Queue, messages: Sequence[tuple[TaskMessage, float]]) -> None:
        self._open()
        self.scheduled.extend(message for message, _ in messages)

    def _open(self) -> None:
        if self.is_down:
            raise Unavailable("The post is on strike.", code="service_bus_unavailable")


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.post = Post()
        task_queue._queue = self.post  # type: ignore[assignment]
        self.working: list[list[ClaimedTask]] = []
        self.over: list[list[ClaimedTask]] = []
        self.completed: dict[int, int] = {}
        self.times_done = 0

    @initialize(
        n=st.integers(0, 10),
        max_parallel=st.integers(1, 4),
        tasks_per_message=st.integers(1, 3),
        max_attempts=st.integers(1, 3),
        policy=st.builds(FailurePolicy, st.sampled_from([0.0, 0.34, 1.0]), st.booleans()),
    )
    def submit(
        self,
        n: int,
        max_parallel: int,
        tasks_per_message: int,
        max_attempts: int,
        policy: FailurePolicy,
    ) -> None:
        self.retry = RetryPolicy(max_attempts=max_attempts)
        only = stage(
            max_parallel=max_parallel,
            tasks_per_message=tasks_per_message,
            retry=self.retry,
            on_failure=policy,
        )
        self.job = Job.submit(define(only), n=n)

    def note(self, done: bool) -> None:
        self.times_done += done

    # -- the orchestrator, which may be started again at any moment

    @rule()
    def open(self) -> None:
        if planning.plan_stage(self.job.job_id, 0)["next"] == "dispatch":
            was_done = self.job.stage().is_done
            self.note(planning.dispatch_stage(self.job.job_id, 0) and not was_done)
        elif self.job.stage().status == "pending":
            self.job.finalize()  # cancelled before it was planned

    @rule()
    def close(self) -> None:
        if self.job.close()["next"] != "wait":
            self.job.finalize()

    # -- workers

    @precondition(lambda self: self.post.due)
    @rule(data=st.data())
    def receive(self, data: st.DataObject) -> None:
        self.take(data.draw(st.integers(0, len(self.post.due) - 1)))

    def take(self, at: int) -> None:
        message = self.post.due.pop(at)
        claimed = self.job.claim(*message.indexes)
        if claimed:
            self.working.append(claimed)

    @precondition(lambda self: self.working)
    @rule(data=st.data(), crash=st.booleans())
    def settle(self, data: st.DataObject, crash: bool) -> None:
        """A worker ends; with `crash` it dies between its commit and its sends."""
        claimed = self.working.pop(data.draw(st.integers(0, len(self.working) - 1)))
        ways = st.sampled_from(["completed", "completed", "failed", "stumbled"])
        outcomes = [self.outcome(task, data.draw(ways)) for task in claimed]
        progress = self.write(outcomes)
        if not crash:
            progress.send()
        self.over.append(claimed)

    def write(self, outcomes: list[TaskOutcome]) -> Progress:
        """Settle outcomes; those of attempts that are not under way must change nothing."""
        before = self.job.tasks()
        progress, _ = window.settle(self.job.job_id, 0, outcomes)
        self.note(progress.done)
        after = self.job.tasks()
        for outcome in outcomes:
            was, now = before[outcome.task_index], after[outcome.task_index]
            if (was["status"], was["attempt"]) != ("running", outcome.attempt):
                assert (now["attempt"], now["result"]) == (was["attempt"], was["result"])
                assert was["status"] != "running" or now["status"] == "running"
        return progress

    def outcome(self, task: ClaimedTask, way: str) -> TaskOutcome:
        if way == "stumbled" and task.tries < self.retry.max_attempts:
            return TaskOutcome(task.task_index, task.attempt, TaskStatus.PENDING, retry_in=60)
        status = TaskStatus.COMPLETED if way == "completed" else TaskStatus.FAILED
        return TaskOutcome(task.task_index, task.attempt, status)

    @precondition(lambda self: self.working)
    @rule(data=st.data(), replaced=st.booleans())
    def die(self, data: st.DataObject, replaced: bool) -> None:
        """A worker is gone, or only thought to be: it may come back with its outcome.

        Where it was `replaced`, its leases end and others take its tasks.
        """
        claimed = self.working.pop(data.draw(st.integers(0, len(self.working) - 1)))
        self.over.append(claimed)
        if replaced:
            self.hours_pass()
            again = self.job.claim(*(task.task_index for task in claimed))
            if again:
                self.working.append(again)

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def settle_late(self, data: st.DataObject) -> None:
        """An outcome comes a second time, or from a worker that was taken for dead."""
        claimed = self.over[data.draw(st.integers(0, len(self.over) - 1))]
        self.write([self.outcome(task, "completed") for task in claimed]).send()

    # -- Service Bus

    @precondition(lambda self: self.post.due)
    @rule(data=st.data(), fate=st.sampled_from(["lose", "repeat", "bury"]))
    def mishandle(self, data: st.DataObject, fate: str) -> None:
        at = data.draw(st.integers(0, len(self.post.due) - 1))
        if fate == "repeat":
            self.post.due.append(self.post.due[at])
            return
        message = self.post.due.pop(at)
        if fate == "bury":
            letter = DeadLetter(Queue.LIGHT, message.encode().encode(), None, "poison", None)
            self.note(dead_letters.bury(letter) is not None)

    @rule(down=st.booleans())
    def strike(self, down: bool) -> None:
        self.post.is_down = down

    # -- time, the reconciler, the operator

    @rule()
    def hours_pass(self) -> None:
        self.job.hours_pass()
        self.post.due += self.post.scheduled
        self.post.scheduled.clear()

    @rule()
    def reconcile(self) -> None:
        was_done = self.job.stage().is_done
        if self.job.stage().status == "running":
            done = reconcile.reconcile_stage(self.job.job_id, 0)
            self.note(done and not was_done)

    @rule(sure=st.sampled_from([False, False, False, True]))
    def cancel(self, sure: bool) -> None:
        if not sure:
            return
        ended = self.job.row.status.is_terminal
        try:
            self.note(bool(control.cancel(self.job.job_id)))
        except Conflict:
            assert ended
        else:
            assert not ended

    @rule()
    def resume(self) -> None:
        resumable = self.job.row.status in ("failed", "cancelled", "completed_with_errors")
        try:
            control.resume(self.job.job_id)
        except Conflict:
            assert not resumable
        else:
            assert resumable
            self.times_done = 0

    # -- what must hold

    @invariant()
    def ledger_holds(self) -> None:
        self.job.check()
        is_done = self.job.stage().is_done
        assert self.times_done == is_done, f"done {self.times_done} times, ledger: {is_done}"
        completed = {
            task["task_index"]: task["attempt"]
            for task in self.job.tasks()
            if task["status"] == "completed"
        }
        assert completed.items() >= self.completed.items(), "an effect was undone or repeated"
        self.completed = completed

    def teardown(self) -> None:
        """All works again: the job must come to its end."""
        if not hasattr(self, "job"):
            return
        self.post.is_down = False
        self.working.clear()
        for _ in range(ROUNDS):
            if self.job.row.status.is_terminal:
                break
            self.open()
            self.hours_pass()
            self.reconcile()
            while self.post.due:
                self.take(0)
            for claimed in self.working:
                self.write([self.outcome(task, "completed") for task in claimed]).send()
            self.working.clear()
            self.close()
            self.ledger_holds()
        else:
            raise AssertionError(f"the job is stuck: {self.job.stage()} {self.job.tasks()}")
        self.ledger_holds()


def test_invariants_hold_in_every_history(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_queue, "_queue", None)  # to be put back at the end
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Histories,
        settings=hypothesis_settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
