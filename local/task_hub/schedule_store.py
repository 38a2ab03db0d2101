"""What timer triggers have run and when they are due, so that a downtime is noticed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from local.task_hub.database import Database

# Only the host that finds the occurrence it expects takes it.
_TAKE = """
update task_hub.schedules set last_run = %(now)s, next_run = %(next_run)s
where function_name = %(function)s and next_run = %(expected)s
returning function_name
"""

# A changed schedule starts afresh; an unchanged one keeps what was due.
_ENSURE = """
insert into task_hub.schedules (function_name, schedule, next_run)
values (%(function)s, %(schedule)s, %(next_run)s)
on conflict (function_name) do update set
    next_run = case when schedules.schedule = excluded.schedule
        then schedules.next_run else excluded.next_run end,
    schedule = excluded.schedule
returning last_run, next_run
"""


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """When a timer function last ran, if ever, and when it is due; aware times."""

    last_run: datetime | None
    next_run: datetime


class ScheduleStore:
    """The timer triggers' side of the hub."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self, function: str, schedule: str, next_run: datetime) -> ScheduleState:
        """What is known of the function; `next_run` is kept if it is new or its schedule is."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                _ENSURE,
                {"function": function, "schedule": schedule, "next_run": next_run},
            )
            row = await cursor.fetchone()
        assert row is not None
        return ScheduleState(row["last_run"], row["next_run"])

    async def take(
        self, function: str, *, expected: datetime, now: datetime, next_run: datetime
    ) -> bool:
        """Take the occurrence of time `expected`; False if another host has."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                _TAKE,
                {
                    "function": function,
                    "expected": expected,
                    "now": now,
                    "next_run": next_run,
                },
            )
            return await cursor.fetchone() is not None
