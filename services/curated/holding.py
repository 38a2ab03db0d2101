"""Versions that are not published: held for a person's word, or discarded."""

from __future__ import annotations

import logging
from collections.abc import Callable

from core.counting import counted
from core.errors import Unavailable
from core.models.curated import CuratedDataset
from infrastructure import (
    curated_repository,
    curated_updates_repository,
    curated_versions_repository,
    database,
    locks,
)
from infrastructure.database import Connection
from services.curated import file_store
from services.publishing import publish, staging

log = logging.getLogger(__name__)


def drop_discarded() -> list[str]:
    """Drop the staged tables that were set apart for versions which do not name them any more;
    their names. One that is read at this moment is left for the next time."""
    with database.transaction() as connection:
        # In this order: a table that is made meanwhile is not among the tables, or is named.
        tables = staging.set_apart_tables(connection)
        needed = curated_versions_repository.needed_tables(connection)
        return [
            name for name in tables if name not in needed and staging.drop_one(connection, name)
        ]


def sweep() -> None:
    """What the housekeeping timer does: discard what nobody will publish, drop its tables, and
    remove the fetched files that nobody needs."""
    with locks.singleton("curated_versions") as mine:
        if not mine:
            return
        with database.transaction() as connection:
            curated_versions_repository.discard_abandoned(connection)
        dropped = drop_discarded()
        if dropped:
            log.info("dropped %s of curated datasets", counted(len(dropped), "staged table"))
        try:
            for dataset_id in file_store.dataset_ids():
                _remove_files(dataset_id, _never)
        except Unavailable as failure:
            log.warning("files of curated datasets are left for next time: %s", failure.message)


def tidy(dataset: CuratedDataset, check: Callable[[], None]) -> None:
    """After a publication: drop the tables and remove the fetched files that it made
    superfluous."""
    drop_discarded()
    try:
        _remove_files(dataset.dataset_id, check)
    except Unavailable as failure:  # housekeeping finds the same files again
        log.warning("files of %s are left for next time: %s", dataset.dataset_id, failure.message)


def _remove_files(dataset_id: str, check: Callable[[], None]) -> None:
    """Remove the fetched files of all versions but those that are kept, held or on their way;
    all of them where the dataset was deleted.

    While an update is under way they are left alone: it may go on with any of them. None begins
    meanwhile, since it would change the dataset's row, which is locked, or make one.
    """
    with database.transaction() as connection:
        dataset = curated_repository.find(connection, dataset_id, for_update=True)
        if dataset is None:
            curated_repository.take_turn(connection)
            dataset = curated_repository.find(connection, dataset_id, for_update=True)
        if curated_updates_repository.under_way(connection, dataset_id) is not None:
            return
        if dataset is not None:
            keep = _needed_source_versions(connection, dataset)
            file_store.tidy(dataset_id, keep, check=check)
        # What was never a dataset is somebody else's.
        elif curated_updates_repository.has_attempts(connection, dataset_id):
            file_store.tidy(dataset_id, frozenset(), check=check)


def _needed_source_versions(connection: Connection, dataset: CuratedDataset) -> set[str]:
    restorable = publish.restorable(connection, dataset.target)
    keep = curated_versions_repository.source_versions(
        connection, dataset.target, sorted(restorable)
    )
    keep.update(
        version.source_version
        for version in curated_versions_repository.held(connection, dataset.dataset_id)
    )
    keep.update(curated_updates_repository.fetched_versions(connection, dataset.dataset_id))
    current = curated_versions_repository.current(connection, dataset.target)
    if current is not None:
        keep.add(current.source_version)
    return keep


def _never() -> None:
    """Nobody asks to stop."""
