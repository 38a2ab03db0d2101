"""Rows of app.tasks and the counters of their stage, in the caller's transaction.

What holds the engine's invariants is here and in sql/tasks.sql: claims bump the attempt,
outcomes are fenced by it, and counters change only beside the rows that they count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core import jsonb
from core.job_definition import FailurePolicy, TaskResult, TaskSpec
from core.models.job import StageStatus
from core.models.task import ClaimedTask, TaskOutcome, TaskStatus
from infrastructure import error_groups_repository, queries
from infrastructure.database import Connection
from infrastructure.json_values import stored

_sql = queries.load("tasks")

_RESULTS_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of app.job_stages, as the engine works with it."""

    job_id: str
    stage: int
    name: str
    status: StageStatus
    queue: str
    max_parallel: int
    tasks_per_message: int
    max_attempts: int
    lease_seconds: float
    max_failed_share: float
    stop_early: bool
    tasks_total: int | None
    tasks_completed: int
    tasks_failed: int
    tasks_cancelled: int
    in_flight: int
    next_index: int
    stopping: bool
    is_done: bool

    @classmethod
    def of(cls, row: dict[str, Any]) -> Stage:
        values = {name: row[name] for name in cls.__slots__ if name not in ("status", "is_done")}
        return cls(**values, status=StageStatus(row["status"]), is_done=row["done_at"] is not None)

    @property
    def room(self) -> int:
        """How many more tasks the window admits; none where the stage is not at work."""
        at_work = self.status is StageStatus.RUNNING and not self.stopping
        return self.max_parallel - self.in_flight if at_work else 0

    @property
    def is_stuck(self) -> bool:
        """Whether a process may have died in the middle of something: a cancel, the step from
        planning to dispatching, the end of the last task.
        """
        total = self.tasks_total or 0
        ended = self.tasks_completed + self.tasks_failed + self.tasks_cancelled
        return self.stopping or (self.room > 0 and self.next_index < total) or ended == total

    @property
    def failed_too_much(self) -> bool:
        policy = FailurePolicy(self.max_failed_share, self.stop_early)
        return not policy.tolerates(self.tasks_failed, self.tasks_total or 0)


@dataclass(frozen=True, slots=True)
class Settled:
    """How many outcomes were accepted, by what they did; `retries` are (index, seconds)."""

    completed: int
    failed: int
    cancelled: int
    retries: list[tuple[int, float]]

    @property
    def ended(self) -> int:
        return self.completed + self.failed + self.cancelled


def stage(connection: Connection, job_id: str, index: int) -> Stage:
    row = connection.execute(_sql["stage"], {"job_id": job_id, "stage": index}).fetchone()
    if row is None:
        raise LookupError(f"job {job_id} has no stage {index}")
    return Stage.of(row)


def stages(connection: Connection, job_id: str) -> list[Stage]:
    return [Stage.of(row) for row in connection.execute(_sql["stages"], {"job_id": job_id})]


def plan(
    connection: Connection, job_id: str, index: int, task_type: str, specs: Iterable[TaskSpec]
) -> int:
    """Write a stage's tasks by COPY, in the planner's order, streaming; their number.

    Parameters are cleaned as `core.jsonb.clean` does: one file with an odd name among those
    that a planner lists must not cost the job.
    """
    total = 0
    with connection.cursor() as cursor, cursor.copy(_sql["copy"]) as copy:
        for spec in specs:
            parameters = jsonb.encode(jsonb.clean(spec.parameters)).decode()
            copy.write_row((job_id, index, total, task_type, parameters))
            total += 1
    connection.execute(_sql["planned"], {"job_id": job_id, "stage": index, "total": total})
    return total


def open_stage(connection: Connection, job_id: str, index: int) -> None:
    connection.execute(_sql["open_stage"], {"job_id": job_id, "stage": index})


def fill_window(connection: Connection, current: Stage) -> list[int]:
    """Put the next pending tasks into the window; the indexes to send after the commit."""
    total = current.tasks_total or 0
    if current.room <= 0 or current.next_index >= total:
        return []
    scope = {"job_id": current.job_id, "stage": current.stage}
    rows = connection.execute(
        _sql["next_in_window"], {**scope, "next_index": current.next_index, "room": current.room}
    )
    indexes = [row["task_index"] for row in rows]
    # Fewer than there is room for: all that were pending are sent, and what lies behind the
    # last one (in a resumed stage, completed tasks) need not be looked through again.
    next_index = indexes[-1] + 1 if len(indexes) == current.room else total
    if indexes:
        connection.execute(_sql["enqueue"], _these(current.job_id, current.stage, indexes))
    connection.execute(_sql["widen"], {**scope, "sent": len(indexes), "next_index": next_index})
    return indexes


def claim(
    connection: Connection, job_id: str, index: int, indexes: Sequence[int]
) -> list[ClaimedTask]:
    """Take tasks for this worker. Duplicates, cancelled and ended ones are not returned."""
    rows = connection.execute(_sql["claim"], _these(job_id, index, indexes))
    return sorted((ClaimedTask(**row) for row in rows), key=lambda task: task.task_index)


def renew(
    connection: Connection, job_id: str, index: int, held: Sequence[ClaimedTask]
) -> dict[int, bool]:
    """Renew leases. Maps the task indexes still held to whether they should stop."""
    rows = connection.execute(
        _sql["renew"],
        {
            **_these(job_id, index, [task.task_index for task in held]),
            "attempts": [task.attempt for task in held],
        },
    )
    return {row["task_index"]: row["stopping"] for row in rows}


def settle(
    connection: Connection, job_id: str, index: int, outcomes: Sequence[TaskOutcome]
) -> Settled:
    """Write outcomes. One whose attempt is over, or no longer the last, changes nothing."""
    if not outcomes:
        return Settled(0, 0, 0, [])
    connection.execute(_sql["no_nested_loops"])
    rows = connection.execute(
        _sql["settle"],
        {
            **_these(job_id, index, [outcome.task_index for outcome in outcomes]),
            "attempts": [outcome.attempt for outcome in outcomes],
            "statuses": [outcome.status.value for outcome in outcomes],
            "results": [stored(outcome.result) for outcome in outcomes],
            "errors": [stored(outcome.error) for outcome in outcomes],
            "retry_in": [outcome.retry_in for outcome in outcomes],
        },
    ).fetchall()
    failed = {row["task_index"] for row in rows if row["status"] == TaskStatus.FAILED}
    error_groups_repository.record(
        connection, job_id, index, [each for each in outcomes if each.task_index in failed]
    )
    statuses = [row["status"] for row in rows]
    return Settled(
        completed=statuses.count(TaskStatus.COMPLETED),
        failed=statuses.count(TaskStatus.FAILED),
        cancelled=statuses.count(TaskStatus.CANCELLED),
        retries=[
            (row["task_index"], row["retry_in"])
            for row in rows
            if row["status"] == TaskStatus.PENDING
        ],
    )


def count(
    connection: Connection,
    job_id: str,
    index: int,
    *,
    completed: int = 0,
    failed: int = 0,
    cancelled: int = 0,
    left_window: int = 0,
) -> Stage:
    """Add to the stage's counters; the stage as it is now."""
    row = connection.execute(
        _sql["count"],
        {
            "job_id": job_id,
            "stage": index,
            "completed": completed,
            "failed": failed,
            "cancelled": cancelled,
            "left_window": left_window,
        },
    ).fetchone()
    assert row is not None
    return Stage.of(row)


def stop(connection: Connection, job_id: str, index: int) -> None:
    """Let nothing more of the stage begin."""
    connection.execute(_sql["stop"], {"job_id": job_id, "stage": index})


def stop_running_stages(connection: Connection, job_id: str) -> list[int]:
    rows = connection.execute(_sql["stop_running_stages"], {"job_id": job_id})
    return sorted(row["stage"] for row in rows)


def cancel_waiting(connection: Connection, job_id: str, index: int) -> Stage:
    """Cancel every task of the stage that has not begun."""
    return _cancel(connection, "cancel_waiting", job_id, index)


def abandon_running(connection: Connection, job_id: str, index: int) -> Stage:
    """Cancel the tasks that are running: their workers' outcomes will not be accepted."""
    return _cancel(connection, "abandon_running", job_id, index)


def _cancel(connection: Connection, query: str, job_id: str, index: int) -> Stage:
    row = connection.execute(_sql[query], {"job_id": job_id, "stage": index}).fetchone()
    assert row is not None
    return count(
        connection, job_id, index, cancelled=row["cancelled"], left_window=row["left_window"]
    )


def mark_done(connection: Connection, job_id: str, index: int) -> bool:
    """Whether this transaction brought the stage to zero. True once in a stage's run."""
    row = connection.execute(_sql["mark_done"], {"job_id": job_id, "stage": index}).fetchone()
    return row is not None


def close(connection: Connection, job_id: str, index: int, status: StageStatus) -> None:
    connection.execute(_sql["close"], {"job_id": job_id, "stage": index, "status": status})


def audit(connection: Connection, current: Stage) -> None:
    """Hold the stage's counters against the ledger's rows. Raises RuntimeError if they differ."""
    row = connection.execute(
        _sql["audit"], {"job_id": current.job_id, "stage": current.stage}
    ).fetchone()
    counters = {
        "total": current.tasks_total,
        "completed": current.tasks_completed,
        "failed": current.tasks_failed,
        "cancelled": current.tasks_cancelled,
    }
    if row != counters:
        raise RuntimeError(
            f"stage {current.stage} of job {current.job_id}: counters {counters} are not what "
            f"the ledger holds: {row}"
        )


def first_failure(connection: Connection, job_id: str, index: int) -> dict[str, Any] | None:
    """{task_index, error} of the first failed task."""
    return connection.execute(_sql["first_failure"], {"job_id": job_id, "stage": index}).fetchone()


def results(connection: Connection, job_id: str, index: int, after: int) -> list[TaskResult]:
    """The next page of a stage's completed tasks behind task index `after`."""
    rows = connection.execute(
        _sql["results"],
        {"job_id": job_id, "stage": index, "after": after, "limit": _RESULTS_PAGE},
    )
    return [TaskResult(**row) for row in rows]


def reopen_stage(connection: Connection, job_id: str, index: int) -> int:
    """Put the stage's failed, cancelled and lost tasks back; their number.

    With it goes what is known of failures there and in the stages behind it, which are unplanned.
    """
    error_groups_repository.forget_from(connection, job_id, index)
    row = connection.execute(_sql["reopen_stage"], {"job_id": job_id, "stage": index}).fetchone()
    assert row is not None
    return int(row["reopened"])


def forget_after(connection: Connection, job_id: str, index: int) -> None:
    """Unplan the stages behind `index`."""
    scope = {"job_id": job_id, "stage": index}
    connection.execute(_sql["forget_tasks_after"], scope)
    connection.execute(_sql["forget_stages_after"], scope)


def _these(job_id: str, index: int, indexes: Sequence[int]) -> dict[str, Any]:
    """Parameters that name some tasks of a stage, with the range that they lie in."""
    return {
        "job_id": job_id,
        "stage": index,
        "indexes": list(indexes),
        "first": min(indexes),
        "last": max(indexes),
    }


def chunks(indexes: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Runs of at most `size` indexes: what one message names."""
    for start in range(0, len(indexes), size):
        yield indexes[start : start + size]
