"""Give a finished table the name of a published one, with all that hangs on that.

The work is in two parts. What takes time, such as indexes that people added, is done on the
incoming table while the old one is read by everyone. Then, for milliseconds, the old table is
locked, moved away, and the incoming one takes its name; views and policies follow. All of it is
one transaction: readers see the old table or the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from core.errors import PermanentTaskError, TransientTaskError
from core.models.feature_table import FeatureTable, TableName
from infrastructure import queries
from infrastructure.database import Connection
from services.publishing import attachments, dependents
from services.publishing.attachments import Attachments, Index, oid_of
from services.publishing.definitions import column_names, identifier, kept, shortened
from services.publishing.dependents import Dependent
from services.publishing.locking import patiently

_SQL = queries.load("publishing")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a table holds, as it was or will be recorded."""

    shape: FeatureTable
    key_columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Surroundings:
    attachments: Attachments
    dependents: tuple[Dependent, ...]


def first(connection: Connection, target: TableName, incoming: TableName, new: Contents) -> None:
    """Give the table a name that nothing has yet, and what the schema grants by default."""
    for one in attachments.grants(connection, "default_grants", {"schema": target.schema_name}):
        connection.execute(attachments.grant_in_sql(one, identifier(incoming)))
    _let_autovacuum(connection, incoming)
    _move(connection, incoming, target, new.key_columns)
    _comment_columns(connection, target, new.shape, {})


def replace(
    connection: Connection,
    target: TableName,
    incoming: TableName,
    *,
    old: Contents,
    new: Contents,
    kept_as: str,
    patience: float,
    check: Callable[[], None],
) -> None:
    """Put the incoming table in the place of the published one, which becomes `kept_as` in
    geo_versions.

    Raises `PermanentTaskError` naming what would not survive (replace_blocked,
    dependents_would_break, attachment_does_not_fit), `TransientTaskError` (table_busy) where
    the old table is in use for longer than `patience` seconds. The published table is then as
    it was.
    """
    before = _read(connection, target)
    _check_obstacles(target, before)
    _let_autovacuum(connection, incoming)
    attachments.prepare(
        connection,
        incoming,
        before.attachments,
        column_names(new.shape),
        old.key_columns,
    )

    def swap() -> None:
        if _read(connection, target) != before:
            raise TransientTaskError(
                f"Grants, indexes or views of {target} were changed at this moment.",
                code="table_busy",
                table=str(target),
            )
        _move(connection, target, kept(kept_as), old.key_columns)
        _move(connection, incoming, target, new.key_columns, before.attachments.indexes)
        attachments.take_over(connection, target, before.attachments)
        _comment_columns(connection, target, new.shape, _own_comments(before, old.shape))
        dependents.replace(connection, target, before.dependents)

    patiently(
        connection,
        target,
        "ACCESS EXCLUSIVE",
        swap,
        first=dependents.lock_statements(before.dependents),
        oids=[before.attachments.oid, *(found.oid for found in before.dependents)],
        patience=patience,
        check=check,
    )


def _read(connection: Connection, target: TableName) -> _Surroundings:
    oid = oid_of(connection, target)
    if oid is None:
        raise TransientTaskError(f"{target} is being dropped.", code="table_busy")
    return _Surroundings(attachments.read(connection, oid), dependents.read(connection, oid))


def _check_obstacles(target: TableName, found: _Surroundings) -> None:
    objects = [*found.attachments.obstacles, *dependents.obstacles(found.dependents)]
    if objects:
        raise PermanentTaskError(
            f"{target} cannot be replaced, since these would be lost: {'; '.join(objects)}. "
            "Drop them (and make them again afterwards), or publish under another name.",
            code="replace_blocked",
            table=str(target),
            objects=objects,
        )


def _let_autovacuum(connection: Connection, incoming: TableName) -> None:
    """Staged tables are not vacuumed; published ones are."""
    connection.execute(
        sql.SQL("ALTER TABLE {} RESET (autovacuum_enabled, toast.autovacuum_enabled)").format(
            identifier(incoming)
        )
    )


def _move(
    connection: Connection,
    table: TableName,
    to: TableName,
    key_columns: Sequence[str],
    like: Sequence[Index] = (),
) -> None:
    """Give a table another schema and name, and its indexes the names that go with these.

    An index that equals one of `like` takes over its name and comment.
    """
    connection.execute(
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
            identifier(table), sql.Identifier(to.schema_name)
        )
    )
    connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(
            sql.Identifier(to.schema_name, table.table_name), sql.Identifier(to.table_name)
        )
    )
    oid = oid_of(connection, to)
    assert oid is not None
    models = {index.signature: index for index in like}
    for number, index in enumerate(attachments.indexes(connection, oid)):
        model = models.get(index.signature)
        suffix = attachments.own_suffix(index, key_columns)
        if suffix is not None:
            wanted = shortened(to.table_name, suffix)
        elif model is not None:
            wanted = model.name
        elif (column := attachments.lookup_column(index)) is not None:
            wanted = attachments.lookup_name(to, column)
        else:
            wanted = shortened(to.table_name, f"_idx{number}")
        name = index.name
        if wanted != name:
            name = _free_name(connection, to.schema_name, wanted)
            connection.execute(
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                    sql.Identifier(to.schema_name, index.name), sql.Identifier(name)
                )
            )
        if model is not None and model.comment is not None:
            connection.execute(
                sql.SQL("COMMENT ON INDEX {} IS {}").format(
                    sql.Identifier(to.schema_name, name), sql.Literal(model.comment)
                )
            )


def _free_name(connection: Connection, schema: str, wanted: str) -> str:
    """The name, or it with a number where something else in the schema is called so."""
    taken = {
        row["name"]
        for row in connection.execute(
            _SQL["names_in_schema"], {"schema": schema, "prefix": wanted[:50]}
        )
    }
    name, number = wanted, 1
    while name in taken:
        name, number = shortened(wanted, str(number)), number + 1
    return name


def _own_comments(found: _Surroundings, shape: FeatureTable) -> dict[str, str]:
    """Comments that people wrote on columns, other than those of geoforge."""
    recorded = {column.name: column.comment for column in shape.columns}
    return {
        column: comment
        for column, comment in found.attachments.comments
        if column is not None and comment != recorded.get(column)
    }


def _comment_columns(
    connection: Connection, target: TableName, shape: FeatureTable, own: Mapping[str, str]
) -> None:
    recorded = {column.name: column.comment for column in shape.columns}
    for name in column_names(shape):
        connection.execute(
            sql.SQL("COMMENT ON COLUMN {} IS {}").format(
                sql.Identifier(target.schema_name, target.table_name, name),
                sql.Literal(own.get(name, recorded.get(name))),
            )
        )
