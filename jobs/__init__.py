"""The job types, a short declarative file each, and the orchestrator that runs them all.

A module here that holds `JOB = JobDefinition(...)` is a job type: no list names it.
"""

from __future__ import annotations

import importlib
import pkgutil

from core.job_definition import JobDefinition
from core.registry import registry


def discover() -> None:
    """Register the `JOB` of every module in this package."""
    for module in pkgutil.iter_modules(__path__):
        job = getattr(importlib.import_module(f"{__name__}.{module.name}"), "JOB", None)
        if isinstance(job, JobDefinition):
            registry.register(job)
