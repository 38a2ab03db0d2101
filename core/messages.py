"""What travels over Service Bus: a job, a stage, and the indexes of the tasks to run.

Never parameters or results: those stay in the ledger, and a message stays under a kilobyte or
so whatever the tasks are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from core.identifiers import format_runs, is_job_id, parse_runs


class MalformedMessage(ValueError):
    """The body is not one of our messages: it belongs into the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """A run of tasks of one stage."""

    job_id: str
    stage: int
    indexes: Sequence[int]

    def encode(self) -> str:
        return json.dumps(
            {"job_id": self.job_id, "stage": self.stage, "tasks": format_runs(self.indexes)}
        )

    @classmethod
    def decode(cls, body: bytes | str) -> TaskMessage:
        """Raises `MalformedMessage` saying what is wrong."""
        try:
            value = json.loads(body)
            job_id, stage, indexes = value["job_id"], value["stage"], parse_runs(value["tasks"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise MalformedMessage(f"not a task message: {error!r}") from None
        if not isinstance(job_id, str) or not is_job_id(job_id):
            raise MalformedMessage(f"not a job id: {job_id!r}")
        if not isinstance(stage, int) or stage < 0:
            raise MalformedMessage(f"not a stage: {stage!r}")
        return cls(job_id, stage, indexes)
