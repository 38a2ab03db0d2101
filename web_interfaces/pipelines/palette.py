"""What the builder offers as steps: the job types in groups by what they do, and approvals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.job_definition import JobDefinition

# The first word that a name holds decides; what is new and named otherwise is offered all the same.
_GROUPS: dict[str, tuple[str, ...]] = {
    "Keep data current": ("curated",),
    "Count and summarise": ("h3",),
    "Load and publish": ("vector", "raster", "ingest", "fathom", "process"),
}
_OTHER = "Try and other"


@dataclass(frozen=True, slots=True)
class Group:
    """Job types under a title."""

    title: str
    job_types: tuple[JobDefinition[Any], ...]


def groups(job_types: Iterable[JobDefinition[Any]]) -> list[Group]:
    """The job types in groups, in the order in which a pipeline uses them."""
    found: dict[str, list[JobDefinition[Any]]] = {}
    for each in job_types:
        found.setdefault(_group_of(each.name), []).append(each)
    order = ["Load and publish", "Count and summarise", "Keep data current", _OTHER]
    return [Group(title, tuple(found[title])) for title in order if title in found]


def _group_of(name: str) -> str:
    words = set(name.split("_"))
    return next((title for title, known in _GROUPS.items() if words & set(known)), _OTHER)
