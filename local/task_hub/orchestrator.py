"""What an orchestration does next: a pure function of its history and its code's actions.

The SDKs return, at every run, all actions since the instance started. `Replay` awaits them one
after the other against the history, as the Durable extension's out-of-process shim does
(OutOfProcOrchestrationShim in Azure/azure-functions-durable-extension), and numbers what gets
scheduled. The SDK numbers its own tasks by the same order, so the order is the whole contract.

A `Replay` is incremental. Kept between turns, it tells whether new events can let the code proceed
at all; while a fan-out waits for its last sibling they cannot, and the code need not run.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.task_hub.actions import (
    HTTP_ACTIVITY,
    Action,
    CallActivity,
    CallHttp,
    CallSubOrchestration,
    ContinueAsNew,
    CreateTimer,
    OrchestratorReply,
    RetryPolicy,
    WaitForEvent,
    WhenAll,
    WhenAny,
)
from local.task_hub.awaited import AllOf, AnyOf, Awaited, Leaf
from local.task_hub.history import SCHEDULED_BY_CODE, Event, EventType, parse_time

# ------------------------------------------------------------------ what gets scheduled


@dataclass(frozen=True, slots=True)
class ScheduledActivity:
    """An activity to run; `input` is JSON text."""

    event_id: int
    name: str
    input: str | None


@dataclass(frozen=True, slots=True)
class ScheduledTimer:
    """A timer to fire at a time; a cancelled one is numbered and never fires."""

    event_id: int
    fire_at: datetime
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class ScheduledChild:
    """A sub-orchestration to start."""

    event_id: int
    name: str
    input: str | None
    instance_id: str | None
    version: str | None


Scheduled = ScheduledActivity | ScheduledTimer | ScheduledChild


class NonDeterministicOrchestration(Exception):
    """The code now schedules something else than its history says it did."""


class _Retry(Awaited):
    """A call that is tried again, with a timer after each failure."""

    __slots__ = (
        "_action",
        "_attempt",
        "_attempt_number",
        "_call",
        "_policy",
        "_replay",
        "_timer",
    )

    def __init__(
        self,
        replay: Replay,
        action: int,
        call: CallActivity | CallSubOrchestration,
        policy: RetryPolicy,
    ) -> None:
        super().__init__()
        self._replay = replay
        self._action = action
        self._call = call
        self._policy = policy
        self._timer: Leaf | None = None
        self._attempt_number = 1
        self._attempt = self._start_attempt()

    def _start_attempt(self) -> Leaf:
        leaf = self._replay.schedule_call(self._action, self._call)
        leaf.parent = self
        return leaf

    def child_finished(self, child: Awaited) -> None:
        if child is self._timer:
            if self._attempt_number >= self._policy.max_attempts:
                self.finish(succeeded=False)
            else:
                self._attempt_number += 1
                self._attempt = self._start_attempt()
        elif child.succeeded:
            self.finish()
        else:
            delay = self._policy.delay_after(self._attempt_number)
            self._timer = self._replay.schedule_timer(self._action, self._replay.now + delay)
            self._timer.parent = self

    def ids_ended_by(self, leaf: Leaf) -> list[int | None]:
        """Event ids of the last attempt and of the timer behind it, when `leaf` is that attempt."""
        if leaf is not self._attempt or self._timer is None or not self.done:
            return []
        return [leaf.event_id, self._timer.event_id]


# ------------------------------------------------------------------ the replay


class Replay:
    """The actions of one run of the code, awaited one by one against the history."""

    def __init__(self, actions: Sequence[Action]) -> None:
        self._actions = actions
        self._started = 0
        self._current: Awaited | None = None
        self._next_event_id = 0
        self._open: dict[int, Leaf] = {}
        self._recorded: set[int] = set()
        self._scheduled: dict[int, Scheduled] = {}
        self._event_waits: defaultdict[str, list[Leaf]] = defaultdict(list)
        self._early_events: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._failed: list[Leaf] = []
        self._code_may_proceed = False
        self.now = datetime.min.replace(tzinfo=UTC)
        self.continuation: ContinueAsNew | None = None

    # -- what the caller asks

    @property
    def waiting(self) -> bool:
        """Whether an action the code asked for is still pending."""
        return self._started < len(self._actions) or (
            self._current is not None and not self._current.done
        )

    @property
    def code_may_proceed(self) -> bool:
        """Whether the events applied since the replay was made can let the code go on.

        They cannot while the last action is pending and nothing else has completed. A completion
        that belongs to an earlier action may: the code can wait again for a task it has already
        scheduled, and the SDK does not repeat such a task among its actions.
        """
        return self._code_may_proceed or not self.waiting

    def unrecorded(self) -> list[Scheduled]:
        """What is scheduled and not yet in the history, in the order of event ids."""
        return [
            self._scheduled[i]
            for i in range(self._next_event_id)
            if i in self._scheduled and i not in self._recorded
        ]

    def cancelled_timers(self) -> list[int]:
        """Event ids of the recorded timers that the code has cancelled since."""
        return [
            event_id
            for event_id, operation in self._scheduled.items()
            if isinstance(operation, ScheduledTimer)
            and operation.cancelled
            and event_id in self._recorded
        ]

    def early_events(self) -> list[Event]:
        """Raised events that nothing has waited for yet."""
        return [event for queue in self._early_events.values() for event in queue]

    def failed_ids(self) -> list[int]:
        """Event ids of the calls whose failure ended the last action: what a rewind repeats.

        Of a call with retries these are its last attempt and the timer behind it.
        """
        ids: list[int | None] = []
        for leaf in self._failed:
            if leaf.action != self._started - 1:
                continue
            if isinstance(leaf.parent, _Retry):
                ids += leaf.parent.ids_ended_by(leaf)
            else:
                ids.append(leaf.event_id)
        return [event_id for event_id in ids if event_id is not None]

    # -- events

    def apply(self, events: Iterable[Event]) -> Replay:
        """Take in events, in order, and start the actions they make possible.

        Raises NonDeterministicOrchestration when the history does not fit the actions.
        """
        for event in events:
            self._apply(event)
        return self

    def record(self, events: Iterable[Event]) -> None:
        """Take in what the hub itself has just written for `unrecorded`."""
        self.apply(events)
        self._code_may_proceed = False

    def _apply(self, event: Event) -> None:
        kind = EventType(event["EventType"])
        match kind:
            case EventType.ORCHESTRATOR_STARTED:
                self.now = max(self.now, parse_time(event["Timestamp"]))
            case EventType.EXECUTION_STARTED:
                self._advance()
            case _ if kind in SCHEDULED_BY_CODE:
                self._check_recorded(kind, event)
            case EventType.TASK_COMPLETED | EventType.SUB_ORCHESTRATION_INSTANCE_COMPLETED:
                self._complete(event["TaskScheduledId"], succeeded=True)
            case EventType.TASK_FAILED | EventType.SUB_ORCHESTRATION_INSTANCE_FAILED:
                self._complete(event["TaskScheduledId"], succeeded=False)
            case EventType.TIMER_FIRED:
                self._complete(event["TimerId"], succeeded=True)
            case EventType.EVENT_RAISED:
                self._raise(event)

    def _complete(self, event_id: int, *, succeeded: bool) -> None:
        leaf = self._open.pop(event_id, None)
        if leaf is None:
            return
        if not succeeded:
            self._failed.append(leaf)
        self._finish_leaf(leaf, succeeded)

    def _raise(self, event: Event) -> None:
        name = event["Name"].casefold()
        if waits := self._event_waits[name]:
            # Several waits for one name are a stack, in the extension and in the SDK.
            self._finish_leaf(waits.pop(), succeeded=True)
        else:
            self._early_events[name].append(event)

    def _finish_leaf(self, leaf: Leaf, succeeded: bool) -> None:
        if leaf.action < len(self._actions) - 1:
            self._code_may_proceed = True
        leaf.finish(succeeded)
        self._advance()

    def _check_recorded(self, kind: EventType, event: Event) -> None:
        event_id = event["EventId"]
        operation = self._scheduled.get(event_id)
        match operation:
            case ScheduledActivity(name=name):
                fits = kind is EventType.TASK_SCHEDULED and name == event["Name"]
            case ScheduledChild(name=name):
                fits = (
                    kind is EventType.SUB_ORCHESTRATION_INSTANCE_CREATED and name == event["Name"]
                )
            case ScheduledTimer():
                fits = kind is EventType.TIMER_CREATED
            case _:
                fits = False
        if not fits:
            raise NonDeterministicOrchestration(
                f"the history has {kind.title} {event.get('Name', '')!r} as event {event_id}, "
                f"where the orchestrator now schedules {_describe(operation)}; "
                "orchestrator code must be deterministic and must not change under running "
                "instances"
            )
        self._recorded.add(event_id)

    # -- actions

    def _advance(self) -> None:
        while self._started < len(self._actions) and (self._current is None or self._current.done):
            self._started += 1
            self._current = self._start(self._actions[self._started - 1])

    def _start(self, action: Action) -> Awaited:
        index = self._started - 1
        match action:
            case CallActivity() | CallSubOrchestration():
                if action.retry is None:
                    return self.schedule_call(index, action)
                return _Retry(self, index, action, action.retry)
            case CallHttp(input=request):
                return self._schedule(
                    index,
                    lambda event_id: ScheduledActivity(event_id, HTTP_ACTIVITY, request),
                )
            case CreateTimer(fire_at=fire_at, cancelled=cancelled):
                timer = self.schedule_timer(index, fire_at, cancelled=cancelled)
                if cancelled:
                    timer.finish(succeeded=False)
                return timer
            case WaitForEvent(name=name):
                return self._wait_for_event(index, name)
            case ContinueAsNew():
                self.continuation = action
                return AllOf([])
            case WhenAll(children=children):
                return AllOf([self._start(child) for child in children])
            case WhenAny(children=children):
                return AnyOf([self._start(child) for child in children])

    def schedule_call(self, action: int, call: CallActivity | CallSubOrchestration) -> Leaf:
        """Number and schedule one attempt of a call, for the action of this index."""
        match call:
            case CallActivity(name=name, input=text):
                return self._schedule(action, lambda i: ScheduledActivity(i, name, text))
            case CallSubOrchestration():
                return self._schedule(
                    action,
                    lambda i: ScheduledChild(
                        i, call.name, call.input, call.instance_id, call.version
                    ),
                )

    def schedule_timer(self, action: int, fire_at: datetime, *, cancelled: bool = False) -> Leaf:
        """Number and schedule a timer, for the action of this index."""
        return self._schedule(action, lambda i: ScheduledTimer(i, fire_at, cancelled))

    def _schedule(self, action: int, numbered: Callable[[int], Scheduled]) -> Leaf:
        event_id = self._next_event_id
        self._next_event_id += 1
        self._scheduled[event_id] = numbered(event_id)
        leaf = Leaf(action, event_id)
        self._open[event_id] = leaf
        return leaf

    def _wait_for_event(self, action: int, name: str) -> Leaf:
        leaf = Leaf(action)
        if early := self._early_events[name.casefold()]:
            early.popleft()
            leaf.finish()
        else:
            self._event_waits[name.casefold()].append(leaf)
        return leaf


def _describe(operation: Scheduled | None) -> str:
    match operation:
        case ScheduledActivity(name=name):
            return f"activity {name!r}"
        case ScheduledChild(name=name):
            return f"sub-orchestration {name!r}"
        case ScheduledTimer():
            return "a timer"
        case _:
            return "nothing"


# ------------------------------------------------------------------ the decision


@dataclass(frozen=True, slots=True)
class Waiting:
    """The instance goes on waiting."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The code returned; `output` is a JSON value."""

    output: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The code raised, or cannot be replayed; `failed_ids` are the calls a rewind repeats."""

    error: str
    failed_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ContinuedAsNew:
    """The instance starts over; `events` are those raised and not yet waited for."""

    input: str | None
    events: tuple[Event, ...] = ()


Verdict = Waiting | Completed | Failed | ContinuedAsNew


def decide(history: Iterable[Event], reply: OrchestratorReply) -> tuple[Replay, Verdict]:
    """Replay the code's actions against the history and say what becomes of the instance."""
    replay = Replay(reply.actions)
    try:
        replay.apply(history)
    except NonDeterministicOrchestration as error:
        return replay, Failed(f"Non-deterministic orchestrator: {error}")
    return replay, verdict_of(replay, reply)


def verdict_of(replay: Replay, reply: OrchestratorReply) -> Verdict:
    """What the reply means once its actions have been awaited.

    As in the extension, also a reply with an error or an output waits for what the code had asked
    for before: a failed fan-out ends when its last sibling has.
    """
    if replay.waiting:
        return Waiting()
    if reply.error is not None:
        return Failed(reply.error, tuple(replay.failed_ids()))
    if not reply.is_done:
        return Waiting()
    if replay.continuation is not None:
        return ContinuedAsNew(replay.continuation.input, tuple(replay.early_events()))
    return Completed(reply.output)
