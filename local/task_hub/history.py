"""The events of an orchestration's history, in the shape of the Durable Task Framework.

An event is a plain dictionary with the framework's own field names, because that is what the hub
stores, what the language SDKs replay and what the status API shows:
https://github.com/Azure/durabletask/tree/main/src/DurableTask.Core/History
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

Event = dict[str, Any]
"""EventType, EventId, IsPlayed and Timestamp, and the fields of its type."""

NO_EVENT_ID = -1
"""EventId of what was not scheduled by the orchestration itself."""


class EventType(IntEnum):
    """`DurableTask.Core.History.EventType`; the numbers are part of the protocol."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_FAILED = 2
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_ORCHESTRATION_INSTANCE_CREATED = 7
    SUB_ORCHESTRATION_INSTANCE_COMPLETED = 8
    SUB_ORCHESTRATION_INSTANCE_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_SENT = 14
    EVENT_RAISED = 15
    CONTINUE_AS_NEW = 16
    GENERIC_EVENT = 17
    HISTORY_STATE = 18
    EXECUTION_SUSPENDED = 19
    EXECUTION_RESUMED = 20

    @property
    def title(self) -> str:
        """The name the status API shows: `TaskCompleted`."""
        return "".join(part.capitalize() for part in self.name.split("_"))


CONTROL_EVENTS = frozenset(
    {
        EventType.EXECUTION_TERMINATED,
        EventType.EXECUTION_SUSPENDED,
        EventType.EXECUTION_RESUMED,
    }
)
"""What reaches an instance even while it is suspended."""

SCHEDULED_BY_CODE = frozenset(
    {
        EventType.TASK_SCHEDULED,
        EventType.TIMER_CREATED,
        EventType.SUB_ORCHESTRATION_INSTANCE_CREATED,
    }
)


def event(kind: EventType, at: datetime, *, event_id: int = NO_EVENT_ID, **fields: Any) -> Event:
    """An event of this kind at this time (aware, UTC)."""
    return {
        "EventType": int(kind),
        "EventId": event_id,
        "IsPlayed": False,
        "Timestamp": format_time(at),
        **fields,
    }


def format_time(at: datetime) -> str:
    """ISO 8601 in UTC with microseconds, as the SDKs write and read it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The aware datetime of an ISO 8601 text; what has no offset is UTC."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
