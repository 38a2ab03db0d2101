"""The queries of the reconciler and of dead-letter handling, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.models.task import ClaimedTask
from infrastructure import queries
from infrastructure.database import Connection

_sql = queries.load("reconcile")


@dataclass(frozen=True, slots=True)
class RunningStage:
    """A stage at work. One that `is_unheard` ended without its orchestrator noticing."""

    job_id: str
    stage: int
    is_done: bool
    is_unheard: bool


def running_stages(connection: Connection) -> list[RunningStage]:
    return [RunningStage(**row) for row in connection.execute(_sql["running_stages"])]


def exhausted(connection: Connection, job_id: str, stage: int) -> list[tuple[int, int]]:
    """(index, attempt) of tasks whose worker died and that may not be tried again."""
    rows = connection.execute(_sql["exhausted"], {"job_id": job_id, "stage": stage})
    return [(row["task_index"], row["attempt"]) for row in rows]


def requeue_overdue(
    connection: Connection, job_id: str, stage: int, resend_after_seconds: float
) -> list[int]:
    """Queue again what has neither a message nor a worker; the indexes to send."""
    scope = {"job_id": job_id, "stage": stage}
    rows = connection.execute(_sql["overdue"], {**scope, "resend_after": resend_after_seconds})
    indexes = [row["task_index"] for row in rows]
    if indexes:
        connection.execute(_sql["requeue"], {**scope, "indexes": indexes})
    return indexes


def mark_unsent(connection: Connection, job_id: str, stage: int, indexes: Sequence[int]) -> None:
    """The message of these queued tasks was not sent: they are overdue at once."""
    connection.execute(_sql["unsent"], {"job_id": job_id, "stage": stage, "indexes": list(indexes)})


def spend_attempt(
    connection: Connection, job_id: str, stage: int, indexes: Sequence[int]
) -> list[ClaimedTask]:
    """Claim, without a lease, the tasks of a dead-lettered message that nobody holds."""
    rows = connection.execute(
        _sql["dead_lettered"], {"job_id": job_id, "stage": stage, "indexes": list(indexes)}
    )
    return [ClaimedTask(**row, parameters={}) for row in rows]
