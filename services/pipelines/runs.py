"""Beginning a run: a pipeline's version, its inputs, and the rows by which the engine knows it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.errors import InvalidParameters
from core.models.pipeline import Pipeline, RunStatus
from core.models.pipeline_run import RunRecord
from core.pipelines import checking
from core.registry import registry
from infrastructure import database
from infrastructure import pipeline_runs_repository as pipeline_runs
from infrastructure import pipelines_repository as pipelines
from infrastructure.pipelines_repository import Stored


@dataclass(frozen=True, slots=True)
class StartedRun:
    """What a request to run led to. `created` is False where the run was there already."""

    run_id: str
    name: str
    version: int
    status: RunStatus
    created: bool


def start(
    name: str,
    inputs: Mapping[str, Any],
    *,
    version: int | None = None,
    request_id: str | None = None,
    due_at: datetime | None = None,
) -> StartedRun:
    """Write a run of a pipeline's version, the newest unless one is named; the caller starts its
    orchestration (`starting.start`), and should that fail, the reconciler does.

    The same `request_id` again is the same run, and so is the same `due_at` of a scheduled one,
    whatever else is asked. Raises `NotFound` (unknown_pipeline, unknown_pipeline_version), and
    `InvalidParameters`: pipeline_has_problems for a draft that could not be run, naming what is
    wrong with it, and invalid_parameters for inputs, naming each at fault.
    """
    with database.transaction() as connection:
        # Kept as it is while the run is written: whoever deletes it sees the run, or comes first.
        newest = pipelines.get(connection, name, for_update=True)
        if due_at is not None:
            run_id = _scheduled_id(name, due_at)
        else:
            request = uuid.uuid4().hex if request_id is None else request_id
            run_id = _requested_id(newest, request)
        known = pipeline_runs.find(connection, run_id)
        if known is not None:
            return _started(known, created=False)
        stored = newest
        if version is not None and version != newest.version:
            stored = pipelines.get_version(connection, name, version)
        pipeline = runnable(stored)
        pipeline_runs.insert(
            connection,
            run_id=run_id,
            name=name,
            version=stored.version,
            inputs=checking.check_inputs(pipeline, inputs),
            began_by="request" if due_at is None else "schedule",
            steps=[step.id for step in pipeline.steps],
            due_at=due_at,
            request_id=request_id,
        )
        run = pipeline_runs.get(connection, run_id)
    return _started(run, created=True)


def runnable(stored: Stored) -> Pipeline:
    """A stored version as a pipeline that can be run.

    It is checked again: a job type may have come or gone since it was saved. Raises
    `InvalidParameters` (pipeline_has_problems).
    """
    pipeline = Pipeline.model_validate(stored.document)
    errors = checking.check(pipeline, registry).errors
    if errors:
        raise InvalidParameters(
            f"Version {stored.version} of {stored.name} is a draft that cannot be run: "
            f"{errors[0]['msg']}",
            errors,
            code="pipeline_has_problems",
        )
    return pipeline


def _scheduled_id(name: str, due_at: datetime) -> str:
    return _run_id(name, f"due\n{due_at.isoformat()}")


def _requested_id(pipeline: Stored, request_id: str) -> str:
    # A pipeline that is made anew under a name knows nothing of requests for the one before it.
    made_at = pipeline.created_at.astimezone(UTC).isoformat()
    return _run_id(pipeline.name, f"request\n{made_at}\n{request_id}")


def _run_id(name: str, key: str) -> str:
    """64 hexadecimal digits, the same for the same request or due time."""
    return hashlib.sha256(f"pipeline run\n{name}\n{key}".encode()).hexdigest()


def _started(run: RunRecord, *, created: bool) -> StartedRun:
    return StartedRun(run.run_id, run.name, run.version, run.status, created)


def record_failed(
    name: str,
    version: int,
    inputs: Mapping[str, Any],
    *,
    due_at: datetime,
    error: Mapping[str, Any],
) -> None:
    """Write a scheduled run that could not begin, such that people see it and why."""
    with database.transaction() as connection:
        document = pipeline_runs.document(connection, name, version)
        pipeline_runs.insert(
            connection,
            run_id=_scheduled_id(name, due_at),
            name=name,
            version=version,
            inputs=inputs,
            began_by="schedule",
            steps=[step["id"] for step in document["steps"]],
            due_at=due_at,
            error=error,
        )
