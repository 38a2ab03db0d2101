"""Runs of pipelines as the API and the pages show them.

All of it is read from the rows of the run and from the counters of its jobs: looking at a run of
500 jobs costs the same few queries as looking at one of three, and lists the first jobs of each
step; `jobs_page` has the others.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from core.addresses import without_secrets
from core.errors import NotFound
from core.identifiers import is_job_id
from core.models.job import JobStatus
from core.models.lineage import Thing
from core.models.metrics import progress_pct
from core.models.pipeline import GateStep, JobStep, Pipeline, RunStatus, StepStatus
from core.pipelines import graph
from infrastructure import database, pipeline_status_repository, status_repository
from infrastructure.database import Connection, Row
from infrastructure.pipeline_status_repository import JobCounts
from services import lineage
from services.orchestration import status
from services.orchestration.paging import cursor_after, job_key, one_of, row_key

JsonObject = dict[str, Any]
Show = Callable[[Thing], JsonObject]
"""How a thing that was published is shown: {kind, name, title, page, picture}."""

JOBS_OF_A_STEP = 20
THINGS_OF_A_STEP = 10
# Outputs of more are left out of the view of a run, which is read again every few seconds.
_OUTPUT_BYTES = 16 * 1024
_ANY_BYTES = 2**31 - 1

_SUCCEEDED = frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS})


@dataclass(frozen=True, slots=True)
class _Ended:
    """What is known of a job that has ended, for its lineage."""

    job_type: str
    parameters: JsonObject
    result: JsonObject | None


def run_links(run_id: str, name: str, base_url: str = "") -> JsonObject:
    """Where a run can be followed and steered. Relative to the host without a `base_url`."""
    run = f"{base_url}/api/pipelines/runs/{run_id}"
    return {
        "self": run,
        "cancel": f"{run}/cancel",
        "resume": f"{run}/resume",
        "pipeline": f"{base_url}/api/pipelines/{name}",
        "page": f"{base_url}/api/interface/pipelines/runs/{run_id}",
    }


def runs_page(
    *,
    name: str | None = None,
    status: str | None = None,
    awaiting_approval: bool = False,
    limit: int = 50,
    cursor: str | None = None,
    base_url: str = "",
) -> JsonObject:
    """A page of runs, newest first: {runs, next}.

    Raises `InvalidParameters` for a status that does not exist or a cursor that no page gave.
    """
    wanted = one_of(RunStatus, "status", status)
    after = None if cursor is None else job_key(cursor)
    with _snapshot() as connection:
        rows = pipeline_status_repository.runs(
            connection,
            limit=limit + 1,
            name=name,
            status=wanted,
            awaiting=awaiting_approval,
            after=after,
        )
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "runs": [
            {**row, "title": row["title"] or "", "links": _links(row, base_url)}
            for row in rows[:limit]
        ],
        "next": None
        if last is None
        else cursor_after(last["created_at"].isoformat(), last["run_id"]),
    }


def run_view(run_id: str, *, show: Show, base_url: str = "") -> JsonObject:
    """One run with its steps, the first jobs of each, and what they have published.

    Raises `NotFound` (unknown_run).
    """
    with _snapshot() as connection:
        return _run_view(connection, run_id, show, base_url)


def step_view(run_id: str, step_id: str, *, show: Show, base_url: str = "") -> JsonObject:
    """One step of a run, with all of its outputs. Raises `NotFound` (unknown_run, unknown_step)."""
    with _snapshot() as connection:
        run, step = _step(connection, run_id, step_id)
        return _whole_step_view(connection, run, step, show, base_url)


def jobs_page(
    run_id: str,
    step_id: str,
    *,
    show: Show,
    limit: int = 50,
    cursor: str | None = None,
    base_url: str = "",
) -> JsonObject:
    """A page of a step's jobs, in the order of its items: {jobs, next}.

    Raises `NotFound` (unknown_run, unknown_step), `InvalidParameters`.
    """
    after = None if cursor is None else row_key(cursor)
    with _snapshot() as connection:
        _step(connection, run_id, step_id)
        return _jobs_page(connection, run_id, step_id, show, limit, after, base_url)


def step_page(
    run_id: str, step_id: str, *, show: Show, limit: int = 50, cursor: str | None = None
) -> JsonObject:
    """One step as its page shows it: {run, step, jobs}. `run` is its head alone, `step`
    as in `step_view` and `jobs` as in `jobs_page`.

    Raises `NotFound` (unknown_run, unknown_step), `InvalidParameters`.
    """
    after = None if cursor is None else row_key(cursor)
    with _snapshot() as connection:
        run, step = _step(connection, run_id, step_id)
        return {
            "run": {
                "run_id": run_id,
                "name": run["name"],
                "title": run["document"].get("title") or "",
                "status": run["status"],
                "document": run["document"],
            },
            "step": _whole_step_view(connection, run, step, show),
            "jobs": _jobs_page(connection, run_id, step_id, show, limit, after),
        }


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """Several queries on one state of things: a run, its steps and its jobs fit together."""
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def _run_view(connection: Connection, run_id: str, show: Show, base_url: str) -> JsonObject:
    run = _find(connection, run_id)
    pipeline = Pipeline.model_validate(run["document"])
    steps = _step_views(connection, run, pipeline.steps, show, base_url)
    return {
        "run_id": run_id,
        "name": run["name"],
        "version": run["version"],
        "title": pipeline.title,
        "status": run["status"],
        "awaiting_approval": any(step["status"] == StepStatus.AWAITING_APPROVAL for step in steps),
        "inputs": without_secrets(run["inputs"]),
        "began_by": run["began_by"],
        "due_at": run["due_at"],
        "error": run["error"],
        "cancel_requested": run["cancel_requested"],
        "created_at": run["created_at"],
        "started_at": run["started_at"],
        "finished_at": run["finished_at"],
        "progress_pct": _run_progress(RunStatus(run["status"]), steps),
        "layers": graph.layers(graph.dependencies(pipeline)),
        "steps": steps,
        "document": run["document"],
        "links": _links(run, base_url),
    }


def _whole_step_view(
    connection: Connection, run: Row, step: JobStep | GateStep, show: Show, base_url: str = ""
) -> JsonObject:
    """The view of one step, with all of its outputs."""
    [view] = _step_views(
        connection, run, [step], show, base_url, step_id=step.id, most_bytes=_ANY_BYTES
    )
    return view


def _step_views(
    connection: Connection,
    run: Row,
    of: Iterable[JobStep | GateStep],
    show: Show,
    base_url: str,
    *,
    step_id: str | None = None,
    most_bytes: int = _OUTPUT_BYTES,
) -> list[JsonObject]:
    """Views of all steps of a run or of one, by the same few queries however many they are."""
    run_id = run["run_id"]
    rows = {
        row["step_id"]: row
        for row in pipeline_status_repository.steps(
            connection, run_id, step_id=step_id, most_bytes=most_bytes
        )
    }
    counts = pipeline_status_repository.job_counts(connection, run_id, step_id=step_id)
    jobs: dict[str, list[Row]] = defaultdict(list)
    for row in pipeline_status_repository.jobs(
        connection, run_id, limit=JOBS_OF_A_STEP, step_id=step_id
    ):
        jobs[row["step_id"]].append(row)
    active = [job_id for each in counts.values() for job_id in each.unfinished]
    progress = _progress(connection, [row for listed in jobs.values() for row in listed], active)
    return [
        _step_view(
            step,
            rows[step.id],
            counts.get(step.id, JobCounts()),
            jobs[step.id],
            progress,
            show,
            f"{base_url}/api/pipelines/runs/{run_id}/steps/{step.id}",
            base_url,
        )
        for step in of
    ]


def _step_view(
    step: JobStep | GateStep,
    row: Row,
    counts: JobCounts,
    jobs: list[Row],
    progress: Mapping[str, float],
    show: Show,
    at: str,
    base_url: str,
) -> JsonObject:
    is_gate = isinstance(step, GateStep)
    total = row["items_total"] if row["items_total"] is not None else counts.jobs
    published = _shown(jobs, show, THINGS_OF_A_STEP + 1)
    return {
        "id": step.id,
        "title": step.title,
        "kind": step.kind,
        "job_type": None if isinstance(step, GateStep) else step.job,
        "status": row["status"],
        "reason": row["reason"],
        "items_total": row["items_total"],
        "jobs_completed": counts.completed,
        "jobs_failed": counts.failed,
        "jobs_cancelled": counts.cancelled,
        "progress_pct": _step_progress(StepStatus(row["status"]), total, counts, progress),
        "jobs": [_job(each, progress, base_url) for each in jobs],
        "outputs": without_secrets(row["outputs"]),
        "outputs_left_out": row["outputs_left_out"],
        "error": row["error"],
        "decision": row["decision"],
        "deadline": row["deadline"],
        "message": step.message if isinstance(step, GateStep) else None,
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "published": published[:THINGS_OF_A_STEP],
        "published_more": len(published) > THINGS_OF_A_STEP or counts.jobs > len(jobs),
        "links": {
            "self": at,
            **({"approve": f"{at}/approve", "reject": f"{at}/reject"} if is_gate else {}),
            **({} if is_gate else {"jobs": f"{at}/jobs"}),
        },
    }


def _jobs_page(
    connection: Connection,
    run_id: str,
    step_id: str,
    show: Show,
    limit: int,
    after: int | None,
    base_url: str = "",
) -> JsonObject:
    rows = pipeline_status_repository.jobs(
        connection, run_id, limit=limit + 1, step_id=step_id, after=after
    )
    progress = _progress(connection, rows[:limit])
    return {
        "jobs": [
            {
                **_job(row, progress, base_url),
                "item": without_secrets(row["item"]),
                "error": row["error"],
                "published": _shown([row], show),
                "created_at": row["created_at"],
                "started_at": row["started_at"],
                "finished_at": row["finished_at"],
            }
            for row in rows[:limit]
        ],
        "next": cursor_after(rows[limit - 1]["item_index"]) if len(rows) > limit else None,
    }


def _job(row: Row, progress: Mapping[str, float], base_url: str) -> JsonObject:
    return {
        "item_index": row["item_index"],
        "attempt": row["attempt"],
        "job_id": row["job_id"],
        "job_type": row["job_type"],
        "status": row["status"],
        "progress_pct": progress[row["job_id"]],
        "links": status.links(row["job_id"], base_url),
    }


def _progress(
    connection: Connection, listed: Iterable[Row], active: Iterable[str] = ()
) -> dict[str, float]:
    """Percent of the jobs that are listed or active, from the counters of their stages."""
    done = {row["job_id"]: 100.0 for row in listed if row["status"] in _SUCCEEDED}
    others = {row["job_id"] for row in listed if row["job_id"] not in done} | set(active)
    if not others:
        return done
    states = status_repository.jobs(connection, limit=len(others), job_ids=list(others))
    return done | {state.job.job_id: progress_pct(state) for state in states}


def _step_progress(
    step: StepStatus, total: int, counts: JobCounts, progress: Mapping[str, float]
) -> float:
    """Percent of a step: of its jobs each weighs the same. 100 only for one that succeeded.

    A job that was cancelled counts for as far as it came, so that a cancel moves nothing.
    """
    if step.is_success:
        return 100.0
    if not total:
        return 0.0
    ended = counts.completed + counts.failed
    done = ended * 100 + math.fsum(progress.get(job_id, 0.0) for job_id in counts.unfinished)
    return min(99.9, math.floor(done / total * 10) / 10)


def _run_progress(run: RunStatus, steps: list[JsonObject]) -> float:
    """Percent of a run: each step weighs the same, one that is skipped is done."""
    if run in (RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS):
        return 100.0
    if not steps:
        return 0.0
    shares = (
        100.0 if step["status"] == StepStatus.SKIPPED else step["progress_pct"] for step in steps
    )
    return min(99.9, math.floor(math.fsum(shares) / len(steps) * 10) / 10)


def _shown(jobs: Iterable[Row], show: Show, most: int | None = None) -> list[JsonObject]:
    """What the jobs have published, each thing once: the first so many, or all of it."""
    things: dict[Thing, None] = {}
    for row in jobs:
        if most is not None and len(things) >= most:
            break
        if row["status"] in _SUCCEEDED:
            job = _Ended(row["job_type"], row["parameters"], row["result"])
            things.update(dict.fromkeys(lineage.of(job).published))
    return [show(thing) for thing in islice(things, most)]


def _find(connection: Connection, run_id: str) -> Row:
    run = pipeline_status_repository.run(connection, run_id) if is_job_id(run_id) else None
    if run is None:
        raise NotFound(f"There is no run {run_id!r}.", code="unknown_run", run_id=run_id)
    return run


def _step(connection: Connection, run_id: str, step_id: str) -> tuple[Row, JobStep | GateStep]:
    run = _find(connection, run_id)
    pipeline = Pipeline.model_validate(run["document"])
    try:
        return run, pipeline.step(step_id)
    except KeyError:
        known = [step.id for step in pipeline.steps]
        raise NotFound(
            f"The run has no step {step_id!r}. Its steps: {', '.join(known)}.",
            code="unknown_step",
            step_id=step_id,
            known_steps=known,
        ) from None


def _links(run: Row, base_url: str) -> JsonObject:
    return run_links(run["run_id"], run["name"], base_url)
