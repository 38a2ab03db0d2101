"""Claiming instances that have messages, and committing their turns: each in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from psycopg.types.json import Json

from local.task_hub.database import ACTIVITIES, INSTANCES, Connection, Database, notify
from local.task_hub.history import Event, EventType, format_time
from local.task_hub.instance_store import insert_instance, instance_of
from local.task_hub.models import FINAL_STATUSES, Instance, Message, Parent, Status
from local.task_hub.orchestrator import (
    ScheduledActivity,
    ScheduledChild,
    ScheduledTimer,
)
from local.task_hub.turn import Turn

MESSAGES_PER_TURN = 2000

# Instances that have a message and that no host is busy with; a suspended one only hears control
# messages. The partial index of unfinished instances drives the search, so finished ones cost
# nothing. The time is that of the statement: clock_timestamp() is volatile, and no index serves it.
_CLAIM = """
with free as (
    select i.instance_id
    from task_hub.instances i
    where i.status in ('Pending', 'Running', 'Suspended')
      and (i.owner is null or i.owner = %(owner)s or i.leased_until < statement_timestamp())
      and i.instance_id <> all (%(busy)s)
      and exists (
            select from task_hub.inbox
            where inbox.instance_id = i.instance_id
              and inbox.visible_at <= statement_timestamp()
              and (inbox.is_control or i.status <> 'Suspended')
        )
    limit %(limit)s
    for update of i skip locked
)
update task_hub.instances i
set owner = %(owner)s, leased_until = clock_timestamp() + %(lease)s * interval '1 second'
from free where i.instance_id = free.instance_id
returning i.*
"""

_NEXT_MESSAGE = """
select extract(epoch from min(visible_at) - statement_timestamp())::float8 as seconds
from task_hub.inbox where visible_at > statement_timestamp()
"""

# In the order in which they became visible, so that after a downtime an event that was raised
# before a timer fell due is also heard before it.
_MESSAGES = """
select id, execution_id, event from task_hub.inbox
where instance_id = %(instance_id)s and visible_at <= statement_timestamp()
  and (is_control or not %(suspended)s)
order by visible_at, id limit %(limit)s
"""

_HISTORY = "select events from task_hub.history where instance_id = %s order by turn"

# The turn before must be the one this turn was decided on, and the lease must still be ours.
_COMMIT = """
update task_hub.instances
set turns = turns + %(new_turns)s, status = %(status)s, custom_status = %(custom_status)s,
    output = %(output)s, owner = null, leased_until = null, updated_at = clock_timestamp()
where instance_id = %(instance_id)s and execution_id = %(execution_id)s
  and turns = %(turns)s and owner = %(owner)s
returning instance_id
"""

_CONTINUE_AS_NEW = """
update task_hub.instances
set execution_id = %(new_execution_id)s, input = %(input)s, turns = 0
where instance_id = %(instance_id)s
"""

_INSERT_MESSAGE = """
insert into task_hub.inbox (instance_id, execution_id, visible_at, timer_id, event)
values (%s, %s, coalesce(%s, clock_timestamp()), %s, %s)
"""

# To the parent, if it still is the execution that started this child.
_TELL_PARENT = """
insert into task_hub.inbox (instance_id, execution_id, event)
select instance_id, execution_id, %(event)s from task_hub.instances
where instance_id = %(parent)s and execution_id = %(execution)s and status <> all (%(final)s)
"""


class LeaseLost(Exception):
    """Another host has taken a turn of this instance, or it was replaced or purged."""


class TurnStore:
    """The orchestrations' side of the hub, for one host (`owner`)."""

    def __init__(self, database: Database, owner: str, *, lease_seconds: float = 30.0) -> None:
        self._database = database
        self._owner = owner
        self._lease_seconds = lease_seconds

    async def claim(self, limit: int, busy: Collection[str]) -> tuple[list[Instance], float | None]:
        """Up to `limit` instances to take a turn of, and seconds until the next message is due.

        `busy` are the instances this host already works on.
        """
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                _CLAIM,
                {
                    "owner": self._owner,
                    "busy": list(busy),
                    "limit": limit,
                    "lease": self._lease_seconds,
                },
            )
            instances = [instance_of(row) for row in await cursor.fetchall()]
            cursor = await connection.execute(_NEXT_MESSAGE)
            row = await cursor.fetchone()
        return instances, row["seconds"] if row else None

    async def load(
        self, instance: Instance, *, with_history: bool
    ) -> tuple[list[Message], list[Event]]:
        """The instance's visible messages, and its history where asked for."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                _MESSAGES,
                {
                    "instance_id": instance.instance_id,
                    "suspended": instance.status is Status.SUSPENDED,
                    "limit": MESSAGES_PER_TURN,
                },
            )
            messages = [
                Message(row["id"], row["execution_id"], row["event"])
                for row in await cursor.fetchall()
            ]
            history: list[Event] = []
            if with_history and instance.turns:
                cursor = await connection.execute(_HISTORY, (instance.instance_id,))
                for row in await cursor.fetchall():
                    history += row["events"]
        return messages, history

    async def commit(
        self,
        instance: Instance,
        turn: Turn,
        *,
        orchestrators: Collection[str],
        new_execution_id: str,
    ) -> None:
        """Write everything a turn changes, and end the lease.

        `orchestrators` are the functions that exist: a child of another name fails at once.
        `new_execution_id` is taken when the instance continues as new.

        Raises LeaseLost, and then nothing is written.
        """
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                _COMMIT,
                {
                    "new_turns": 1 if turn.events else 0,
                    "status": turn.status,
                    "custom_status": turn.custom_status,
                    "output": turn.output,
                    "instance_id": instance.instance_id,
                    "execution_id": instance.execution_id,
                    "turns": instance.turns,
                    "owner": self._owner,
                },
            )
            if await cursor.fetchone() is None:
                raise LeaseLost(instance.instance_id)
            await connection.execute(
                "delete from task_hub.inbox where id = any (%s)", (turn.consumed,)
            )
            if turn.restart is not None:
                await self._continue_as_new(connection, instance, turn, new_execution_id)
            elif turn.events:
                await self._append(connection, instance, turn, orchestrators)

    async def _append(
        self,
        connection: Connection,
        instance: Instance,
        turn: Turn,
        orchestrators: Collection[str],
    ) -> None:
        await connection.execute(
            "insert into task_hub.history (instance_id, turn, events) values (%s, %s, %s)",
            (instance.instance_id, instance.turns, Json(turn.events)),
        )
        if turn.cancelled_timers:
            await connection.execute(
                "delete from task_hub.inbox where instance_id = %s and timer_id = any (%s)",
                (instance.instance_id, turn.cancelled_timers),
            )
        await self._hand_out(connection, instance, turn, orchestrators)
        if turn.status.is_final:
            for table in ("inbox", "activities"):
                await connection.execute(
                    f"delete from task_hub.{table} where instance_id = %s".encode(),
                    (instance.instance_id,),
                )
            if instance.parent is not None:
                await self._tell_parent(connection, instance.parent, turn)

    async def _hand_out(
        self,
        connection: Connection,
        instance: Instance,
        turn: Turn,
        orchestrators: Collection[str],
    ) -> None:
        activities = [op for op in turn.scheduled if isinstance(op, ScheduledActivity)]
        if activities:
            copy_activities = (
                "copy task_hub.activities (instance_id, execution_id, event_id, name, input) "
                "from stdin"
            )
            async with (
                connection.cursor() as cursor,
                cursor.copy(copy_activities) as copy,
            ):
                for activity in activities:
                    await copy.write_row(
                        (
                            instance.instance_id,
                            instance.execution_id,
                            activity.event_id,
                            activity.name,
                            activity.input,
                        )
                    )
            await notify(connection, ACTIVITIES)
        for operation in turn.scheduled:
            match operation:
                case ScheduledTimer(event_id=event_id, fire_at=fire_at, cancelled=False):
                    fired = {
                        "EventType": EventType.TIMER_FIRED,
                        "TimerId": event_id,
                        "FireAt": format_time(fire_at),
                    }
                    await self._send(connection, instance, fired, at=fire_at, timer_id=event_id)
                case ScheduledChild():
                    await self._start_child(connection, instance, operation, orchestrators)

    async def _start_child(
        self,
        connection: Connection,
        instance: Instance,
        child: ScheduledChild,
        orchestrators: Collection[str],
    ) -> None:
        assert child.instance_id is not None
        reason = None
        if child.name not in orchestrators:
            reason = f"the orchestrator function '{child.name}' does not exist"
        elif not await insert_instance(
            connection,
            instance_id=child.instance_id,
            name=child.name,
            input_json=child.input,
            version=child.version or "",
            parent=Parent(instance.instance_id, instance.execution_id, child.event_id),
        ):
            reason = f"the instance '{child.instance_id}' is already running"
        if reason is not None:
            failed = {
                "EventType": EventType.SUB_ORCHESTRATION_INSTANCE_FAILED,
                "TaskScheduledId": child.event_id,
                "Reason": f"Cannot start the sub-orchestration: {reason}",
                "Details": "",
            }
            await self._send(connection, instance, failed)

    async def _send(
        self,
        connection: Connection,
        instance: Instance,
        message: Event,
        *,
        at: Any = None,
        timer_id: int | None = None,
    ) -> None:
        await connection.execute(
            _INSERT_MESSAGE,
            (instance.instance_id, instance.execution_id, at, timer_id, Json(message)),
        )

    async def _tell_parent(self, connection: Connection, parent: Parent, turn: Turn) -> None:
        if turn.status is Status.COMPLETED:
            outcome: dict[str, Any] = {
                "EventType": EventType.SUB_ORCHESTRATION_INSTANCE_COMPLETED,
                "Result": turn.output,
            }
        else:
            outcome = {
                "EventType": EventType.SUB_ORCHESTRATION_INSTANCE_FAILED,
                "Reason": turn.output or turn.status.value,
                "Details": "",
            }
        await connection.execute(
            _TELL_PARENT,
            {
                "event": Json({**outcome, "TaskScheduledId": parent.event_id}),
                "parent": parent.instance_id,
                "execution": parent.execution_id,
                "final": [status.value for status in FINAL_STATUSES],
            },
        )
        await notify(connection, INSTANCES)

    async def _continue_as_new(
        self,
        connection: Connection,
        instance: Instance,
        turn: Turn,
        new_execution_id: str,
    ) -> None:
        """Start the instance over. Raised events that were not waited for go along."""
        assert turn.restart is not None
        key = (instance.instance_id,)
        await connection.execute(
            _CONTINUE_AS_NEW,
            {
                "new_execution_id": new_execution_id,
                "input": turn.restart.input,
                "instance_id": instance.instance_id,
            },
        )
        await connection.execute("delete from task_hub.history where instance_id = %s", key)
        await connection.execute("delete from task_hub.activities where instance_id = %s", key)
        await connection.execute(
            "delete from task_hub.inbox where instance_id = %s and execution_id is not null",
            key,
        )
        # The start, then the early events, are heard before what is left in the inbox.
        messages: list[Event] = [{"EventType": EventType.EXECUTION_STARTED}]
        for early in turn.restart.events:
            messages.append({name: early[name] for name in ("EventType", "Name", "Input")})
        for message in messages:
            await connection.execute(
                "insert into task_hub.inbox (instance_id, visible_at, event) "
                "values (%s, '-infinity', %s)",
                (instance.instance_id, Json(message)),
            )

    async def forget(self) -> None:
        """End the leases that this owner left behind when it was killed."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "update task_hub.instances set owner = null, leased_until = null where owner = %s",
                (self._owner,),
            )
