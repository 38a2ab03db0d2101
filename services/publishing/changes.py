"""Change a table in place, set by set, and note what it takes to undo that.

The note is a relation in geo_versions with a row for each gid that the change touched:
`gf_existed`, and the row as it was before. Undoing is to put these rows back, and is itself a
change with a note of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from core.errors import PermanentTaskError
from core.models.feature_table import (
    GEOMETRY_COLUMN,
    KEY_COLUMN,
    FeatureTable,
    TableName,
)
from infrastructure.database import Connection
from services.publishing.definitions import (
    column_names,
    identifier,
    identifiers,
    kept,
)
from services.publishing.fitting import fitted

_EXISTED = sql.Identifier("gf_existed")
_GID = sql.Identifier(KEY_COLUMN)


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that a change added, updated, removed, and found as they should be."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0

    @property
    def changed(self) -> int:
        """Rows that are not as they were."""
        return self.added + self.updated + self.removed


@dataclass(frozen=True, slots=True)
class Change:
    """A table of the shape `table` that is changed, and where the note is written (None: nowhere).

    Nobody else may write to the table meanwhile.
    """

    connection: Connection
    relation: TableName
    table: FeatureTable
    undo_as: str | None
    check: Callable[[], None]

    def add(
        self,
        incoming: TableName,
        shape: FeatureTable,
        key_columns: Sequence[str] = (),
        *,
        deletions: TableName | None = None,
        delete_missing: bool = False,
        ignored: Collection[str] = (),
    ) -> Counts:
        """Add the rows of another table, whose columns fit into this one's.

        With key columns a row whose key is there updates that row if it differs, in the columns
        that the incoming table has; that `ignored` ones differ is no reason, so a row that is
        equal otherwise keeps their old values. `deletions` is a table of keys whose rows are
        removed, unless they come in again; `delete_missing` removes all that do not come in.
        Both want key columns, whose values must be distinct and not null among the incoming.
        """
        self._start_note()
        # Before rows are removed: a change that took up their numbers could not be undone.
        last = self._one("SELECT coalesce(max({gid}), 0) AS gid FROM {relation}")["gid"]
        if not key_columns:
            return Counts(added=self._insert(incoming, shape, last, matched=False))
        removed = 0
        with self._matches(incoming, shape, key_columns, ignored) as (updated, unchanged):
            if delete_missing or deletions is not None:
                removed = self._delete(key_columns, deletions, delete_missing=delete_missing)
            if updated:
                self._update(incoming, shape)
            added = self._insert(incoming, shape, last, matched=True)
        return Counts(added, updated, removed, unchanged)

    def undo(self, notes: Sequence[str]) -> Counts:
        """Put back what notes in geo_versions say, one after the other."""
        self._start_note()
        columns = identifiers(column_names(self.table))
        union = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}::integer AS place, {}, {} FROM {}").format(
                sql.Literal(place), _EXISTED, columns, identifier(kept(note))
            )
            for place, note in enumerate(notes)
        )
        # Of a gid that several notes name, the last one applied says what it is in the end.
        self._run(
            "CREATE TEMPORARY TABLE gf_target ON COMMIT DROP AS"
            " SELECT DISTINCT ON ({gid}) {existed}, {columns} FROM ({union}) AS notes"
            " ORDER BY {gid}, place DESC",
            columns=columns,
            union=union,
        )
        counts = self._one(
            "SELECT count(*) FILTER (WHERE t.{existed} AND r.{gid} IS NULL) AS added,"
            " count(*) FILTER (WHERE t.{existed} AND r.{gid} IS NOT NULL) AS updated,"
            " count(*) FILTER (WHERE NOT t.{existed} AND r.{gid} IS NOT NULL) AS removed"
            " FROM pg_temp.gf_target t LEFT JOIN {relation} r USING ({gid})"
        )
        if self.undo_as is not None:
            own = column_names(self.table)[1:]
            self._run(
                "INSERT INTO {undo} ({existed}, {columns})"
                " SELECT r.{gid} IS NOT NULL, t.{gid}{others}"
                " FROM pg_temp.gf_target t LEFT JOIN {relation} r USING ({gid})",
                columns=columns,
                others=sql.SQL("").join(sql.SQL(", ") + sql.Identifier("r", name) for name in own),
            )
        # Removed first and then added, since a row may take the key that another one had.
        self._run("DELETE FROM {relation} r USING pg_temp.gf_target t WHERE r.{gid} = t.{gid}")
        self._run(
            "INSERT INTO {relation} ({columns})"
            " SELECT {columns} FROM pg_temp.gf_target WHERE {existed} ORDER BY {gid}",
            columns=columns,
        )
        self._run("DROP TABLE pg_temp.gf_target")
        return Counts(counts["added"], counts["updated"], counts["removed"])

    def _start_note(self) -> None:
        if self.undo_as is not None:
            self._run("CREATE TABLE {undo} ({existed} boolean NOT NULL, LIKE {relation})")

    @contextmanager
    def _matches(
        self,
        incoming: TableName,
        shape: FeatureTable,
        key_columns: Sequence[str],
        ignored: Collection[str],
    ) -> Iterator[tuple[int, int]]:
        """Make gf_matched: the rows that have a key of an incoming one, and whether they
        differ; gives the numbers of those that do and those that do not."""
        names = [name for name in column_names(shape)[1:] if name not in ignored]
        self._run(
            "CREATE TEMPORARY TABLE gf_matched ON COMMIT DROP AS"
            " SELECT r.{gid} AS gid, s.{gid} AS staged_gid,"
            " ({old}) IS DISTINCT FROM ({new}) AS differs"
            " FROM {relation} r JOIN {incoming} s ON {same_key}",
            incoming=fitted(incoming, shape, self.table),
            old=_comparable("r", names),
            new=_comparable("s", names),
            same_key=_same_key("r", "s", key_columns),
        )
        self._run("ANALYZE pg_temp.gf_matched")
        counts = self._one(
            "SELECT count(*) FILTER (WHERE differs) AS updated,"
            " count(*) FILTER (WHERE NOT differs) AS unchanged FROM pg_temp.gf_matched"
        )
        yield counts["updated"], counts["unchanged"]
        self._run("DROP TABLE pg_temp.gf_matched")

    def _update(self, incoming: TableName, shape: FeatureTable) -> None:
        self._note("{gid} IN (SELECT gid FROM pg_temp.gf_matched WHERE differs)")
        self._run(
            "UPDATE {relation} r SET {values} FROM {incoming} s"
            " JOIN pg_temp.gf_matched m ON m.staged_gid = s.{gid}"
            " WHERE r.{gid} = m.gid AND m.differs",
            incoming=fitted(incoming, shape, self.table),
            values=sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("s", name))
                for name in column_names(shape)[1:]
            ),
        )

    def _delete(
        self, key_columns: Sequence[str], deletions: TableName | None, *, delete_missing: bool
    ) -> int:
        gone = sql.SQL(
            "NOT EXISTS (SELECT FROM pg_temp.gf_matched m WHERE m.gid = r.{gid})"
        ).format(gid=_GID)
        if not delete_missing and deletions is not None:
            gone += sql.SQL(" AND EXISTS (SELECT FROM {} d WHERE {})").format(
                identifier(deletions), _same_key("r", "d", key_columns)
            )
        self._run(
            "CREATE TEMPORARY TABLE gf_gone ON COMMIT DROP AS"
            " SELECT {gid} AS gid FROM {relation} r WHERE {gone}",
            gone=gone,
        )
        self._note("{gid} IN (SELECT gid FROM pg_temp.gf_gone)")
        removed = self._run(
            "DELETE FROM {relation} r USING pg_temp.gf_gone g WHERE r.{gid} = g.gid"
        )
        self._run("DROP TABLE pg_temp.gf_gone")
        return removed

    def _insert(self, incoming: TableName, shape: FeatureTable, last: int, *, matched: bool) -> int:
        """Add the rows, or those without a match, under the numbers after `last`."""
        others = column_names(shape)[1:]
        where: sql.Composable = sql.SQL("")
        if matched:
            where = sql.SQL(
                " WHERE NOT EXISTS (SELECT FROM pg_temp.gf_matched m WHERE m.staged_gid = s.{gid})"
            ).format(gid=_GID)
        try:
            added = self._run(
                "INSERT INTO {relation} ({columns})"
                " SELECT {last} + row_number() OVER (ORDER BY s.{gid}){others}"
                " FROM {incoming} s{where} ORDER BY s.{gid}",
                columns=identifiers([KEY_COLUMN, *others]),
                last=sql.Literal(last),
                others=sql.SQL("").join(
                    sql.SQL(", ") + sql.Identifier("s", name) for name in others
                ),
                incoming=fitted(incoming, shape, self.table),
                where=where,
            )
        except psycopg.errors.UniqueViolation as error:
            raise PermanentTaskError(
                f"A record is in {self.relation} already: {error.diag.message_detail} "
                "Use mode upsert to update it.",
                code="keys_not_unique",
                table=str(self.relation),
            ) from error
        if self.undo_as is not None and added:
            self._run(
                "INSERT INTO {undo} ({existed}, {gid})"
                " SELECT false, generate_series({first}::bigint, {last}::bigint)",
                first=sql.Literal(last + 1),
                last=sql.Literal(last + added),
            )
        return added

    def _note(self, which: str) -> None:
        """Note rows as they are, before they change."""
        if self.undo_as is not None:
            columns = identifiers(column_names(self.table))
            self._run(
                "INSERT INTO {undo} ({existed}, {columns})"
                " SELECT true, {columns} FROM {relation} WHERE " + which,
                columns=columns,
            )

    def _run(self, statement: str, **parts: sql.Composable) -> int:
        self.check()
        return self.connection.execute(self._composed(statement, parts)).rowcount

    def _one(self, statement: str) -> dict[str, int]:
        row = self.connection.execute(self._composed(statement, {})).fetchone()
        assert row is not None
        return row

    def _composed(self, statement: str, parts: dict[str, sql.Composable]) -> sql.Composed:
        return sql.SQL(statement).format(
            **{
                "relation": identifier(self.relation),
                "undo": identifier(kept(self.undo_as or "none")),
                "existed": _EXISTED,
                "gid": _GID,
                **parts,
            }
        )


def _comparable(alias: str, names: Sequence[str]) -> sql.Composed:
    """Columns for IS DISTINCT FROM. Geometries as bytes, so that every bit counts."""
    return sql.SQL("ROW({})").format(
        sql.SQL(", ").join(
            sql.SQL("{}::bytea" if name == GEOMETRY_COLUMN else "{}").format(
                sql.Identifier(alias, name)
            )
            for name in names
        )
    )


def _same_key(left: str, right: str, key_columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, key), sql.Identifier(right, key))
        for key in key_columns
    )
