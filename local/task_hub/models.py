"""Instances, their messages and the work they give out, as the hub keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from local.task_hub.history import Event


class Status(StrEnum):
    """`runtimeStatus` of an instance; the words are part of the protocol."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"

    @property
    def is_final(self) -> bool:
        """Whether the instance does nothing more."""
        return self in FINAL_STATUSES


FINAL_STATUSES = (Status.COMPLETED, Status.FAILED, Status.TERMINATED)


@dataclass(frozen=True, slots=True)
class Parent:
    """The orchestration that waits for a sub-orchestration, and as which event."""

    instance_id: str
    execution_id: str
    event_id: int


@dataclass(frozen=True, slots=True)
class Instance:
    """One orchestration instance. `input`, `output` and `custom_status` are JSON texts.

    `execution_id` changes when the instance is started anew or continues as new; `turns` counts
    the committed turns of this execution and fences them.
    """

    instance_id: str
    execution_id: str
    name: str
    version: str
    status: Status
    input: str | None
    output: str | None
    custom_status: str | None
    parent: Parent | None
    turns: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way to an instance.

    `execution_id` is None for what is meant for whichever execution runs (external events).
    """

    id: int
    execution_id: str | None
    event: Event


@dataclass(frozen=True, slots=True)
class ActivityLease:
    """An activity that this host may run until its lease ends. `input` is JSON text."""

    id: int
    instance_id: str
    execution_id: str
    event_id: int
    name: str
    input: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class ActivityResult:
    """The event with which a leased activity ended."""

    lease: ActivityLease
    event: Event
