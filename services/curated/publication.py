"""Make a staged version the published one: table, records, log, styles and the STAC Collection,
in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.errors import PermanentTaskError, TransientTaskError
from core.job_definition import JsonObject
from core.models.curated import CuratedDataset, UpdateStatus, UpdateStrategy
from core.models.vector_report import RecordCounts
from infrastructure import (
    curated_repository,
    curated_updates_repository,
    curated_versions_repository,
    publishing_repository,
    vector_report_repository,
)
from infrastructure.curated_updates_repository import Counts
from infrastructure.curated_versions_repository import CuratedVersion
from infrastructure.database import Connection
from infrastructure.publishing_repository import PublishedTable
from services.curated import cataloguing, handlers, indexes
from services.curated.handler import About
from services.curated.reviewing import removes_missing
from services.features.links import collection_id
from services.publishing import attachments, merging, publish
from services.publishing.locking import take_turn
from services.publishing.publish import Mode, Provenance, Published
from services.styles import seeding


def publish_version(
    connection: Connection,
    dataset: CuratedDataset,
    about: About,
    version: CuratedVersion,
    *,
    changes: Mapping[str, Any],
    gates: Sequence[Mapping[str, Any]],
    job_id: str,
    check: Callable[[], None],
) -> CuratedVersion:
    """Publish a version that is staged or held, and write down all that follows from it; the
    version as it is recorded then.

    An increment that changes nothing makes no version of the table: the published one is then
    what the source says by now, and those before it can still be brought back.

    `changes` and `gates` are those of its review, `job_id` the job whose entry in the log ends
    with this. Raises `PermanentTaskError`: superseded where the published table is no longer
    the one that the version was made for, and what `publish.publish` raises; `TransientTaskError`
    where the table is in use, or was changed since the review. Roll back then.
    """
    take_turn(connection, dataset.target, check)
    # As it is by now: it may have been renamed, or restricted, while the version was made.
    dataset = curated_repository.get(connection, dataset.dataset_id)
    staged = _staged_table(connection, version)
    before = publishing_repository.table(connection, dataset.target)
    require_base(dataset, version, before)
    require_rows(connection, dataset, version, were_there=changes["by"] is not None)
    if before is not None and _changes_nothing(dataset, version, before, changes):
        published = _as_it_is(before, changes)
    else:
        published = _publish(connection, dataset, about, version, staged, before, changes, check)
    _write_down(connection, dataset, version, published, changes, gates, job_id)
    seeding.seed(connection, collection_id(dataset.target), about.styles)
    cataloguing.keep(connection, curated_repository.get(connection, dataset.dataset_id))
    recorded = curated_versions_repository.find(connection, version.dataset_id, version.version_id)
    assert recorded is not None
    return recorded


def _changes_nothing(
    dataset: CuratedDataset,
    version: CuratedVersion,
    before: PublishedTable,
    changes: Mapping[str, Any],
) -> bool:
    """Whether the published table has all that an increment says, and no column of it is new."""
    return (
        dataset.update_strategy is UpdateStrategy.UPSERT
        and version.delivers == "increment"
        and not any(changes[name] for name in ("added", "updated", "deleted"))
        and "columns_added" not in merging.differences(before.shape, version.shape)
    )


def _as_it_is(before: PublishedTable, changes: Mapping[str, Any]) -> Published:
    """The published version, which stays."""
    return Published(
        version=before.version,
        change="none",
        rows=changes["rows"],
        added=0,
        updated=0,
        removed=0,
        unchanged=changes["unchanged"],
        bbox=changes["bbox"],
    )


def _publish(
    connection: Connection,
    dataset: CuratedDataset,
    about: About,
    version: CuratedVersion,
    staged: str,
    before: PublishedTable | None,
    changes: Mapping[str, Any],
    check: Callable[[], None],
) -> Published:
    """Make the staged rows a version of the table."""
    mode = _mode(dataset, version, before)
    published = publish.publish(
        connection,
        dataset.target,
        staged,
        version.shape,
        mode=mode,
        key_columns=version.key_columns,
        provenance=Provenance(
            # The job that made the rows, whoever publishes them: its report tells of them.
            job_id=version.job_id,
            source=f"{dataset.name}, {version.source_version}",
            title=dataset.name,
            description=dataset.description,
            attribution=dataset.attribution
            or handlers.get(dataset.handler).attribution(version.source_version),
        ),
        keep_versions=dataset.keep_versions,
        restricted=dataset.restricted,
        datetime_column=about.datetime_column,
        deletions=version.deletions,
        delete_missing=removes_missing(dataset, version),
        ignored=about.ignored,
        check=check,
    )
    if before is not None:
        if mode == "upsert":
            _hold_against(changes, published, before, version)
        after = publishing_repository.table(connection, dataset.target)
        assert after is not None
        indexes.ensure(connection, dataset.target, after.shape, about.indexed)
    return published


def _mode(dataset: CuratedDataset, version: CuratedVersion, before: PublishedTable | None) -> Mode:
    """How the rows get into the table: into its columns, or in its place where those cannot take
    them and the version is all that there is.

    Raises `PermanentTaskError` (columns_differ) for an increment that they cannot take.
    """
    if dataset.update_strategy is UpdateStrategy.FULL_REPLACE:
        return "replace"
    if before is None:
        return "upsert"
    try:
        merging.merged(dataset.target, before.shape, version.shape)
    except PermanentTaskError as error:
        if version.delivers == "snapshot":
            return "replace"
        raise PermanentTaskError(
            f"What has changed cannot be added to {dataset.target}, whose columns are of other "
            'types than an update brings by now. An update with force_update ("Read all of the '
            'source again") puts a whole table in its place.',
            code="columns_differ",
            table=str(dataset.target),
            column=error.details.get("column"),
        ) from error
    return "upsert"


def _staged_table(connection: Connection, version: CuratedVersion) -> str:
    """The version's staged table, which nobody discards from now on."""
    found = curated_versions_repository.find(
        connection, version.dataset_id, version.version_id, for_update=True
    )
    if found is None or found.staged is None:
        raise PermanentTaskError(
            f"{version.source_version} was published or discarded by now.", code="superseded"
        )
    return found.staged


def require_base(
    dataset: CuratedDataset, version: CuratedVersion, published: PublishedTable | None
) -> None:
    """Raise `PermanentTaskError` (superseded) where another version than the one that this one
    was made for is published now."""
    current = None if published is None else published.version
    if current != version.base_version:
        raise PermanentTaskError(
            f"{version.source_version} was prepared when {_at(version.base_version)}, and by now "
            f"{_at(current)}: another update or a rollback came between. Run the update again.",
            code="superseded",
            table=str(dataset.target),
            base_version=version.base_version,
            current_version=current,
        )


def require_rows(
    connection: Connection, dataset: CuratedDataset, version: CuratedVersion, *, were_there: bool
) -> None:
    """Raise `PermanentTaskError` (superseded) where the table that an increment was made for was
    dropped since: it would become all that there is."""
    is_there = attachments.oid_of(connection, dataset.target) is not None
    if version.delivers == "increment" and were_there and not is_there:
        raise PermanentTaskError(
            f"{version.source_version} is what has changed since rows of {dataset.target} were "
            "published, and by now someone has dropped them. Run the update again: it reads all "
            "of the source.",
            code="superseded",
            table=str(dataset.target),
        )


def _at(version: int | None) -> str:
    return "nothing was published" if version is None else f"version {version} was published"


def _hold_against(
    changes: Mapping[str, Any],
    published: Published,
    before: PublishedTable,
    version: CuratedVersion,
) -> None:
    """Raise `TransientTaskError` where an upsert did other things than the review said. With
    other types the two compare values in different ways."""
    said = [changes[name] for name in ("added", "updated", "deleted", "unchanged")]
    done = [published.added, published.updated, published.removed, published.unchanged]
    if said != done and before.shape == version.shape:
        raise TransientTaskError(
            "The published table was edited while the new version was held against it.",
            code="table_busy",
            expected=said,
            found=done,
        )


def _write_down(
    connection: Connection,
    dataset: CuratedDataset,
    version: CuratedVersion,
    published: Published,
    changes: Mapping[str, Any],
    gates: Sequence[Mapping[str, Any]],
    job_id: str,
) -> None:
    curated_versions_repository.publish(
        connection, version.version_id, published.version, changes, gates
    )
    curated_versions_repository.discard_others(connection, dataset.dataset_id, version.version_id)
    curated_repository.updated(connection, dataset.dataset_id, version.source_version)
    finish_report(connection, version, [_table_view(dataset, version, published, changes)])
    if not curated_updates_repository.finish(
        connection,
        job_id,
        UpdateStatus.COMPLETED,
        source_version=version.source_version,
        base_version=version.base_version,
        published_version=published.version if published.version != version.base_version else None,
        counts=Counts(
            added=changes["added"],
            updated=changes["updated"],
            deleted=changes["deleted"],
            unchanged=changes["unchanged"],
            total=published.rows,
            quarantined=version.quarantined,
        ),
        details={"changes": changes, "gates": list(gates)},
    ):
        raise PermanentTaskError(
            "The update was ended while it was being published, and is left unpublished.",
            code="update_ended",
        )


def finish_report(
    connection: Connection, version: CuratedVersion, tables: Sequence[JsonObject]
) -> None:
    """Close the quality report of the job that made the rows."""
    totals = vector_report_repository.totals(connection, version.job_id)
    counts = sum(totals.values(), RecordCounts())
    vector_report_repository.finish_report(connection, version.job_id, counts, tables)


def _table_view(
    dataset: CuratedDataset,
    version: CuratedVersion,
    published: Published,
    changes: Mapping[str, Any],
) -> JsonObject:
    return {
        "table": str(dataset.target),
        "loaded": version.loaded,
        "rows": published.rows,
        "added": changes["added"],
        "updated": changes["updated"],
        "unchanged": changes["unchanged"],
        "version": published.version,
        "bbox": published.bbox,
    }
