"""The task hub of one host: store, loops and clients, started and stopped together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local.task_hub.activities import ActivityDispatcher
from local.task_hub.client import HubClient
from local.task_hub.database import ACTIVITIES, INSTANCES, Database, HubUnavailable
from local.task_hub.functions import FunctionRunner
from local.task_hub.instance_store import InstanceStore
from local.task_hub.orchestrations import OrchestrationDispatcher
from local.task_hub.schedule_store import ScheduleStore

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class HubSettings:
    """`owner` names this host and stays the same over its restarts."""

    name: str
    owner: str
    max_concurrent_activities: int
    max_concurrent_orchestrators: int


class TaskHub:
    """Runs orchestrations and activities of one host on a hub that hosts may share."""

    def __init__(
        self, database: Database, functions: FunctionRunner, settings: HubSettings
    ) -> None:
        self._database = database
        self._settings = settings
        self.schedules = ScheduleStore(database)
        self.orchestrations = OrchestrationDispatcher(
            database,
            functions,
            settings.owner,
            max_concurrent=settings.max_concurrent_orchestrators,
        )
        self.activities = ActivityDispatcher(
            database,
            functions,
            settings.owner,
            max_concurrent=settings.max_concurrent_activities,
            results_sent=self.orchestrations.wake,
        )
        self.client = HubClient(
            InstanceStore(database), functions, changed=self.orchestrations.wake
        )
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Wait for the database, take back what a killed predecessor held, and run.

        Raises HubNameMismatch.
        """
        await self._database.open(self._settings.name)
        self._database.subscribe(self._notified)
        for recover in (self.orchestrations.recover, self.activities.recover):
            await _until_available(recover)
        self._loops = [
            asyncio.create_task(_for_ever(self.orchestrations.run), name="orchestrations"),
            asyncio.create_task(_for_ever(self.activities.run), name="activities"),
        ]

    async def drain(self) -> None:
        """Start no more activities, and return when those that run have reported."""
        await self.activities.drain()

    async def stop(self) -> None:
        """Commit the turns in hand, give up running activities, and close the database."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._database.close()

    def _notified(self, payload: str | None) -> None:
        if payload in (INSTANCES, None):
            self.orchestrations.wake()
        if payload in (ACTIVITIES, None):
            self.activities.wake()


async def _until_available(action: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await action()
        except HubUnavailable:
            await asyncio.sleep(_RETRY_SECONDS)


async def _for_ever(loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop again when it ends with an error that it did not expect."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("a loop of the task hub failed and is started again")
            await asyncio.sleep(_RETRY_SECONDS)
