"""The versions of a dataset: shown, brought back, approved, discarded."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from core.errors import Conflict, PermanentTaskError, TransientTaskError, Unavailable
from core.job_definition import JsonObject
from core.models.curated import UpdateType
from infrastructure import (
    curated_repository,
    curated_updates_repository,
    curated_versions_repository,
    database,
)
from infrastructure import publishing_repository as records
from infrastructure.curated_versions_repository import CuratedVersion
from infrastructure.database import Connection, Row
from services.curated import handlers, holding, restoring, updates
from services.orchestration import submission
from services.orchestration.paging import cursor_after, row_key
from services.orchestration.submission import Submission
from services.publishing import publish
from services.publishing.locking import take_turn
from services.vector import reports

PUBLISH_JOB = "curated_publish"

# Somebody waits for the answer.
_PATIENCE_SECONDS = 10.0


def versions_page(
    dataset_id: str, *, limit: int = 100, cursor: str | None = None, base_url: str = ""
) -> JsonObject:
    """A page of the versions that a dataset's table had, newest first, and what is held.

    Returns {dataset_id, current, held, versions, next}. Raises `NotFound` (dataset_not_found),
    and `InvalidParameters` for a cursor that is none.
    """
    before = None if cursor is None else row_key(cursor)
    with database.transaction() as connection:
        dataset = curated_repository.get(connection, dataset_id)
        current = records.table(connection, dataset.target)
        restorable = publish.restorable(connection, dataset.target)
        rows = curated_versions_repository.page(
            connection, dataset.target, limit=limit + 1, before=before
        )
        held = curated_versions_repository.held(connection, dataset_id)
    number = None if current is None else current.version
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "dataset_id": dataset_id,
        "current": number,
        "held": [_held_view(version, number, base_url) for version in held],
        "versions": [_published_view(row, number, restorable, base_url) for row in rows[:limit]],
        "next": last and cursor_after(last["version"]),
    }


def roll_back(
    dataset_id: str,
    to_version: int | None = None,
    *,
    actor: str,
    patience: float = _PATIENCE_SECONDS,
) -> JsonObject:
    """Make an earlier version of a dataset's table current again, as a new version.

    Without `to_version` it is the one before the version whose rows are current. The newest
    version of the source is not published by itself again: only one that comes after it, or a
    forced update. An update that is under way is refused at its end, as superseded.

    Returns {dataset_id, version, restores, source_version, rejected_version, rows, bbox,
    changes, log_id}. Raises `NotFound` (dataset_not_found, unknown_table, unknown_version),
    `Conflict` where there is nothing to bring back or something that hangs on the table stands
    against it, and `Unavailable` (table_busy).
    """
    try:
        with database.transaction() as connection:
            return restoring.restore(
                connection, dataset_id, to_version, actor=actor, patience=patience
            )
    except PermanentTaskError as error:
        raise Conflict(error.message, code=error.error_code, **error.details) from error
    except TransientTaskError as error:
        raise Unavailable(error.message, code=error.error_code, **error.details) from error


def submit_held(
    dataset_id: str, version_id: int | None = None, *, actor: str | None = None
) -> Submission:
    """Begin to publish a version that a gate stopped, the newest one unless it is named; the
    caller starts the job's orchestration.

    Raises `NotFound` (dataset_not_found), and `Conflict` (version_not_held, handler_missing,
    superseded, and update_under_way naming the job).
    """
    with database.transaction() as connection:
        dataset = curated_repository.get(connection, dataset_id, for_update=True)
        version = _held(connection, dataset_id, version_id)
        handlers.get(dataset.handler)
        current = records.table(connection, dataset.target)
        if _is_superseded(version, None if current is None else current.version):
            raise Conflict(
                f"{version.source_version} was held against another version of {dataset.target} "
                "than the one that is published now. Discard it, and run the update again.",
                code="superseded",
                version_id=version.version_id,
            )
        job = submission.submit_in(
            connection,
            PUBLISH_JOB,
            {
                "dataset_id": dataset_id,
                "version_id": version.version_id,
                "request_id": uuid.uuid4().hex,
            },
        )
        updates.logged(connection, dataset, job, UpdateType.MANUAL, action="publish", actor=actor)
    submission.announce(job)
    return job


def discard(dataset_id: str, version_id: int, *, patience: float = _PATIENCE_SECONDS) -> JsonObject:
    """Drop a version that a gate stopped. That version of the source is not published by itself
    again, unless the table has changed since it was held: then it would be another one. Of days
    that were read again nothing but their rows is dropped.

    Returns {dataset_id, version_id, source_version, state}. Raises `NotFound`
    (dataset_not_found), `Conflict` (version_not_held, and update_under_way where it is being
    published), and `Unavailable` (table_busy) where the table is, for longer than `patience`.
    """
    try:
        with database.transaction() as connection:
            version = _discard(connection, dataset_id, version_id, patience)
    except TransientTaskError as error:
        raise Unavailable(error.message, code=error.error_code, **error.details) from error
    holding.drop_discarded()
    return {
        "dataset_id": dataset_id,
        "version_id": version.version_id,
        "source_version": version.source_version,
        "state": "discarded",
    }


def _discard(
    connection: Connection, dataset_id: str, version_id: int, patience: float
) -> CuratedVersion:
    target = curated_repository.get(connection, dataset_id).target
    # First of all: whoever publishes locks versions, and then the dataset.
    take_turn(connection, target, _never, patience=patience)
    dataset = curated_repository.get(connection, dataset_id, for_update=True)
    version = _held(connection, dataset_id, version_id)
    current = records.table(connection, dataset.target)
    under_way = curated_updates_repository.under_way(connection, dataset_id)
    if under_way is not None and under_way["action"] == "publish":
        raise Conflict(
            f"{dataset_id} is being published, by job {under_way['job_id']}.",
            code="update_under_way",
            job_id=under_way["job_id"],
        )
    curated_versions_repository.discard(connection, version.version_id)
    # Days that were read again bear the version that is published.
    is_backfill = (
        version.delivers == "increment" and version.source_version == dataset.source_version
    )
    if not is_backfill and not _is_superseded(
        version, None if current is None else current.version
    ):
        curated_repository.set_rejected(connection, dataset_id, version.source_version)
    return version


def _never() -> None:
    """Nobody asks to stop."""


def _held(connection: Connection, dataset_id: str, version_id: int | None) -> CuratedVersion:
    """The version that is held. Raises `Conflict` (version_not_held) naming those that are."""
    held = curated_versions_repository.held(connection, dataset_id)
    for version in held:
        if version_id in (None, version.version_id):
            return version
    named = ", ".join(f"{version.version_id} ({version.source_version})" for version in held)
    which = "no version" if version_id is None else f"no version {version_id}"
    raise Conflict(
        f"{dataset_id} has {which} that is held. "
        + (f"These are: {named}." if held else "Nothing is held."),
        code="version_not_held",
        held=[version.version_id for version in held],
    )


def _is_superseded(version: CuratedVersion, current: int | None) -> bool:
    """Whether another version of the table is published than the one it was held against."""
    return version.base_version != current


def _held_view(version: CuratedVersion, current: int | None, base_url: str) -> JsonObject:
    return {
        "version_id": version.version_id,
        "source_version": version.source_version,
        "base_version": version.base_version,
        "delivers": version.delivers,
        "superseded": _is_superseded(version, current),
        "rows": version.rows,
        "bbox": version.bbox,
        "read": version.read,
        "loaded": version.loaded,
        "quarantined": version.quarantined,
        "changes": version.changes,
        "gates": list(version.gates),
        "licence": version.licence,
        "files": list(version.files),
        "job_id": version.job_id,
        "log_id": version.log_id,
        "report": reports.links(version.job_id, base_url)["self"],
        "created_at": version.created_at,
    }


def _published_view(
    row: Row, current: int | None, restorable: Collection[int], base_url: str
) -> JsonObject:
    """A version of the table; what is not known of one that came another way is null."""
    is_known = row["version_id"] is not None
    return {
        "version": row["version"],
        "version_id": row["version_id"],
        "source_version": row["source_version"],
        "current": row["version"] == current,
        "restorable": row["version"] in restorable,
        "change": row["change"],
        "restores": row["restores"],
        "delivers": row["delivers"],
        "rows": row["row_count"],
        "bbox": row["bbox"],
        "read": row["records_read"],
        "loaded": row["records_loaded"],
        "quarantined": row["records_quarantined"],
        # Of a rollback the log has them.
        "changes": row["changes"] if row["restores"] is None else None,
        "gates": row["gates"],
        "licence": row["licence"],
        "files": row["files"],
        "actor": row["details"].get("actor"),
        "job_id": row["job_id"],
        "log_id": row["log_id"],
        "report": reports.links(row["job_id"], base_url)["self"] if is_known else None,
        "published_at": row["published_at"],
        "retired_at": row["retired_at"],
    }
