"""What a source has deleted: the keys of records that go, staged beside a version's rows.

They come as CSV files (UTF-8, with a header) that have the key's columns and, where the dataset
says which of two records is newer (`About.newest`), that column with the time of the deletion.
Deletions and records are two words on the same keys, and the later one counts: a record that
came again since is not deleted, and one that was deleted since does not come in.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from core.errors import PermanentTaskError
from core.models.feature_table import KEY_COLUMN, FeatureTable
from infrastructure import blob_storage
from infrastructure.database import Connection
from services.publishing.definitions import (
    column_types,
    identifier,
    identifiers,
    shortened,
    staged,
    type_in_sql,
)
from services.vector import validating
from services.vector.model import Reason
from services.vector.plan import LayerPlan

# Some millions of keys; a source that deletes more is better read as a whole.
_MOST_BYTES = 128 << 20
_SINCE_DELETED = "The source has deleted this record since"


@dataclass(frozen=True, slots=True)
class DeletionsFile:
    """A fetched file of deletions."""

    blob: str
    content: bytes


def read(files: Iterable[Mapping[str, Any]], check: Callable[[], None]) -> list[DeletionsFile]:
    """The fetched files ({container, blob, sha256}) of a version's deletions.

    Raises `PermanentTaskError`: source_changed where one is another than was fetched,
    source_too_large; `NotFound` and `Unavailable`.
    """
    found = []
    for file in files:
        check()
        try:
            content = blob_storage.read_bytes(file["container"], file["blob"], limit=_MOST_BYTES)
        except ValueError as error:
            raise PermanentTaskError(
                f"The list of deleted records is too long: {error}.", code="source_too_large"
            ) from error
        if file["sha256"] not in (None, hashlib.sha256(content).hexdigest()):
            raise PermanentTaskError(
                f"{file['blob']} was replaced since it was fetched. Run the update again.",
                code="source_changed",
            )
        found.append(DeletionsFile(file["blob"], content))
    return found


def apply(
    connection: Connection,
    job_id: str,
    name: str,
    files: Sequence[DeletionsFile],
    layers: Sequence[LayerPlan],
    newest: str | None,
    check: Callable[[], None],
) -> int:
    """Stage the keys of the files as the table `name`, but for those of records that came in
    again since; of the staged rows those that were deleted since go to quarantine.

    Returns the number of keys; there is no table where it is 0. A key that was deleted several
    times was so at last. A record that came in at the very time of its deletion is deleted;
    without `newest` nothing tells, and what came in stays. Raises `PermanentTaskError`
    (deletions_unreadable) saying where.
    """
    keys = layers[0].key_columns
    if not keys:
        raise ValueError("deletions name records by their keys, and there is no key")
    _stage(connection, name, files, layers[0].tables[0].shape, keys, newest)
    for layer in layers:
        check()
        if newest is not None:
            gids = _deleted_since(connection, name, layer, newest)
            validating.quarantine(
                connection,
                job_id,
                layer,
                layer.tables[0],
                dict.fromkeys(gids, _SINCE_DELETED),
                Reason.SUPERSEDED,
            )
        _forget_those_that_are_back(connection, name, layer)
    row = connection.execute(
        sql.SQL("SELECT count(*) AS keys FROM {}").format(identifier(staged(name)))
    ).fetchone()
    assert row is not None
    if not row["keys"]:
        connection.execute(sql.SQL("DROP TABLE {}").format(identifier(staged(name))))
    return int(row["keys"])


def _stage(
    connection: Connection,
    name: str,
    files: Sequence[DeletionsFile],
    shape: FeatureTable,
    keys: Sequence[str],
    newest: str | None,
) -> None:
    columns = [*keys, *([newest] if newest is not None else [])]
    types = column_types(shape)
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE gf_deleted_in ({}) ON COMMIT DROP").format(
            sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(each)) for each in columns)
        )
    )
    try:
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY pg_temp.gf_deleted_in FROM STDIN") as copy,
        ):
            for file in files:
                for values in _values(file, columns):
                    copy.write_row(values)
        connection.execute(
            sql.SQL(
                "CREATE TABLE {table} AS SELECT DISTINCT ON ({keys}) {columns}"
                " FROM (SELECT {typed} FROM pg_temp.gf_deleted_in) AS typed"
                " ORDER BY {keys}{latest_first}"
            ).format(
                table=identifier(staged(name)),
                keys=identifiers(keys),
                columns=identifiers(columns),
                typed=sql.SQL(", ").join(
                    sql.SQL("{column}::{type} AS {column}").format(
                        column=sql.Identifier(each), type=type_in_sql(types[each])
                    )
                    for each in columns
                ),
                latest_first=sql.SQL("")
                if newest is None
                else sql.SQL(", {} DESC").format(sql.Identifier(newest)),
            )
        )
    except psycopg.DataError as error:
        raise PermanentTaskError(
            f"The list of deleted records cannot be read: {error.diag.message_primary}.",
            code="deletions_unreadable",
        ) from error
    connection.execute("DROP TABLE pg_temp.gf_deleted_in")
    connection.execute(
        sql.SQL("CREATE UNIQUE INDEX {} ON {} ({})").format(
            sql.Identifier(shortened(name, "_key")), identifier(staged(name)), identifiers(keys)
        )
    )
    connection.execute(sql.SQL("ANALYZE {}").format(identifier(staged(name))))


def _values(file: DeletionsFile, columns: Sequence[str]) -> Iterator[list[str]]:
    """The rows of a file, as texts. Raises `PermanentTaskError` (deletions_unreadable)."""
    try:
        rows = csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"), newline=""))
        missing = [name for name in columns if name not in (rows.fieldnames or ())]
        if missing:
            raise _unreadable(file, f"it has no column {missing[0]!r}")
        for row in rows:
            values = [row[name] for name in columns]
            if not all(values):
                empty = columns[[bool(value) for value in values].index(False)]
                raise _unreadable(file, f"line {rows.line_num} has no {empty!r}")
            yield values
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(file, str(error)) from error


def _unreadable(file: DeletionsFile, why: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"{file.blob} is no list of deleted records: {why}.", code="deletions_unreadable"
    )


def _deleted_since(connection: Connection, name: str, layer: LayerPlan, newest: str) -> list[int]:
    rows = connection.execute(
        sql.SQL(
            "SELECT r.{gid} AS gid FROM {rows} r JOIN {deletions} d ON {same_key}"
            " WHERE r.{newest} IS NULL OR r.{newest} <= d.{newest} ORDER BY 1"
        ).format(**_names(name, layer), newest=sql.Identifier(newest))
    )
    return [row["gid"] for row in rows]


def _forget_those_that_are_back(connection: Connection, name: str, layer: LayerPlan) -> None:
    connection.execute(
        sql.SQL("DELETE FROM {deletions} d USING {rows} r WHERE {same_key}").format(
            **_names(name, layer)
        )
    )


def _names(name: str, layer: LayerPlan) -> dict[str, sql.Composable]:
    return {
        "gid": sql.Identifier(KEY_COLUMN),
        "rows": identifier(staged(layer.tables[0].staged)),
        "deletions": identifier(staged(name)),
        "same_key": sql.SQL(" AND ").join(
            sql.SQL("r.{key} = d.{key}").format(key=sql.Identifier(key))
            for key in layer.key_columns
        ),
    }
