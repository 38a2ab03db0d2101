"""What a new version of a table changes in the published one: rows counted, keys named.

By key, two rows of one key are held against each other exactly, geometries byte by byte. Where
there is no key, or the two tables have different ones, the rows are compared by content: a row
that differs in anything is one that is gone and one that is new.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import psycopg
from psycopg import sql

from core.job_definition import JsonObject
from core.models.feature_table import GEOMETRY_COLUMN, KEY_COLUMN, FeatureTable, TableName
from infrastructure.database import Connection
from services.publishing import checks
from services.publishing.definitions import column_types, identifier, identifiers

# How many keys of each kind are named.
SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Rows:
    """A table to be compared, as it is recorded; its key is unique and never null."""

    relation: TableName
    shape: FeatureTable
    key_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of the rows. `by` says how they were found, None for a first version.

    The samples name up to `SAMPLE` rows by their key: {key: {column: value}}, and of those
    updated `columns`, in which they differ.
    """

    by: Literal["key", "content"] | None
    added: int
    updated: int
    deleted: int
    unchanged: int
    added_sample: tuple[JsonObject, ...] = ()
    updated_sample: tuple[JsonObject, ...] = ()
    deleted_sample: tuple[JsonObject, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """{added, updated, deleted, unchanged}."""
        return {
            "added": self.added,
            "updated": self.updated,
            "deleted": self.deleted,
            "unchanged": self.unchanged,
        }

    def as_json(self) -> JsonObject:
        return asdict(self)


def first_version(rows: int) -> Difference:
    """All rows are new."""
    return Difference(None, added=rows, updated=0, deleted=0, unchanged=0)


def compare(
    connection: Connection,
    old: Rows,
    new: Rows,
    *,
    ignored: Collection[str] = (),
    keeps_missing_rows: bool = False,
    keeps_missing_columns: bool = False,
    deletions: TableName | None = None,
    check: Callable[[], None],
) -> Difference:
    """How `new` differs from `old`, in columns that are not `ignored`.

    A column that only one of them has differs in the rows where it has a value. With
    `keeps_missing_rows` the rows that do not come in again stay, with `keeps_missing_columns`
    the values of columns that do not: that is how an upsert applies them. Of the rows that would
    stay, those whose key the table `deletions` has go all the same.
    """
    with checks.in_parallel(connection):
        comparison = _Comparison(connection, old, new, ignored, keeps_missing_columns, check)
        if old.key_columns and set(old.key_columns) == set(new.key_columns):
            return comparison.by_key(keeps_missing_rows, deletions)
        return comparison.by_content(keeps_missing_rows)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A column in both tables, as expressions that can be compared: null where it is missing."""

    name: str
    old: sql.Composable
    new: sql.Composable


class _Comparison:
    def __init__(
        self,
        connection: Connection,
        old: Rows,
        new: Rows,
        ignored: Collection[str],
        keeps_missing_columns: bool,
        check: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._old, self._new = old, new
        self._check = check
        before, after = column_types(old.shape), column_types(new.shape)
        self._pairs = {
            name: _pair(name, before.get(name), after.get(name))
            for name in dict.fromkeys([*before, *after])
            if name != KEY_COLUMN
            and name not in ignored
            and not (keeps_missing_columns and name not in after)
        }

    def by_key(self, keeps_missing_rows: bool, deletions: TableName | None) -> Difference:
        self._match()
        (matched,) = self._rows(
            "SELECT count(*) AS rows, count(*) FILTER (WHERE differs) AS differing"
            " FROM pg_temp.gf_compared"
        )
        added = self._count(self._new) - matched["rows"]
        deleted: int = 0
        deleted_sample: tuple[JsonObject, ...] = ()
        if not keeps_missing_rows:
            deleted = self._count(self._old) - matched["rows"]
            deleted_sample = self._unmatched(self._old, "old_gid") if deleted else ()
        elif deletions is not None:
            deleted, deleted_sample = self._deleted(deletions)
        difference = Difference(
            by="key",
            added=added,
            updated=matched["differing"],
            deleted=deleted,
            unchanged=matched["rows"] - matched["differing"],
            added_sample=self._unmatched(self._new, "new_gid") if added else (),
            updated_sample=self._updated() if matched["differing"] else (),
            deleted_sample=deleted_sample,
        )
        self._run("DROP TABLE pg_temp.gf_compared")
        return difference

    def _match(self) -> None:
        """Make gf_compared: the rows that have the same key, and whether they differ."""
        self._run(
            "CREATE TEMPORARY TABLE gf_compared ON COMMIT DROP AS"
            " SELECT o.{gid} AS old_gid, n.{gid} AS new_gid,"
            " ROW({before}) IS DISTINCT FROM ROW({after}) AS differs"
            " FROM {old} o JOIN {new} n ON {same_key}",
            before=sql.SQL(", ").join(pair.old for pair in self._pairs.values()),
            after=sql.SQL(", ").join(pair.new for pair in self._pairs.values()),
            same_key=self._same_key(),
        )
        self._run("ANALYZE pg_temp.gf_compared")

    def _deleted(self, deletions: TableName) -> tuple[int, tuple[JsonObject, ...]]:
        """How many rows have a key among the deletions, and do not come in again; a sample."""
        self._run(
            "CREATE TEMPORARY TABLE gf_deleted ON COMMIT DROP AS"
            " SELECT o.{gid} AS gid FROM {old} o JOIN {deletions} n ON {same_key}"
            " WHERE NOT EXISTS (SELECT FROM pg_temp.gf_compared c WHERE c.old_gid = o.{gid})",
            deletions=identifier(deletions),
            same_key=self._same_key(),
        )
        sample = tuple(
            self._rows(
                "SELECT {key} AS key FROM {old} AS o"
                " WHERE {gid} IN (SELECT gid FROM pg_temp.gf_deleted ORDER BY gid LIMIT {most})"
                " ORDER BY {gid}",
                key=_key("o", self._old.key_columns),
            )
        )
        (found,) = self._rows("SELECT count(*) AS rows FROM pg_temp.gf_deleted")
        self._run("DROP TABLE pg_temp.gf_deleted")
        return found["rows"], sample

    def by_content(self, keeps_missing_rows: bool) -> Difference:
        """Of rows that are there several times, each is held against one of the others."""
        (found,) = self._rows(
            "SELECT coalesce(sum(least(o.rows, n.rows)), 0)::bigint AS same"
            " FROM (SELECT md5(ROW({before})::text) AS digest, count(*) AS rows"
            "  FROM {old} o GROUP BY 1) o"
            " JOIN (SELECT md5(ROW({after})::text) AS digest, count(*) AS rows"
            "  FROM {new} n GROUP BY 1) n USING (digest)",
            before=sql.SQL(", ").join(
                _as_text(pair.name, pair.old) for pair in self._pairs.values()
            ),
            after=sql.SQL(", ").join(
                _as_text(pair.name, pair.new) for pair in self._pairs.values()
            ),
        )
        same = found["same"]
        return Difference(
            by="content",
            added=self._count(self._new) - same,
            updated=0,
            deleted=0 if keeps_missing_rows else self._count(self._old) - same,
            unchanged=same,
        )

    def _same_key(self) -> sql.Composed:
        before, after = column_types(self._old.shape), column_types(self._new.shape)
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(pair.old, pair.new)
            for pair in (_pair(key, before[key], after[key]) for key in self._new.key_columns)
        )

    def _unmatched(self, table: Rows, gid: str) -> tuple[JsonObject, ...]:
        """Keys of rows that the other table has not."""
        return tuple(
            self._rows(
                "SELECT {key} AS key FROM {table} AS t"
                " WHERE NOT EXISTS (SELECT FROM pg_temp.gf_compared c WHERE c.{other} = t.{gid})"
                " ORDER BY {gid} LIMIT {most}",
                key=_key("t", table.key_columns),
                table=identifier(table.relation),
                other=sql.Identifier(gid),
            )
        )

    def _updated(self) -> tuple[JsonObject, ...]:
        """Keys of rows that differ, and in which columns."""
        named = sql.SQL(", ").join(
            sql.SQL("CASE WHEN {} IS DISTINCT FROM {} THEN {} END").format(
                pair.old, pair.new, sql.Literal(name)
            )
            for name, pair in self._pairs.items()
        )
        return tuple(
            self._rows(
                "SELECT {key} AS key, array_remove(ARRAY[{named}], NULL) AS columns"
                " FROM (SELECT * FROM pg_temp.gf_compared"
                "  WHERE differs ORDER BY new_gid LIMIT {most}) c"
                " JOIN {old} o ON o.{gid} = c.old_gid JOIN {new} n ON n.{gid} = c.new_gid"
                " ORDER BY c.new_gid",
                key=_key("n", self._new.key_columns),
                named=named,
            )
        )

    def _count(self, table: Rows) -> int:
        (found,) = self._rows(
            "SELECT count(*) AS rows FROM {table} AS t", table=identifier(table.relation)
        )
        rows: int = found["rows"]
        return rows

    def _rows(self, query: str, **parts: sql.Composable) -> list[JsonObject]:
        return self._run(query, **parts).fetchall()

    def _run(self, statement: str, **parts: sql.Composable) -> psycopg.Cursor[JsonObject]:
        self._check()
        composed = sql.SQL(statement).format(
            **{
                "old": identifier(self._old.relation),
                "new": identifier(self._new.relation),
                "gid": sql.Identifier(KEY_COLUMN),
                "most": sql.Literal(SAMPLE),
                **parts,
            }
        )
        return self._connection.execute(composed)


def _pair(name: str, before: str | None, after: str | None) -> _Pair:
    """A column that has another type is compared as text, and points with multipoints of one."""
    return _Pair(
        name,
        _expression("o", name, before, differs=after not in (None, before)),
        _expression("n", name, after, differs=before not in (None, after)),
    )


def _expression(alias: str, name: str, type_: str | None, *, differs: bool) -> sql.Composable:
    if type_ is None:
        return sql.SQL("NULL")
    column: sql.Composable = sql.Identifier(alias, name)
    if name == GEOMETRY_COLUMN:
        if differs:
            column = sql.SQL("ST_Multi({})").format(column)
        # As bytes: PostGIS's own equality looks at boxes, or at a hash, first.
        return sql.SQL("{}::bytea").format(column)
    return sql.SQL("{}::text").format(column) if differs else column


def _as_text(name: str, value: sql.Composable) -> sql.Composable:
    """Of a geometry the digest: its bytes are long, and twice as long when they are written."""
    return sql.SQL("md5({})").format(value) if name == GEOMETRY_COLUMN else value


def _key(alias: str, key_columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("to_jsonb((SELECT k FROM (SELECT {}) AS k))").format(
        identifiers(key_columns, alias)
    )
