"""Instances as clients see them: created, listed, sent messages, purged, rewound."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Json

from local.task_hub.database import ACTIVITIES, INSTANCES, Connection, Database, notify
from local.task_hub.history import CONTROL_EVENTS, Event, EventType
from local.task_hub.models import FINAL_STATUSES, Instance, Parent, Status
from local.task_hub.rewind import Rewind

# A new instance, or a new execution in the place of a finished one.
_INSERT = """
insert into task_hub.instances (instance_id, execution_id, name, version, input,
    parent_instance_id, parent_execution_id, parent_event_id)
values (%(instance_id)s, %(execution_id)s, %(name)s, %(version)s, %(input)s,
    %(parent_instance_id)s, %(parent_execution_id)s, %(parent_event_id)s)
on conflict (instance_id) do update set
    execution_id = excluded.execution_id, name = excluded.name, version = excluded.version,
    input = excluded.input, parent_instance_id = excluded.parent_instance_id,
    parent_execution_id = excluded.parent_execution_id, parent_event_id = excluded.parent_event_id,
    status = 'Pending', output = null, custom_status = null, turns = 0,
    owner = null, leased_until = null,
    created_at = clock_timestamp(), updated_at = clock_timestamp()
where task_hub.instances.status = any (%(final)s)
returning instance_id
"""

_LIST = """
select * from task_hub.instances
where (%(statuses)s::text[] is null or status = any (%(statuses)s))
  and (%(prefix)s::text is null or starts_with(instance_id, %(prefix)s))
  and (%(created_from)s::timestamptz is null or created_at >= %(created_from)s)
  and (%(created_to)s::timestamptz is null or created_at <= %(created_to)s)
  and (%(after)s::text is null or instance_id > %(after)s)
order by instance_id limit %(limit)s
"""

_PURGE = """
delete from task_hub.instances
where status = any (%(final)s)
  and (%(ids)s::text[] is null or instance_id = any (%(ids)s))
  and (%(statuses)s::text[] is null or status = any (%(statuses)s))
  and (%(prefix)s::text is null or starts_with(instance_id, %(prefix)s))
  and (%(created_from)s::timestamptz is null or created_at >= %(created_from)s)
  and (%(created_to)s::timestamptz is null or created_at <= %(created_to)s)
"""


@dataclass(frozen=True, slots=True)
class InstanceFilter:
    """Which instances to list or purge; None does not restrict. Times are aware."""

    statuses: tuple[Status, ...] | None = None
    id_prefix: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def parameters(self) -> dict[str, Any]:
        """As the queries take them."""
        return {
            "statuses": None if self.statuses is None else list(self.statuses),
            "prefix": self.id_prefix,
            "created_from": self.created_from,
            "created_to": self.created_to,
            "final": list(FINAL_STATUSES),
        }


def instance_of(row: dict[str, Any]) -> Instance:
    """The instance in a row of task_hub.instances."""
    parent = None
    if row["parent_instance_id"] is not None:
        parent = Parent(
            row["parent_instance_id"],
            row["parent_execution_id"],
            row["parent_event_id"],
        )
    return Instance(
        instance_id=row["instance_id"],
        execution_id=row["execution_id"],
        name=row["name"],
        version=row["version"],
        status=Status(row["status"]),
        input=row["input"],
        output=row["output"],
        custom_status=row["custom_status"],
        parent=parent,
        turns=row["turns"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def insert_instance(
    connection: Connection,
    *,
    instance_id: str,
    name: str,
    input_json: str | None,
    version: str = "",
    parent: Parent | None = None,
) -> bool:
    """Start an instance; False if one of this id has not finished.

    A finished one is replaced, and nothing of its execution reaches the new one.
    """
    cursor = await connection.execute(
        _INSERT,
        {
            "instance_id": instance_id,
            "execution_id": uuid.uuid4().hex,
            "name": name,
            "version": version,
            "input": input_json,
            "parent_instance_id": parent.instance_id if parent else None,
            "parent_execution_id": parent.execution_id if parent else None,
            "parent_event_id": parent.event_id if parent else None,
            "final": list(FINAL_STATUSES),
        },
    )
    if await cursor.fetchone() is None:
        return False
    for table in ("history", "inbox", "activities"):
        await connection.execute(
            f"delete from task_hub.{table} where instance_id = %s".encode(),
            (instance_id,),
        )
    await send(connection, instance_id, {"EventType": EventType.EXECUTION_STARTED})
    await notify(connection, INSTANCES)
    return True


async def send(connection: Connection, instance_id: str, message: Event) -> None:
    """Put an event into an instance's inbox, for whichever execution runs."""
    await connection.execute(
        "insert into task_hub.inbox (instance_id, is_control, event) values (%s, %s, %s)",
        (instance_id, EventType(message["EventType"]) in CONTROL_EVENTS, Json(message)),
    )


class InstanceStore:
    """The clients' side of the hub."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, instance_id: str, name: str, input_json: str | None, version: str = ""
    ) -> bool:
        """Start an instance; False if one of this id has not finished."""
        async with self._database.transaction() as connection:
            return await insert_instance(
                connection,
                instance_id=instance_id,
                name=name,
                input_json=input_json,
                version=version,
            )

    async def get(self, instance_id: str) -> Instance | None:
        """The instance, if there is one."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "select * from task_hub.instances where instance_id = %s",
                (instance_id,),
            )
            row = await cursor.fetchone()
        return instance_of(row) if row else None

    async def history(self, instance_id: str) -> list[Event]:
        """All events of the current execution, in order."""
        async with self._database.transaction() as connection:
            return await self._history(connection, instance_id)

    async def _history(self, connection: Connection, instance_id: str) -> list[Event]:
        cursor = await connection.execute(
            "select events from task_hub.history where instance_id = %s order by turn",
            (instance_id,),
        )
        return [event for row in await cursor.fetchall() for event in row["events"]]

    async def list(
        self, where: InstanceFilter, *, limit: int, after: str | None
    ) -> Sequence[Instance]:
        """Instances in the order of their ids, from behind `after`."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                _LIST, {**where.parameters(), "limit": limit, "after": after}
            )
            return [instance_of(row) for row in await cursor.fetchall()]

    async def send(self, instance_id: str, message: Event) -> Status | None:
        """Send an event to an instance that has not finished.

        Returns the status found, None without an instance. The row is locked against the turn
        that would finish the instance, so an event is either refused or heard.
        """
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "select status from task_hub.instances where instance_id = %s for share",
                (instance_id,),
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            status = Status(row["status"])
            if not status.is_final:
                await send(connection, instance_id, message)
                await notify(connection, INSTANCES)
        return status

    async def purge(self, where: InstanceFilter, *, ids: Sequence[str] | None = None) -> int:
        """Delete finished instances with all that belongs to them; returns how many."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                _PURGE, {**where.parameters(), "ids": None if ids is None else [*ids]}
            )
            return cursor.rowcount

    async def rewind(self, instance_id: str, reason: str) -> Status | None:
        """Let a failed instance go on from before its last failure, its failed children too.

        Returns the status found, None without an instance; only a failed one is rewound.
        """
        async with self._database.transaction() as connection:
            return await self._rewind(connection, instance_id, reason)

    async def _rewind(self, connection: Connection, instance_id: str, reason: str) -> Status | None:
        cursor = await connection.execute(
            "select * from task_hub.instances where instance_id = %s for update",
            (instance_id,),
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        instance = instance_of(row)
        if instance.status is not Status.FAILED:
            return instance.status
        rewind = Rewind.of(await self._history(connection, instance_id))
        await connection.execute(
            "delete from task_hub.history where instance_id = %s", (instance_id,)
        )
        await connection.execute(
            "insert into task_hub.history (instance_id, turn, events) values (%s, 0, %s)",
            (instance_id, Json(rewind.history)),
        )
        await connection.execute(
            # turns goes on counting: no host may take what it remembers for this history.
            "update task_hub.instances set status = 'Running', output = null, turns = turns + 1, "
            "updated_at = clock_timestamp() where instance_id = %s",
            (instance_id,),
        )
        for scheduled in rewind.activities:
            await connection.execute(
                "insert into task_hub.activities "
                "(instance_id, execution_id, event_id, name, input) values (%s, %s, %s, %s, %s)",
                (
                    instance_id,
                    instance.execution_id,
                    scheduled["EventId"],
                    scheduled["Name"],
                    scheduled["Input"],
                ),
            )
        for created in rewind.children:
            await self._redo_child(connection, instance, created, reason)
        message = {"EventType": EventType.GENERIC_EVENT, "Data": f"Rewound: {reason}"}
        await send(connection, instance_id, message)
        await notify(connection, INSTANCES)
        await notify(connection, ACTIVITIES)
        return Status.FAILED

    async def _redo_child(
        self, connection: Connection, instance: Instance, created: Event, reason: str
    ) -> None:
        """Rewind a failed child; start over one that was terminated or purged."""
        child_id = created["InstanceId"]
        if await self._rewind(connection, child_id, reason) is not Status.FAILED:
            await insert_instance(
                connection,
                instance_id=child_id,
                name=created["Name"],
                input_json=created["Input"],
                version=created["Version"],
                parent=Parent(instance.instance_id, instance.execution_id, created["EventId"]),
            )
