"""Hidden tables in geo_staging that a job fills, and that are published when they are whole.

They are logged: a staged table outlives a crash of the server, as the ledger does that says
which of its chunks are done, and it is published by being renamed, with nothing left to write.
(An unlogged table loads a fifth faster and gives it back when it is made a logged one, since
that rewrites the table and its indexes; see docs/publishing.md.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from core.errors import PermanentTaskError
from core.models.feature_table import KEY_COLUMN, FeatureTable
from infrastructure import copy_binary, queries
from infrastructure.database import Connection
from infrastructure.locks import Space, lock
from services.publishing.definitions import (
    STAGING_SCHEMA,
    column_definitions,
    column_names,
    column_types,
    identifier,
    identifiers,
    staged,
)

HASH_COLUMN = "gf_hash"

_SQL = queries.load("publishing")
_JOB_DIGITS = 40
_APART = "apart_"
_JOB_ID = re.compile(r"[0-9a-f]{40,}")
# A housekeeper does not queue behind a task that still writes.
_DROP_PATIENCE = "200ms"


def staged_name(job_id: str, layer: int, dimension: int | None = None) -> str:
    """The staged table of a job's layer, and of one dimension of its geometries."""
    kind = "rows" if dimension is None else f"d{dimension}"
    return f"{_job_prefix(job_id)}{layer}_{kind}"


def create(connection: Connection, name: str, table: FeatureTable) -> bool:
    """Make the staged table, unless it is there: then its rows stay. Whether it was made.

    Its columns are gid, those of the table, the geometry, and a hash of the whole feature by
    which duplicates are found (null: not looked at). Raises `PermanentTaskError` where it is
    there with other columns.
    """
    lock(connection, Space.DDL, "staged", name)
    there = _columns(connection, name)
    wanted = {**column_types(table), HASH_COLUMN: "bigint"}
    if there is not None:
        if there not in (wanted, column_types(table)):
            raise PermanentTaskError(
                "The rows that were staged before have other columns than those that are to "
                "come. Submit the job again with ?rerun=true.",
                code="staged_table_differs",
            )
        return False
    connection.execute(
        sql.SQL(
            "CREATE TABLE {} ({}, {} bigint)"
            # It is read by one job only, which analyses it itself.
            " WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false)"
        ).format(identifier(staged(name)), column_definitions(table), sql.Identifier(HASH_COLUMN))
    )
    connection.execute(
        sql.SQL("ALTER TABLE {} ALTER {} SET NOT NULL").format(
            identifier(staged(name)), sql.Identifier(KEY_COLUMN)
        )
    )
    return True


@contextmanager
def copy_into(
    connection: Connection, name: str, table: FeatureTable
) -> Iterator[Callable[[bytes], None]]:
    """Rows by binary COPY: gives a function that takes tuples of `copy_binary.encode_rows`.

    The bytes may be cut anywhere. The rows are there when the block ends without an exception.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        identifier(staged(name)), identifiers([*column_names(table), HASH_COLUMN])
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(copy_binary.HEADER)
        yield copy.write
        copy.write(copy_binary.TRAILER)


def drop(connection: Connection, job_id: str) -> list[str]:
    """Drop the staged tables of a job; their names. One that is still written to stays."""
    found = connection.execute(_SQL["staged"], {"prefix": _job_prefix(job_id)}).fetchall()
    return [row["name"] for row in found if _drop(connection, row["name"])]


def set_apart(connection: Connection, name: str, job_id: str) -> str:
    """Give a staged table a name that neither `drop` nor `sweep` takes; the name. Who does so
    drops the table by `drop_one`."""
    apart = apart_name(job_id)
    connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(
            identifier(staged(name)), sql.Identifier(apart)
        )
    )
    return apart


def apart_name(job_id: str, what: str | None = None) -> str:
    """The name of a table that is set apart for a job; `what` tells it from the rows."""
    name = f"{_APART}{job_id[:_JOB_DIGITS]}"
    return name if what is None else f"{name}_{what}"


def set_apart_tables(connection: Connection) -> list[str]:
    """The tables under names of `apart_name`."""
    found = connection.execute(_SQL["staged"], {"prefix": _APART}).fetchall()
    return [row["name"] for row in found]


def drop_one(connection: Connection, name: str) -> bool:
    """Drop a staged table by its name; False where someone works with it at this moment."""
    return _drop(connection, name)


def sweep(connection: Connection) -> list[str]:
    """Drop the staged tables of jobs that need them no more; their names.

    A failed or cancelled job needs them as long as it can be resumed.
    """
    found = connection.execute(_SQL["abandoned"]).fetchall()
    return [row["name"] for row in found if _drop(connection, row["name"])]


def _job_prefix(job_id: str) -> str:
    if not _JOB_ID.match(job_id):
        raise ValueError(f"not a job's id: {job_id!r}")
    return f"j{job_id[:_JOB_DIGITS]}_"


def _drop(connection: Connection, name: str) -> bool:
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (_DROP_PATIENCE,))
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(identifier(staged(name))))
            connection.execute("SET LOCAL lock_timeout = DEFAULT")
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _columns(connection: Connection, name: str) -> dict[str, str] | None:
    relation = connection.execute(
        _SQL["relation"], {"schema": STAGING_SCHEMA, "name": name}
    ).fetchone()
    if relation is None:
        return None
    rows = connection.execute(_SQL["columns"], {"oid": relation["oid"]}).fetchall()
    return {row["name"]: row["type"] for row in rows}
