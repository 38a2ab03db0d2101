"""The registry of curated datasets: what the API and the page do with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.errors import (
    Conflict,
    PermanentTaskError,
    PreconditionFailed,
    TransientTaskError,
    Unavailable,
)
from core.models.curated import CuratedDataset, CuratedDefinition
from infrastructure import curated_repository as datasets
from infrastructure import curated_updates_repository as updates_log
from infrastructure import database, locks, publishing_repository, styles_repository
from infrastructure.database import Connection
from services.curated import (
    cataloguing,
    file_store,
    handlers,
    holding,
    readiness,
    restoring,
    views,
)
from services.curated.declaring import declared
from services.features.links import collection_id
from services.orchestration.paging import cursor_after, dataset_key
from services.publishing import removal

log = logging.getLogger(__name__)

JsonObject = dict[str, Any]

# What an update reads at several stages: it stays as it is while one is under way.
_READ_BY_UPDATES = (
    "source_type",
    "source_url",
    "source_config",
    "handler",
    "job_type",
    "update_strategy",
    "credential_key",
    "target_schema",
    "target_table_name",
)

# What people are told of a table, and who may see it. It counts at once.
_TOLD_OF_THE_TABLE = ("name", "description", "attribution", "restricted")

# How long a request waits for those who publish a table.
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.25


def page(
    *,
    enabled_only: bool = False,
    limit: int = 100,
    cursor: str | None = None,
    base_url: str = "",
) -> JsonObject:
    """A page of the registry by id: {datasets, next}. Raises `InvalidParameters`."""
    after = None if cursor is None else dataset_key(cursor)
    with _snapshot() as connection:
        found = datasets.all_datasets(
            connection, enabled_only=enabled_only, limit=limit + 1, after=after
        )
        return {
            "datasets": views.dataset_views(connection, found[:limit], base_url),
            "next": cursor_after(found[limit - 1].dataset_id) if len(found) > limit else None,
        }


def view(dataset_id: str, *, base_url: str = "") -> JsonObject:
    """One dataset. Raises `NotFound`."""
    with _snapshot() as connection:
        return views.dataset_view(connection, datasets.get(connection, dataset_id), base_url)


def create(body: Mapping[str, Any], *, base_url: str = "") -> JsonObject:
    """Register a dataset; its view.

    Where a dataset of this id was deleted and its table kept, the table is its own again, and
    people are told of it what the definition says; what was rolled back is not published again
    by itself. Raises `InvalidParameters`, `Conflict` where the id (dataset_exists) or the table
    (table_taken) belongs to something else, or an enabled one could not be updated, and
    `Unavailable` (table_busy) where such a table is being rolled back or published.
    """
    return _patiently(lambda: _create(body, base_url))


def _create(body: Mapping[str, Any], base_url: str) -> JsonObject:
    definition = declared(body)
    handler = handlers.resolve(definition.dataset_id, definition.handler)
    with database.transaction() as connection:
        datasets.take_turn(connection)  # So that no two datasets claim one table.
        if datasets.find(connection, definition.dataset_id) is not None:
            raise _exists(definition.dataset_id)
        former = _claim(connection, definition)
        dataset = datasets.insert(connection, definition, handler)
        if dataset is None:
            raise _exists(definition.dataset_id)
        _check(dataset)
        if former is not None:
            dataset = _adopt(connection, dataset, former)
            _tell(connection, dataset)
        return views.dataset_view(connection, dataset, base_url)


def replace(
    dataset_id: str,
    body: Mapping[str, Any],
    *,
    if_match: Collection[str] | None = None,
    base_url: str = "",
) -> JsonObject:
    """Put another definition in the place of a dataset's; its view.

    Raises `NotFound`, `InvalidParameters`, `PreconditionFailed` where its entity tag is none of
    `if_match`, `Conflict` where its table cannot be another one (table_is_published,
    table_taken), or an update under way still reads what is to change (update_under_way), and
    `Unavailable` (table_busy) where what people are told of the table is to change while it is
    being published.
    """
    return _patiently(lambda: _replace(dataset_id, body, if_match, base_url))


def _replace(
    dataset_id: str, body: Mapping[str, Any], if_match: Collection[str] | None, base_url: str
) -> JsonObject:
    with database.transaction() as connection:
        datasets.take_turn(connection)  # So that no two datasets claim one table.
        current = datasets.get(connection, dataset_id, for_update=True)
        _require_match(current, if_match)
        definition = declared(body, dataset_id=dataset_id, kept_handler=current.handler)
        handler = handlers.resolve(dataset_id, definition.handler)
        former = None
        if definition.target != current.target:
            _refuse_rename(connection, current)
            former = _claim(connection, definition)
        dataset = datasets.replace(connection, definition, handler)
        changed = [
            name
            for name in CuratedDefinition.model_fields
            if getattr(dataset, name) != getattr(current, name)
        ]
        if read := [name for name in _READ_BY_UPDATES if name in changed]:
            _refuse_under_way(connection, dataset_id, f"{', '.join(read)} cannot change now")
        _check(dataset)
        if former is not None:
            dataset = _adopt(connection, dataset, former)
        if former is not None or any(name in _TOLD_OF_THE_TABLE for name in changed):
            _tell(connection, dataset)
        return views.dataset_view(connection, dataset, base_url)


def enable(
    dataset_id: str, *, if_match: Collection[str] | None = None, base_url: str = ""
) -> JsonObject:
    """Let the scheduler update a dataset from now on; its view. A manual one is updated by hand
    all the same.

    Raises `NotFound`, `PreconditionFailed`, and `Conflict` (handler_missing,
    credentials_missing) where it could not be updated.
    """
    return _set_enabled(dataset_id, True, if_match, base_url)


def disable(
    dataset_id: str, *, if_match: Collection[str] | None = None, base_url: str = ""
) -> JsonObject:
    """Let the scheduler leave a dataset alone; its view. Raises as `enable`."""
    return _set_enabled(dataset_id, False, if_match, base_url)


def delete(
    dataset_id: str, *, drop: bool = False, if_match: Collection[str] | None = None
) -> JsonObject:
    """Take a dataset out of the registry: {dataset_id, deleted, table, table_dropped}.

    Its log stays, and so do its table and versions unless `drop` says otherwise; with it, what
    was staged, how the table is drawn and its STAC Collection go too. Raises `NotFound`,
    `PreconditionFailed`, `Conflict` where an update is under way or something depends on the
    table, `Unavailable` where the table is in use for too long.
    """
    with database.transaction() as connection:
        dataset = datasets.get(connection, dataset_id, for_update=True)
        _require_match(dataset, if_match)
        _refuse_under_way(connection, dataset_id, "it cannot be deleted now")
        dropped = drop and _drop(connection, dataset)
        datasets.delete(connection, dataset_id)
    if drop:
        _drop_leftovers(dataset_id)
    log.info("curated dataset %s was deleted%s", dataset_id, ", with its table" if dropped else "")
    return {
        "dataset_id": dataset_id,
        "deleted": True,
        "table": str(dataset.target),
        "table_dropped": dropped,
    }


def _set_enabled(
    dataset_id: str, enabled: bool, if_match: Collection[str] | None, base_url: str
) -> JsonObject:
    with database.transaction() as connection:
        current = datasets.get(connection, dataset_id, for_update=True)
        _require_match(current, if_match)
        if enabled:
            readiness.require_ready(current)
        dataset = datasets.set_enabled(connection, dataset_id, enabled)
        return views.dataset_view(connection, dataset, base_url)


def _patiently(change: Callable[[], JsonObject]) -> JsonObject:
    """Make a change of the registry; again as long as the table is being published."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return change()
        except Unavailable as busy:
            if busy.error_code != "table_busy" or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """Several queries on one state of things: what is shown of a dataset fits together."""
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def _claim(connection: Connection, definition: CuratedDefinition) -> datasets.Publisher | None:
    """See that the table is free for the dataset; who published it, where that was the dataset
    itself, in an earlier life."""
    target = definition.target
    holder = datasets.holder(connection, target)
    if holder is not None:
        raise _taken(definition, f"is the table of the dataset {holder!r}")
    publisher = datasets.publisher(connection, target)
    if publisher is None:
        try:
            publishing_repository.check_ours(connection, target)
        except PermanentTaskError as error:
            raise _taken(definition, "is there already, and geoforge did not make it") from error
        return None
    if publisher.dataset_id == definition.dataset_id:
        return publisher
    whose = (
        f"the job {publisher.job_id} ({publisher.job_type or 'no longer known'})"
        if publisher.dataset_id is None
        else f"a dataset that was called {publisher.dataset_id!r}"
    )
    raise _taken(definition, f"was published by {whose}")


def _adopt(
    connection: Connection, dataset: CuratedDataset, former: datasets.Publisher
) -> CuratedDataset:
    """Give a dataset what is known of the table that it published in an earlier life."""
    rejected = restoring.rejected_version(connection, dataset, former.source_version)
    return datasets.adopt(connection, dataset.dataset_id, former, rejected)


def _check(dataset: CuratedDataset) -> None:
    """Raise where its handler cannot serve it, or it is enabled and could not be updated."""
    handler = handlers.find(dataset.handler)
    if handler is not None:
        handler.check_definition(dataset)
    if dataset.enabled:
        readiness.require_ready(dataset)


def _tell(connection: Connection, dataset: CuratedDataset) -> None:
    """Tell of the published table what the definition says now.

    Not while it is being published: who publishes has read the definition that was, and would
    write it down afterwards.
    """
    target = dataset.target
    if not locks.try_lock(connection, locks.Space.DATASET, target.schema_name, target.table_name):
        raise Unavailable(
            f"{target} is being published or rolled back at this moment.",
            code="table_busy",
            table=str(target),
        )
    datasets.describe_table(connection, dataset)
    cataloguing.keep(connection, dataset)


def _require_match(dataset: CuratedDataset, if_match: Collection[str] | None) -> None:
    current = views.etag(dataset)
    if if_match is not None and current not in if_match:
        raise PreconditionFailed(
            f"{dataset.dataset_id} was changed since you read it: it is at revision "
            f"{dataset.revision}. Read it again, and put your change to that.",
            revision=dataset.revision,
            etag=current,
        )


def _refuse_rename(connection: Connection, dataset: CuratedDataset) -> None:
    publisher = datasets.publisher(connection, dataset.target)
    if publisher is not None and publisher.dataset_id == dataset.dataset_id:
        raise Conflict(
            f"{dataset.dataset_id} is published as {dataset.target}: its table cannot be another "
            "one any more. Register a second dataset, or delete this one with drop=yes.",
            code="table_is_published",
            table=str(dataset.target),
        )


def _refuse_under_way(connection: Connection, dataset_id: str, what: str) -> None:
    under_way = updates_log.under_way(connection, dataset_id)
    if under_way is not None:
        raise Conflict(
            f"The job {under_way['job_id']} updates {dataset_id} at this moment: {what}. Wait for "
            "it, or cancel it.",
            code="update_under_way",
            dataset_id=dataset_id,
            job_id=under_way["job_id"],
        )


def _drop(connection: Connection, dataset: CuratedDataset) -> bool:
    """Drop what the dataset has published, and forget its versions; whether there were any."""
    publisher = datasets.publisher(connection, dataset.target)
    if publisher is not None and publisher.dataset_id != dataset.dataset_id:
        raise Conflict(
            f"{dataset.target} was published by the job {publisher.job_id}, not by this dataset: "
            "it is not dropped. Leave out drop=yes.",
            code="table_taken",
            table=str(dataset.target),
        )
    try:
        dropped = removal.remove(connection, dataset.target)
    except TransientTaskError as error:
        raise Unavailable(error.message, code=error.error_code, **error.details) from error
    datasets.forget_versions(connection, dataset.dataset_id)
    styles_repository.forget(connection, collection_id(dataset.target))
    cataloguing.forget(connection, dataset.target)
    return dropped


def _drop_leftovers(dataset_id: str) -> None:
    """Drop what was staged for versions that are forgotten, and the files that were fetched."""
    holding.drop_discarded()
    try:
        file_store.tidy(dataset_id, frozenset(), check=_never)
    except Unavailable as failure:  # the dataset is deleted all the same
        log.warning("files of %s are left in blob storage: %s", dataset_id, failure.message)


def _never() -> None:
    """Nobody asks to stop."""


def _exists(dataset_id: str) -> Conflict:
    return Conflict(
        f"There is a dataset {dataset_id!r} already. PUT changes it.",
        code="dataset_exists",
        dataset_id=dataset_id,
    )


def _taken(definition: CuratedDefinition, why: str) -> Conflict:
    return Conflict(
        f"{definition.target} {why}. Choose another target_table_name.",
        code="table_taken",
        table=str(definition.target),
    )
