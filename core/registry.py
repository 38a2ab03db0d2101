"""The job types that this app knows, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.errors import NotFound
from core.job_definition import JobDefinition


class JobRegistry:
    """Filled by `jobs.discover()`; read by the API, the engine and the pages."""

    def __init__(self) -> None:
        self._definitions: dict[str, JobDefinition[Any]] = {}

    def register(self, definition: JobDefinition[Any]) -> None:
        """Add a job type. Registering the same definition again changes nothing."""
        known = self._definitions.setdefault(definition.name, definition)
        if known is not definition:
            raise ValueError(f"two job types are named {definition.name!r}")

    def get(self, name: str) -> JobDefinition[Any]:
        """The definition, or `NotFound` naming the job types that exist."""
        try:
            return self._definitions[name]
        except KeyError:
            known = sorted(self._definitions)
            raise NotFound(
                f"There is no job type {name!r}. Known job types: {', '.join(known) or 'none'}.",
                code="unknown_job_type",
                known_job_types=known,
            ) from None

    def __iter__(self) -> Iterator[JobDefinition[Any]]:
        return iter(sorted(self._definitions.values(), key=lambda job: job.name))


registry = JobRegistry()
