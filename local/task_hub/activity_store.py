"""Activities waiting to run, under a lease while they do."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Json

from local.task_hub.database import INSTANCES, Database, notify
from local.task_hub.models import ActivityLease, ActivityResult

# The oldest that nobody runs, or whose host is gone. Few are under a lease at any time, so the
# primary key leads to the free ones quickly.
_CLAIM = """
with free as (
    select id from task_hub.activities
    where owner is null or leased_until < statement_timestamp()
    order by id limit %(limit)s for update skip locked
)
update task_hub.activities a
set owner = %(owner)s, attempt = attempt + 1,
    leased_until = clock_timestamp() + %(lease)s * interval '1 second'
from free where a.id = free.id
returning a.id, instance_id, execution_id, event_id, name, input, attempt
"""

_RENEW = """
update task_hub.activities
set leased_until = clock_timestamp() + %(lease)s * interval '1 second'
where id = any (%(ids)s) and owner = %(owner)s
"""

# A result counts once: only for the lease under which it was made.
_FINISH = """
with results as (
    select * from unnest(%(ids)s::bigint[], %(attempts)s::int[], %(events)s::json[])
        with ordinality as r (id, attempt, event, place)
), ended as (
    delete from task_hub.activities a using results r
    where a.id = r.id and a.attempt = r.attempt and a.owner = %(owner)s
    returning a.instance_id, a.execution_id, r.event, r.place
)
insert into task_hub.inbox (instance_id, execution_id, event)
select instance_id, execution_id, event from ended order by place
"""


class ActivityStore:
    """The activities' side of the hub, for one host (`owner`)."""

    def __init__(self, database: Database, owner: str, *, lease_seconds: float = 30.0) -> None:
        self._database = database
        self._owner = owner
        self.lease_seconds = lease_seconds

    async def claim(self, limit: int) -> list[ActivityLease]:
        """Up to `limit` free activities, the oldest first."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                _CLAIM,
                {"limit": limit, "owner": self._owner, "lease": self.lease_seconds},
            )
            leases = [ActivityLease(**row) for row in await cursor.fetchall()]
        return sorted(leases, key=lambda lease: lease.id)

    async def finish(self, results: Sequence[ActivityResult]) -> None:
        """Send the results to their instances and end the leases, in one transaction."""
        async with self._database.transaction() as connection:
            await connection.execute(
                _FINISH,
                {
                    "ids": [result.lease.id for result in results],
                    "attempts": [result.lease.attempt for result in results],
                    "events": [Json(result.event) for result in results],
                    "owner": self._owner,
                },
            )
            await notify(connection, INSTANCES)

    async def renew(self, ids: Sequence[int]) -> None:
        """Extend the leases of activities that are still running."""
        async with self._database.transaction() as connection:
            await connection.execute(
                _RENEW,
                {"lease": self.lease_seconds, "ids": list(ids), "owner": self._owner},
            )

    async def forget(self) -> None:
        """End the leases that this owner left behind when it was killed."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "update task_hub.activities set owner = null, leased_until = null where owner = %s",
                (self._owner,),
            )
