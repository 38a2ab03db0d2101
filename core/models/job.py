"""Jobs and their stages, as kept in app.jobs and app.job_stages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobStatus(StrEnum):
    """queued -> running -> one of the four terminal states."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


class StageStatus(StrEnum):
    """pending -> running -> one of the four terminal states, as for jobs."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self not in (StageStatus.PENDING, StageStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A row of app.jobs."""

    job_id: str
    job_type: str
    parameters: dict[str, Any]
    run: int
    status: JobStatus
    current_stage: int
    total_stages: int
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    cancel_requested: bool
    resumes: int
    work_removed_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
