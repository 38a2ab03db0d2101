"""The hub's tables on a real PostgreSQL: fences, leases, and what belongs together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from local.task_hub.activity_store import ActivityStore
from local.task_hub.database import Database, HubNameMismatch, HubUnavailable
from local.task_hub.history import Event, EventType, event
from local.task_hub.instance_store import InstanceFilter, InstanceStore
from local.task_hub.models import ActivityResult, Instance, Status
from local.task_hub.orchestrator import (
    ContinuedAsNew,
    ScheduledActivity,
    ScheduledChild,
    ScheduledTimer,
)
from local.task_hub.schedule_store import ScheduleStore
from local.task_hub.turn import Turn
from local.task_hub.turn_store import LeaseLost, TurnStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RAISED = {"EventType": EventType.EVENT_RAISED, "Name": "e", "Input": "1"}


@pytest.fixture
async def database(postgres_server: Any) -> AsyncIterator[Database]:
    """The hub's tables in a database of the test's own."""
    url = postgres_server.create_database()
    database = Database(url)
    await database.open("hub")
    yield database
    await database.close()
    postgres_server.drop_database(url)


@pytest.fixture
def instances(database: Database) -> InstanceStore:
    return InstanceStore(database)


async def claim(database: Database, owner: str) -> list[Instance]:
    found, _ = await TurnStore(database, owner).claim(10, [])
    return found


async def messages(database: Database, instance: Instance) -> list[Event]:
    found, _ = await TurnStore(database, "reader").load(instance, with_history=False)
    return [message.event for message in found]


async def take(database: Database, owner: str, **changes: Any) -> Instance:
    """Claim the one waiting instance and commit a turn that changes so much."""
    store = TurnStore(database, owner)
    [instance], _ = await store.claim(10, [])
    waiting, _ = await store.load(instance, with_history=False)
    turn = Turn(
        status=changes.pop("status", Status.RUNNING),
        consumed=[message.id for message in waiting],
        custom_status=None,
        events=[event(EventType.ORCHESTRATOR_STARTED, NOW)],
        **changes,
    )
    await store.commit(instance, turn, orchestrators=["o"], new_execution_id="next")
    return instance


# ------------------------------------------------------------------ schema


async def test_ten_hosts_that_start_at_once_make_one_schema(postgres_server: Any) -> None:
    url = postgres_server.create_database()
    databases = [Database(url, max_connections=1) for _ in range(10)]
    await asyncio.gather(*(database.open("hub") for database in databases))
    other = Database(url, max_connections=1)
    with pytest.raises(HubNameMismatch, match=r"'hub'.*'other'"):
        await other.open("other")
    await asyncio.gather(*(database.close() for database in [*databases, other]))
    postgres_server.drop_database(url)


async def test_lost_server_is_one_kind_of_error(postgres_server: Any) -> None:
    database = Database("postgresql://nobody@127.0.0.1:9/none")
    await database._pool.open()
    database._lost = True
    with pytest.raises(HubUnavailable):
        async with database.transaction():
            pytest.fail("there is no server")
    with pytest.raises(HubUnavailable):
        async with database.advisory_lock("x"):
            pytest.fail("there is no server")
    await database.close()


# ------------------------------------------------------------------ turns


async def test_instance_is_claimed_by_one_host_at_a_time(
    database: Database, instances: InstanceStore
) -> None:
    for number in range(20):
        await instances.create(f"i{number}", "o", None)
    first, second = await asyncio.gather(claim(database, "a"), claim(database, "b"))
    ids = [instance.instance_id for instance in (*first, *second)]
    assert len(ids) == len(set(ids)) == 20


async def test_turn_on_an_older_state_is_refused_and_writes_nothing(
    database: Database, instances: InstanceStore
) -> None:
    await instances.create("i", "o", None)
    slow = TurnStore(database, "slow", lease_seconds=0)
    [stale], _ = await slow.claim(1, [])
    await take(database, "quick", scheduled=[ScheduledActivity(0, "a", "1")])
    turn = Turn(Status.RUNNING, [], None, [RAISED], [ScheduledActivity(0, "a", "1")])
    with pytest.raises(LeaseLost):
        await slow.commit(stale, turn, orchestrators=[], new_execution_id="x")
    assert len(await ActivityStore(database, "a").claim(10)) == 1
    assert [e["EventType"] for e in await instances.history("i")] == [12]


async def test_final_turn_leaves_nothing_to_do_and_tells_the_parent(
    database: Database, instances: InstanceStore
) -> None:
    await instances.create("parent", "o", None)
    children = [ScheduledChild(0, "o", "[1]", "child", None)]
    parent = await take(database, "a", scheduled=children)
    child = await take(
        database,
        "a",
        status=Status.COMPLETED,
        output='"done"',
        scheduled=[
            ScheduledActivity(0, "a", None),
            ScheduledTimer(1, datetime.now(UTC) + timedelta(hours=1)),
        ],
    )
    assert child.parent is not None
    assert child.input == "[1]"
    assert await ActivityStore(database, "a").claim(10) == []
    [told] = await messages(database, parent)
    assert (told["EventType"], told["TaskScheduledId"], told["Result"]) == (8, 0, '"done"')


async def test_child_that_cannot_start_fails_at_once(
    database: Database, instances: InstanceStore
) -> None:
    await instances.create("parent", "o", None)
    children = [
        ScheduledChild(0, "unknown", None, "c0", None),
        ScheduledChild(1, "o", None, "parent", None),
    ]
    parent = await take(database, "a", scheduled=children)
    unknown, running = await messages(database, parent)
    assert "'unknown' does not exist" in unknown["Reason"]
    assert "'parent' is already running" in running["Reason"]


async def test_timer_is_heard_when_it_is_due_and_not_when_taken_back(
    database: Database, instances: InstanceStore
) -> None:
    await instances.create("i", "o", None)
    soon = datetime.now(UTC) + timedelta(seconds=60)
    timers = [ScheduledTimer(0, soon), ScheduledTimer(1, soon), ScheduledTimer(2, soon, True)]
    await take(database, "a", scheduled=timers)
    await instances.send("i", RAISED)
    await take(database, "a", cancelled_timers=[0])
    found, seconds = await TurnStore(database, "a").claim(10, [])
    assert found == []
    assert seconds is not None
    assert 0 < seconds <= 60
    async with database.transaction() as connection:
        await connection.execute("update task_hub.inbox set visible_at = now()")
    [instance] = await claim(database, "a")
    assert [message["TimerId"] for message in await messages(database, instance)] == [1]


async def test_continuing_as_new_keeps_what_was_raised_and_nothing_else(
    database: Database, instances: InstanceStore
) -> None:
    await instances.create("i", "o", "1")
    await take(database, "a", scheduled=[ScheduledActivity(0, "a", None)])
    [lease] = await ActivityStore(database, "a").claim(1)
    await instances.send("i", {**RAISED, "Input": '"early"'})
    store = TurnStore(database, "a")
    [instance], _ = await store.claim(1, [])
    [heard], _ = await store.load(instance, with_history=False)
    await instances.send("i", {**RAISED, "Input": '"unread"'})
    turn = Turn(Status.RUNNING, [heard.id], None, restart=ContinuedAsNew("2", (heard.event,)))
    turn.events = [heard.event]
    await store.commit(instance, turn, orchestrators=["o"], new_execution_id="second")
    await ActivityStore(database, "a").finish([ActivityResult(lease, {"EventType": 5})])
    [again] = await claim(database, "a")
    assert (again.execution_id, again.input, again.turns) == ("second", "2", 0)
    waiting = await messages(database, again)
    assert [m["EventType"] for m in waiting] == [0, 15, 15]
    assert [m.get("Input") for m in waiting] == [None, '"early"', '"unread"']
    assert await instances.history("i") == []


# ------------------------------------------------------------------ activities


async def test_result_counts_once_and_only_under_its_lease(
    database: Database, instances: InstanceStore
) -> None:
    await instances.create("i", "o", None)
    instance = await take(database, "a", scheduled=[ScheduledActivity(0, "a", '"in"')])
    late = ActivityStore(database, "late", lease_seconds=0)
    [old] = await late.claim(5)
    quick = ActivityStore(database, "quick")
    [new] = await quick.claim(5)
    assert (old.id, old.attempt, new.attempt, new.input) == (new.id, 1, 2, '"in"')
    await late.finish([ActivityResult(old, {"EventType": 5, "Result": "old"})])
    assert await messages(database, instance) == []
    for _ in range(2):
        await quick.finish([ActivityResult(new, {"EventType": 5, "Result": "new"})])
    assert [m["Result"] for m in await messages(database, instance)] == ["new"]


async def test_renewed_lease_does_not_expire(database: Database, instances: InstanceStore) -> None:
    await instances.create("i", "o", None)
    await take(database, "a", scheduled=[ScheduledActivity(0, "a", None)])
    [lease] = await ActivityStore(database, "a", lease_seconds=0).claim(1)
    store = ActivityStore(database, "a", lease_seconds=60)
    await store.renew([lease.id])
    assert await ActivityStore(database, "b").claim(1) == []


# ------------------------------------------------------------------ instances


async def test_nothing_of_a_finished_execution_reaches_the_one_that_replaces_it(
    database: Database, instances: InstanceStore
) -> None:
    await instances.create("i", "o", "1")
    first = await take(database, "a", status=Status.FAILED, output='"x"')
    assert await instances.create("i", "o", "2")
    assert not await instances.create("i", "o", "3")
    [second] = await claim(database, "a")
    assert second.execution_id != first.execution_id
    assert (second.input, second.output, second.status) == ("2", None, Status.PENDING)
    assert [m["EventType"] for m in await messages(database, second)] == [0]
    assert await instances.history("i") == []


async def test_event_is_either_refused_or_heard(
    database: Database, instances: InstanceStore
) -> None:
    assert await instances.send("none", RAISED) is None
    await instances.create("i", "o", None)
    assert await instances.send("i", RAISED) is Status.PENDING
    await take(database, "a", status=Status.COMPLETED, output="1")
    assert await instances.send("i", RAISED) is Status.COMPLETED
    found = await instances.get("i")
    assert found is not None
    assert await messages(database, found) == []


async def test_purge_takes_finished_instances_with_all_that_is_theirs(
    database: Database, instances: InstanceStore
) -> None:
    await instances.create("done", "o", None)
    await take(database, "a", status=Status.COMPLETED, output="1")
    await instances.create("running", "o", None)
    assert await instances.purge(InstanceFilter(id_prefix="other")) == 0
    assert await instances.purge(InstanceFilter(statuses=(Status.FAILED,))) == 0
    assert await instances.purge(InstanceFilter()) == 1
    assert await instances.get("done") is None
    assert await instances.history("done") == []
    assert await instances.get("running") is not None


# ------------------------------------------------------------------ notifications, schedules


async def test_other_hosts_are_told_of_new_work(
    database: Database, instances: InstanceStore, postgres_server: Any
) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    database.subscribe(heard.put_nowait)
    # Nothing is told by name before it listens, and when that begins is not ours to see: so new
    # work is made until word of it comes.
    async with asyncio.timeout(30):
        for number in count():
            await instances.create(f"i-{number}", "o", None)
            await asyncio.sleep(0.05)
            if "instances" in [heard.get_nowait() for _ in range(heard.qsize())]:
                break


async def test_occurrence_is_taken_once_and_a_new_schedule_starts_afresh(
    database: Database,
) -> None:
    schedules = ScheduleStore(database)
    state = await schedules.ensure("tick", "0 * * * * *", NOW)
    assert (state.last_run, state.next_run) == (None, NOW)
    later = NOW + timedelta(minutes=1)
    taken = [await schedules.take("tick", expected=NOW, now=NOW, next_run=later) for _ in range(2)]
    assert taken == [True, False]
    state = await schedules.ensure("tick", "0 * * * * *", NOW)
    assert (state.last_run, state.next_run) == (NOW, later)
    state = await schedules.ensure("tick", "30 * * * * *", NOW)
    assert state.next_run == NOW


async def test_advisory_lock_is_held_by_one_at_a_time(database: Database) -> None:
    async with (
        database.advisory_lock("x") as first,
        database.advisory_lock("x") as second,
        database.advisory_lock("y") as other,
    ):
        assert (first, second, other) == (True, False, True)
    async with database.advisory_lock("x") as again:
        assert again
