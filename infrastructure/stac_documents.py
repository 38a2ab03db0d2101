"""Collections in pgSTAC that describe geoforge's own published tables, and have no items.

They are written in the transactions that publish the tables, whose readers wait until these
end. So nothing here waits: an ingest that writes items locks pgSTAC's collections for as long
as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from infrastructure import queries
from infrastructure.database import Connection
from infrastructure.locks import Space, try_lock

JsonObject = dict[str, Any]

# Names the table that a Collection describes, and tells that geoforge wrote it.
TABLE_FIELD = "geoforge:table"

# For writers other than geoforge, who take no turns.
_LOCK_TIMEOUT = "250ms"
_SQL = queries.load("stac_documents")


class CatalogBusy(Exception):
    """Somebody else writes to pgSTAC at this moment."""


@contextmanager
def writing(connection: Connection) -> Iterator[None]:
    """The turn to write, to the end of the caller's transaction; what the block does is undone
    where it cannot be done at once. Raises `CatalogBusy`."""
    if not try_lock(connection, Space.PGSTAC_LOAD):
        raise CatalogBusy
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
            yield
            connection.execute("SET LOCAL lock_timeout TO DEFAULT")
    except psycopg.errors.LockNotAvailable as error:
        raise CatalogBusy from error


def stored(connection: Connection, collection_id: str) -> JsonObject | None:
    """The Collection of this id, whoever wrote it."""
    row = connection.execute(_SQL["stored"], {"collection_id": collection_id}).fetchone()
    return None if row is None else row["content"]


def write(connection: Connection, document: JsonObject) -> None:
    """Put a Collection in the place of the one of its id, or add it."""
    connection.execute(_SQL["upsert"], {"document": Jsonb(document)})


def delete(connection: Connection, collection_id: str) -> None:
    """Remove a Collection, which must be there."""
    connection.execute(_SQL["delete"], {"collection_id": collection_id})


def without_table(connection: Connection) -> list[str]:
    """The ids of the Collections whose table is no longer published."""
    rows = connection.execute(_SQL["without_table"], {"table_field": TABLE_FIELD})
    return [str(row["id"]) for row in rows]
