"""How a dataset stands when an update of it begins: what is published of it, held, or undone."""

from __future__ import annotations

from dataclasses import dataclass

from core.models.curated import CuratedDataset
from infrastructure import (
    curated_versions_repository,
    publishing_repository,
)
from infrastructure.curated_versions_repository import CuratedVersion
from infrastructure.database import Connection
from services.curated.handler import About
from services.publishing import attachments


@dataclass(frozen=True, slots=True)
class Standing:
    """The dataset, and what there is of it.

    `base_version` is the version of its table that is published (None: nothing is), and
    `table_is_there` whether someone has dropped that since. `current` is the version whose rows
    it holds, `newest` the last one that came from the source; `waiting` are those held that can
    still be published. `is_undone`: an operator has rolled back or discarded what was read by the
    definition as it is now, given that it is not published.
    """

    dataset: CuratedDataset
    base_version: int | None
    table_is_there: bool
    current: CuratedVersion | None
    newest: CuratedVersion | None
    waiting: tuple[CuratedVersion, ...]
    is_undone: bool

    def shown_to_handler(self, about: About) -> CuratedDataset:
        """The dataset with the version that an update can build on: none where its rows are gone,
        or nobody knows where they came from."""
        has_rows = self.base_version is not None and self.table_is_there
        if has_rows and not (builds_on_rows(about) and self.current is None):
            return self.dataset
        return self.dataset.model_copy(update={"source_version": None})

    def is_redefined(self, about: About) -> bool:
        """Whether what was read before was read by another definition.

        An increment is built on the rows that are current. Of anything else the newest version
        counts: a rollback to what was read by an earlier definition is not undone.
        """
        read_before = self.current if builds_on_rows(about) else self.newest
        return (
            read_before is not None
            and read_before.definition_digest != self.dataset.definition_digest
        )

    def is_outdated(self, about: About) -> bool:
        """Whether there are rows to which no changes can be added: another definition made them."""
        return (
            builds_on_rows(about)
            and self.is_redefined(about)
            and self.shown_to_handler(about).source_version is not None
        )

    def holds(self, source_version: str) -> bool:
        """Whether a version of the source waits for a person's word."""
        return any(version.source_version == source_version for version in self.waiting)


def of(connection: Connection, dataset: CuratedDataset) -> Standing:
    """How a dataset stands at this moment."""
    published = publishing_repository.table(connection, dataset.target)
    base_version = None if published is None else published.version
    newest = curated_versions_repository.newest_published(connection, dataset.dataset_id)
    return Standing(
        dataset=dataset,
        base_version=base_version,
        table_is_there=attachments.oid_of(connection, dataset.target) is not None,
        current=curated_versions_repository.current(connection, dataset.target),
        newest=newest,
        # One that was held against another version cannot be published any more.
        waiting=tuple(
            version
            for version in curated_versions_repository.held(connection, dataset.dataset_id)
            if (version.base_version, version.definition_digest)
            == (base_version, dataset.definition_digest)
        ),
        is_undone=_is_undone(connection, dataset, newest),
    )


def builds_on_rows(about: About) -> bool:
    """Whether updates bring what has changed, to be added to what there is."""
    return about.delivers == "increment"


def _is_undone(
    connection: Connection, dataset: CuratedDataset, newest: CuratedVersion | None
) -> bool:
    digest, rejected = dataset.definition_digest, dataset.rejected_version
    return (newest is not None and newest.definition_digest == digest) or (
        rejected is not None
        and curated_versions_repository.was_made(connection, dataset.dataset_id, rejected, digest)
    )
