"""The protocol of azure-functions-durable 1.x, spoken with the SDK itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from local.functions_host.out_of_process import orchestrator_input, parse_failure, parse_reply
from local.task_hub.actions import (
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
from local.task_hub.history import EventType, event
from local.task_hub.models import Instance, Status

# The SDK recommends types for what get_input() decodes; plain JSON needs none.
pytestmark = pytest.mark.filterwarnings("ignore:azure.functions df_loads")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


def _run(code: Callable[[Any], Any]) -> OrchestratorReply:
    """The reply of the SDK to the first turn of an orchestrator."""
    instance = Instance(
        "i1", "e1", "o", "", Status.PENDING, '{"a": 1}', None, None, None, 0, NOW, NOW
    )
    history = [
        event(EventType.ORCHESTRATOR_STARTED, NOW),
        event(EventType.EXECUTION_STARTED, NOW, Name="o", Version="", Input=instance.input),
    ]
    handle = df.Orchestrator.create(code)
    body = orchestrator_input(instance, history)
    try:
        return parse_reply(handle(body))
    except Exception as error:
        return parse_failure(str(error))


def test_every_action_is_understood() -> None:
    def orchestrator(context: Any) -> Any:
        assert context.get_input() == {"a": 1}
        context.set_custom_status({"phase": 1})
        retry = df.RetryOptions(500, 3)
        yield context.task_all(
            [
                context.call_activity("a", {"x": 1}),
                context.call_activity_with_retry("b", retry, None),
                context.call_sub_orchestrator("c", [1], "child"),
                context.call_sub_orchestrator_with_retry("d", retry),
                context.call_http("GET", "http://example.org"),
                context.task_any(
                    [context.create_timer(LATER), context.wait_for_external_event("done")]
                ),
            ]
        )

    reply = _run(orchestrator)
    policy = RetryPolicy(timedelta(milliseconds=500), 3)
    assert not reply.is_done
    assert reply.custom_status == {"phase": 1}
    [action] = reply.actions
    assert isinstance(action, WhenAll)
    a, b, c, d, http, race = action.children
    assert a == CallActivity("a", '{"x": 1}')
    # The SDK wraps a call with retries into a group of its own.
    assert b == WhenAll((CallActivity("b", "null", policy),))
    assert c == CallSubOrchestration("c", "[1]", "child")
    assert d == WhenAll((CallSubOrchestration("d", "null", None, None, policy),))
    assert isinstance(http, CallHttp)
    assert json.loads(http.input)["uri"] == "http://example.org"
    assert race == WhenAny((CreateTimer(LATER), WaitForEvent("done")))


def test_output_continuation_and_cancelled_timer() -> None:
    def returns(context: Any) -> Any:
        return {"sum": 3}
        yield

    def continues(context: Any) -> Any:
        timer = context.create_timer(LATER)
        timer.cancel()
        context.continue_as_new({"n": 1})
        return
        yield

    assert _run(returns) == OrchestratorReply(is_done=True, output={"sum": 3})
    assert _run(continues) == OrchestratorReply((ContinueAsNew('{"n": 1}'),), is_done=True)


def test_failure_carries_what_was_asked_for_before() -> None:
    def raises(context: Any) -> Any:
        raise RuntimeError("bad luck")
        yield

    def raises_at_once(context: Any) -> Any:
        raise RuntimeError("no generator")

    assert _run(raises).error == "bad luck"
    assert "no generator" in str(_run(raises_at_once).error)


def test_entities_and_unknown_actions_are_errors_not_exceptions() -> None:
    def calls_entity(context: Any) -> Any:
        yield context.call_entity(df.EntityId("counter", "x"), "add", 1)

    assert "entities are not supported" in str(_run(calls_entity).error)
    state = {"isDone": False, "schemaVersion": 2, "actions": [[{"actionType": 99}]]}
    assert "99" in str(parse_reply(json.dumps(state)).error)


def test_sdk_without_the_newer_replay_schema_is_refused() -> None:
    assert "1.1.5" in str(parse_reply(json.dumps({"isDone": True, "actions": []})).error)


@pytest.mark.parametrize("message", ["", "plain", "two\nlines"])
def test_failure_without_a_state_is_the_message(message: str) -> None:
    assert parse_failure(message) == OrchestratorReply(error=message)
