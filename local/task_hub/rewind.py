"""What a failed instance's history is rewound to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from local.task_hub.history import Event, EventType
from local.task_hub.turn import FAILED_IDS

_OUTCOMES = {
    EventType.TASK_FAILED: "TaskScheduledId",
    EventType.SUB_ORCHESTRATION_INSTANCE_FAILED: "TaskScheduledId",
    EventType.TIMER_FIRED: "TimerId",
    EventType.TIMER_CREATED: "EventId",
}


@dataclass(frozen=True, slots=True)
class Rewind:
    """The history without the failure that ended it, and what is to be done again.

    Only the calls of the last action are repeated, those whose failure the code did not survive:
    failures before it are part of what the code has already decided on.
    """

    history: list[Event]
    activities: list[Event]
    children: list[Event]

    @classmethod
    def of(cls, history: Sequence[Event]) -> Rewind:
        """The rewind of a history that ends with a failed execution."""
        repeated = set(history[-1].get(FAILED_IDS, ()))
        kept = [event for event in history[:-1] if not _belongs_to_failure(event, repeated)]
        redo = [event for event in kept if event["EventId"] in repeated]
        return cls(
            history=kept,
            activities=[e for e in redo if e["EventType"] == EventType.TASK_SCHEDULED],
            children=[
                e for e in redo if e["EventType"] == EventType.SUB_ORCHESTRATION_INSTANCE_CREATED
            ],
        )


def _belongs_to_failure(event: Event, repeated: set[int]) -> bool:
    field = _OUTCOMES.get(EventType(event["EventType"]))
    return field is not None and event[field] in repeated
