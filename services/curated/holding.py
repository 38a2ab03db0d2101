"""Versions that are not published: held for a person's word, or discarded."""

from __future__ import annotations

import logging
from collections.abc import Callable

from core.counting import counted
from core.errors import Unavailable
from core.models.curated import CuratedDataset
from infrastructure import curated_versions_repository, database, locks
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
    """What the housekeeping timer does: discard what nobody will publish, and drop its tables."""
    with locks.singleton("curated_versions") as mine:
        if not mine:
            return
        with database.transaction() as connection:
            curated_versions_repository.discard_abandoned(connection)
        dropped = drop_discarded()
    if dropped:
        log.info("dropped %s of curated datasets", counted(len(dropped), "staged table"))


def tidy(dataset: CuratedDataset, check: Callable[[], None]) -> None:
    """After a publication: drop the tables that it made superfluous, and the fetched files of
    all versions but those that are kept or held."""
    drop_discarded()
    with database.transaction() as connection:
        keep = _kept_source_versions(connection, dataset)
    try:
        file_store.tidy(dataset.dataset_id, keep, check=check)
    except Unavailable as failure:  # the next update finds the same files again
        log.warning("files of %s are left for next time: %s", dataset.dataset_id, failure.message)


def _kept_source_versions(connection: Connection, dataset: CuratedDataset) -> set[str]:
    restorable = publish.restorable(connection, dataset.target)
    keep = curated_versions_repository.source_versions(
        connection, dataset.target, sorted(restorable)
    )
    keep.update(
        version.source_version
        for version in curated_versions_repository.held(connection, dataset.dataset_id)
    )
    current = curated_versions_repository.current(connection, dataset.target)
    if current is not None:
        keep.add(current.source_version)
    return keep
