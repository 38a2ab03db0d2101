"""Runs a JobDefinition's stages in this process, with results in memory in the ledger's place.

Planners, handlers and the finalizer get contexts of the real protocol; parameters and results
go through JSON as they do in the ledger. `TaskFailed` names the task whose handler raised.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from core.identifiers import job_id
from core.job_definition import JobDefinition, JsonObject, TaskResult
from infrastructure.blob_storage import BlobWorkspace

RESULT_LIMIT_BYTES = 100_000


class TaskFailed(Exception):
    """A handler raised; the error is this exception's cause."""


@dataclass
class Task:
    parameters: JsonObject
    attempt: int = 0
    result: JsonObject | None = None


@dataclass
class Context:
    """What planners, handlers and finalizers see."""

    job: JobRun
    task: JsonObject = field(default_factory=dict)
    attempt: int = 0

    @property
    def job_id(self) -> str:
        return self.job.job_id

    @property
    def parameters(self) -> Any:
        return self.job.parameters

    @property
    def workspace(self) -> BlobWorkspace:
        return BlobWorkspace(self.job_id)

    def results(self, stage: str) -> Iterator[TaskResult]:
        for index, task in enumerate(self.job.tasks[stage]):
            if task.result is not None:
                yield TaskResult(index, task.parameters, task.result)

    def check(self) -> None:
        self.job.on_check()

    def progress(self, **context: Any) -> None:
        self.job.figures.update(context)


class JobRun:
    """One job. `run` goes on from where an earlier call stopped."""

    def __init__(self, definition: JobDefinition[Any], run: int = 0, **parameters: Any) -> None:
        self.definition = definition
        self.parameters = definition.parameters.model_validate(parameters)
        self.job_id = job_id(definition.name, self.parameters.model_dump(mode="json"), run)
        self.tasks: dict[str, list[Task]] = {}
        self.figures: dict[str, Any] = {}
        self.on_check: Callable[[], None] = lambda: None

    def run(self, until: str | None = None) -> JsonObject | None:
        """Run all stages, or those before the one named `until`; the job's result."""
        for stage in self.definition.stages:
            if stage.name == until:
                return None
            self.run_stage(stage.name)
        finalize = self.definition.finalize
        assert finalize is not None
        result = finalize(Context(self))
        assert self.definition.misfits(result) == []
        return result

    def run_stage(self, name: str) -> list[Task]:
        """Run a stage's tasks, until more have failed than its policy tolerates."""
        stage = next(each for each in self.definition.stages if each.name == name)
        if name not in self.tasks:
            specs = stage.planner(Context(self))
            self.tasks[name] = [Task(_through_json(dict(spec.parameters))) for spec in specs]
        policy, failed = stage.failure_policy_for(self.parameters), 0
        for index in range(len(self.tasks[name])):
            try:
                self.run_task(name, index)
            except TaskFailed:
                failed += 1
                if not policy.tolerates(failed, len(self.tasks[name])):
                    raise
        return self.tasks[name]

    def run_task(self, stage: str, index: int, *, again: bool = False) -> JsonObject:
        """One attempt at a task, unless it has completed. `again` runs it in any case: a
        worker that died after the work and before its completion is seen by nobody.
        """
        task = self.tasks[stage][index]
        if task.result is None or again:
            handler = next(s for s in self.definition.stages if s.name == stage).handler
            task.attempt += 1
            try:
                result = handler(Context(self, task.parameters, task.attempt))
            except Exception as error:
                raise TaskFailed(f"{stage} {index}: {error}") from error
            task.result = _through_json(result or {})
        return task.result


def _through_json(value: JsonObject) -> JsonObject:
    text = json.dumps(value, allow_nan=False)
    assert len(text) < RESULT_LIMIT_BYTES, f"{len(text)} bytes are too many for the ledger"
    result: JsonObject = json.loads(text)
    return result
