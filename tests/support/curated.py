"""Curated datasets as tests register them, with a job type that keeps the log as theirs does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from core.job_definition import JobDefinition, Stage, TaskContext, plan_one_task
from core.models.curated import CuratedDataset, CuratedDefinition
from core.registry import registry
from infrastructure import curated_repository
from infrastructure.database import Connection
from services.curated import scheduling, updates
from services.curated.parameters import CuratedUpdate
from tests.support.settings import app_settings

JOB_TYPE = "test_curated_update"


@dataclass(frozen=True)
class Context:
    """What a task knows of its job."""

    job_id: str
    parameters: Any


def do_nothing(context: TaskContext[CuratedUpdate]) -> None:
    """A handler whose work is done."""


# One stage, and the parameters of curated_update.
JOB = JobDefinition(
    name=JOB_TYPE,
    description="An update of a test.",
    parameters=CuratedUpdate,
    stages=(Stage("work", planner=plan_one_task, handler=do_nothing),),
    on_end=updates.ended,
    on_resume=updates.resumed,
)


def register_job_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register `JOB` for one test."""
    monkeypatch.setattr(registry, "_definitions", dict(registry._definitions))
    registry.register(JOB)


def run_due_elsewhere(database_url: str, now: datetime, ready: Any, results: Any) -> None:
    """The scheduler of another host: a process that waits for the others, then looks once."""
    registry.register(JOB)
    with app_settings(DATABASE_URL=database_url):
        ready.wait(60)
        results.put([job.job_id for job in scheduling.run_due(now)])


def forget_datasets(connection: Connection) -> None:
    """Empty the registry, seeds and log and all."""
    connection.execute(
        "TRUNCATE app.curated_datasets, app.curated_update_log, app.curated_versions"
    )


def add_dataset(
    connection: Connection,
    dataset_id: str = "lakes",
    *,
    schedule_from: datetime | None = None,
    handler: str = "vector_file",
    **fields: Any,
) -> CuratedDataset:
    """Register a dataset, enabled unless `fields` say otherwise."""
    definition = CuratedDefinition(
        **{
            "dataset_id": dataset_id,
            "name": dataset_id.capitalize(),
            "source_url": "https://data.example.org/lakes.gpkg",
            "job_type": JOB_TYPE,
            "target_table_name": f"curated_{dataset_id}",
            "enabled": True,
            **fields,
        }
    )
    assert curated_repository.insert(connection, definition, handler) is not None
    if schedule_from is not None:
        connection.execute(
            "UPDATE app.curated_datasets SET schedule_from = %s WHERE dataset_id = %s",
            (schedule_from, dataset_id),
        )
    return curated_repository.get(connection, dataset_id)
