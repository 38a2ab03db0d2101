"""curated_publish: publish a version that a gate stopped, by a person's word."""

from __future__ import annotations

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext
from core.models.curated import UpdateStatus
from infrastructure import (
    curated_repository,
    curated_updates_repository,
    curated_versions_repository,
    database,
    publishing_repository,
)
from infrastructure.curated_versions_repository import CuratedVersion
from services.curated import handlers, holding, publication, reviewing, updates
from services.curated.finalizing import published_result
from services.curated.parameters import CuratedPublish

STAGE = "publish"


def publish_held(context: TaskContext[CuratedPublish]) -> JsonObject:
    """Publish the version, whatever its gates said.

    Returns what an update returns. Raises `PermanentTaskError`: version_not_held, superseded
    where another version was published since, and what publishing raises; the published table
    is then as it was, and the version is still held.
    """
    parameters = context.parameters
    with database.transaction() as connection:
        log_id = updates.opened(connection, context)
        dataset = curated_repository.get(connection, parameters.dataset_id)
        version = curated_versions_repository.find(
            connection, parameters.dataset_id, parameters.version_id
        )
        entry = curated_updates_repository.of_job(connection, context.job_id)
    # An earlier attempt of this job may have published it; another job may have, too.
    is_done = entry is not None and entry["status"] == UpdateStatus.COMPLETED
    if version is None or version.state != ("published" if is_done else "held"):
        raise PermanentTaskError(
            f"{parameters.dataset_id} has no version {parameters.version_id} that is held.",
            code="version_not_held",
        )
    if not is_done:
        about = handlers.get(dataset.handler).describe(dataset)
        with database.transaction() as connection:
            publication.require_base(
                dataset, version, publishing_repository.table(connection, dataset.target)
            )
            publication.require_rows(
                connection, dataset, version, were_there=_was_compared(version)
            )
            # Anew: rows of the published table may have been edited since it was held.
            review = reviewing.review(connection, dataset, about, version, context.check)
        with database.transaction() as connection:
            version = publication.publish_version(
                connection,
                dataset,
                about,
                version,
                changes=review.changes,
                gates=review.gates,
                job_id=context.job_id,
                check=context.check,
            )
        holding.tidy(dataset, context.check)
    return {**published_result(dataset, version), "log_id": log_id}


def _was_compared(version: CuratedVersion) -> bool:
    return version.changes is not None and version.changes.get("by") is not None


def job_result(context: JobContext[CuratedPublish]) -> JsonObject:
    """The job's result, as that of an update."""
    return next(context.results(STAGE)).result
