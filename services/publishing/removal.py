"""Take a published table away for good: its rows, its earlier versions, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from psycopg import sql

from core.errors import Conflict, TransientTaskError
from core.models.feature_table import TableName
from infrastructure import publishing_repository as records
from infrastructure import queries
from infrastructure.database import Connection, Row
from infrastructure.locks import Space, try_lock
from services.publishing.definitions import identifier, kept
from services.publishing.locking import patiently

_SQL = queries.load("publishing")
_PATIENCE_SECONDS = 10.0


def _never() -> None:
    """Nobody asks to stop."""


def remove(
    connection: Connection,
    target: TableName,
    *,
    patience: float = _PATIENCE_SECONDS,
    check: Callable[[], None] = _never,
) -> bool:
    """Drop a published table and its earlier versions, and forget that they were published.

    It works in the caller's transaction; False where nothing is published under the name.
    Nothing that hangs on the table goes with it: raises `Conflict` (table_in_use) naming the
    views and foreign keys that depend on it, or where something else has its name by now, and
    `TransientTaskError` (table_busy) where it is being published, or read for longer than
    `patience` seconds. Roll back then, and everything is as it was.
    """
    if not try_lock(connection, Space.DATASET, target.schema_name, target.table_name):
        raise TransientTaskError(
            f"{target} is being published or rolled back at this moment.",
            code="table_busy",
            table=str(target),
        )
    if records.table(connection, target) is None:
        return False
    relation = connection.execute(
        _SQL["relation"], {"schema": target.schema_name, "name": target.table_name}
    ).fetchone()
    # Someone may have dropped it already.
    if relation is not None:
        _drop_published(connection, target, relation, patience, check)
    for name in _kept_relations(connection, target):
        _drop(connection, kept(name))
    records.forget_table(connection, target)
    return True


def _drop_published(
    connection: Connection,
    target: TableName,
    relation: Row,
    patience: float,
    check: Callable[[], None],
) -> None:
    if relation["kind"] != "r":
        raise Conflict(
            f"{target} is not the table that geoforge published: something else has its name by "
            "now. Rename or drop it first.",
            code="table_in_use",
            table=str(target),
        )
    patiently(
        connection,
        target,
        "ACCESS EXCLUSIVE",
        lambda: _drop(connection, target),
        oids=[relation["oid"]],
        patience=patience,
        check=check,
    )


def _kept_relations(connection: Connection, target: TableName) -> list[str]:
    """The relations in geo_versions that lead back to earlier versions."""
    names = [
        name
        for version in records.versions(connection, target)
        for name in (version.kept_as, version.undo_as)
        if name is not None
    ]
    return sorted(set(names))


def _drop(connection: Connection, table: TableName) -> None:
    try:
        with connection.transaction():
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(identifier(table)))
    except psycopg.errors.DependentObjectsStillExist as error:
        # The server's own list: "view geo.big depends on table geo.parks", a line for each.
        objects = (error.diag.message_detail or "").splitlines()
        raise Conflict(
            f"{table} is in use: {'; '.join(objects)}. Drop what depends on it first.",
            code="table_in_use",
            table=str(table),
            objects=objects,
        ) from error
