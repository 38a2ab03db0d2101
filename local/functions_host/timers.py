"""Timer triggers: each due time runs once, on one of the hosts that share the hub."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from azure.functions.meta import Datum

from local.functions_host.bindings import Function
from local.functions_host.ncrontab import Schedule, ScheduleError, parse_schedule
from local.functions_host.settings import SettingsError, resolve_setting_names
from local.functions_host.worker import InvocationFailed, Worker
from local.task_hub.database import Database, HubUnavailable
from local.task_hub.history import format_time
from local.task_hub.schedule_store import ScheduleState, ScheduleStore

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_LONGEST_SLEEP_SECONDS = 60.0
"""After a suspend of the machine, or a change of its clock, this is how late a timer can be."""
_BUSY_SECONDS = 1.0
"""How long to wait for the host that runs the function now."""

_NEVER = "0001-01-01T00:00:00"


class TimerTrigger:
    """Runs one timer function on its schedule."""

    def __init__(
        self,
        function: Function,
        worker: Worker,
        database: Database,
        *,
        client: str | None,
        environment: Mapping[str, str],
    ) -> None:
        """Raises SettingsError for a schedule that is not set or not valid."""
        self._function = function
        self._worker = worker
        self._database = database
        self._schedules = ScheduleStore(database)
        self._client = client
        self._run_on_startup = function.trigger.get("runOnStartup") is True
        self._monitored = function.trigger.get("useMonitor") is not False
        self._stopping = asyncio.Event()
        self.schedule_text, self._schedule = _schedule_of(function, environment)

    @property
    def name(self) -> str:
        """Name of the function."""
        return self._function.name

    async def run(self) -> None:
        """Wait for each due time and run it, until stopped.

        A run that lasts beyond its next due time is followed by one more at once.
        """
        started = datetime.now(UTC)
        state = await self._state()
        # A due time before the start fell into a downtime: it is made up for, once.
        past_due = state.next_run < started
        if past_due:
            log.info("timer '%s' is past due since %s", self.name, state.next_run.isoformat())
        elif self._run_on_startup:
            await self._hold_and_invoke(state, past_due=False)
        while not self._stopping.is_set():
            if not await self._stopped_before(state.next_run):
                past_due = not await self._run_due(state, past_due=past_due) and past_due
                state = await self._state()

    def stop(self) -> None:
        """Run no more; `run` returns when what runs has ended."""
        self._stopping.set()

    async def _state(self) -> ScheduleState:
        """What is due next, in the hub where other hosts see it, unless the app opts out."""
        following = self._schedule.next_after(datetime.now(UTC))
        if not self._monitored:
            return ScheduleState(None, following)
        while True:
            try:
                return await self._schedules.ensure(self.name, self.schedule_text, following)
            except HubUnavailable:
                await self._pause(_RETRY_SECONDS)

    async def _run_due(self, state: ScheduleState, *, past_due: bool) -> bool:
        """Run what is due, unless another host does; whether this host took it."""
        try:
            async with self._database.advisory_lock(f"timer:{self.name}") as held:
                if held and await self._take(state):
                    await self._invoke(state, past_due=past_due)
                    return True
        except HubUnavailable:
            # Not taken, it stays due; taken, it has run and only its lock was lost.
            await self._pause(_RETRY_SECONDS)
            return False
        if not held:
            await self._pause(_BUSY_SECONDS)
        return False

    async def _take(self, state: ScheduleState) -> bool:
        if not self._monitored:
            return True
        now = datetime.now(UTC)
        return await self._schedules.take(
            self.name,
            expected=state.next_run,
            now=now,
            next_run=self._schedule.next_after(max(now, state.next_run)),
        )

    async def _hold_and_invoke(self, state: ScheduleState, *, past_due: bool) -> None:
        try:
            async with self._database.advisory_lock(f"timer:{self.name}") as held:
                if held:
                    await self._invoke(state, past_due=past_due)
        except HubUnavailable:
            log.warning("timer '%s' could not run at startup: no database", self.name)

    async def _stopped_before(self, moment: datetime) -> bool:
        """Wait for a moment; whether the trigger was stopped first."""
        while (remaining := (moment - datetime.now(UTC)).total_seconds()) > 0:
            await self._pause(min(remaining, _LONGEST_SLEEP_SECONDS))
            if self._stopping.is_set():
                return True
        return False

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _invoke(self, state: ScheduleState, *, past_due: bool) -> None:
        following = self._schedule.next_after(datetime.now(UTC))
        datum = Datum(json.dumps(_timer_info(state, following, past_due=past_due)), "json")
        try:
            await self._worker.invoke(self._function, datum, client=self._client)
        except InvocationFailed as error:
            log.error("timer '%s' failed: %s\n%s", self.name, error, error.details)


def _schedule_of(function: Function, environment: Mapping[str, str]) -> tuple[str, Schedule]:
    try:
        text = resolve_setting_names(str(function.trigger["schedule"]), environment)
        schedule = parse_schedule(text)
        schedule.next_after(datetime.now(UTC))
    except (SettingsError, ScheduleError) as error:
        raise SettingsError(f"function '{function.name}': {error}") from error
    return text, schedule


def _timer_info(state: ScheduleState, following: datetime, *, past_due: bool) -> dict[str, Any]:
    """What azure.functions.TimerRequest is made of."""
    return {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": {
            "Last": format_time(state.last_run) if state.last_run else _NEVER,
            "LastUpdated": format_time(state.last_run) if state.last_run else _NEVER,
            "Next": format_time(following),
        },
        "IsPastDue": past_due,
    }
