"""The task queues: messages as Service Bus counts them, and tasks as the ledger does."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial

from config import get_settings
from core.job_definition import Queue
from core.models.queue import QueueCounts, QueueWork
from infrastructure import database, server_repository
from infrastructure.database import Row
from infrastructure.looked_up import Finding, LookedUp
from infrastructure.queue_counts import QueueCounter, queue_counter
from services.orchestration.paging import cursor_after, one_of, row_key

# Somebody who looks at the page asks again every five seconds.
_FRESH_SECONDS = 4.0

_MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class QueueState:
    """One task queue.

    messages: in Service Bus, as far as it is known.
    work: tasks of running stages that go through it.
    dead_letters: messages of the last 24 hours that were given up, at most 1,000 of all.
    """

    queue: Queue
    name: str
    messages: Finding[QueueCounts]
    work: QueueWork
    dead_letters: int


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A page of dead letters, newest first, and the cursor of the next."""

    letters: list[Row]
    next: str | None


class _Counts:
    """What is known of the messages of each queue. The first use connects, no earlier one."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._counter: QueueCounter | None = None
        self._found = {
            queue: LookedUp(partial(self._count, queue), _FRESH_SECONDS) for queue in Queue
        }

    def get(self, queue: Queue) -> Finding[QueueCounts]:
        return self._found[queue].get()

    def _count(self, queue: Queue) -> QueueCounts:
        with self._guard:
            if self._counter is None:
                self._counter = queue_counter(get_settings())
            counter = self._counter
        return counter.counts(_name(queue))


_counts = _Counts()


def states() -> list[QueueState]:
    """Every task queue. Never waits for Service Bus."""
    with database.transaction() as connection:
        work = server_repository.queue_work(connection)
        letters = server_repository.recent_dead_letters(connection, _MOST_COUNTED)
    return [
        QueueState(
            queue,
            _name(queue),
            _counts.get(queue),
            work.get(queue, QueueWork(queue, 0, 0, 0)),
            letters.get(queue, 0),
        )
        for queue in Queue
    ]


def dead_letters(
    *, limit: int = 50, cursor: str | None = None, queue: str | None = None
) -> DeadLetters:
    """Messages that Service Bus gave up delivering, newest first.

    Raises `InvalidParameters` for a queue that there is not, or a cursor that no page gave.
    """
    wanted = one_of(Queue, "queue", queue)
    before = None if cursor is None else row_key(cursor)
    with database.transaction() as connection:
        rows = server_repository.dead_letters(
            connection, limit=limit + 1, before=before, queue=wanted
        )
    more = len(rows) > limit
    return DeadLetters(rows[:limit], cursor_after(rows[limit - 1]["id"]) if more else None)


def _name(queue: Queue) -> str:
    settings = get_settings()
    return {Queue.LIGHT: settings.light_queue, Queue.HEAVY: settings.heavy_queue}[queue]
