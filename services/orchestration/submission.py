"""Submitting a job: the same submission twice is one job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from core import identifiers, jsonb
from core.addresses import without_secrets
from core.errors import FieldError, InvalidParameters, NotFound, PermanentTaskError
from core.job_definition import JobDefinition, JobParameters
from core.registry import registry
from infrastructure import database, job_progress, job_repository, locks
from infrastructure.database import Connection
from infrastructure.job_repository import NewStage
from services.orchestration.context import PreviewContext


@dataclass(frozen=True, slots=True)
class Submission:
    """What a submission led to. `created` is False where the job was there already."""

    job_id: str
    job_type: str
    status: str
    created: bool
    run: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """Parameters that a job type takes: its model, how they are written, and the key by which
    the same parameters are known."""

    definition: JobDefinition[Any]
    model: JobParameters
    written: dict[str, Any]
    key: str


def check(definition: JobDefinition[Any], parameters: Mapping[str, Any]) -> Checked:
    """The parameters, to be submitted. Raises as `validate` does."""
    model = validate(definition, parameters)
    written = model.model_dump(mode="json")
    key = identifiers.submission_key(definition.name, written)
    return Checked(definition, model, written, key)


def validate(definition: JobDefinition[Any], parameters: Mapping[str, Any]) -> JobParameters:
    """The parameters as the job's model, or `InvalidParameters` naming each field at fault.

    Strict, as JSON is: a number in quotes is not a number.
    """
    errors: list[FieldError] = [
        {"loc": [name], "msg": why} for name, why in jsonb.unstorable(parameters)
    ]
    if errors:
        raise _invalid(definition, errors)
    try:
        checked: JobParameters = definition.parameters.model_validate_json(
            json.dumps(parameters), strict=True
        )
    except ValidationError as error:
        errors = [
            {"loc": list(fault["loc"]), "msg": fault["msg"].removeprefix("Value error, ")}
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise _invalid(definition, errors) from None
    return checked


def _invalid(definition: JobDefinition[Any], errors: list[FieldError]) -> InvalidParameters:
    named = ", ".join(dict.fromkeys(".".join(map(str, e["loc"])) or "parameters" for e in errors))
    return InvalidParameters(f"The parameters of {definition.name} are not valid: {named}.", errors)


def submit(job_type: str, parameters: Mapping[str, Any], *, rerun: bool = False) -> Submission:
    """Validate and write the job's row. Its orchestration is started by the caller; should
    that fail, the reconciler starts it.

    Raises `NotFound` for an unknown job type, `InvalidParameters` for bad parameters.
    """
    with database.transaction() as connection:
        job = submit_in(connection, job_type, parameters, rerun=rerun)
    announce(job)
    return job


def submit_in(
    connection: Connection, job_type: str, parameters: Mapping[str, Any], *, rerun: bool = False
) -> Submission:
    """`submit` in a transaction of the caller's, who writes more in it: `announce` what came of
    it once it is committed.

    Raises as `submit` does.
    """
    return submit_checked(connection, check(registry.get(job_type), parameters), rerun=rerun)


def submit_checked(connection: Connection, checked: Checked, *, rerun: bool = False) -> Submission:
    """`submit_in` for a caller who has checked the parameters already."""
    job_type = checked.definition.name
    locks.lock(connection, locks.Space.SUBMISSION, checked.key)
    run = job_repository.next_run(connection, checked.key) if rerun else 0
    job_id = identifiers.job_id(job_type, checked.written, run)
    created = job_repository.insert(
        connection,
        job_id=job_id,
        job_type=job_type,
        parameters=checked.written,
        submission_key=checked.key,
        run=run,
        stages=_stages(checked.definition, checked.model),
    )
    status = job_repository.get(connection, job_id).status
    return Submission(job_id, job_type, status, created, run)


def announce(job: Submission) -> None:
    """Show a job that was made on its page."""
    if job.created:
        job_progress.event(job.job_id, "job_submitted", f"{job.job_type} submitted", run=job.run)


def preview(job_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of a job that is not run: its stages, with task counts where known.

    Only the first stage can be planned: the later ones depend on results. What the job type
    itself can tell beforehand is in `preview`. Nothing is written. Raises `InvalidParameters`
    also where the job would fail with them.
    """
    definition = registry.get(job_type)
    checked = validate(definition, parameters)
    first_total = sum(1 for _ in definition.stages[0].planner(PreviewContext(checked)))
    stages = [
        {
            "index": index,
            "name": stage.name,
            "description": stage.description,
            "queue": stage.queue_for(checked).value,
            "max_parallel": stage.max_parallel_for(checked),
            "tasks_total": first_total if index == 0 else None,
        }
        for index, stage in enumerate(definition.stages)
    ]
    answer: dict[str, Any] = {
        "job_type": job_type,
        "parameters": without_secrets(checked.model_dump(mode="json")),
        "plan": {"stages": stages},
    }
    if definition.preview is not None:
        answer["preview"] = _look_ahead(definition, checked)
    return answer


def _look_ahead(definition: JobDefinition[Any], parameters: JobParameters) -> dict[str, Any]:
    """What a job would find. What it would fail with is a fault of the parameters here."""
    assert definition.preview is not None
    try:
        return definition.preview(parameters)
    except (PermanentTaskError, NotFound) as error:
        field = str(error.details.get("field", "parameters"))
        raise InvalidParameters(
            error.message, [{"loc": [field], "msg": error.message}], code=error.error_code
        ) from error


def _stages(definition: JobDefinition[Any], parameters: JobParameters) -> list[NewStage]:
    policies = [stage.failure_policy_for(parameters) for stage in definition.stages]
    return [
        NewStage(
            name=stage.name,
            queue=stage.queue_for(parameters).value,
            max_parallel=stage.max_parallel_for(parameters),
            tasks_per_message=stage.tasks_per_message_for(parameters),
            max_attempts=stage.retry.max_attempts,
            lease_seconds=stage.lease_seconds,
            max_failed_share=policy.max_failed_share,
            stop_early=policy.stop_early,
        )
        for stage, policy in zip(definition.stages, policies, strict=True)
    ]
