"""What hello_fan_out results in."""

from __future__ import annotations

from pydantic import Field

from core.job_definition import JobOutputs


class HelloOutputs(JobOutputs):
    """How the tasks ended."""

    tasks: int = Field(description="Tasks that were asked for")
    completed: int = Field(description="Tasks that completed")
    failed: int = Field(description="Tasks that failed")
