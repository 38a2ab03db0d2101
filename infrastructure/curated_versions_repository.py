"""Versions of curated datasets, as rows. Each function runs in the caller's transaction.

A version's staged tables are dropped by whoever works with tables, after the row no longer names
them: see `services.curated.holding`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from core.models.curated import Delivers
from core.models.feature_table import FeatureTable, TableName
from infrastructure import queries
from infrastructure.database import Connection, Row
from infrastructure.json_values import shown
from infrastructure.publishing_repository import Bbox

_SQL = queries.load("curated_versions")


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that is staged whole; see app.curated_versions. `deletions` is a staged table of
    the keys whose rows go."""

    dataset_id: str
    job_id: str
    log_id: int | None
    staged: str
    shape: FeatureTable
    key_columns: tuple[str, ...]
    base_version: int | None
    source_version: str
    definition_digest: str
    source_columns: Mapping[str, str]
    files: Sequence[Mapping[str, Any]]
    licence: str | None
    read: int
    loaded: int
    quarantined: int
    rows: int
    bbox: Bbox | None
    delivers: Delivers = "snapshot"
    deletions: str | None = None


@dataclass(frozen=True, slots=True)
class CuratedVersion:
    """A version as it is recorded. `staged` and `deletions` are None once it is published or
    discarded; `version` is that of the published table which has its rows."""

    version_id: int
    dataset_id: str
    job_id: str
    log_id: int | None
    state: str
    staged: str | None
    deletions: str | None
    delivers: Delivers
    shape: FeatureTable
    key_columns: tuple[str, ...]
    base_version: int | None
    version: int | None
    source_version: str
    definition_digest: str
    source_columns: Mapping[str, str]
    files: Sequence[Mapping[str, Any]]
    licence: str | None
    read: int
    loaded: int
    quarantined: int
    rows: int
    bbox: Bbox | None
    changes: Mapping[str, Any] | None
    gates: Sequence[Mapping[str, Any]]
    created_at: datetime
    published_at: datetime | None


def add(connection: Connection, new: NewVersion) -> CuratedVersion:
    """Record a version that is staged."""
    row = connection.execute(
        _SQL["add"],
        {
            "dataset_id": new.dataset_id,
            "job_id": new.job_id,
            "log_id": new.log_id,
            "staged": new.staged,
            "table_shape": Jsonb(new.shape.model_dump(mode="json")),
            "key_columns": list(new.key_columns),
            "base_version": new.base_version,
            "source_version": new.source_version,
            "definition_digest": new.definition_digest,
            "source_columns": shown(new.source_columns),
            "files": shown([dict(file) for file in new.files]),
            "licence": new.licence,
            "records_read": new.read,
            "records_loaded": new.loaded,
            "records_quarantined": new.quarantined,
            "row_count": new.rows,
            "bbox": None if new.bbox is None else list(new.bbox),
            "delivers": new.delivers,
            "deletions": new.deletions,
        },
    ).fetchone()
    assert row is not None
    return _version(row)


def of_job(connection: Connection, job_id: str) -> CuratedVersion | None:
    """The version that a job staged."""
    return _found(connection.execute(_SQL["of_job"], {"job_id": job_id}).fetchone())


def find(
    connection: Connection, dataset_id: str, version_id: int, *, for_update: bool = False
) -> CuratedVersion | None:
    """A version of a dataset. `for_update` keeps it as it is to the end of the transaction."""
    query = _SQL["get_for_update" if for_update else "get"]
    values = {"dataset_id": dataset_id, "version_id": version_id}
    return _found(connection.execute(query, values).fetchone())


def held(connection: Connection, dataset_id: str) -> list[CuratedVersion]:
    """The versions of a dataset that a gate stopped, newest first."""
    rows = connection.execute(_SQL["held"], {"dataset_id": dataset_id})
    return [_version(row) for row in rows]


def current(connection: Connection, target: TableName) -> CuratedVersion | None:
    """The version whose rows are published, None where nothing is, or nothing is known of it."""
    return _found(connection.execute(_SQL["current"], target.model_dump()).fetchone())


def newest_published(connection: Connection, dataset_id: str) -> CuratedVersion | None:
    """The newest version of the source that was published, whatever is current."""
    values = {"dataset_id": dataset_id}
    return _found(connection.execute(_SQL["newest_published"], values).fetchone())


def was_made(
    connection: Connection, dataset_id: str, source_version: str, definition_digest: str
) -> bool:
    """Whether this version of the source was ever read by this definition, whatever became of
    it."""
    values = {
        "dataset_id": dataset_id,
        "source_version": source_version,
        "definition_digest": definition_digest,
    }
    row = connection.execute(_SQL["was_made"], values).fetchone()
    return row is not None and bool(row["found"])


def hold(
    connection: Connection,
    version_id: int,
    changes: Mapping[str, Any],
    gates: Sequence[Mapping[str, Any]],
) -> None:
    """Record that gates stopped a version, and what it would have changed."""
    connection.execute(
        _SQL["hold"],
        {"version_id": version_id, "changes": shown(changes), "gates": shown(gates)},
    )


def publish(
    connection: Connection,
    version_id: int,
    version: int,
    changes: Mapping[str, Any],
    gates: Sequence[Mapping[str, Any]],
) -> None:
    """Record under which number of its table a version is published."""
    connection.execute(
        _SQL["publish"],
        {
            "version_id": version_id,
            "version": version,
            "changes": shown(changes),
            "gates": shown(gates),
        },
    )


def discard(
    connection: Connection,
    version_id: int,
    changes: Mapping[str, Any] | None = None,
    gates: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Record that a version will not be published; its tables are not named any more."""
    connection.execute(
        _SQL["discard"],
        {
            "version_id": version_id,
            "changes": None if changes is None else shown(changes),
            "gates": None if gates is None else shown(gates),
        },
    )


def discard_others(connection: Connection, dataset_id: str, version_id: int) -> None:
    """Discard the versions of a dataset that wait beside this one."""
    connection.execute(_SQL["discard_others"], {"dataset_id": dataset_id, "version_id": version_id})


def discard_abandoned(connection: Connection) -> None:
    """Discard the versions that nobody will publish any more."""
    connection.execute(_SQL["discard_abandoned"])


def needed_tables(connection: Connection) -> set[str]:
    """The staged tables of all versions that may still be published."""
    return {row["name"] for row in connection.execute(_SQL["needed_tables"])}


def page(
    connection: Connection, target: TableName, *, limit: int, before: int | None = None
) -> list[Row]:
    """Versions of a table, newest first, beginning before a version; see the query."""
    values = {**target.model_dump(), "limit": limit, "before": before}
    return connection.execute(_SQL["page"], values).fetchall()


def source_versions(connection: Connection, target: TableName, versions: Sequence[int]) -> set[str]:
    """Which versions of the source some versions of a table have."""
    values = {**target.model_dump(), "versions": list(versions)}
    return {row["source_version"] for row in connection.execute(_SQL["source_versions"], values)}


def _found(row: Row | None) -> CuratedVersion | None:
    return None if row is None else _version(row)


def _version(row: Row) -> CuratedVersion:
    return CuratedVersion(
        version_id=row["version_id"],
        dataset_id=row["dataset_id"],
        job_id=row["job_id"],
        log_id=row["log_id"],
        state=row["state"],
        staged=row["staged"],
        deletions=row["deletions"],
        delivers=row["delivers"],
        shape=FeatureTable.model_validate(row["table_shape"]),
        key_columns=tuple(row["key_columns"]),
        base_version=row["base_version"],
        version=row["version"],
        source_version=row["source_version"],
        definition_digest=row["definition_digest"],
        source_columns=row["source_columns"],
        files=row["files"],
        licence=row["licence"],
        read=row["records_read"],
        loaded=row["records_loaded"],
        quarantined=row["records_quarantined"],
        rows=row["row_count"],
        bbox=None if row["bbox"] is None else tuple(row["bbox"]),
        changes=row["changes"],
        gates=row["gates"],
        created_at=row["created_at"],
        published_at=row["published_at"],
    )
