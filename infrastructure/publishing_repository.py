"""The records of published tables and of their versions.

What is in the tables themselves is the business of `services.publishing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from core.errors import PermanentTaskError
from core.models.feature_table import FeatureTable, TableName
from infrastructure import queries
from infrastructure.database import Connection
from infrastructure.locks import Space, lock

Bbox = tuple[float, float, float, float]

_SQL = queries.load("publishing")


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """What is published under a name now."""

    version: int
    shape: FeatureTable
    key_columns: tuple[str, ...]
    source: str
    job_id: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version that is or was current; see app.published_versions for the relations."""

    version: int
    change: str
    kept_as: str | None
    undo_as: str | None
    restores: int | None
    shape: FeatureTable
    key_columns: tuple[str, ...]
    source: str
    job_id: str


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is recorded of a version when it becomes current."""

    version: int
    change: str
    shape: FeatureTable
    key_columns: Sequence[str]
    row_count: int
    bbox: Bbox | None
    source: str
    job_id: str
    details: Mapping[str, Any]
    undo_as: str | None = None
    restores: int | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """What people are told of a table; None leaves what was said before."""

    title: str | None = None
    description: str | None = None
    attribution: str | None = None
    restricted: bool | None = None


def table(connection: Connection, target: TableName) -> PublishedTable | None:
    """What is published under the name, None where geoforge published nothing."""
    row = connection.execute(_SQL["table"], target.model_dump()).fetchone()
    if row is None:
        return None
    return PublishedTable(
        version=row["version"],
        shape=FeatureTable.model_validate(row["table_shape"]),
        key_columns=tuple(row["key_columns"]),
        source=row["source"],
        job_id=row["job_id"],
    )


def versions(connection: Connection, target: TableName) -> list[Version]:
    """All versions of a table, from the first to the current one."""
    return [
        Version(
            version=row["version"],
            change=row["change"],
            kept_as=row["kept_as"],
            undo_as=row["undo_as"],
            restores=row["restores"],
            shape=FeatureTable.model_validate(row["table_shape"]),
            key_columns=tuple(row["key_columns"]),
            source=row["source"],
            job_id=row["job_id"],
        )
        for row in connection.execute(_SQL["versions"], target.model_dump())
    ]


def version_of_job(connection: Connection, target: TableName, job_id: str) -> dict[str, Any] | None:
    """The version that a job published of this table: {version, change, row_count, bbox,
    details}."""
    return connection.execute(
        _SQL["version_of_job"], {**target.model_dump(), "job_id": job_id}
    ).fetchone()


def came_together(connection: Connection, one: TableName, other: TableName) -> bool:
    """Whether the first table is not published, or some job has published both."""
    row = connection.execute(
        _SQL["came_together"],
        {
            "schema": one.schema_name,
            "table": one.table_name,
            "other_schema": other.schema_name,
            "other_table": other.table_name,
        },
    ).fetchone()
    return row is not None and bool(row["together"])


def add_version(
    connection: Connection,
    target: TableName,
    new: NewVersion,
    about: Description,
    datetime_column: str | None,
) -> Description:
    """Record the version as the table's current one; the description that now holds."""
    bbox = None if new.bbox is None else list(new.bbox)
    values = {
        **target.model_dump(),
        "version": new.version,
        "change": new.change,
        "undo_as": new.undo_as,
        "restores": new.restores,
        "row_count": new.row_count,
        "bbox": bbox,
        "table_shape": Jsonb(new.shape.model_dump(mode="json")),
        "key_columns": list(new.key_columns),
        "source": new.source,
        "job_id": new.job_id,
        "details": Jsonb(dict(new.details)),
        "title": about.title,
        "description": about.description,
        "attribution": about.attribution,
        "restricted": about.restricted,
        "datetime_column": datetime_column,
    }
    connection.execute(_SQL["add_version"], values)
    row = connection.execute(_SQL["save_table"], values).fetchone()
    assert row is not None
    return Description(row["title"], row["description"], row["attribution"])


def retire(connection: Connection, target: TableName, version: int, kept_as: str | None) -> None:
    """Record that a version is no longer current, and where its table is kept, if anywhere."""
    connection.execute(
        _SQL["retire"], {**target.model_dump(), "version": version, "kept_as": kept_as}
    )


def forget_relations(connection: Connection, target: TableName, relations: Sequence[str]) -> None:
    """Record that relations of geo_versions are gone, or are in use again."""
    if relations:
        connection.execute(
            _SQL["forget_relations"], {**target.model_dump(), "relations": list(relations)}
        )


def forget_table(connection: Connection, target: TableName) -> None:
    """Remove all records of a table and its versions, which are gone."""
    connection.execute(_SQL["forget_versions"], target.model_dump())
    connection.execute(_SQL["forget_table"], target.model_dump())


def check_ours(connection: Connection, target: TableName) -> None:
    """Raise `PermanentTaskError` (table_not_ours) if something else has the table's name."""
    if table(connection, target) is not None:
        return
    row = connection.execute(
        _SQL["relation"], {"schema": target.schema_name, "name": target.table_name}
    ).fetchone()
    if row is not None:
        raise PermanentTaskError(
            f"{target} was not published by geoforge and is left alone. Publish under another "
            "table_name, or rename what is there.",
            code="table_not_ours",
            table=str(target),
        )


def ensure_schema(connection: Connection, schema: str) -> None:
    """Make the schema where it is missing."""
    exists = "SELECT to_regnamespace(quote_ident(%s)) IS NOT NULL AS found"
    row = connection.execute(exists, (schema,)).fetchone()
    if row is None or not row["found"]:
        # Two at once would both find it missing, and one would fail.
        lock(connection, Space.DDL, "schema", schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
