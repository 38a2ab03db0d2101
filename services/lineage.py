"""What a job has read and published, whatever its type."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import ValidationError

from core.errors import NotFound
from core.job_definition import JsonObject
from core.models.lineage import Lineage
from core.registry import registry


class Job(Protocol):
    """What is asked of a job here; `core.models.job.JobRecord` has it."""

    @property
    def job_type(self) -> str: ...

    @property
    def parameters(self) -> dict[str, Any]: ...

    @property
    def result(self) -> JsonObject | None: ...


def of(job: Job) -> Lineage:
    """What the job has read, and what it has published; of one that has not completed what it
    was to read.

    Nothing is known of a job whose type does not tell, or is not part of the app any more, or
    takes other parameters by now.
    """
    try:
        definition = registry.get(job.job_type)
        parameters = definition.parameters.model_validate(job.parameters)
    except (NotFound, ValidationError):
        return Lineage()
    if definition.lineage is None:
        return Lineage()
    return definition.lineage(parameters, job.result)
