"""The other pages that a job has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.models.curated import JOB_TYPE
from services.curated.versions import PUBLISH_JOB
from services.vector import reports
from web_interfaces.pages.registry import ROOT


@dataclass(frozen=True, slots=True)
class Related:
    """A page beside the job's own. `name` is part of the link's id."""

    name: str
    title: str
    path: str


def pages(job: Mapping[str, Any]) -> list[Related]:
    """The run of the pipeline that the job is a step of, the dataset that it is about, and the
    quality report of what it read."""
    found = []
    if step := job["pipeline"]:
        path = f"{ROOT}/pipelines/runs/{step['run_id']}"
        found.append(Related("run", f"Run of {step['pipeline']}", path))
    if job["job_type"] in (JOB_TYPE, PUBLISH_JOB):
        path = f"{ROOT}/curated/{job['parameters']['dataset_id']}"
        found.append(Related("dataset", "Dataset", path))
    if reports.exists(job["job_id"]):
        found.append(Related("report", "Quality report", f"{ROOT}/vector/{job['job_id']}"))
    return found
