"""The registry of curated datasets, as rows.

What people say of a dataset is written by `insert`, `replace` and `set_enabled`, each of which
makes a new revision. What geoforge finds out (`checked`, `updated`, ...) does not.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from core.errors import NotFound
from core.models.curated import CuratedDataset, CuratedDefinition
from core.models.feature_table import TableName
from infrastructure import locks, queries
from infrastructure.database import Connection, Row

_SQL = queries.load("curated")


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who published a table's rows: the job, and the dataset whose version they are, if any.

    `job_type` is None where the job is no longer in the ledger.
    """

    job_id: str
    job_type: str | None
    dataset_id: str | None
    source_version: str | None
    published_at: datetime | None


def find(
    connection: Connection, dataset_id: str, *, for_update: bool = False
) -> CuratedDataset | None:
    """A dataset, or None. `for_update` keeps it as it is to the end of the transaction."""
    if "\0" in dataset_id:  # which PostgreSQL has in no text
        return None
    query = "get_for_update" if for_update else "get"
    row = connection.execute(_SQL[query], {"dataset_id": dataset_id}).fetchone()
    return None if row is None else _dataset(row)


def get(connection: Connection, dataset_id: str, *, for_update: bool = False) -> CuratedDataset:
    """A dataset. Raises `NotFound` (dataset_not_found) naming those with similar names."""
    found = find(connection, dataset_id, for_update=for_update)
    if found is None:
        raise _unknown(connection, dataset_id)
    return found


def all_datasets(
    connection: Connection,
    *,
    enabled_only: bool = False,
    limit: int | None = None,
    after: str | None = None,
) -> list[CuratedDataset]:
    """Datasets by id, beginning after one."""
    values = {"enabled_only": enabled_only, "limit": limit, "after": after}
    return [_dataset(row) for row in connection.execute(_SQL["all"], values)]


def holder(connection: Connection, target: TableName) -> str | None:
    """The id of the dataset whose table has this name."""
    row = connection.execute(
        _SQL["holder"],
        {"target_schema": target.schema_name, "target_table_name": target.table_name},
    ).fetchone()
    return None if row is None else str(row["dataset_id"])


def publisher(connection: Connection, target: TableName) -> Publisher | None:
    """Who published what has this name now; None where geoforge published nothing."""
    row = connection.execute(_SQL["publisher"], target.model_dump()).fetchone()
    return None if row is None else Publisher(**row)


def take_turn(connection: Connection) -> None:
    """To the end of the transaction nobody else registers a dataset or changes one."""
    locks.lock(connection, locks.Space.DDL, "curated_registry")


def insert(
    connection: Connection, definition: CuratedDefinition, handler: str
) -> CuratedDataset | None:
    """Register a dataset whose sources `handler` knows; None where its id is taken."""
    row = connection.execute(_SQL["insert"], _values(definition, handler)).fetchone()
    return None if row is None else _dataset(row)


def replace(connection: Connection, definition: CuratedDefinition, handler: str) -> CuratedDataset:
    """Put a definition in the place of the one of the same id, as its next revision.

    Raises `NotFound`.
    """
    row = connection.execute(_SQL["replace"], _values(definition, handler)).fetchone()
    if row is None:
        raise _unknown(connection, definition.dataset_id)
    return _dataset(row)


def set_enabled(connection: Connection, dataset_id: str, enabled: bool) -> CuratedDataset:
    """Let the scheduler update it, or not. What is so already stays as it is.

    Raises `NotFound`.
    """
    row = connection.execute(
        _SQL["set_enabled"], {"dataset_id": dataset_id, "enabled": enabled}
    ).fetchone()
    return get(connection, dataset_id) if row is None else _dataset(row)


def adopt(
    connection: Connection, dataset_id: str, publisher: Publisher, rejected: str | None
) -> CuratedDataset:
    """Record that the version which `publisher` published of its table is its current one, and
    which version of the source is not to be published by itself again."""
    row = connection.execute(
        _SQL["adopt"],
        {
            "dataset_id": dataset_id,
            "source_version": publisher.source_version,
            "published_at": publisher.published_at,
            "rejected_version": rejected,
        },
    ).fetchone()
    assert row is not None
    return _dataset(row)


def describe_table(connection: Connection, definition: CuratedDefinition) -> None:
    """Tell of the table that it has published what the definition says, and who may see it."""
    connection.execute(
        _SQL["describe_table"],
        definition.model_dump(
            include={
                "dataset_id",
                "name",
                "description",
                "restricted",
                "attribution",
                "target_schema",
                "target_table_name",
            }
        ),
    )


def delete(connection: Connection, dataset_id: str) -> None:
    """Take a dataset out of the registry. Raises `NotFound`."""
    if connection.execute(_SQL["delete"], {"dataset_id": dataset_id}).rowcount == 0:
        raise _unknown(connection, dataset_id)


def forget_versions(connection: Connection, dataset_id: str) -> None:
    """Remove the records of a dataset's versions; no staged table is needed any more."""
    connection.execute(_SQL["forget_versions"], {"dataset_id": dataset_id})


def checked(connection: Connection, dataset_id: str) -> None:
    """Record that its source was asked just now."""
    connection.execute(_SQL["checked"], {"dataset_id": dataset_id})


def updated(connection: Connection, dataset_id: str, source_version: str | None) -> None:
    """Record that this version of the source is published from now on. Where it is another one
    than before, what was rejected is forgotten."""
    connection.execute(
        _SQL["updated"], {"dataset_id": dataset_id, "source_version": source_version}
    )


def set_rejected(connection: Connection, dataset_id: str, version: str | None) -> None:
    """Record which version of the source is not to be published by itself again."""
    connection.execute(
        _SQL["set_rejected"], {"dataset_id": dataset_id, "rejected_version": version}
    )


def set_last_job(connection: Connection, dataset_id: str, job_id: str) -> None:
    """Record which job was the last to be begun for it."""
    connection.execute(_SQL["set_last_job"], {"dataset_id": dataset_id, "job_id": job_id})


def _dataset(row: Row) -> CuratedDataset:
    return CuratedDataset.model_validate(row)


def _values(definition: CuratedDefinition, handler: str) -> dict[str, Any]:
    values = definition.model_dump(mode="json", include=set(CuratedDefinition.model_fields))
    return {
        **values,
        "handler": handler,
        "source_config": Jsonb(values["source_config"]),
        "gates": Jsonb(values["gates"]),
    }


def _unknown(connection: Connection, dataset_id: str) -> NotFound:
    known = [row["dataset_id"] for row in connection.execute(_SQL["ids"])]
    similar = difflib.get_close_matches(dataset_id, known, n=3)
    hint = (
        f"Did you mean {' or '.join(similar)}?"
        if similar
        else "GET /api/curated/datasets lists them."
    )
    return NotFound(
        f"There is no curated dataset {dataset_id!r}. {hint}",
        code="dataset_not_found",
        dataset_id=dataset_id,
        similar=similar,
    )
