"""A run of a pipeline: the run itself, its steps, and the jobs that they send off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.models.job import JobStatus
from core.models.pipeline import RunStatus, StepStatus

BeganBy = Literal["request", "schedule"]
Decision = Literal["approved", "rejected"]

_GOOD = (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS)


@dataclass(frozen=True, slots=True)
class ChildJob:
    """The newest job of one item of a step, and how far the run has followed it.

    `seen` is its state at the run's last turn. `round` is the resume of the run in which it was
    last sent on its way (0 is the first go), None where it was made with parameters that are no
    longer the step's.
    """

    item_index: int
    attempt: int
    job_id: str
    submission_key: str
    status: JobStatus
    cancel_requested: bool = False
    seen: JobStatus | None = None
    round: int | None = 0

    @property
    def is_open(self) -> bool:
        return not self.status.is_terminal

    @property
    def is_success(self) -> bool:
        return self.status in _GOOD


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step of a run. `items_total` is 1 for a single job and None before the step begins."""

    step_id: str
    status: StepStatus = StepStatus.PENDING
    reason: str | None = None
    items: list[Any] | None = None
    items_total: int | None = None
    outputs: Any = None
    error: dict[str, Any] | None = None
    decision: dict[str, Any] | None = None
    deadline: datetime | None = None
    jobs: tuple[ChildJob, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A row of app.pipeline_runs. `read_at` is the database's time when it was read."""

    run_id: str
    name: str
    version: int
    inputs: dict[str, Any]
    began_by: BeganBy
    due_at: datetime | None
    status: RunStatus
    error: dict[str, Any] | None
    cancel_requested: bool
    resumes: int
    turn: int
    created_at: datetime
    finished_at: datetime | None
    read_at: datetime
