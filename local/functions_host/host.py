"""The host: an app, its triggers and its task hub, started and stopped together."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from local.functions_host.durable_functions import DurableFunctions
from local.functions_host.http_server import HttpServer
from local.functions_host.keys import AccessControl, Keys
from local.functions_host.service_bus_listener import ServiceBusTrigger
from local.functions_host.settings import HostSettings, SettingsError
from local.functions_host.timers import TimerTrigger
from local.functions_host.webhooks import DurableWebhooks, Links
from local.functions_host.worker import Worker
from local.task_hub.database import Database
from local.task_hub.hub import HubSettings, TaskHub

log = logging.getLogger(__name__)

_STOP_SECONDS = 4.0
_RESTART_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What the command line says."""

    app_dir: Path
    state_dir: Path
    host: str
    port: int


class StateInUse(Exception):
    """Another host uses the state directory."""


class FunctionsHost:
    """Runs an app from `start` to `stop`."""

    def __init__(
        self,
        options: HostOptions,
        settings: HostSettings,
        worker: Worker,
        environment: Mapping[str, str],
    ) -> None:
        """Raises SettingsError for a function that cannot run with these settings."""
        self._options = options
        self._worker = worker
        self._state = "Starting"
        self._identity = HostIdentity(options.state_dir)
        self._database = Database(_hub_database_url(environment))
        self._hub = TaskHub(
            self._database,
            DurableFunctions(worker, lambda function: self._http.durable_client(function)),
            HubSettings(
                name=settings.durable_task.hub_name,
                owner=self._identity.owner,
                max_concurrent_activities=settings.durable_task.max_concurrent_activities,
                max_concurrent_orchestrators=settings.durable_task.max_concurrent_orchestrators,
            ),
        )
        enforce = environment.get("GEOFORGE_ENFORCE_KEYS") == "1"
        access = AccessControl(Keys.load_or_create(options.state_dir) if enforce else None)
        links = Links(settings.durable_task.hub_name, access.system_key)
        self._http = HttpServer(
            worker,
            DurableWebhooks(self._hub.client, links),
            access,
            links,
            address=(options.host, options.port),
            route_prefix=settings.route_prefix,
            status=self.status,
        )
        self._timers = [
            TimerTrigger(
                function,
                worker,
                self._database,
                client=self._http.durable_client(function),
                environment=environment,
            )
            for function in worker.of_type("timerTrigger")
        ]
        self._queues = [
            ServiceBusTrigger(
                function,
                worker,
                settings.service_bus,
                client=self._http.durable_client(function),
                environment=environment,
            )
            for function in worker.of_type("serviceBusTrigger")
        ]
        self._triggers: tuple[TimerTrigger | ServiceBusTrigger, ...] = (
            *self._timers,
            *self._queues,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start everything. Raises PortTaken, HubNameMismatch."""
        await self._http.start()
        await self._hub.start()
        self._tasks = [
            asyncio.create_task(_keep_running(trigger), name=f"trigger-{trigger.name}")
            for trigger in self._triggers
        ]
        self._state = "Running"

    async def stop(self) -> None:
        """Take no new work, let what is in hand end for some seconds, and close everything."""
        self._state = "Stopping"
        for trigger in self._triggers:
            trigger.stop()
        # HTTP stays up meanwhile: durable clients of running functions call back over it.
        draining = asyncio.create_task(self._hub.drain())
        _, late = await asyncio.wait({*self._tasks, draining}, timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._http.stop()
        await self._hub.stop()
        self._worker.close()
        self._identity.release()

    def status(self) -> dict[str, Any]:
        """What GET /admin/host/status shows."""
        return {
            "id": self._identity.owner,
            "state": self._state,
            "processId": os.getpid(),
            "app": str(self._options.app_dir),
            "functions": [
                {"name": f.name, "trigger": f.trigger_type, "route": f.trigger.get("route")}
                for f in self._worker.functions.values()
            ],
            "listeners": {
                "timers": [{"function": t.name, "schedule": t.schedule_text} for t in self._timers],
                "serviceBus": [
                    {
                        "function": q.name,
                        "queue": q.queue_name,
                        "connected": q.connected,
                        "messages": q.messages,
                    }
                    for q in self._queues
                ],
            },
            "durable": {
                "turns": self._hub.orchestrations.turns,
                "orchestratorRuns": self._hub.orchestrations.code_runs,
                "activities": self._hub.activities.finished,
            },
            "abandonedThreads": self._worker.abandoned_threads,
        }


class HostIdentity:
    """The host's name in the hub, kept in the state directory.

    A restarted host has the name of the one before it and takes back at once what that one had in
    hand. A lock on the file keeps a second host off the directory, and ends with the process.
    """

    def __init__(self, state_dir: Path) -> None:
        """Raises StateInUse."""
        state_dir.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (state_dir / "host-id").open("a+")
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            self._file.close()
            raise StateInUse(f"another host runs with the state directory {state_dir}") from None
        self._file.seek(0)
        self.owner = self._file.read().strip()
        if not self.owner:
            self.owner = uuid.uuid4().hex
            self._file.write(self.owner)
            self._file.flush()

    def release(self) -> None:
        """Let another host have the directory."""
        self._file.close()


def _hub_database_url(environment: Mapping[str, str]) -> str:
    for name in ("GEOFORGE_HUB_DATABASE_URL", "DATABASE_URL"):
        if environment.get(name):
            return environment[name]
    raise SettingsError(
        "no database for the task hub: set DATABASE_URL or GEOFORGE_HUB_DATABASE_URL"
    )


async def _keep_running(trigger: TimerTrigger | ServiceBusTrigger) -> None:
    """Run a trigger until it is stopped, again after an error that it did not expect."""
    while True:
        try:
            return await trigger.run()
        except Exception:
            log.exception("the trigger of '%s' failed and is started again", trigger.name)
            await asyncio.sleep(_RESTART_SECONDS)
