"""Bring an earlier version of a dataset's table back, with the log and the registry."""

from __future__ import annotations

from dataclasses import asdict, replace

from core.job_definition import JsonObject
from core.models.curated import CuratedDataset, UpdateStatus, UpdateType
from infrastructure import (
    curated_repository,
    curated_updates_repository,
    curated_versions_repository,
    database,
)
from infrastructure import publishing_repository as records
from infrastructure.curated_updates_repository import UNKNOWN, Counts
from infrastructure.database import Connection
from infrastructure.publishing_repository import PublishedTable
from services.curated import cataloguing, comparing, handlers
from services.curated.comparing import Rows
from services.publishing import attachments, history, publish
from services.publishing.definitions import kept
from services.publishing.history import Way
from services.publishing.locking import take_turn
from services.publishing.publish import Published

_COUNTED = ("added", "updated", "deleted", "unchanged")


def restore(
    connection: Connection,
    dataset_id: str,
    to_version: int | None,
    *,
    actor: str,
    patience: float,
) -> JsonObject:
    """Roll the dataset's table back in the caller's transaction, and write down what follows.

    See `services.curated.versions.roll_back`, which calls it. Raises what `publish.rollback`
    raises.
    """
    dataset = curated_repository.get(connection, dataset_id)
    started = database.now(connection)
    take_turn(connection, dataset.target, _never, patience=patience)
    before = records.table(connection, dataset.target)
    way = None if before is None else _way(connection, dataset, before, to_version)
    foreseen = None
    if before is not None and way is not None:
        foreseen = _foreseen(connection, dataset, before, way)
    # What is kept stays kept, so that one can go further back, or forth again.
    done = publish.rollback(connection, dataset.target, to_version, actor=actor, patience=patience)
    dataset = curated_repository.get(connection, dataset_id, for_update=True)
    restored = curated_versions_repository.current(connection, dataset.target)
    source_version = None if restored is None else restored.source_version
    rejected = rejected_version(connection, dataset, source_version)
    curated_repository.updated(connection, dataset_id, source_version)
    curated_repository.set_rejected(connection, dataset_id, rejected)
    cataloguing.keep(connection, curated_repository.get(connection, dataset_id))
    restores = history.origin(records.versions(connection, dataset.target), done.version)
    counts = _undone(done) if foreseen is None else foreseen
    log_id = curated_updates_repository.record(
        connection,
        dataset_id,
        UpdateType.MANUAL,
        UpdateStatus.COMPLETED,
        action="rollback",
        actor=actor,
        source_version=source_version,
        base_version=None if before is None else before.version,
        published_version=done.version,
        counts=replace(counts, total=done.rows),
        details={"restores": restores, "rejected_version": rejected},
        started_at=started,
    )
    return {
        "dataset_id": dataset_id,
        "version": done.version,
        "restores": restores,
        "source_version": source_version,
        "rejected_version": rejected,
        "rows": done.rows,
        "bbox": done.bbox,
        "changes": {name: value for name, value in asdict(counts).items() if name in _COUNTED},
        "log_id": log_id,
    }


def _way(
    connection: Connection, dataset: CuratedDataset, current: PublishedTable, to_version: int | None
) -> Way | None:
    """The way that the rollback will go; None where it will find that there is none."""
    if attachments.oid_of(connection, dataset.target) is None:  # It was dropped by someone.
        return None
    versions = records.versions(connection, dataset.target)
    wanted = to_version or history.origin(versions, current.version) - 1
    return history.way_back(versions, current.version, wanted)


def _foreseen(
    connection: Connection, dataset: CuratedDataset, current: PublishedTable, way: Way
) -> Counts | None:
    """What going back to a table that is kept whole changes; None where the rollback itself
    counts, since it changes the current one in place. This takes a while, and keeps nobody
    waiting."""
    if way.base == current.version:
        return None
    if way.undos:  # The rows to come are nowhere yet.
        return UNKNOWN
    versions = records.versions(connection, dataset.target)
    base = next(version for version in versions if version.version == way.base)
    assert base.kept_as is not None
    handler = handlers.find(dataset.handler)
    difference = comparing.compare(
        connection,
        Rows(dataset.target, current.shape, current.key_columns),
        Rows(kept(base.kept_as), base.shape, base.key_columns),
        ignored=() if handler is None else handler.describe(dataset).ignored,
        check=_never,
    )
    return Counts(**difference.counts)


def _undone(done: Published) -> Counts:
    """What undoing in place changed."""
    return Counts(
        added=done.added,
        updated=done.updated,
        deleted=done.removed,
        unchanged=done.rows - done.added - done.updated,
    )


def rejected_version(
    connection: Connection, dataset: CuratedDataset, source_version: str | None
) -> str | None:
    """The version of the source that is not to be fetched again by itself when `source_version`
    is published after what `dataset` says: the newest one that is known.

    That is the rejected one as long as there is one, for nothing newer was published since, and
    else the published one. Where the dataset was deleted and is registered again, its versions
    tell.
    """
    newest = dataset.rejected_version or dataset.source_version
    if newest is None:
        last = curated_versions_repository.newest_published(connection, dataset.dataset_id)
        newest = None if last is None else last.source_version
    return None if newest == source_version else newest


def _never() -> None:
    """Nobody asks to stop."""
