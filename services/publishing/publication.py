"""One change of a published table: how it comes about, and how it is written down.

A table is replaced by another, or changed in place; either way the version before it can be
brought back, by the table that is kept or by the note of what was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from core.errors import NotFound, PermanentTaskError
from core.models.feature_table import FeatureTable, TableName
from infrastructure import publishing_repository as records
from infrastructure import queries
from infrastructure.database import Connection
from infrastructure.publishing_repository import Description, NewVersion, PublishedTable
from services.publishing import attachments, extent, history, merging, swap
from services.publishing.changes import Change, Counts
from services.publishing.definitions import (
    column_definitions,
    column_names,
    column_types,
    default_datetime_column,
    identifier,
    identifiers,
    kept,
    shortened,
    staged,
    version_name,
)
from services.publishing.extent import Extent
from services.publishing.fitting import fitted
from services.publishing.locking import patiently
from services.publishing.swap import Contents

_SQL = queries.load("publishing")
# The share of a table's rows that have to change before its statistics are out of date, as
# PostgreSQL's autovacuum_analyze_scale_factor has it.
_MUCH = 0.1


@dataclass(frozen=True, slots=True)
class Next:
    """What the next version is, before it is written down."""

    change: str
    contents: Contents
    measured: Extent
    counts: Counts
    undo_as: str | None = None
    restores: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class Publication:
    """One change of a published table. The caller has its turn."""

    def __init__(
        self,
        connection: Connection,
        target: TableName,
        keep_versions: int | None,
        patience: float,
        check: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._target = target
        self._keep_versions = keep_versions
        self._patience = patience
        self._check = check
        self._recorded = records.table(connection, target)
        self.current = self._recorded if self._is_there() else None

    @property
    def _version(self) -> int:
        """The number of the version to come."""
        return 1 if self._recorded is None else self._recorded.version + 1

    def require_current(self) -> PublishedTable:
        if self.current is None:
            raise NotFound(f"No table {self._target} is published.", code="unknown_table")
        return self.current

    def first(self, incoming: TableName, contents: Contents, mode: str) -> Next:
        """Publish under a name that is free."""
        measured = self._measure(incoming, contents.shape)
        swap.first(self._connection, self._target, incoming, contents)
        if self._recorded is not None:
            records.retire(self._connection, self._target, self._recorded.version, None)
        return Next(mode, contents, measured, Counts(added=measured.rows))

    def replace(self, incoming: TableName, contents: Contents, change: str = "replace") -> Next:
        """Put a table in the place of the current one, which is kept."""
        current = self.require_current()
        measured = self._measure(incoming, contents.shape)
        kept_as = version_name(self._target, "v", current.version)
        swap.replace(
            self._connection,
            self._target,
            incoming,
            old=Contents(current.shape, current.key_columns),
            new=contents,
            kept_as=kept_as,
            patience=self._patience,
            check=self._check,
        )
        records.retire(self._connection, self._target, current.version, kept_as)
        return Next(change, contents, measured, Counts(added=measured.rows))

    def change(
        self,
        incoming: TableName,
        contents: Contents,
        mode: str,
        *,
        deletions: TableName | None,
        delete_missing: bool,
        ignored: Collection[str],
    ) -> Next:
        """Add rows to the current table, or update them."""
        current = self.require_current()
        keys = tuple(contents.key_columns) if mode == "upsert" else ()
        self._check_keys(current, keys)
        shape = merging.merged(
            self._target,
            current.shape,
            contents.shape,
            empty=self._empty_columns(incoming, contents.shape, current.shape),
        )
        key_columns = current.key_columns or keys
        after = Contents(shape, key_columns)
        in_place = column_types(shape) == column_types(current.shape)
        relation, undo_as = self._target, None
        if in_place:
            undo_as = version_name(self._target, "u", self._version)
            self._lock_out_writers()
            if keys and not current.key_columns:
                self._index_keys(self._target, keys)
        else:
            relation = self._copy(
                self._target, current.shape, after, shortened(incoming.table_name, "_all")
            )
        change = Change(self._connection, relation, shape, undo_as, self._check)
        counts = change.add(
            incoming,
            contents.shape,
            keys,
            deletions=deletions,
            delete_missing=delete_missing,
            ignored=ignored,
        )
        self._drop(incoming)
        notes = merging.differences(current.shape, contents.shape)
        if not in_place:
            self._analyze(relation)
            return replace(self.replace(relation, after, mode), counts=counts, notes=notes)
        records.retire(self._connection, self._target, current.version, None)
        measured = self._measured_in_place(shape, counts)
        return Next(mode, after, measured, counts, undo_as, notes=notes)

    def restore(self, way: history.Way, version: records.Version) -> Next:
        """Go the way back to an earlier version."""
        current = self.require_current()
        if way.base == current.version:
            return self._undo(way, version)
        contents = Contents(version.shape, version.key_columns)
        base = next(
            found
            for found in records.versions(self._connection, self._target)
            if found.version == way.base
        )
        assert base.kept_as is not None
        table = kept(base.kept_as)
        if way.undos:
            # The kept table stays for those who want that version.
            table = self._copy(
                table, base.shape, contents, version_name(self._target, "r", self._version)
            )
            Change(self._connection, table, contents.shape, None, self._check).undo(way.undos)
            self._analyze(table)
        else:
            records.forget_relations(self._connection, self._target, [base.kept_as])
        return replace(self.replace(table, contents, "rollback"), restores=version.version)

    def _undo(self, way: history.Way, version: records.Version) -> Next:
        """Take changes that were made in place back in place."""
        current = self.require_current()
        undo_as = version_name(self._target, "u", self._version)
        self._lock_out_writers()
        change = Change(self._connection, self._target, current.shape, undo_as, self._check)
        counts = change.undo(way.undos)
        records.retire(self._connection, self._target, current.version, None)
        # What an upsert gave the table in indexes, it keeps.
        return Next(
            "rollback",
            Contents(current.shape, current.key_columns),
            self._measured_in_place(current.shape, counts),
            counts,
            undo_as,
            restores=version.version,
        )

    def record(
        self,
        new: Next,
        job_id: str,
        source: str,
        about: Description,
        *,
        datetime_column: str | None,
    ) -> int:
        """Write the version down, with the table's comment, and drop what is too old; its
        number."""
        shape = new.contents.shape
        described = records.add_version(
            self._connection,
            self._target,
            NewVersion(
                version=self._version,
                change=new.change,
                shape=shape,
                key_columns=new.contents.key_columns,
                row_count=new.measured.rows,
                bbox=new.measured.bbox,
                source=source,
                job_id=job_id,
                details={**asdict(new.counts), **new.notes},
                undo_as=new.undo_as,
                restores=new.restores,
            ),
            about,
            datetime_column or default_datetime_column(shape),
        )
        self._comment(described, source, job_id)
        if self._keep_versions is not None:
            self._prune(self._keep_versions)
        return self._version

    def _is_there(self) -> bool:
        """Whether the table is as it was published; raises where something else is there."""
        oid = attachments.oid_of(self._connection, self._target)
        if self._recorded is None:
            records.check_ours(self._connection, self._target)
            return False
        if oid is None:  # It was dropped by someone.
            return False
        found = {
            row["name"]: row["type"]
            for row in self._connection.execute(_SQL["columns"], {"oid": oid})
        }
        wanted = column_types(self._recorded.shape)
        if found != wanted:
            differing = sorted(
                name for name in {*found, *wanted} if found.get(name) != wanted.get(name)
            )
            raise PermanentTaskError(
                f"The columns of {self._target} were changed since it was published "
                f"({', '.join(differing)}), and would be lost. Undo that, or rename the table.",
                code="table_changed",
                table=str(self._target),
                columns=differing,
            )
        return True

    def _check_keys(self, current: PublishedTable, keys: Sequence[str]) -> None:
        if keys and current.key_columns and set(keys) != set(current.key_columns):
            raise PermanentTaskError(
                f"The key of {self._target} is {', '.join(current.key_columns)}, not "
                f"{', '.join(keys)}. Use that, or replace the table.",
                code="keys_differ",
                table=str(self._target),
            )
        names = {column.name for column in current.shape.columns}
        missing = [key for key in keys if key not in names]
        if missing:
            raise PermanentTaskError(
                f"{self._target} has no column {missing[0]!r} to find rows by.",
                code="keys_differ",
                table=str(self._target),
            )

    def _empty_columns(
        self, incoming: TableName, shape: FeatureTable, published: FeatureTable
    ) -> set[str]:
        """Of the columns whose types differ from the published ones, those without a value."""
        known = {column.name: column.type for column in published.columns}
        return {
            column.name
            for column in shape.columns
            if known.get(column.name, column.type) is not column.type
            and not self._found(
                sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NOT NULL) AS found").format(
                    identifier(incoming), sql.Identifier(column.name)
                )
            )
        }

    def _lock_out_writers(self) -> None:
        """Let others read the table, and nobody else write to it."""
        oid = attachments.oid_of(self._connection, self._target)
        assert oid is not None
        patiently(
            self._connection,
            self._target,
            "SHARE ROW EXCLUSIVE",
            oids=[oid],
            patience=self._patience,
            check=self._check,
        )

    def _copy(self, table: TableName, shape: FeatureTable, after: Contents, name: str) -> TableName:
        """A table of another shape with the rows of one, and its own indexes."""
        copy = staged(name)
        to = identifier(copy)
        self._connection.execute(
            sql.SQL("CREATE TABLE {} ({})").format(to, column_definitions(after.shape))
        )
        self._connection.execute(
            sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {} AS rows").format(
                to,
                fitted(table, shape, after.shape),
                columns=identifiers(column_names(shape)),
            )
        )
        self._connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (gid)").format(to))
        if after.shape.geometry is not None:
            self._connection.execute(sql.SQL("CREATE INDEX ON {} USING gist (geom)").format(to))
        if after.key_columns:
            self._index_keys(copy, after.key_columns)
        self._index_lookups(table, shape, copy, after.shape)
        return copy

    def _index_lookups(
        self, table: TableName, shape: FeatureTable, copy: TableName, copied: FeatureTable
    ) -> None:
        """Index what is looked for in a table in its copy too, unless its type is another."""
        oid = attachments.oid_of(self._connection, table)
        assert oid is not None
        before, after = column_types(shape), column_types(copied)
        for index in attachments.indexes(self._connection, oid):
            column = attachments.lookup_column(index)
            if column is not None and after.get(column) == before.get(column):
                self._connection.execute(
                    sql.SQL("CREATE INDEX {} ON {} USING {}").format(
                        sql.Identifier(attachments.lookup_name(copy, column)),
                        identifier(copy),
                        attachments.text(index.definition),
                    )
                )

    def _index_keys(self, table: TableName, keys: Sequence[str]) -> None:
        try:
            self._connection.execute(
                sql.SQL("CREATE UNIQUE INDEX {} ON {} ({})").format(
                    sql.Identifier(shortened(table.table_name, f"_{'_'.join(keys)}_key")),
                    identifier(table),
                    identifiers(keys),
                )
            )
        except psycopg.errors.UniqueViolation as error:
            raise PermanentTaskError(
                f"Rows of {self._target} share a key: {error.diag.message_detail}",
                code="keys_not_unique",
                table=str(self._target),
            ) from error

    def _measure(self, table: TableName, shape: FeatureTable) -> Extent:
        return extent.measure(self._connection, table, shape)

    def _measured_in_place(self, shape: FeatureTable, counts: Counts) -> Extent:
        """What there is after a change of the current table, with its statistics anew where that
        was more than a little: the server itself takes the same view of it."""
        measured = extent.look_up(self._connection, self._target, shape)
        if counts.changed >= _MUCH * measured.rows:
            self._analyze(self._target)
        return measured

    def _analyze(self, table: TableName) -> None:
        self._connection.execute(sql.SQL("ANALYZE {}").format(identifier(table)))

    def _drop(self, table: TableName) -> None:
        self._connection.execute(sql.SQL("DROP TABLE {}").format(identifier(table)))

    def _comment(self, about: Description, source: str, job_id: str) -> None:
        lines = [
            about.title,
            about.description,
            about.attribution and f"Attribution: {about.attribution}",
            f"Source: {source}",
            f"Version {self._version}, published by geoforge at "
            f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}, job {job_id}",
        ]
        self._connection.execute(
            sql.SQL("COMMENT ON TABLE {} IS {}").format(
                identifier(self._target), sql.Literal("\n".join(line for line in lines if line))
            )
        )

    def _prune(self, keep: int) -> None:
        """Drop what leads back to versions that are too old. What someone still reads, or has
        made a view of, is left for the next time."""
        oldest = self._version - keep
        dropped = []
        for version in records.versions(self._connection, self._target):
            relations = [
                version.kept_as if version.version < oldest else None,
                version.undo_as if version.version - 1 < oldest else None,
            ]
            dropped += [name for name in relations if name and self._try_to_drop(name)]
        records.forget_relations(self._connection, self._target, dropped)

    def _try_to_drop(self, name: str) -> bool:
        try:
            with self._connection.transaction():
                self._connection.execute("SET LOCAL lock_timeout = '100ms'")
                self._connection.execute(
                    sql.SQL("DROP TABLE IF EXISTS {}").format(identifier(kept(name)))
                )
                self._connection.execute("SET LOCAL lock_timeout TO DEFAULT")
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist):
            return False
        return True

    def _found(self, query: sql.Composed) -> bool:
        row = self._connection.execute(query).fetchone()
        return row is not None and bool(row["found"])
