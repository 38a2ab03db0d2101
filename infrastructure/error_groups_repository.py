"""Failed tasks and their causes, in the caller's transaction: app.failed_tasks, app.error_groups.

Both follow the ledger: a task that is settled as failed is entered, one that is put back is taken
out. So the failed tasks of a million are listed without a look at the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from core import jsonb
from core.models.task import TaskOutcome, TaskStatus
from infrastructure import queries
from infrastructure.database import Connection, Row

_sql = queries.load("error_groups")

# Causes of one stage that are told apart. Whoever has more of them has one: that they are noted
# as they are, with something in the message that no two tasks share.
MOST_CAUSES = 200

_PAGE = 1000


def record(
    connection: Connection, job_id: str, stage: int, failures: Sequence[TaskOutcome]
) -> None:
    """Enter tasks that have failed. The caller holds the stage's lock, and has settled them."""
    if not failures:
        return
    connection.execute(
        _sql["record"],
        {
            "job_id": job_id,
            "stage": stage,
            "indexes": [failure.task_index for failure in failures],
            "errors": [Jsonb(failure.error or {}, dumps=jsonb.encode) for failure in failures],
            "most": MOST_CAUSES,
        },
    )


def complete(connection: Connection, job_id: str, stage: int, tasks_failed: int) -> None:
    """Enter what a version of the app before these tables has settled meanwhile, so that all the
    stage's failures are there when it ends. The caller holds the stage's lock."""
    scope = {"job_id": job_id, "stage": stage}
    entered = connection.execute(_sql["count"], scope).fetchone()
    if entered is not None and entered["tasks"] == tasks_failed:
        return
    while rows := connection.execute(_sql["missing"], {**scope, "limit": _PAGE}).fetchall():
        record(
            connection,
            job_id,
            stage,
            [
                TaskOutcome(
                    row["task_index"], row["attempt"], TaskStatus.FAILED, error=row["error"]
                )
                for row in rows
            ],
        )


def forget_from(connection: Connection, job_id: str, stage: int) -> None:
    """Take out all of a stage and of those behind it: their tasks are put back."""
    scope = {"job_id": job_id, "stage": stage}
    connection.execute(_sql["forget_tasks"], scope)
    connection.execute(_sql["forget_groups"], scope)


def groups(
    connection: Connection, job_id: str, *, limit: int, after: tuple[int, int, str] | None = None
) -> list[Row]:
    """The causes of a job's failures, the most frequent first, after (count, stage, fingerprint):
    fingerprint, code, message, stage, stage_name, count, task_index and parameters of the first
    task, first_at, last_at."""
    count, stage, fingerprint = after or (None, None, None)
    return connection.execute(
        _sql["groups"],
        {
            "job_id": job_id,
            "limit": limit,
            "after_count": count,
            "after_stage": stage,
            "after": fingerprint,
        },
    ).fetchall()


def causes(connection: Connection, job_id: str) -> int:
    """How many causes a job's failures have."""
    row = connection.execute(_sql["causes"], {"job_id": job_id}).fetchone()
    assert row is not None  # an aggregate without GROUP BY always has one row
    return int(row["causes"])
