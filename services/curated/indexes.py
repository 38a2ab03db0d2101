"""Indexes on the columns by which the rows of a dataset are looked for."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from core.models.feature_table import ColumnType, FeatureTable, TableName
from infrastructure.database import Connection
from services.publishing import attachments, checks
from services.publishing.definitions import identifier

# What can be looked into, and not only for.
_INSIDE = (ColumnType.TEXT_ARRAY, ColumnType.JSON)


def ensure(
    connection: Connection, table: TableName, shape: FeatureTable, columns: Sequence[str]
) -> None:
    """Index these columns of a table, as far as it has them and they are not indexed.

    A list is indexed by its members. The table is locked against writers meanwhile. Their names
    say that they are geoforge's own, so that a version without such a column goes without.
    """
    oid = attachments.oid_of(connection, table)
    if oid is None:
        return
    there = {index.definition for index in attachments.indexes(connection, oid)}
    types = {column.name: column.type for column in shape.columns}
    for column in columns:
        if column not in types:
            continue
        method = "gin" if types[column] in _INSIDE else "btree"
        name = sql.Identifier(column)
        definition = f"{method} ({name.as_string(connection)})"
        # The catalog quotes only the names that need it.
        if definition in there or definition.replace('"', "") in there:
            continue
        with checks.building_indexes(connection):
            connection.execute(
                sql.SQL("CREATE INDEX {} ON {} USING {} ({})").format(
                    sql.Identifier(attachments.lookup_name(table, column)),
                    identifier(table),
                    sql.SQL(method),
                    name,
                )
            )
