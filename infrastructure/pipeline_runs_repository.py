"""Runs of pipelines as rows. Each function runs in the caller's transaction.

Whoever changes a run, its steps or their jobs holds the lock on the run's row (`get(...,
lock=True)`), so a run changes one turn at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Json

from core import jsonb
from core.errors import NotFound
from core.models.job import JobStatus
from core.models.pipeline import RunStatus, StepStatus
from core.models.pipeline_run import BeganBy, ChildJob, RunRecord, StepRecord
from infrastructure import queries
from infrastructure.database import Connection, Row
from infrastructure.json_values import stored

_SQL = queries.load("pipeline_runs")


@dataclass(frozen=True, slots=True)
class JobEnd:
    """What came of a job."""

    result: dict[str, Any] | None
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ScheduledPipeline:
    """The newest version of a pipeline that has a schedule."""

    name: str
    version: int
    schedule_from: datetime
    schedule: dict[str, Any]
    problems: int


def insert(
    connection: Connection,
    *,
    run_id: str,
    name: str,
    version: int,
    inputs: Mapping[str, Any],
    began_by: BeganBy,
    steps: Sequence[str],
    due_at: datetime | None = None,
    request_id: str | None = None,
    error: Mapping[str, Any] | None = None,
) -> bool:
    """Add a queued run with its steps; False where it exists already.

    With an `error` it is a run that could not begin: it is failed, and its steps are skipped.
    """
    row = connection.execute(
        _SQL["insert"],
        {
            "run_id": run_id,
            "name": name,
            "version": version,
            "inputs": stored(inputs),
            "began_by": began_by,
            "due_at": due_at,
            "request_id": request_id,
            "status": RunStatus.QUEUED if error is None else RunStatus.FAILED,
            "error": stored(error),
        },
    ).fetchone()
    if row is None:
        return False
    with connection.cursor() as cursor:
        cursor.executemany(
            _SQL["insert_step"],
            [
                {
                    "run_id": run_id,
                    "step_id": step_id,
                    "position": position,
                    "status": StepStatus.PENDING if error is None else StepStatus.SKIPPED,
                    "reason": None if error is None else "The run could not begin.",
                }
                for position, step_id in enumerate(steps)
            ],
        )
    return True


def document(connection: Connection, name: str, version: int) -> dict[str, Any]:
    """A version of a pipeline, also of one that was deleted. Raises `NotFound`."""
    row = connection.execute(_SQL["document"], {"name": name, "version": version}).fetchone()
    if row is None:
        raise NotFound(
            f"The pipeline {name!r} has no version {version}.",
            code="unknown_pipeline_version",
            name=name,
            version=version,
        )
    return dict(row["document"])


def find(connection: Connection, run_id: str) -> RunRecord | None:
    """The run, or None where there is none."""
    row = connection.execute(_SQL["get"], {"run_id": run_id}).fetchone()
    return None if row is None else RunRecord(**{**row, "status": RunStatus(row["status"])})


def get(connection: Connection, run_id: str, *, lock: bool = False) -> RunRecord:
    """The run, or `NotFound`. With `lock` it stays as it is to the end of the transaction."""
    if lock:
        connection.execute(_SQL["lock"], {"run_id": run_id})
    run = find(connection, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id!r}.", code="unknown_run", run_id=run_id)
    return run


def steps(connection: Connection, run_id: str) -> dict[str, StepRecord]:
    """The steps of a run by id, in the document's order, each with the newest job of each item.

    A step that has succeeded is not changed any more: it comes without its items and outputs, and
    one that was for several items without their jobs.
    """
    jobs: dict[str, list[ChildJob]] = {}
    for row in connection.execute(_SQL["jobs"], {"run_id": run_id}):
        jobs.setdefault(row.pop("step_id"), []).append(_child(row))
    return {
        row["step_id"]: StepRecord(
            **{**row, "status": StepStatus(row["status"])}, jobs=tuple(jobs.get(row["step_id"], ()))
        )
        for row in connection.execute(_SQL["steps"], {"run_id": run_id})
    }


def outputs(connection: Connection, run_id: str, step_ids: Sequence[str]) -> dict[str, Any]:
    """The outputs of these steps by id."""
    if not step_ids:
        return {}
    rows = connection.execute(_SQL["outputs"], {"run_id": run_id, "step_ids": list(step_ids)})
    return {row["step_id"]: row["outputs"] for row in rows}


def _child(row: Row) -> ChildJob:
    seen = row["seen"]
    status = JobStatus(row["status"])
    return ChildJob(**{**row, "status": status, "seen": None if seen is None else JobStatus(seen)})


def ends(connection: Connection, job_ids: Sequence[str]) -> dict[str, JobEnd]:
    """What came of these jobs."""
    rows = connection.execute(_SQL["ends"], {"job_ids": list(job_ids)})
    return {row["job_id"]: JobEnd(row["result"], row["error"]) for row in rows}


def save_steps(
    connection: Connection, run_id: str, changed: Iterable[tuple[StepRecord, bool]]
) -> None:
    """Write steps, each with whether it begins now. Their jobs are written apart.

    One that has succeeded is left as it is.
    """
    values = [
        {
            "run_id": run_id,
            "step_id": step.step_id,
            "status": step.status,
            "reason": step.reason,
            "items": stored(step.items),
            "items_total": step.items_total,
            "outputs": None if step.outputs is None else Json(step.outputs, dumps=jsonb.encode),
            "error": stored(step.error),
            "decision": stored(step.decision),
            "deadline": step.deadline,
            "begins": begins,
            "ended": step.status.is_terminal,
        }
        for step, begins in changed
    ]
    if values:
        with connection.cursor() as cursor:
            cursor.executemany(_SQL["save_step"], values)


def add_job(
    connection: Connection,
    run_id: str,
    step_id: str,
    *,
    item_index: int,
    attempt: int,
    job_id: str,
    in_round: int,
) -> None:
    """Note that a job, queued in this transaction, does an item of a step."""
    connection.execute(
        _SQL["add_job"],
        {
            "run_id": run_id,
            "step_id": step_id,
            "item_index": item_index,
            "attempt": attempt,
            "job_id": job_id,
            "round": in_round,
        },
    )


def mark_jobs(connection: Connection, jobs: Iterable[ChildJob]) -> None:
    """Write how far the run has followed these jobs: `seen` and `round`."""
    values = [{"job_id": job.job_id, "round": job.round, "seen": job.seen} for job in jobs]
    if values:
        with connection.cursor() as cursor:
            cursor.executemany(_SQL["mark_job"], values)


def take_turn(connection: Connection, run_id: str, *, progress: bool) -> int:
    """Count a look at the run: its number. A queued run is running from here on."""
    row = connection.execute(_SQL["take_turn"], {"run_id": run_id, "progress": progress}).fetchone()
    assert row is not None
    return int(row["turn"])


def finish(
    connection: Connection, run_id: str, status: RunStatus, error: Mapping[str, Any] | None
) -> bool:
    """To a terminal state; False where the run was in one already."""
    row = connection.execute(
        _SQL["finish"],
        {"run_id": run_id, "status": status, "error": stored(error)},
    ).fetchone()
    return row is not None


def request_cancel(connection: Connection, run_id: str) -> bool:
    """Ask for the cancel; False where the run has ended."""
    return connection.execute(_SQL["request_cancel"], {"run_id": run_id}).fetchone() is not None


def note_news(connection: Connection, run_id: str) -> None:
    """Note that something was changed that the run's next turn is to look at."""
    connection.execute(_SQL["note_news"], {"run_id": run_id})


def reopen(connection: Connection, run_id: str) -> None:
    """A terminal run -> queued, in its next round."""
    connection.execute(_SQL["reopen"], {"run_id": run_id})


def to_check(
    connection: Connection, *, older_than_seconds: float, idle_seconds: float, limit: int
) -> list[str]:
    """Note that it is checked whether these runs have an orchestration at work; their ids.

    They are not terminal and were not touched for so long. Those come first that were checked
    longest ago, and one that only waits at its gates comes not more often than every so often.
    """
    rows = connection.execute(
        _SQL["to_check"],
        {"older_than_seconds": older_than_seconds, "idle_seconds": idle_seconds, "limit": limit},
    )
    return [row["run_id"] for row in rows]


def unheard(connection: Connection, older_than_seconds: float) -> list[str]:
    """Ids of runs whose orchestration should have been told of something so long ago."""
    rows = connection.execute(_SQL["unheard"], {"older_than_seconds": older_than_seconds})
    return [row["run_id"] for row in rows]


def count_restart(connection: Connection, run_id: str) -> int | None:
    """Note that the orchestration is started again; how often, or None for an ended run."""
    row = connection.execute(_SQL["count_restart"], {"run_id": run_id}).fetchone()
    return None if row is None else int(row["restarts"])


def news_of_job(connection: Connection, job_id: str) -> tuple[str, int] | None:
    """Note that a job has ended: the run that is to be told, and the number of its last turn.

    None where no run that is under way has it, or where the run's next turn is called for already.
    """
    row = connection.execute(_SQL["news_of_job"], {"job_id": job_id}).fetchone()
    return None if row is None else (row["run_id"], row["turn"])


def turn(connection: Connection, run_id: str) -> int | None:
    """The number of the run's last turn, once one that is being taken is through.

    None for a run that is not under way.
    """
    row = connection.execute(_SQL["turn"], {"run_id": run_id}).fetchone()
    return None if row is None else int(row["turn"])


def schedules(connection: Connection) -> list[ScheduledPipeline]:
    """The pipelines whose newest version has a schedule, also one that is disabled."""
    return [ScheduledPipeline(**row) for row in connection.execute(_SQL["schedules"])]


def due_already(connection: Connection, due_times: Mapping[str, datetime]) -> set[str]:
    """Which of these pipelines have a run of this due time."""
    rows = connection.execute(
        _SQL["due_already"],
        {"names": list(due_times), "due_times": list(due_times.values())},
    )
    return {row["name"] for row in rows}


def pull_back_schedules(connection: Connection, now: datetime) -> list[str]:
    """Schedule from now on what was scheduled from a time that has not come; their names."""
    return [row["name"] for row in connection.execute(_SQL["pull_back"], {"now": now})]
