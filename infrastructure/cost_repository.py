"""What jobs have taken of machine and storage: app.job_cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from core.models.cost import Cost
from infrastructure import queries
from infrastructure.database import Connection

_SQL = queries.load("job_cost")

END_OF_JOB = -1
"""In the place of a stage: what a job takes after its last one."""


def add(connection: Connection, job_id: str, stage: int, cost: Cost) -> None:
    """Add to what a stage has taken. Where others may do so too, they wait for this transaction's
    end: under the stage's lock they do in any case."""
    if cost != Cost():
        connection.execute(_SQL["add"], {"job_id": job_id, "stage": stage, **asdict(cost)})


def of_jobs(connection: Connection, job_ids: Sequence[str]) -> dict[str, Cost]:
    """What each of the jobs has taken until now; nothing, of one that has not run yet."""
    rows = connection.execute(_SQL["of_jobs"], {"job_ids": list(job_ids)})
    found = {row.pop("job_id"): Cost(**row) for row in rows}
    return {job_id: found.get(job_id, Cost()) for job_id in job_ids}
