"""The queries of the reconciler and of dead-letter handling, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.models.task import ClaimedTask
from infrastructure import queries
from infrastructure.database import Connection
from infrastructure.task_repository import Stage

_sql = queries.load("reconcile")


@dataclass(frozen=True, slots=True)
class RunningStage:
    """A stage at work. One that `is_unheard` ended without its orchestrator noticing."""

    job_id: str
    stage: int
    is_done: bool
    is_unheard: bool


@dataclass(frozen=True, slots=True)
class Overdue:
    """A task to send again. `lost_worker` tells a dead worker from a message that is late."""

    task_index: int
    lost_worker: bool


def running_stages(connection: Connection) -> list[RunningStage]:
    return [RunningStage(**row) for row in connection.execute(_sql["running_stages"])]


def needs_repair(connection: Connection, stage: Stage, resend_after_seconds: float) -> bool:
    """Whether anything of the stage lacks a message or a worker. Takes no lock."""
    row = connection.execute(
        _sql["needs_repair"], {**_sent(stage), "resend_after": resend_after_seconds}
    ).fetchone()
    return row is not None and bool(row["needed"])


def exhausted(connection: Connection, stage: Stage) -> list[tuple[int, int]]:
    """(index, attempt) of tasks whose worker died and that may not be tried again."""
    rows = connection.execute(_sql["exhausted"], _sent(stage))
    return [(row["task_index"], row["attempt"]) for row in rows]


def requeue_overdue(
    connection: Connection, stage: Stage, resend_after_seconds: float
) -> list[Overdue]:
    """Queue again what has neither a message nor a worker; what is to be sent."""
    rows = connection.execute(
        _sql["overdue"], {**_sent(stage), "resend_after": resend_after_seconds}
    )
    overdue = [Overdue(row["task_index"], row["status"] == "running") for row in rows]
    if overdue:
        indexes = [each.task_index for each in overdue]
        connection.execute(
            _sql["requeue"], {"job_id": stage.job_id, "stage": stage.stage, "indexes": indexes}
        )
    return overdue


def _sent(stage: Stage) -> dict[str, object]:
    """The tasks that were ever sent: only among them can one be overdue."""
    return {"job_id": stage.job_id, "stage": stage.stage, "below": stage.next_index}


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
