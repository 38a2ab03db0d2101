"""Published tables and their versions, as they are listed."""

from __future__ import annotations

from core.models.feature_table import TableName
from infrastructure import queries
from infrastructure.database import Connection, Row

_SQL = queries.load("published_tables")


def tables(connection: Connection, *, limit: int, after: TableName | None = None) -> list[Row]:
    """Tables by schema and name, beginning after one."""
    return connection.execute(
        _SQL["tables"],
        {
            "schema_name": None,
            "table_name": None,
            "after_schema": None if after is None else after.schema_name,
            "after_table": None if after is None else after.table_name,
            "limit": limit,
        },
    ).fetchall()


def table(connection: Connection, name: TableName) -> Row | None:
    """One table, or None where nothing of that name is published."""
    return connection.execute(
        _SQL["tables"],
        {**name.model_dump(), "after_schema": None, "after_table": None, "limit": 1},
    ).fetchone()


def versions(
    connection: Connection, name: TableName, *, limit: int, before: int | None = None
) -> list[Row]:
    """A table's versions, newest first, below the number `before`."""
    return connection.execute(
        _SQL["versions"], {**name.model_dump(), "before": before, "limit": limit}
    ).fetchall()
