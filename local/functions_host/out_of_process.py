"""The protocol of azure-functions-durable 1.x: orchestrations over JSON ("out of process").

The host sends an orchestrator its whole history and gets back all actions since the start. Read
from the SDK (azure/durable_functions/models) and from the extension's OutOfProcOrchestrationShim.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from local.task_hub.actions import (
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
from local.task_hub.history import Event, parse_time
from local.task_hub.models import Instance

_FAILURE_MARK = "\n\n$OutOfProcData$:"
"""Between an orchestrator's error message and the JSON of its state, in what the SDK raises."""

_SCHEMA_V3 = 2
_DEFAULT_HTTP_POLL_MILLISECONDS = 30000

# models/actions/ActionType.py
_CALL_ACTIVITY, _CALL_ACTIVITY_WITH_RETRY = 0, 1
_CALL_SUB_ORCHESTRATOR, _CALL_SUB_ORCHESTRATOR_WITH_RETRY = 2, 3
_CONTINUE_AS_NEW, _CREATE_TIMER, _WAIT_FOR_EXTERNAL_EVENT = 4, 5, 6
_CALL_ENTITY, _CALL_HTTP, _SIGNAL_ENTITY, _SCHEDULED_SIGNAL_ENTITY = 7, 8, 9, 10
_WHEN_ANY, _WHEN_ALL = 11, 12


class UnsupportedAction(Exception):
    """The orchestrator asked for something this host does not do."""


def orchestrator_input(instance: Instance, history: Sequence[Event]) -> str:
    """The JSON an orchestrator function is called with.

    The two fields that make the SDK split long timers are left out: the hub has no longest timer.
    """
    return json.dumps(
        {
            "history": history,
            "input": instance.input,
            "instanceId": instance.instance_id,
            "isReplaying": instance.turns > 0,
            "parentInstanceId": instance.parent.instance_id if instance.parent else None,
            "upperSchemaVersion": 1,
            "upperSchemaVersionNew": _SCHEMA_V3,
            "defaultHttpAsyncRequestSleepTimeMillseconds": _DEFAULT_HTTP_POLL_MILLISECONDS,
        }
    )


def parse_reply(text: str) -> OrchestratorReply:
    """The reply of an orchestrator that returned. What it may not ask for fails the instance."""
    return _reply(json.loads(text))


def parse_failure(message: str) -> OrchestratorReply:
    """The reply of an orchestrator that raised; its state is at the end of the message."""
    error, mark, state = message.partition(_FAILURE_MARK)
    if not mark:
        return OrchestratorReply(error=error)
    return _reply(json.loads(state))


def _reply(state: dict[str, Any]) -> OrchestratorReply:
    if "schemaVersion" not in state:
        return OrchestratorReply(
            error="the orchestrator does not speak replay schema V2 or later; "
            "azure-functions-durable 1.1.5 or later is needed"
        )
    try:
        actions = tuple(_action(action) for action in state["actions"][0])
    except UnsupportedAction as error:
        return OrchestratorReply(error=str(error))
    return OrchestratorReply(
        actions=actions,
        is_done=bool(state.get("isDone")),
        output=state.get("output"),
        error=state.get("error"),
        custom_status=state.get("customStatus"),
    )


def _action(action: dict[str, Any]) -> Action:
    match action["actionType"]:
        case t if t in (_CALL_ACTIVITY, _CALL_ACTIVITY_WITH_RETRY):
            return CallActivity(action["functionName"], action.get("input"), _retry(action))
        case t if t in (_CALL_SUB_ORCHESTRATOR, _CALL_SUB_ORCHESTRATOR_WITH_RETRY):
            return CallSubOrchestration(
                action["functionName"],
                action.get("input"),
                action.get("instanceId"),
                action.get("version"),
                _retry(action),
            )
        case t if t == _CONTINUE_AS_NEW:
            return ContinueAsNew(action.get("input"))
        case t if t == _CREATE_TIMER:
            return CreateTimer(parse_time(action["fireAt"]), bool(action.get("isCanceled")))
        case t if t == _WAIT_FOR_EXTERNAL_EVENT:
            return WaitForEvent(action["externalEventName"])
        case t if t == _CALL_HTTP:
            return CallHttp(json.dumps(action["httpRequest"]))
        case t if t == _WHEN_ALL:
            return WhenAll(tuple(_action(child) for child in action["compoundActions"]))
        case t if t == _WHEN_ANY:
            return WhenAny(tuple(_action(child) for child in action["compoundActions"]))
        case t if t in (_CALL_ENTITY, _SIGNAL_ENTITY, _SCHEDULED_SIGNAL_ENTITY):
            raise UnsupportedAction("durable entities are not supported by the local host")
        case other:
            raise UnsupportedAction(f"the local host does not know the action type {other}")


def _retry(action: dict[str, Any]) -> RetryPolicy | None:
    options = action.get("retryOptions")
    if options is None:
        return None
    longest = options.get("maxRetryIntervalInMilliseconds")
    return RetryPolicy(
        first_interval=timedelta(milliseconds=options["firstRetryIntervalInMilliseconds"]),
        max_attempts=options["maxNumberOfAttempts"],
        backoff_coefficient=options.get("backoffCoefficient", 1.0),
        max_interval=None if longest is None else timedelta(milliseconds=longest),
    )
