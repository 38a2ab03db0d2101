"""What a handler of curated datasets is given, without a job or a database around it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from core.models.curated import CuratedDataset
from services.curated.file_store import FileStore
from services.curated.handler import Run

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def carry_on(**_: Any) -> None:
    """A check, or progress, that lets everything go on."""


def dataset(**fields: Any) -> CuratedDataset:
    """A dataset as the registry gives it, with an id that no other one has."""
    return CuratedDataset.model_validate(
        {
            "dataset_id": f"lakes_{uuid.uuid4().hex[:8]}",
            "name": "Lakes",
            "handler": "lakes",
            "target_table_name": "curated_lakes",
            "revision": 1,
            "schedule_from": _MOMENT,
            "source_version": None,
            "rejected_version": None,
            "last_checked_at": None,
            "last_updated_at": None,
            "last_job_id": None,
            "created_at": _MOMENT,
            "updated_at": _MOMENT,
            **fields,
        }
    )


def run(of: CuratedDataset | None = None, *, check: Callable[[], None] = carry_on) -> Run:
    """A run of a dataset."""
    return Run(of or dataset(), "job1", check=check, progress=carry_on)


def store(this: Run, version: str, **options: Any) -> FileStore:
    """The files of a version, for that run."""
    options = {"check": this.check, "progress": this.progress, **options}
    return FileStore(this.dataset.dataset_id, version, this.job_id, **options)
