"""The window: how a stage moves on when tasks have ended.

Every change of a stage's counters goes through here, in one transaction under the stage's
advisory lock: settle, count, then either stop, refill the window, or find the stage done.
Nothing is counted over all tasks: a completion costs the same in a stage of ten tasks and in
one of a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.models.cost import Cost
from core.models.task import TaskOutcome
from infrastructure import cost_repository, database, locks, task_repository
from infrastructure.database import Connection
from infrastructure.task_repository import Settled, Stage
from services.orchestration import sending


@dataclass(frozen=True, slots=True)
class Progress:
    """What a transaction did to a stage, and what is left to do after its commit."""

    stage: Stage
    to_send: list[int]
    done: bool
    retries: list[tuple[int, float]] = field(default_factory=list)

    @property
    def messages(self) -> int:
        """How many messages there are to be sent."""
        return sending.messages_of(self.stage, self.to_send) + len(self.retries)

    def send(self) -> bool:
        """Send what the commit promised. Whether the stage was brought to zero by it."""
        sending.send(self.stage, self.to_send)
        sending.send_retries(self.stage, self.retries)
        return self.done


def lock_stage(connection: Connection, job_id: str, stage: int) -> Stage:
    """Take the stage's advisory lock, then read the stage."""
    locks.lock(connection, locks.Space.STAGE, job_id, stage)
    return task_repository.stage(connection, job_id, stage)


def settle(
    job_id: str, stage: int, outcomes: Sequence[TaskOutcome], cost: Cost | None = None
) -> tuple[Progress, Settled]:
    """Write the outcomes of attempts with their cost, and move the stage on, in one transaction.

    Where not one outcome is accepted the cost is not either: the same has been written before, or
    the tasks are somebody else's by now.
    """
    with database.transaction() as connection:
        current = lock_stage(connection, job_id, stage)
        settled = task_repository.settle(connection, job_id, stage, outcomes)
        progress = move_on(connection, current, settled)
        if cost is not None and (settled.ended or settled.retries):
            total = replace(cost, messages=progress.messages)
            cost_repository.add(connection, job_id, stage, total)
        return progress, settled


def move_on(connection: Connection, current: Stage, settled: Settled) -> Progress:
    """Count what was settled, then stop, refill or finish. The caller holds the lock.

    A waiting retry keeps its place in the window: a stage whose tasks all fail for a while
    slows down instead of burning through everything.
    """
    current = task_repository.count(
        connection,
        current.job_id,
        current.stage,
        completed=settled.completed,
        failed=settled.failed,
        cancelled=settled.cancelled,
        left_window=settled.ended,
    )
    retries = settled.retries
    if current.stop_early and current.failed_too_much:
        task_repository.stop(connection, current.job_id, current.stage)
    if current.stopping or (current.stop_early and current.failed_too_much):
        # Retries written a moment ago are among those that now never begin.
        current = task_repository.cancel_waiting(connection, current.job_id, current.stage)
        retries = []
    return refill(connection, current, retries)


def refill(
    connection: Connection, current: Stage, retries: list[tuple[int, float]] | None = None
) -> Progress:
    """Fill the window as far as it has room, and find out whether the stage is done."""
    to_send = task_repository.fill_window(connection, current)
    done = task_repository.mark_done(connection, current.job_id, current.stage)
    return Progress(current, to_send, done, retries or [])
