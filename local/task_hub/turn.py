"""One turn of an orchestration: messages in, history and work out.

A turn is decided here, without I/O of its own: running the code is handed in. What comes out is
what `turn_store` commits in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from local.task_hub.actions import OrchestratorReply
from local.task_hub.history import Event, EventType, event, format_time
from local.task_hub.models import Instance, Message, Status
from local.task_hub.orchestrator import (
    Completed,
    ContinuedAsNew,
    Failed,
    NonDeterministicOrchestration,
    Replay,
    Scheduled,
    ScheduledActivity,
    ScheduledChild,
    ScheduledTimer,
    Verdict,
    Waiting,
    decide,
)

RunCode = Callable[[Instance, Sequence[Event]], Awaitable[OrchestratorReply]]
"""Runs the orchestrator's code against a history."""

FAILED_IDS = "FailedTaskIds"
"""Field of the final event of a failed execution: event ids that a rewind repeats."""


@dataclass(slots=True)
class Memory:
    """What is kept of an instance between two turns: its history and, if its code ran, the replay.

    Valid for one execution at one number of turns; another host's turn makes it stale.
    """

    execution_id: str
    turns: int
    history: list[Event] = field(default_factory=list)
    replay: Replay | None = None

    def fits(self, instance: Instance) -> bool:
        """Whether nothing has happened to the instance since."""
        return (self.execution_id, self.turns) == (instance.execution_id, instance.turns)


@dataclass(slots=True)
class Turn:
    """What a turn changes.

    `consumed` are the ids of the messages it used up. `output` is JSON text (plain text for a
    terminated instance: the reason). `events` are appended to the history, with `scheduled` among
    them still to be handed out. `restart` is set when the instance continues as new.
    """

    status: Status
    consumed: list[int]
    custom_status: str | None
    events: list[Event] = field(default_factory=list)
    scheduled: list[Scheduled] = field(default_factory=list)
    cancelled_timers: list[int] = field(default_factory=list)
    output: str | None = None
    restart: ContinuedAsNew | None = None
    code_ran: bool = False


async def take_turn(
    instance: Instance,
    messages: Sequence[Message],
    memory: Memory,
    now: datetime,
    run_code: RunCode,
) -> Turn:
    """Decide one turn. Updates `memory` to what holds once the turn is committed."""
    inbox = _sort_out(instance, messages, now)
    turn = Turn(inbox.status, inbox.consumed, instance.custom_status)
    if not inbox.events and inbox.termination is None:
        return turn
    turn.events = [event(EventType.ORCHESTRATOR_STARTED, now), *inbox.events]
    if inbox.termination is not None:
        _finish(turn, now, Status.TERMINATED, inbox.termination.get("Reason"))
        return _remember(memory, turn)

    verdict = await _run(instance, memory, turn, run_code)
    match verdict:
        case Waiting():
            assert memory.replay is not None
            if turn.status is Status.PENDING:
                turn.status = Status.RUNNING
            turn.scheduled = [_named(op, instance) for op in memory.replay.unrecorded()]
            turn.cancelled_timers = memory.replay.cancelled_timers()
            scheduled_events = [_scheduled_event(operation, now) for operation in turn.scheduled]
            memory.replay.record(scheduled_events)
            turn.events += [
                *scheduled_events,
                event(EventType.ORCHESTRATOR_COMPLETED, now),
            ]
        case Completed(output=output):
            _finish(turn, now, Status.COMPLETED, json.dumps(output))
        case Failed(error=error, failed_ids=failed_ids):
            text = f"Orchestrator function '{instance.name}' failed: {error}"
            _finish(
                turn,
                now,
                Status.FAILED,
                json.dumps(text),
                **{FAILED_IDS: list(failed_ids)},
            )
        case ContinuedAsNew():
            turn.status = Status.RUNNING
            turn.restart = verdict
    return _remember(memory, turn)


def give_up(instance: Instance, error: BaseException, now: datetime) -> Turn:
    """A turn that fails an instance of which no turn can be taken, so that it is not for ever
    tried again. It can be rewound once the cause is gone.
    """
    turn = Turn(instance.status, [], instance.custom_status)
    turn.events = [event(EventType.ORCHESTRATOR_STARTED, now)]
    text = f"The host cannot take a turn of this instance: {type(error).__name__}: {error}"
    _finish(turn, now, Status.FAILED, json.dumps(text), **{FAILED_IDS: []})
    return turn


async def _run(instance: Instance, memory: Memory, turn: Turn, run_code: RunCode) -> Verdict:
    """The verdict on the turn's new events; runs the code only if they can let it proceed."""
    replay = memory.replay
    if replay is not None:
        try:
            replay.apply(turn.events)
        except NonDeterministicOrchestration as error:
            return Failed(str(error))
        if not replay.code_may_proceed:
            return Waiting()
    history = [*memory.history, *turn.events]
    reply = await run_code(instance, history)
    turn.code_ran = True
    memory.replay, verdict = decide(history, reply)
    turn.custom_status = _json_or_none(reply.custom_status)
    return verdict


# ------------------------------------------------------------------ messages


@dataclass(slots=True)
class _Inbox:
    status: Status
    consumed: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    termination: Event | None = None


def _sort_out(instance: Instance, messages: Sequence[Message], now: datetime) -> _Inbox:
    """The events of this execution. What comes after a suspension stays for the resumption."""
    inbox = _Inbox(instance.status)
    for message in messages:
        kind = EventType(message.event["EventType"])
        if message.execution_id not in (None, instance.execution_id):
            inbox.consumed.append(message.id)
            continue
        match kind:
            case EventType.EXECUTION_TERMINATED:
                inbox.consumed.append(message.id)
                inbox.termination = message.event
                break
            case EventType.EXECUTION_SUSPENDED:
                inbox.status = Status.SUSPENDED
            case EventType.EXECUTION_RESUMED:
                # An instance that was suspended before its first turn has not begun.
                inbox.status = Status.RUNNING if instance.turns else Status.PENDING
            case _ if inbox.status is Status.SUSPENDED:
                continue
        inbox.consumed.append(message.id)
        if kind is EventType.EXECUTION_STARTED:
            inbox.events.append(_execution_started(instance, now))
        else:
            inbox.events.append({**event(kind, now), **message.event})
    return inbox


def _execution_started(instance: Instance, now: datetime) -> Event:
    return event(
        EventType.EXECUTION_STARTED,
        now,
        Name=instance.name,
        Version=instance.version,
        Input=instance.input,
        ParentInstance=instance.parent.instance_id if instance.parent else None,
        OrchestrationInstance={
            "InstanceId": instance.instance_id,
            "ExecutionId": instance.execution_id,
        },
    )


# ------------------------------------------------------------------ outcomes


def _named(operation: Scheduled, instance: Instance) -> Scheduled:
    """The operation, a child without an id given one: unique, and the same at every replay."""
    if isinstance(operation, ScheduledChild) and operation.instance_id is None:
        child_id = f"{instance.execution_id}:{operation.event_id:04x}"
        return replace(operation, instance_id=child_id)
    return operation


def _scheduled_event(operation: Scheduled, now: datetime) -> Event:
    match operation:
        case ScheduledActivity(event_id=event_id, name=name, input=text):
            return event(
                EventType.TASK_SCHEDULED,
                now,
                event_id=event_id,
                Name=name,
                Version="",
                Input=text,
            )
        case ScheduledTimer(event_id=event_id, fire_at=fire_at):
            return event(
                EventType.TIMER_CREATED,
                now,
                event_id=event_id,
                FireAt=format_time(fire_at),
            )
        case ScheduledChild(event_id=event_id, name=name, input=text, instance_id=child_id):
            return event(
                EventType.SUB_ORCHESTRATION_INSTANCE_CREATED,
                now,
                event_id=event_id,
                Name=name,
                Version=operation.version or "",
                InstanceId=child_id,
                Input=text,
            )


def _finish(turn: Turn, now: datetime, status: Status, output: str | None, **fields: Any) -> None:
    kind = (
        EventType.EXECUTION_TERMINATED
        if status is Status.TERMINATED
        else EventType.EXECUTION_COMPLETED
    )
    turn.status = status
    turn.output = output
    turn.events.append(event(kind, now, OrchestrationStatus=status.value, Result=output, **fields))


def _remember(memory: Memory, turn: Turn) -> Turn:
    memory.history += turn.events
    memory.turns += 1
    return turn


def _json_or_none(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
