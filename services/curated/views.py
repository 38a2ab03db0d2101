"""Curated datasets as the API and the pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.models.curated import CuratedDataset
from infrastructure import curated_overview, database, status_repository
from infrastructure import curated_updates_repository as updates_log
from infrastructure.database import Connection, Row
from services.curated import credentials, handlers, readiness, updates
from services.features.links import Addresses, collection_id
from services.orchestration import status
from services.orchestration.submission import Submission

JsonObject = dict[str, Any]


class State(StrEnum):
    """How a dataset is, in a word. The first of these that fits it counts."""

    UPDATING = "updating"  # an update is under way
    HELD = "held"  # a gate stopped its newest version, which waits for a person's word
    FAILED = "failed"  # the last attempt failed
    DISABLED = "disabled"  # the scheduler leaves it alone
    NEVER_UPDATED = "never_updated"  # nothing is published yet
    CURRENT = "current"


def etag(dataset: CuratedDataset) -> str:
    """The entity tag of a dataset's definition.

    It holds when the dataset was registered, so that one of the same id has others.
    """
    born = int(dataset.created_at.timestamp() * 1_000_000)
    return f'"{dataset.revision}-{born:x}"'


def links(dataset: CuratedDataset, base_url: str = "", *, published: bool) -> JsonObject:
    """Where a dataset is found; of what is published, null as long as nothing is."""
    at = f"{base_url}/api/curated/datasets/{dataset.dataset_id}"
    collection = collection_id(dataset.target)
    of_the_table = {
        "table": f"{base_url}/api/vector/tables/{dataset.target}",
        "features": Addresses(base_url).items(dataset.target),
        "tiles": f"{base_url}/api/tiles/{collection}/tilejson.json",
        "style": f"{base_url}/api/styles/{collection}",
    }
    return {
        "self": at,
        "history": f"{at}/history",
        "versions": f"{at}/versions",
        "page": f"{base_url}/api/interface/curated/{dataset.dataset_id}",
        **{name: address if published else None for name, address in of_the_table.items()},
    }


def dataset_view(connection: Connection, dataset: CuratedDataset, base_url: str = "") -> JsonObject:
    """One dataset: its definition, how it is, and what is published of it."""
    return dataset_views(connection, [dataset], base_url)[0]


def dataset_views(
    connection: Connection, datasets: Sequence[CuratedDataset], base_url: str = ""
) -> list[JsonObject]:
    """Views of several datasets, by the same few queries however many they are."""
    ids = [dataset.dataset_id for dataset in datasets]
    situations = curated_overview.situations(connection, ids)
    attempts = curated_overview.last_attempts(connection, ids)
    running = _running_jobs(connection, attempts, base_url)
    return [
        _view(
            dataset,
            situations[dataset.dataset_id],
            attempts.get(dataset.dataset_id),
            running.get(dataset.dataset_id),
            base_url,
        )
        for dataset in datasets
    ]


def begun_view(job: Submission, base_url: str = "") -> JsonObject:
    """The job that an update was begun with, its entry of the log, and where to follow it."""
    with database.transaction() as connection:
        entry = updates_log.of_job(connection, job.job_id)
    return {
        "job_id": job.job_id,
        "job_type": job.job_type,
        "status": job.status,
        "created": job.created,
        "log_id": None if entry is None else entry["log_id"],
        "links": status.links(job.job_id, base_url),
    }


def state_of(dataset: CuratedDataset, situation: Row, attempt: Row | None) -> State:
    """How a dataset is; a manual one is not disabled, since nobody updates it by a schedule."""
    if attempt is not None and attempt["completed_at"] is None:
        return State.UPDATING
    if situation["held_version_id"] is not None:
        return State.HELD
    if situation["ended_status"] == "failed":
        return State.FAILED
    if not dataset.enabled and dataset.schedule is not None:
        return State.DISABLED
    return State.NEVER_UPDATED if situation["version"] is None else State.CURRENT


def _running_jobs(
    connection: Connection, attempts: dict[str, Row], base_url: str
) -> dict[str, JsonObject]:
    """By dataset the job that updates it now, with its progress."""
    under_way = {
        attempt["job_id"]: dataset_id
        for dataset_id, attempt in attempts.items()
        if attempt["completed_at"] is None
    }
    if not under_way:
        return {}
    states = status_repository.jobs(connection, limit=len(under_way), job_ids=list(under_way))
    wanted = (
        "job_id",
        "job_type",
        "status",
        "stage",
        "total_stages",
        "stages",
        "progress_pct",
        "created_at",
        "links",
    )
    return {
        under_way[view["job_id"]]: {name: view[name] for name in wanted}
        for view in status.job_views(connection, states, base_url)
    }


def _view(
    dataset: CuratedDataset,
    situation: Row,
    attempt: Row | None,
    running_job: JsonObject | None,
    base_url: str,
) -> JsonObject:
    state = state_of(dataset, situation, attempt)
    names = readiness.credential_names(dataset)
    handler = handlers.find(dataset.handler)
    return {
        **dataset.model_dump(),
        "etag": etag(dataset),
        "state": state,
        "reason": _reason(state, dataset, situation),
        "handler_known": handler is not None,
        "options": [] if handler is None else sorted(handler.options),
        "credentials": {"names": list(names), "missing": list(credentials.missing(names))},
        "next_run": _next_run(dataset, situation["read_at"]),
        "version": situation["version"],
        "rows": situation["row_count"],
        "bbox": situation["bbox"],
        "published_at": situation["published_at"],
        "age_seconds": _age(situation),
        "held": _held(situation),
        "last_update": None if attempt is None else updates.log_view(attempt, base_url),
        "running_job": running_job,
        "links": links(dataset, base_url, published=situation["version"] is not None),
    }


def _reason(state: State, dataset: CuratedDataset, situation: Row) -> str | None:
    """Why a dataset is not as one would wish."""
    if state is State.HELD:
        failed = [each["message"] for each in situation["held_gates"] if not each["passed"]]
        return " ".join(failed) or "A version waits for approval."
    if state is State.FAILED:
        return str(situation["ended_error"] or "The last attempt failed.")
    if state is State.UPDATING:
        return None
    if (obstacle := readiness.obstacle(dataset)) is not None:
        return obstacle
    if dataset.rejected_version is not None and state in (State.NEVER_UPDATED, State.CURRENT):
        return (
            f"Version {dataset.rejected_version} of the source was rolled back or discarded: it is "
            "not fetched again by itself."
        )
    if dataset.enabled and dataset.schedule is None:
        return "It is enabled, but a manual dataset has no schedule: it is updated by hand only."
    return None


def _next_run(dataset: CuratedDataset, now: datetime) -> datetime | None:
    schedule = dataset.schedule
    return schedule.next_after(now) if dataset.enabled and schedule is not None else None


def _age(situation: Row) -> float | None:
    if situation["published_at"] is None:
        return None
    age = situation["read_at"] - situation["published_at"]
    return max(0.0, round(float(age.total_seconds()), 3))


def _held(situation: Row) -> JsonObject | None:
    if situation["held_version_id"] is None:
        return None
    return {
        "version_id": situation["held_version_id"],
        "source_version": situation["held_source_version"],
        "gates": situation["held_gates"],
    }
