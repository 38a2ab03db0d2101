"""Random histories of one stage: whatever happens in whatever order, the invariants hold.

Hypothesis plays the workers, the clock, the operator and a Service Bus that loses, repeats,
reorders and refuses messages; ledger and engine are the real ones. After each step the ledger
is held against the invariants; at the end everything works again, and every task must end.

GEOFORGE_TEST_HISTORIES sets the number of histories (default 40), for a longer search.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
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

HISTORIES = int(os.environ.get("GEOFORGE_TEST_HISTORIES", "40"))
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
        self.given_out: set[tuple[int, int]] = set()
        self.times_done = 0
        # As the last look at the ledger found them; a history spends few steps on what
        # changes nothing.
        self.is_open = self.is_done = self.has_ended = False

    @initialize(
        n=st.integers(0, 10),
        max_parallel=st.integers(1, 4),
        tasks_per_message=st.integers(1, 3),
        max_attempts=st.integers(1, 3),
        policy=st.builds(FailurePolicy, st.sampled_from([0.0, 0.34, 1.0, 1.0]), st.booleans()),
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
        self.orchestrate()

    def note(self, done: bool) -> None:
        self.times_done += done

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """One of the things that can happen now; work more often than trouble."""
        weighted = [
            *(6 * [self.receive] if self.post.due else []),
            *(6 * [self.settle] if self.working else []),
            *([self.die] if self.working else []),
            *(2 * [self.settle_late] if self.over else []),
            *([self.mishandle] if self.post.due else []),
            *(3 * [self.reconcile] if self.is_open else []),
            *([] if self.has_ended else [self.orchestrate, self.cancel]),
            *(6 * [self.close] if self.is_done and not self.has_ended else []),
            *(3 * [self.resume] if self.has_ended else []),
            self.hours_pass,
            self.strike,
        ]
        data.draw(st.sampled_from(weighted))(data)

    # -- the orchestrator, which may be started again at any moment

    def orchestrate(self, data: st.DataObject | None = None) -> None:
        verdict = planning.plan_stage(self.job.job_id, 0)
        assert verdict["error"] is None
        if verdict["next"] == "dispatch":
            was_done = self.job.stage().is_done
            self.note(planning.dispatch_stage(self.job.job_id, 0) and not was_done)
        elif self.job.stage().status == "pending":
            self.job.finalize()  # cancelled before it was planned

    def close(self, data: st.DataObject | None = None) -> None:
        if self.job.close()["next"] != "wait":
            self.job.finalize()

    # -- workers

    def receive(self, data: st.DataObject) -> None:
        self.take(data.draw(st.integers(0, len(self.post.due) - 1)))

    def take(self, at: int) -> None:
        self.claim(self.post.due.pop(at).indexes)

    def claim(self, indexes: Iterable[int]) -> None:
        """Claim for a worker. No attempt is ever given out twice, nor a task that completed."""
        claimed = self.job.claim(*indexes)
        for task in claimed:
            assert (task.task_index, task.attempt) not in self.given_out
            assert task.task_index not in self.completed
            self.given_out.add((task.task_index, task.attempt))
        if claimed:
            self.working.append(claimed)

    def settle(self, data: st.DataObject) -> None:
        """A worker ends; at times it dies between its commit and its sends."""
        claimed = self.working.pop(data.draw(st.integers(0, len(self.working) - 1)))
        ways = st.sampled_from(["completed", "completed", "completed", "stumbled", "failed"])
        outcomes = [self.outcome(task, data.draw(ways)) for task in claimed]
        progress = self.write(outcomes)
        if data.draw(st.integers(0, 4)):
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
            elif outcome.status is TaskStatus.PENDING:
                assert now["status"] in ("pending", "cancelled")
        return progress

    def outcome(self, task: ClaimedTask, way: str) -> TaskOutcome:
        if way == "stumbled" and task.tries < self.retry.max_attempts:
            return TaskOutcome(task.task_index, task.attempt, TaskStatus.PENDING, retry_in=60)
        status = TaskStatus.COMPLETED if way == "completed" else TaskStatus.FAILED
        return TaskOutcome(task.task_index, task.attempt, status)

    def die(self, data: st.DataObject) -> None:
        """A worker is gone, or only thought to be: it may come back with its outcome.

        At times its leases end and others take its tasks at once.
        """
        claimed = self.working.pop(data.draw(st.integers(0, len(self.working) - 1)))
        self.over.append(claimed)
        if data.draw(st.booleans()):
            self.hours_pass()
            self.claim(task.task_index for task in claimed)

    def settle_late(self, data: st.DataObject) -> None:
        """An outcome comes a second time, or from a worker that was taken for dead."""
        claimed = self.over[data.draw(st.integers(0, len(self.over) - 1))]
        self.write([self.outcome(task, "completed") for task in claimed]).send()

    # -- Service Bus

    def mishandle(self, data: st.DataObject) -> None:
        fate = data.draw(st.sampled_from(["lose", "repeat", "bury"]))
        at = data.draw(st.integers(0, len(self.post.due) - 1))
        if fate == "repeat":
            self.post.due.append(self.post.due[at])
            return
        message = self.post.due.pop(at)
        if fate == "bury":
            letter = DeadLetter(Queue.LIGHT, message.encode().encode(), None, "poison", None)
            self.note(dead_letters.bury(letter) is not None)

    def strike(self, data: st.DataObject) -> None:
        self.post.is_down = not self.post.is_down

    # -- time, the reconciler, the operator

    def hours_pass(self, data: st.DataObject | None = None) -> None:
        self.job.hours_pass()
        self.post.due += self.post.scheduled
        self.post.scheduled.clear()

    def reconcile(self, data: st.DataObject | None = None) -> None:
        was_done = self.job.stage().is_done
        if self.job.stage().status == "running":
            done = reconcile.reconcile_stage(self.job.job_id, 0)
            self.note(done and not was_done)

    def cancel(self, data: st.DataObject | None = None) -> None:
        self.note(bool(control.cancel(self.job.job_id)))

    def resume(self, data: st.DataObject | None = None) -> None:
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
        found = self.job.stage()
        self.is_open, self.is_done = found.status == "running", found.is_done
        self.has_ended = self.job.row.status.is_terminal
        assert self.times_done == self.is_done, f"{self.times_done} times done: {found}"
        tasks = self.job.tasks()
        tries = [task["attempt"] - task["attempts_before"] for task in tasks]
        assert max(tries, default=0) <= self.retry.max_attempts
        completed = {
            task["task_index"]: task["attempt"] for task in tasks if task["status"] == "completed"
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
            self.orchestrate()
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
