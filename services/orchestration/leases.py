"""Leases: a worker keeps its tasks while it lives, and learns when to stop.

One thread in the process renews what is held, at a third of the lease or sooner. The same
query tells which stages are stopping and which leases are lost: handlers see both through
`TaskContext.check()`, at most `_NOTICE_SECONDS` later. A lease is kept until the outcome is
settled, not only until the handler returns.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.errors import Unavailable
from core.models.task import ClaimedTask
from core.models.worker import Work
from infrastructure import database, locks, task_repository

log = logging.getLogger(__name__)

_NOTICE_SECONDS = 5.0


def _renewal_interval(lease_seconds: float) -> float:
    return min(lease_seconds / 3, _NOTICE_SECONDS)


class Holding:
    """The tasks of one stage that this worker took in one claim."""

    def __init__(
        self, job_id: str, stage: int, tasks: Sequence[ClaimedTask], lease_seconds: float
    ) -> None:
        self.job_id = job_id
        self.stage = stage
        self.lease_seconds = lease_seconds
        self._tasks = tasks
        self._stopped: dict[int, str] = {}
        self._since = time.monotonic()
        self.renew_at = time.monotonic() + _renewal_interval(lease_seconds)

    def stop_reason(self, task_index: int) -> str | None:
        """Why the task should stop, or None."""
        return self._stopped.get(task_index)

    def work(self) -> Work:
        """What is held, and for how long."""
        held_for = round(time.monotonic() - self._since, 1)
        return Work(self.job_id, self.stage, len(self._tasks), held_for)

    def renew(self) -> None:
        """Renew the leases, and note which tasks should stop."""
        self.renew_at = time.monotonic() + _renewal_interval(self.lease_seconds)
        with database.transaction() as connection:
            # As whoever settles does, who writes the same rows in another order.
            locks.lock(connection, locks.Space.STAGE, self.job_id, self.stage)
            stopping = task_repository.renew(connection, self.job_id, self.stage, self._tasks)
        for task in self._tasks:
            if task.task_index not in stopping:
                self._stopped[task.task_index] = "The task's lease was lost to another worker."
            elif stopping[task.task_index]:
                self._stopped[task.task_index] = "The job was cancelled or its stage failed."


class LeaseKeeper:
    """The renewing thread of a process; started by the first holding."""

    _TICK_SECONDS = 1.0

    def __init__(self) -> None:
        self._holdings: set[Holding] = set()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def hold(
        self, job_id: str, stage: int, tasks: Sequence[ClaimedTask], lease_seconds: float
    ) -> Iterator[Holding]:
        """Keep the leases of these tasks inside the `with`."""
        holding = Holding(job_id, stage, tasks, lease_seconds)
        with self._guard:
            self._holdings.add(holding)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)
                self._thread.start()
        try:
            yield holding
        finally:
            with self._guard:
                self._holdings.discard(holding)

    def work(self) -> list[Work]:
        """What this process is at, that which it has had longest first."""
        with self._guard:
            held = [holding.work() for holding in self._holdings]
        return sorted(held, key=lambda work: -work.seconds)

    def _keep(self) -> None:
        while True:
            time.sleep(self._TICK_SECONDS)
            with self._guard:
                due = [h for h in self._holdings if h.renew_at <= time.monotonic()]
            for holding in due:
                try:
                    holding.renew()
                except Unavailable as error:
                    # Most of the lease's time is left: the next tick tries again.
                    holding.renew_at = 0.0
                    log.warning("leases not renewed: %s", error.message)
                except Exception:
                    # This thread must outlive any one query: without it every long task of
                    # the process would lose its lease.
                    holding.renew_at = 0.0
                    log.exception("leases of job %s not renewed", holding.job_id)


keeper = LeaseKeeper()
