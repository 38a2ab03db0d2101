"""The loops that run activities under a lease and report their results in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from local.task_hub.activity_store import ActivityStore
from local.task_hub.database import Database, HubUnavailable
from local.task_hub.functions import ActivityFailed, FunctionRunner
from local.task_hub.history import Event, EventType, event
from local.task_hub.models import ActivityLease, ActivityResult

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
_BATCH_SECONDS = 0.004
"""How long a finished activity waits for others to be reported with it."""
_BATCH_SIZE = 500
_RETRY_SECONDS = 0.5


class ActivityDispatcher:
    """Runs activities, at most `max_concurrent` at a time."""

    def __init__(
        self,
        database: Database,
        functions: FunctionRunner,
        owner: str,
        *,
        max_concurrent: int,
        results_sent: Callable[[], None],
    ) -> None:
        self._store = ActivityStore(database, owner)
        self._functions = functions
        self._max_concurrent = max_concurrent
        self._results_sent = results_sent
        self._running: dict[int, asyncio.Task[None]] = {}
        self._results: asyncio.Queue[ActivityResult] = asyncio.Queue()
        self._wake = asyncio.Event()
        self._draining = False
        self._idle = asyncio.Event()
        self.finished = 0

    def wake(self) -> None:
        """There may be activities to run."""
        self._wake.set()

    async def recover(self) -> None:
        """Take back what this host had in hand when it was killed."""
        await self._store.forget()

    async def run(self) -> None:
        """Claim, run, report and renew until cancelled.

        What runs then is given up: its lease ends and it runs again, here or elsewhere.
        """
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._claim())
                loops.create_task(self._report())
                loops.create_task(self._keep_leases())
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def drain(self) -> None:
        """Claim no more, and return once what runs has been reported."""
        self._draining = True
        while self._running:
            self._idle.clear()
            await self._idle.wait()

    # -- running

    async def _claim(self) -> None:
        while True:
            self._wake.clear()
            free = 0 if self._draining else self._max_concurrent - len(self._running)
            try:
                leases = await self._store.claim(free) if free > 0 else []
            except HubUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            for lease in leases:
                task = asyncio.create_task(self._run(lease), name=f"activity-{lease.name}")
                self._running[lease.id] = task
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _run(self, lease: ActivityLease) -> None:
        outcome: Event
        try:
            result = await self._functions.run_activity(lease)
            outcome = event(EventType.TASK_COMPLETED, datetime.now(UTC), Result=result)
        except ActivityFailed as error:
            outcome = event(
                EventType.TASK_FAILED,
                datetime.now(UTC),
                Reason=f"Activity function '{lease.name}' failed: {error.reason}",
                Details=error.details,
            )
        outcome["TaskScheduledId"] = lease.event_id
        await self._results.put(ActivityResult(lease, outcome))

    # -- reporting

    async def _report(self) -> None:
        while True:
            batch = [await self._results.get()]
            await asyncio.sleep(_BATCH_SECONDS)
            while len(batch) < _BATCH_SIZE and not self._results.empty():
                batch.append(self._results.get_nowait())
            while not await self._send(batch):
                await asyncio.sleep(_RETRY_SECONDS)
            self.finished += len(batch)
            for result in batch:
                del self._running[result.lease.id]
            self._idle.set()
            self._wake.set()
            self._results_sent()

    async def _send(self, batch: list[ActivityResult]) -> bool:
        try:
            await self._store.finish(batch)
        except HubUnavailable:
            return False
        return True

    # -- leases

    async def _keep_leases(self) -> None:
        """Renew the leases of what runs here."""
        while True:
            try:
                if self._running:
                    await self._store.renew(list(self._running))
            except HubUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            await asyncio.sleep(self._store.lease_seconds / 4)
