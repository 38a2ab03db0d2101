"""Tasks, as kept in app.tasks, and the outcomes that workers report of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskStatus(StrEnum):
    """pending -> queued -> running -> completed | failed | cancelled.

    A retry goes from running back to pending, never through failed: a sibling that
    finishes meanwhile must not find the stage complete.
    """

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A row of app.tasks."""

    job_id: str
    stage: int
    task_index: int
    task_type: str
    parameters: dict[str, Any]
    status: TaskStatus
    attempt: int
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    lease_expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task that this worker now holds, for one attempt, until its lease ends."""

    task_index: int
    attempt: int
    attempts_before: int
    parameters: dict[str, Any]

    @property
    def tries(self) -> int:
        """Attempts since the task was last put back by hand, this one included."""
        return self.attempt - self.attempts_before


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What became of one attempt. Fenced by (task_index, attempt) when it is written.

    `retry_in` (seconds) is set where status is pending: the task waits and goes again.
    """

    task_index: int
    attempt: int
    status: TaskStatus
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    retry_in: float | None = None
