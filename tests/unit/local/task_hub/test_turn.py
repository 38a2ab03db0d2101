"""Turns with the SDK itself, over an in-memory hub that delivers in any order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import azure.durable_functions as df
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.functions_host.out_of_process import orchestrator_input, parse_failure, parse_reply
from local.task_hub.actions import OrchestratorReply
from local.task_hub.history import Event, EventType
from local.task_hub.models import Instance, Message, Parent, Status
from local.task_hub.orchestrator import ScheduledActivity, ScheduledChild, ScheduledTimer
from local.task_hub.rewind import Rewind
from local.task_hub.turn import Memory, Turn, take_turn

pytestmark = pytest.mark.filterwarnings(
    "ignore:azure.functions df_loads", "ignore:Potential duplicate Task"
)

START = datetime(2026, 1, 1, tzinfo=UTC)


class Simulation:
    """One instance. Activities succeed with their input, unless they are named 'fails...'."""

    def __init__(self, code: Callable[[Any], Any], *, keeps_memory: bool = True) -> None:
        self._handle = df.Orchestrator.create(code)
        self._keeps_memory = keeps_memory
        self._message_ids = count(1)
        self._memory = Memory("e1", 0)
        self.instance = Instance(
            "i1", "e1", "o", "", Status.PENDING, None, None, None, None, 0, START, START
        )
        self.history: list[Event] = []
        self.pending: list[Event] = []
        self.inbox: list[Message] = []
        self.turns: list[Turn] = []
        self.clock = START
        self.send({"EventType": EventType.EXECUTION_STARTED})

    async def _run_code(self, instance: Instance, history: Sequence[Event]) -> OrchestratorReply:
        body = orchestrator_input(instance, history)
        try:
            return parse_reply(self._handle(body))
        except Exception as error:
            return parse_failure(str(error))

    def send(self, event: Event, execution_id: str | None = None) -> None:
        self.inbox.append(Message(next(self._message_ids), execution_id, event))

    def turn(self) -> Turn:
        """Take one turn of all that is in the inbox."""
        self.clock += timedelta(seconds=1)
        if not self._keeps_memory:
            self._memory = Memory("e1", self.instance.turns, list(self.history))
        turn = asyncio.run(
            take_turn(self.instance, self.inbox, self._memory, self.clock, self._run_code)
        )
        self.inbox = [message for message in self.inbox if message.id not in turn.consumed]
        self.history += turn.events
        for operation in turn.scheduled:
            self.pending += _outcomes(operation)
        cancelled = turn.cancelled_timers
        self.pending = [e for e in self.pending if e.get("TimerId") not in cancelled]
        values = {name: getattr(self.instance, name) for name in Instance.__dataclass_fields__}
        values |= {
            "status": turn.status,
            "output": turn.output,
            "custom_status": turn.custom_status,
            "turns": self.instance.turns + bool(turn.events),
        }
        self.instance = Instance(**values)
        self.turns.append(turn)
        return turn

    def deliver(self, *indexes: int) -> Turn:
        """Take a turn in which these of the pending outcomes are heard, in this order."""
        chosen = [self.pending[index] for index in indexes]
        self.pending = [event for event in self.pending if event not in chosen]
        for outcome in chosen:
            self.send(outcome, "e1")
        return self.turn()

    def output(self) -> Any:
        assert self.instance.output is not None
        return json.loads(self.instance.output)


def _outcomes(operation: Any) -> list[Event]:
    match operation:
        case ScheduledActivity(event_id=event_id, name=name) if name.startswith("fails"):
            failure = {"EventType": 6, "TaskScheduledId": event_id, "Reason": name, "Details": ""}
            return [failure]
        case ScheduledActivity(event_id=event_id, input=text):
            return [{"EventType": 5, "TaskScheduledId": event_id, "Result": text}]
        case ScheduledTimer(event_id=event_id, cancelled=cancelled):
            return [] if cancelled else [{"EventType": 11, "TimerId": event_id, "FireAt": ""}]
        case ScheduledChild(event_id=event_id, input=text):
            return [{"EventType": 8, "TaskScheduledId": event_id, "Result": text}]
    raise AssertionError(operation)


# ------------------------------------------------------------------ orchestrators


def fan_out(context: Any) -> Any:
    calls = [context.call_activity("a", i) for i in range(6)]
    return (yield context.task_all(calls))


def chunks(context: Any) -> Any:
    total = 0
    for start in range(0, 6, 2):
        calls = [context.call_activity("a", start + i) for i in range(2)]
        total += sum((yield context.task_all(calls)))
    return total


def races(context: Any) -> Any:
    done = context.wait_for_external_event("done")
    rounds = 0
    while rounds < 3:
        timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=5))
        if (yield context.task_any([done, timer])) == done:
            timer.cancel()
            return "event"
        rounds += 1
        yield context.call_activity("a", rounds)
    return "timers"


def waits_again(context: Any) -> Any:
    slow = context.call_activity("a", "slow")
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=5))
    yield context.task_any([slow, timer])
    between = yield context.call_sub_orchestrator("c", "child")
    return [between, (yield slow)]


def recovers(context: Any) -> Any:
    retry = df.RetryOptions(1000, 2)
    try:
        yield context.call_activity_with_retry("fails", retry, 1)
    except Exception:
        return (yield context.call_activity("a", "recovered"))


def fails_in_a_group(context: Any) -> Any:
    first = yield context.call_activity("a", 1)
    calls = [context.call_activity("fails_x", 1), context.call_activity("a", 2)]
    return [first, (yield context.task_all(calls))]


ORCHESTRATORS = [fan_out, chunks, races, waits_again, recovers, fails_in_a_group]


@given(st.sampled_from(ORCHESTRATORS), st.data())
@settings(max_examples=60, deadline=None)
def test_remembering_and_forgetting_come_to_the_same(
    code: Callable[[Any], Any], data: st.DataObject
) -> None:
    """Whatever comes in whatever order: a host that keeps its replay between turns, and runs the
    code only when it must, decides as one that loads the history and runs it every time."""
    remembers = Simulation(code)
    forgets = Simulation(code, keeps_memory=False)
    for simulation in (remembers, forgets):
        simulation.turn()
    while not remembers.instance.status.is_final:
        assert remembers.pending, "the instance waits for nothing"
        indexes = data.draw(
            st.lists(
                st.integers(0, len(remembers.pending) - 1), min_size=1, max_size=3, unique=True
            )
        )
        for simulation in (remembers, forgets):
            simulation.deliver(*indexes)
        assert remembers.pending == forgets.pending
        assert remembers.instance == forgets.instance
    assert remembers.history == forgets.history
    expected = {
        "fan_out": [list(range(6))],
        "chunks": [15],
        "races": ["timers"],
        "waits_again": [["child", "slow"]],
        "recovers": ["recovered"],
    }
    if remembers.instance.status is Status.COMPLETED:
        assert remembers.output() in expected[code.__name__]
    else:
        assert code is fails_in_a_group


def test_fan_out_runs_its_code_twice_however_its_results_come() -> None:
    simulation = Simulation(fan_out)
    simulation.turn()
    while simulation.pending:
        simulation.deliver(0)
    assert [turn.code_ran for turn in simulation.turns] == [True] + [False] * 5 + [True]
    assert simulation.output() == [0, 1, 2, 3, 4, 5]


def test_event_in_a_later_race_is_heard_at_once() -> None:
    simulation = Simulation(races)
    simulation.turn()
    simulation.deliver(0)
    simulation.deliver(0)
    simulation.send({"EventType": EventType.EVENT_RAISED, "Name": "done", "Input": "1"})
    simulation.turn()
    assert simulation.output() == "event"


def test_cancelled_timer_is_taken_back() -> None:
    def cancels(context: Any) -> Any:
        timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        yield context.task_any([context.wait_for_external_event("go"), timer])
        timer.cancel()
        yield context.call_activity("a", 1)

    simulation = Simulation(cancels)
    simulation.turn()
    simulation.send({"EventType": EventType.EVENT_RAISED, "Name": "go", "Input": "1"})
    assert simulation.turn().cancelled_timers == [0]
    assert len(simulation.pending) == 1


def test_messages_of_another_execution_are_dropped() -> None:
    simulation = Simulation(fan_out)
    simulation.turn()
    stale = {"EventType": EventType.TASK_COMPLETED, "TaskScheduledId": 0, "Result": "99"}
    simulation.send(stale, "an-older-execution")
    turn = simulation.turn()
    assert turn.consumed
    assert not turn.events
    assert not simulation.inbox


def test_suspended_instance_leaves_its_messages_until_it_is_resumed() -> None:
    simulation = Simulation(fan_out)
    simulation.turn()
    simulation.send({"EventType": EventType.EXECUTION_SUSPENDED, "Reason": ""})
    simulation.deliver(*range(6))
    assert simulation.instance.status is Status.SUSPENDED
    assert len(simulation.inbox) == 6
    simulation.send({"EventType": EventType.EXECUTION_RESUMED, "Reason": ""})
    # The store shows a suspended instance its control messages only.
    messages, simulation.inbox = simulation.inbox, simulation.inbox[-1:]
    simulation.turn()
    assert simulation.instance.status is Status.RUNNING
    simulation.inbox = messages[:-1]
    simulation.turn()
    assert simulation.instance.status is Status.COMPLETED


def test_termination_ends_the_instance_whatever_else_has_come() -> None:
    simulation = Simulation(fan_out)
    simulation.send({"EventType": EventType.EXECUTION_TERMINATED, "Reason": "enough"})
    turn = simulation.turn()
    assert simulation.instance.status is Status.TERMINATED
    assert simulation.instance.output == "enough"
    assert not turn.code_ran
    assert [e["EventType"] for e in turn.events].count(EventType.EXECUTION_TERMINATED) == 1


def test_child_gets_an_id_that_stays_the_same() -> None:
    simulation = Simulation(waits_again)
    simulation.turn()
    turn = simulation.deliver(1)
    [child] = turn.scheduled
    assert isinstance(child, ScheduledChild)
    assert child.instance_id == "e1:0002"
    assert child.instance_id in json.dumps(turn.events)


def test_rewound_instance_repeats_only_what_failed_and_completes() -> None:
    simulation = Simulation(fails_in_a_group)
    simulation.turn()
    simulation.deliver(0)
    simulation.deliver(0, 1)
    assert simulation.instance.status is Status.FAILED
    assert "fails_x" in simulation.output()
    rewind = Rewind.of(simulation.history)
    assert [event["EventId"] for event in rewind.activities] == [1]
    assert rewind.children == []

    again = Simulation(fails_in_a_group)
    again.history = rewind.history
    again._memory = Memory("e1", 0, list(rewind.history))
    again.inbox = []
    again.send({"EventType": EventType.GENERIC_EVENT, "Data": "rewound"})
    again.turn()
    assert again.instance.status is not Status.FAILED
    again.send({"EventType": EventType.TASK_COMPLETED, "TaskScheduledId": 1, "Result": "7"}, "e1")
    again.turn()
    assert again.output() == [1, [7, 2]]


def test_parent_is_named_to_the_code() -> None:
    simulation = Simulation(lambda context: context.parent_instance_id)
    parent = Parent("p1", "pe", 4)
    simulation.instance = Instance(
        "i1", "e1", "o", "", Status.PENDING, None, None, None, parent, 0, START, START
    )
    simulation.turn()
    assert simulation.output() == "p1"
