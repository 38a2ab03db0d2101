"""What planners, handlers and finalizers are given: see `core.job_definition`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from core.errors import TaskCancelled
from core.job_definition import JobDefinition, JobParameters, JsonObject, TaskResult
from core.models.job import JobRecord
from core.models.task import ClaimedTask
from core.registry import registry
from infrastructure import database, job_progress, task_repository
from infrastructure.blob_storage import BlobWorkspace
from services.orchestration.leases import Holding

P = TypeVar("P", bound=JobParameters)


@dataclass(frozen=True)
class LedgerContext(Generic[P]):
    """A job's context on the ledger, for planners and finalizers."""

    job_id: str
    parameters: P
    definition: JobDefinition[P]

    @classmethod
    def of(cls, job: JobRecord) -> LedgerContext[Any]:
        """The context of a job; its definition must be registered."""
        definition = registry.get(job.job_type)
        return cls(job.job_id, definition.parameters.model_validate(job.parameters), definition)

    @cached_property
    def workspace(self) -> BlobWorkspace:
        return BlobWorkspace(self.job_id)

    def results(self, stage: str) -> Iterator[TaskResult]:
        """The completed tasks of a stage, a page at a time: memory stays bounded."""
        index = [each.name for each in self.definition.stages].index(stage)
        after = -1
        while True:
            with database.transaction() as connection:
                page = task_repository.results(connection, self.job_id, index, after)
            yield from page
            if not page:
                return
            after = page[-1].task_index


@dataclass(frozen=True)
class RunningTask(LedgerContext[P]):
    """The context of one attempt at one task, on the worker that holds it."""

    claimed: ClaimedTask
    holding: Holding

    @property
    def task(self) -> JsonObject:
        return self.claimed.parameters

    @property
    def attempt(self) -> int:
        return self.claimed.attempt

    def check(self) -> None:
        reason = self.holding.stop_reason(self.claimed.task_index)
        if reason is not None:
            raise TaskCancelled(reason)

    def progress(self, **context: Any) -> None:
        job_progress.context(self.job_id, **context)


@dataclass(frozen=True)
class PreviewContext(Generic[P]):
    """For a dry run: parameters only. There is no job, so no results and no files."""

    parameters: P

    @property
    def job_id(self) -> str:
        raise RuntimeError("a dry run has no job")

    @property
    def workspace(self) -> BlobWorkspace:
        raise RuntimeError("a dry run has no workspace")

    def results(self, stage: str) -> Iterator[TaskResult]:
        raise RuntimeError(f"a dry run has no results of stage {stage!r}")
