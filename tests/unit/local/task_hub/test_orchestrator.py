"""What an orchestration does next, as a function of its history and its code's actions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from local.task_hub.actions import (
    Action,
    CallActivity,
    CallSubOrchestration,
    ContinueAsNew,
    CreateTimer,
    OrchestratorReply,
    RetryPolicy,
    WaitForEvent,
    WhenAll,
    WhenAny,
)
from local.task_hub.history import Event, EventType, event
from local.task_hub.orchestrator import (
    Completed,
    ContinuedAsNew,
    Failed,
    Replay,
    ScheduledActivity,
    ScheduledChild,
    ScheduledTimer,
    Waiting,
    decide,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)

STARTED = [
    event(EventType.ORCHESTRATOR_STARTED, NOW),
    event(EventType.EXECUTION_STARTED, NOW, Name="o", Version="", Input=None),
]


def scheduled(event_id: int, name: str = "a") -> Event:
    return event(EventType.TASK_SCHEDULED, NOW, event_id=event_id, Name=name)


def completed(event_id: int) -> Event:
    return event(EventType.TASK_COMPLETED, NOW, TaskScheduledId=event_id, Result="1")


def failed(event_id: int) -> Event:
    return event(EventType.TASK_FAILED, NOW, TaskScheduledId=event_id, Reason="x", Details="")


def timer(event_id: int) -> Event:
    return event(EventType.TIMER_CREATED, NOW, event_id=event_id, FireAt="")


def fired(event_id: int) -> Event:
    return event(EventType.TIMER_FIRED, NOW, TimerId=event_id)


def raised(name: str, data: str = "1") -> Event:
    return event(EventType.EVENT_RAISED, NOW, Name=name, Input=data)


def replay(actions: Sequence[Action], *events: Event) -> Replay:
    return Replay(actions).apply([*STARTED, *events])


def ids(replay: Replay) -> list[int]:
    return [operation.event_id for operation in replay.unrecorded()]


# ------------------------------------------------------------------ scheduling


def test_actions_are_started_one_after_the_other() -> None:
    actions = [CallActivity("a", "1"), CallActivity("b", "2")]
    assert replay(actions).unrecorded() == [ScheduledActivity(0, "a", "1")]
    done = replay(actions, scheduled(0), completed(0))
    assert done.unrecorded() == [ScheduledActivity(1, "b", "2")]
    assert done.waiting


def test_group_is_scheduled_at_once_and_numbered_in_order() -> None:
    group = WhenAll(
        (
            CallActivity("a"),
            CreateTimer(LATER),
            CallSubOrchestration("c", "[]", "child", "2"),
            WaitForEvent("e"),
            CallActivity("b"),
        )
    )
    assert replay([group]).unrecorded() == [
        ScheduledActivity(0, "a", None),
        ScheduledTimer(1, LATER),
        ScheduledChild(2, "c", "[]", "child", "2"),
        ScheduledActivity(3, "b", None),
    ]


def test_group_with_a_failure_waits_for_its_siblings() -> None:
    group = WhenAll((CallActivity("a"), CallActivity("b")))
    history = [scheduled(0), scheduled(1, "b"), failed(0)]
    assert replay([group], *history).waiting
    assert not replay([group], *history, completed(1)).waiting


def test_race_is_over_with_its_first() -> None:
    race = WhenAny((CallActivity("a"), CreateTimer(LATER)))
    history = [scheduled(0), timer(1)]
    assert replay([race], *history).waiting
    assert not replay([race], *history, fired(1)).waiting
    assert not replay([race], *history, failed(0)).waiting


def test_empty_groups_are_over_at_once() -> None:
    assert not replay([WhenAll(()), WhenAny(())]).waiting


def test_cancelled_timer_is_numbered_and_over() -> None:
    race = WhenAny((WaitForEvent("e"), CreateTimer(LATER, cancelled=True)))
    actions = [race, CallActivity("b")]
    now = replay(actions)
    assert now.unrecorded() == [ScheduledTimer(0, LATER, True), ScheduledActivity(1, "b", None)]
    assert now.cancelled_timers() == []
    assert replay(actions, timer(0)).cancelled_timers() == [0]


# ------------------------------------------------------------------ retries


def _retried(attempts: int) -> CallActivity:
    return CallActivity("a", None, RetryPolicy(timedelta(seconds=2), attempts, 3.0))


def test_retry_waits_longer_each_time_and_ends_with_a_timer_of_its_own() -> None:
    call = [_retried(3)]
    history = [scheduled(0), failed(0)]
    assert replay(call, *history).unrecorded() == [ScheduledTimer(1, NOW + timedelta(seconds=2))]
    history += [timer(1), fired(1)]
    assert ids(replay(call, *history)) == [2]
    history += [scheduled(2), failed(2)]
    assert replay(call, *history).unrecorded() == [ScheduledTimer(3, NOW + timedelta(seconds=6))]
    history += [timer(3), fired(3), scheduled(4), failed(4)]
    # The SDK counts on this last timer, though nothing follows it.
    assert replay(call, *history).unrecorded() == [ScheduledTimer(5, NOW)]
    assert replay(call, *history, timer(5)).waiting
    assert not replay(call, *history, timer(5), fired(5)).waiting


def test_retry_ends_with_its_first_success() -> None:
    history = [scheduled(0), failed(0), timer(1), fired(1), scheduled(2), completed(2)]
    assert not replay([_retried(5)], *history).waiting


# ------------------------------------------------------------------ events


def test_early_event_is_kept_for_the_wait_that_comes() -> None:
    actions = [CallActivity("a"), WaitForEvent("E")]
    history = [scheduled(0), raised("e"), completed(0)]
    assert not replay(actions, *history).waiting


def test_each_wait_takes_one_event() -> None:
    actions = [WaitForEvent("e"), WaitForEvent("e")]
    assert replay(actions, raised("e")).waiting
    assert not replay(actions, raised("e"), raised("e")).waiting
    later = [CallActivity("a"), WaitForEvent("e"), WaitForEvent("e")]
    history = [scheduled(0), raised("e"), completed(0)]
    assert replay(later, *history).waiting
    assert not replay(later, *history, raised("e")).waiting


def test_events_nobody_waited_for_go_along_when_continuing_as_new() -> None:
    reply = OrchestratorReply((CallActivity("a"), ContinueAsNew("2")), is_done=True)
    history = [*STARTED, scheduled(0), raised("later"), completed(0)]
    _, verdict = decide(history, reply)
    assert verdict == ContinuedAsNew("2", (history[3],))


# ------------------------------------------------------------------ verdicts


def _verdict(actions: Sequence[Action], *events: Event, **reply: Any) -> object:
    return decide([*STARTED, *events], OrchestratorReply(tuple(actions), **reply))[1]


def test_result_counts_only_once_everything_asked_for_is_over() -> None:
    call = [CallActivity("a")]
    assert _verdict(call, scheduled(0), is_done=True, output=7) == Waiting()
    done = (scheduled(0), completed(0))
    assert _verdict(call, *done, is_done=True, output=7) == Completed(7)
    assert _verdict(call, *done) == Waiting()


def test_failure_names_the_calls_that_a_rewind_repeats() -> None:
    group = WhenAll((CallActivity("a"), CallActivity("b"), CallActivity("c")))
    survived = [scheduled(0), failed(0)]
    ended = [scheduled(1), scheduled(2, "b"), scheduled(3, "c"), failed(1), completed(2), failed(3)]
    verdict = _verdict([CallActivity("a"), group], *survived, *ended, error="no")
    assert verdict == Failed("no", (1, 3))


def test_failure_after_retries_repeats_the_last_attempt_only() -> None:
    history = [scheduled(0), failed(0), timer(1), fired(1), scheduled(2), failed(2), timer(3)]
    verdict = _verdict([_retried(2)], *history, fired(3), error="no")
    assert verdict == Failed("no", (2, 3))


def test_code_that_differs_from_its_history_fails() -> None:
    verdict = _verdict([CallActivity("b")], scheduled(0, "a"))
    assert isinstance(verdict, Failed)
    assert "'b'" in verdict.error
    assert "deterministic" in verdict.error
    assert isinstance(_verdict([CallActivity("a")], timer(0)), Failed)
    assert isinstance(_verdict([], scheduled(0)), Failed)


# ------------------------------------------------------------------ when the code must run


def _after_turn(actions: Sequence[Action], *events: Event) -> Replay:
    now = replay(actions, *events)
    now.record([])
    return now


def test_code_need_not_run_while_a_fan_out_waits_for_its_last() -> None:
    now = _after_turn(
        [WhenAll((CallActivity("a"), CallActivity("b")))], scheduled(0), scheduled(1, "b")
    )
    assert not now.apply([completed(0)]).code_may_proceed
    assert now.apply([completed(1)]).code_may_proceed


def test_code_need_not_run_for_an_event_it_does_not_wait_for() -> None:
    now = _after_turn([CallActivity("a")], scheduled(0))
    assert not now.apply([raised("e")]).code_may_proceed


def test_code_need_not_run_between_the_attempts_of_a_retry() -> None:
    now = _after_turn([_retried(2)], scheduled(0))
    assert not now.apply([failed(0), timer(1), fired(1)]).code_may_proceed
    assert ids(now) == [2]


def test_code_must_run_when_what_an_earlier_race_left_behind_ends() -> None:
    # The code may race the same event with a second timer, which is all its actions show.
    actions = [WhenAny((WaitForEvent("e"), CreateTimer(LATER))), WhenAny((CreateTimer(LATER),))]
    now = _after_turn(actions, timer(0), fired(0), timer(1))
    assert now.waiting
    assert now.apply([raised("e")]).code_may_proceed


def test_code_must_run_when_the_retry_of_an_earlier_race_ends() -> None:
    actions = [WhenAny((_retried(2), CreateTimer(LATER))), CallActivity("b")]
    now = _after_turn(actions, scheduled(0), timer(1), fired(1), scheduled(2, "b"))
    now.apply([failed(0), timer(3), fired(3), scheduled(4)])
    assert not replay(actions).code_may_proceed
    now.record([])
    assert now.apply([completed(4)]).code_may_proceed
