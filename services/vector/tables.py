"""Published tables over HTTP: which there are, their versions, and going back to one."""

from __future__ import annotations

from pydantic import ValidationError

from core.errors import Conflict, NotFound, PermanentTaskError, TransientTaskError, Unavailable
from core.job_definition import JsonObject
from core.models.feature_table import FeatureTable, TableName
from infrastructure import database, published_tables
from infrastructure.database import Row
from services.features.links import collection_id
from services.orchestration.paging import cursor_after, row_key, table_key
from services.publishing import publish
from services.vector import curated_tables, reports

# How long a request waits for those who read the table.
_PATIENCE_SECONDS = 10.0

_ROLL_BACK_INSTEAD = "roll that back, by POST /api/curated/datasets/{dataset_id}/rollback."


def links(name: str, base_url: str = "") -> JsonObject:
    """Where a table's features and versions are found."""
    return {
        "features": f"{base_url}/api/features/collections/{name}/items",
        "versions": f"{base_url}/api/vector/tables/{name}/versions",
        "rollback": f"{base_url}/api/vector/{name}/rollback",
    }


def list_tables(*, limit: int = 100, cursor: str | None = None, base_url: str = "") -> JsonObject:
    """A page of the published tables by name: {tables, next}. Raises `InvalidParameters`."""
    after = None if cursor is None else table_key(cursor)
    with database.transaction() as connection:
        rows = published_tables.tables(connection, limit=limit + 1, after=after)
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "tables": [_table_view(row, base_url) for row in rows[:limit]],
        "next": last and cursor_after(last["schema_name"], last["table_name"]),
    }


def table_view(text: str, *, base_url: str = "") -> JsonObject:
    """One table, by name or schema.name. Raises `NotFound`."""
    name = _name(text)
    with database.transaction() as connection:
        row = published_tables.table(connection, name)
    if row is None:
        raise _unknown(text)
    return _table_view(row, base_url)


def versions_page(
    text: str, *, limit: int = 50, cursor: str | None = None, base_url: str = ""
) -> JsonObject:
    """A page of a table's versions, newest first: {table, versions, next}. Raises `NotFound`."""
    name = _name(text)
    before = None if cursor is None else row_key(cursor)
    with database.transaction() as connection:
        if published_tables.table(connection, name) is None:
            raise _unknown(text)
        rows = published_tables.versions(connection, name, limit=limit + 1, before=before)
        restorable = publish.restorable(connection, name)
    return {
        "table": str(name),
        "versions": [
            {**_version_view(row, base_url), "restorable": row["version"] in restorable}
            for row in rows[:limit]
        ],
        "next": cursor_after(rows[limit - 1]["version"]) if len(rows) > limit else None,
    }


def roll_back(text: str, version: int | None, *, base_url: str = "") -> JsonObject:
    """Make the version before the current one, or a named one, current again; the table.

    Raises `NotFound` for a table or a version that does not exist, `Conflict` where there is
    nothing to go back to or something that hangs on the table stands in the way, `Unavailable`
    where the table is in use for too long.
    """
    name = _name(text)
    try:
        with database.transaction() as connection:
            if published_tables.table(connection, name) is None:
                raise _unknown(text)
            curated_tables.refuse(connection, name, _ROLL_BACK_INSTEAD)
            publish.rollback(connection, name, version, actor="the API", patience=_PATIENCE_SECONDS)
    except PermanentTaskError as error:
        raise Conflict(error.message, code=error.error_code, **error.details) from error
    except TransientTaskError as error:
        raise Unavailable(error.message, code=error.error_code, **error.details) from error
    return table_view(str(name), base_url=base_url)


def _table_view(row: Row, base_url: str) -> JsonObject:
    table = TableName(schema_name=row["schema_name"], table_name=row["table_name"])
    name = str(table)
    shape = FeatureTable.model_validate(row["table_shape"])
    report = reports.links(row["job_id"], base_url)
    return {
        "table": name,
        "collection": collection_id(table),
        "title": row["title"],
        "description": row["description"],
        "attribution": row["attribution"],
        "restricted": row["restricted"],
        "version": row["version"],
        "rows": row["row_count"],
        "size_bytes": row["size_bytes"],
        "geometry": None if shape.geometry is None else shape.geometry.model_dump(),
        "columns": [{"name": each.name, "type": each.type} for each in shape.columns],
        "key_columns": row["key_columns"],
        "datetime_column": row["datetime_column"],
        "bbox": row["bbox"],
        "source": row["source"],
        "job_id": row["job_id"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "links": {
            **links(name, base_url),
            "report": report["self"] if row["has_report"] else None,
        },
    }


def _version_view(row: Row, base_url: str) -> JsonObject:
    return {
        "version": row["version"],
        "current": row["current"],
        "change": row["change"],
        "restores": row["restores"],
        "rows": row["row_count"],
        "bbox": row["bbox"],
        "source": row["source"],
        "job_id": row["job_id"],
        "report": reports.links(row["job_id"], base_url)["self"] if row["has_report"] else None,
        "details": row["details"],
        "published_at": row["published_at"],
        "retired_at": row["retired_at"],
    }


def _name(text: str) -> TableName:
    try:
        return TableName.parse(text)
    except ValidationError:
        raise _unknown(text) from None


def _unknown(text: str) -> NotFound:
    return NotFound(
        f"There is no published table {text!r}. GET /api/vector/tables lists them.",
        code="unknown_table",
        table=text,
    )
