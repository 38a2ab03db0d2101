"""What orchestrator code asks for, independent of the protocol that carried it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

HTTP_ACTIVITY = "BuiltIn::HttpActivity"
"""The name under which the Durable extension schedules a `CallHttp`."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after how long a failed call is tried again."""

    first_interval: timedelta
    max_attempts: int
    backoff_coefficient: float = 1.0
    max_interval: timedelta | None = None

    def delay_after(self, attempt: int) -> timedelta:
        """The wait after the failed attempt of this number (from 1).

        After the last one it is zero: the Durable Task Framework schedules a last, useless timer
        there, and the SDKs count on its event id.
        """
        if attempt >= self.max_attempts:
            return timedelta(0)
        delay = self.first_interval * self.backoff_coefficient ** (attempt - 1)
        return min(delay, self.max_interval) if self.max_interval else delay


@dataclass(frozen=True, slots=True)
class CallActivity:
    """Run an activity function. `input` is JSON text."""

    name: str
    input: str | None = None
    retry: RetryPolicy | None = None


@dataclass(frozen=True, slots=True)
class CallSubOrchestration:
    """Start a child instance and wait for its result. `input` is JSON text."""

    name: str
    input: str | None = None
    instance_id: str | None = None
    version: str | None = None
    retry: RetryPolicy | None = None


@dataclass(frozen=True, slots=True)
class CreateTimer:
    """Wait until a time; a timer that the code has cancelled is over at once."""

    fire_at: datetime
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class WaitForEvent:
    """Wait for an external event of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class CallHttp:
    """Make an HTTP request, as an activity built into the hub.

    `input` is the JSON text of {method, uri, content?, headers?}.
    """

    input: str


@dataclass(frozen=True, slots=True)
class ContinueAsNew:
    """Start the same instance over, with a new input (JSON text) and an empty history."""

    input: str | None = None


@dataclass(frozen=True, slots=True)
class WhenAll:
    """Wait for all children."""

    children: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class WhenAny:
    """Wait for the first child."""

    children: tuple[Action, ...]


Action = (
    CallActivity
    | CallSubOrchestration
    | CreateTimer
    | WaitForEvent
    | CallHttp
    | ContinueAsNew
    | WhenAll
    | WhenAny
)


@dataclass(frozen=True, slots=True)
class OrchestratorReply:
    """What one run of the orchestrator's code came to.

    `actions` holds everything the code asked for since the instance started, in order; actions
    carry no ids, hub and SDK number what they schedule in the same order. `output` and
    `custom_status` are JSON values. `error` is set when the code raised; `is_done` when it returned
    or asked to continue as new.
    """

    actions: tuple[Action, ...] = ()
    is_done: bool = False
    output: Any = None
    error: str | None = None
    custom_status: Any = None
