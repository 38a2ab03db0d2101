"""The views that read a table, pointed to the one that takes its place.

A view is replaced by itself, which keeps its identity, grants and own readers. A materialised
view cannot be: it is made and filled anew, with its indexes, grants and comments, and the views
that read it are pointed to the new one in turn. All of it is part of the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from core.errors import PermanentTaskError
from core.models.feature_table import TableName
from infrastructure import queries
from infrastructure.database import Connection, Row
from services.publishing import attachments
from services.publishing.attachments import Attachments

_SQL = queries.load("publishing")


@dataclass(frozen=True, slots=True)
class Dependent:
    """A view. `reads` are the replaced relations or other dependents that it reads."""

    oid: int
    schema: str
    name: str
    is_materialised: bool
    definition: str
    options: tuple[str, ...]
    is_populated: bool
    owner: str
    tablespace: str | None
    reads: frozenset[int]
    attachments: Attachments | None  # of materialised views

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def label(self) -> str:
        kind = "materialised view" if self.is_materialised else "view"
        return f"{kind} {self.schema}.{self.name}"


def read(connection: Connection, oid: int) -> tuple[Dependent, ...]:
    """What has to be made again if the relation is replaced, in the order to do it."""
    reads: dict[int, set[int]] = {}
    rows: dict[int, Row] = {}
    with attachments.qualified_names(connection):
        found_rows = connection.execute(_SQL["dependents"], {"oid": oid}).fetchall()
    for row in found_rows:
        reads.setdefault(row["oid"], set()).add(row["relation"])
        rows[row["oid"]] = row
    return tuple(
        Dependent(
            oid=found,
            schema=rows[found]["schema"],
            name=rows[found]["name"],
            is_materialised=rows[found]["is_materialised"],
            definition=rows[found]["definition"].rstrip().removesuffix(";"),
            options=tuple(rows[found]["options"]),
            is_populated=rows[found]["is_populated"],
            owner=rows[found]["owner"],
            tablespace=rows[found]["tablespace"],
            reads=frozenset(reads[found]),
            attachments=(
                attachments.read(connection, found) if rows[found]["is_materialised"] else None
            ),
        )
        for found in _in_order(
            oid, reads, {found for found, row in rows.items() if row["is_materialised"]}
        )
    )


def obstacles(dependents: Sequence[Dependent]) -> list[str]:
    """What hangs on the materialised views and cannot be made again."""
    return [
        obstacle
        for dependent in dependents
        if dependent.attachments is not None
        for obstacle in dependent.attachments.obstacles
    ]


def lock_statements(dependents: Sequence[Dependent]) -> list[sql.Composed]:
    """What locks the views before the table is locked, in the order in which readers do.

    Whoever reads a view holds it and then asks for the table: if that were locked first, the
    view would hardly ever be free. LOCK would lock every other table that the view reads; a
    change of the owner to the same one changes and locks nothing else.
    """
    return [
        sql.SQL("ALTER {}VIEW {} OWNER TO {}").format(
            sql.SQL("MATERIALIZED " if dependent.is_materialised else ""),
            dependent.identifier,
            sql.Identifier(dependent.owner),
        )
        for dependent in reversed(dependents)
    ]


def replace(connection: Connection, target: TableName, dependents: Sequence[Dependent]) -> None:
    """Point the dependents to the table that now has the name.

    Raises `PermanentTaskError` naming the view that uses a column which is gone or has another
    type.
    """
    outdated = []
    for dependent in dependents:
        try:
            with connection.transaction():
                if dependent.is_materialised:
                    outdated.append(_make_again(connection, dependent))
                else:
                    connection.execute(_replace_view(dependent))
        except (
            psycopg.ProgrammingError,
            psycopg.NotSupportedError,
            psycopg.DataError,
        ) as error:
            raise PermanentTaskError(
                f"The {dependent.label} does not fit the new {target}: "
                f"{error.diag.message_primary}. Drop or change it; nothing was published.",
                code="dependents_would_break",
                object=dependent.label,
                table=str(target),
            ) from error
    for aside in reversed(outdated):
        connection.execute(sql.SQL("DROP MATERIALIZED VIEW {}").format(aside))
    for dependent in dependents:
        if dependent.attachments is not None:
            _furnish(connection, dependent, dependent.attachments)


def _in_order(root: int, reads: dict[int, set[int]], materialised: set[int]) -> list[int]:
    """Dependents of a relation that gets another identity, each after those that it reads."""
    replaced = {root}
    while grown := {m for m in materialised - replaced if reads[m] & replaced}:
        replaced |= grown
    affected = {found for found, sources in reads.items() if sources & replaced}
    order: list[int] = []
    done: set[int] = set()

    def visit(found: int) -> None:
        if found in done:
            return
        done.add(found)
        for source in sorted(reads.get(found, ())):
            visit(source)
        if found in affected:
            order.append(found)

    for found in sorted(reads):
        visit(found)
    return order


def _replace_view(view: Dependent) -> sql.Composed:
    return sql.SQL("CREATE OR REPLACE VIEW {} {}AS {}").format(
        view.identifier, _options(view), attachments.text(view.definition)
    )


def _make_again(connection: Connection, view: Dependent) -> sql.Identifier:
    """Put the old one aside and make a new one; the name of the old one."""
    aside = f"gf_{view.oid}"
    connection.execute(
        sql.SQL("ALTER MATERIALIZED VIEW {} RENAME TO {}").format(
            view.identifier, sql.Identifier(aside)
        )
    )
    tablespace = (
        sql.SQL("TABLESPACE {} ").format(sql.Identifier(view.tablespace))
        if view.tablespace
        else sql.SQL("")
    )
    connection.execute(
        sql.SQL("CREATE MATERIALIZED VIEW {} {}{}AS {} WITH {}DATA").format(
            view.identifier,
            _options(view),
            tablespace,
            attachments.text(view.definition),
            sql.SQL("" if view.is_populated else "NO "),
        )
    )
    return sql.Identifier(view.schema, aside)


def _furnish(connection: Connection, view: Dependent, had: Attachments) -> None:
    for index in had.indexes:
        connection.execute(
            sql.SQL("CREATE {}INDEX {} ON {} USING {}").format(
                sql.SQL("UNIQUE " if index.is_unique else ""),
                sql.Identifier(index.name),
                view.identifier,
                attachments.text(index.definition),
            )
        )
    for column, comment in had.comments:
        what = (
            sql.SQL("MATERIALIZED VIEW {}").format(view.identifier)
            if column is None
            else sql.SQL("COLUMN {}").format(sql.Identifier(view.schema, view.name, column))
        )
        connection.execute(sql.SQL("COMMENT ON {} IS {}").format(what, sql.Literal(comment)))
    connection.execute(
        sql.SQL("ALTER MATERIALIZED VIEW {} OWNER TO {}").format(
            view.identifier, sql.Identifier(had.owner)
        )
    )
    for one in had.grants:
        connection.execute(attachments.grant_in_sql(one, view.identifier))


def _options(view: Dependent) -> sql.Composable:
    if not view.options:
        return sql.SQL("")
    return sql.SQL("WITH ({}) ").format(attachments.options_in_sql(view.options))
