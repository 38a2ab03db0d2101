"""What people hung on a table: read from one table, put on the one that takes its place.

Owner, grants, storage options, row-level security, check constraints and indexes are made
again. Whatever cannot be, such as a foreign key, is named as an obstacle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from core.errors import PermanentTaskError
from core.models.feature_table import GEOMETRY_COLUMN, KEY_COLUMN, TableName
from infrastructure import queries
from infrastructure.database import Connection
from services.publishing.definitions import identifier, shortened

_SQL = queries.load("publishing")
# What tells an index on one column that geoforge made from one that people did.
_LOOKUP = "_gf_idx"
_ONE_COLUMN = re.compile(r"\w+ \(([^(),]+)\)")
_MOST_OF_A_COLUMN = 40


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege. A grantee None is PUBLIC, a column None the whole relation."""

    column: str | None
    grantee: str | None
    privilege: str
    grantable: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index by what it is (`USING ...`) rather than by what it is called."""

    name: str
    is_unique: bool
    definition: str
    constraint_kind: str | None
    constraint_definition: str | None
    comment: str | None

    @property
    def signature(self) -> tuple[bool, str]:
        return self.is_unique, self.definition


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of row-level security; a role None is PUBLIC."""

    name: str
    permissive: bool
    command: str
    roles: tuple[str | None, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True, slots=True)
class Attachments:
    """All that is carried over. `comments` are by column, None for the table's own."""

    oid: int
    owner: str
    options: tuple[str, ...]
    row_security: bool
    force_row_security: bool
    grants: tuple[Grant, ...]
    indexes: tuple[Index, ...]
    checks: tuple[tuple[str, str], ...]
    policies: tuple[Policy, ...]
    comments: tuple[tuple[str | None, str], ...]
    obstacles: tuple[str, ...]


@contextmanager
def qualified_names(connection: Connection) -> Iterator[None]:
    """In this block the catalog spells names with their schemas, and reads them so."""
    row = connection.execute("SELECT current_setting('search_path') AS path").fetchone()
    assert row is not None
    connection.execute("SELECT set_config('search_path', '', true)")
    yield
    connection.execute("SELECT set_config('search_path', %s, true)", (row["path"],))


def oid_of(connection: Connection, name: TableName) -> int | None:
    """The relation of that name, of whatever kind."""
    row = connection.execute(
        _SQL["relation"], {"schema": name.schema_name, "name": name.table_name}
    ).fetchone()
    return None if row is None else row["oid"]


def read(connection: Connection, oid: int) -> Attachments:
    """What hangs on a relation."""
    names = {"oid": oid}
    with qualified_names(connection):
        settings = connection.execute(_SQL["settings"], names).fetchone()
        if settings is None:
            raise LookupError(f"no relation {oid}")
        return Attachments(
            oid=oid,
            owner=settings["owner"],
            options=tuple(settings["options"]),
            row_security=settings["row_security"],
            force_row_security=settings["force_row_security"],
            grants=grants(connection, "grants", names),
            indexes=indexes(connection, oid),
            checks=tuple(
                (row["name"], row["definition"])
                for row in connection.execute(_SQL["checks"], names)
            ),
            policies=tuple(
                Policy(**{**row, "roles": tuple(row["roles"])})
                for row in connection.execute(_SQL["policies"], names)
            ),
            comments=tuple(
                (row["column_name"], row["comment"])
                for row in connection.execute(_SQL["comments"], names)
            ),
            obstacles=tuple(row["object"] for row in connection.execute(_SQL["obstacles"], names)),
        )


def grants(connection: Connection, query: str, names: Mapping[str, object]) -> tuple[Grant, ...]:
    """The grants that a query of publishing.sql finds."""
    return tuple(
        Grant(row["column_name"], row["grantee"], row["privilege"], row["grantable"])
        for row in connection.execute(_SQL[query], names)
    )


def indexes(connection: Connection, oid: int) -> tuple[Index, ...]:
    """The indexes of a relation, by name."""
    with qualified_names(connection):
        rows = connection.execute(_SQL["indexes"], {"oid": oid}).fetchall()
    return tuple(
        Index(
            name=row["name"],
            is_unique=row["is_unique"],
            definition=row["definition"],
            constraint_kind=row["constraint_kind"],
            constraint_definition=row["constraint_definition"],
            comment=row["comment"],
        )
        for row in rows
    )


def own_suffix(index: Index, key_columns: Sequence[str]) -> str | None:
    """The end of the name of an index that geoforge makes itself, None for any other."""
    # The catalog quotes the names that need it.
    match index.is_unique, index.definition.replace('"', ""):
        case True, definition if definition == f"btree ({KEY_COLUMN})":
            return "_pkey"
        case False, definition if definition == f"gist ({GEOMETRY_COLUMN})":
            return "_geom_idx"
        case True, definition if key_columns and definition == f"btree ({', '.join(key_columns)})":
            return f"_{'_'.join(key_columns)}_key"
    return None


def lookup_name(table: TableName, column: str) -> str:
    """The name of an index that geoforge makes on a column by which rows are looked for."""
    return shortened(table.table_name, f"_{column[:_MOST_OF_A_COLUMN]}{_LOOKUP}")


def lookup_column(index: Index) -> str | None:
    """The column of an index that has its name from `lookup_name`, None for any other.

    It belongs to what publishes the table, and not to those who read it: the next version has
    its own, or none.
    """
    if index.is_unique or not index.name.endswith(_LOOKUP):
        return None
    found = _ONE_COLUMN.fullmatch(index.definition.replace('"', ""))
    return None if found is None else found[1]


def prepare(
    connection: Connection,
    incoming: TableName,
    old: Attachments,
    columns: Sequence[str],
    old_keys: Sequence[str],
) -> None:
    """Put on a table, which nobody reads yet, what takes time or needs no name.

    Raises `PermanentTaskError` naming the index or constraint that its rows or columns do not
    allow.
    """
    table = identifier(incoming)
    if old.options:
        connection.execute(
            sql.SQL("ALTER TABLE {} SET ({})").format(table, options_in_sql(old.options))
        )
    for name, definition in old.checks:
        _attempt(connection, f"the constraint {name}", incoming, _add(table, name, definition))
    there = oid_of(connection, incoming)
    assert there is not None
    present = {index.signature for index in indexes(connection, there)}
    for number, index in enumerate(old.indexes):
        is_own = own_suffix(index, old_keys) is not None or lookup_column(index) is not None
        if is_own or index.signature in present:
            continue
        name = shortened(incoming.table_name, f"_x{number}")
        if index.constraint_definition is not None:
            statement = _add(table, name, index.constraint_definition)
        else:
            statement = sql.SQL("CREATE {}INDEX {} ON {} USING {}").format(
                sql.SQL("UNIQUE " if index.is_unique else ""),
                sql.Identifier(name),
                table,
                text(index.definition),
            )
        _attempt(connection, f"the index {index.name}", incoming, statement)
    grant(connection, incoming, old.grants, columns)
    if old.row_security:
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table))
    if old.force_row_security:
        connection.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(table))


def grant(
    connection: Connection,
    relation: TableName,
    wanted: Sequence[Grant],
    columns: Sequence[str] | None = None,
) -> None:
    """Let the relation have these grants and no others; those on columns that are gone, go."""
    oid = oid_of(connection, relation)
    assert oid is not None
    name = identifier(relation)
    for grantee in {found.grantee for found in grants(connection, "grants", {"oid": oid})}:
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(name, role(grantee)))
    for one in wanted:
        if one.column is not None and columns is not None and one.column not in columns:
            continue
        connection.execute(grant_in_sql(one, name))


def grant_in_sql(one: Grant, name: sql.Composable) -> sql.Composed:
    """GRANT, for a relation or a column of it."""
    of_column = (
        sql.SQL("") if one.column is None else sql.SQL(" ({})").format(sql.Identifier(one.column))
    )
    return sql.SQL("GRANT {}{} ON {} TO {}{}").format(
        text(one.privilege),
        of_column,
        name,
        role(one.grantee),
        sql.SQL(" WITH GRANT OPTION" if one.grantable else ""),
    )


def take_over(connection: Connection, table: TableName, old: Attachments) -> None:
    """Put on the table what needs the name that it has now: its owner, and policies, which
    may read the table itself."""
    oid = oid_of(connection, table)
    settings = connection.execute(_SQL["settings"], {"oid": oid}).fetchone()
    if settings is not None and settings["owner"] != old.owner:
        connection.execute(
            sql.SQL("ALTER TABLE {} OWNER TO {}").format(
                identifier(table), sql.Identifier(old.owner)
            )
        )
    for policy in old.policies:
        statement = sql.SQL("CREATE POLICY {} ON {} AS {} FOR {} TO {}").format(
            sql.Identifier(policy.name),
            identifier(table),
            sql.SQL("PERMISSIVE" if policy.permissive else "RESTRICTIVE"),
            text(policy.command),
            sql.SQL(", ").join(role(name) for name in policy.roles),
        )
        if policy.using is not None:
            statement += sql.SQL(" USING ({})").format(text(policy.using))
        if policy.check is not None:
            statement += sql.SQL(" WITH CHECK ({})").format(text(policy.check))
        _attempt(connection, f"the policy {policy.name}", table, statement)


def options_in_sql(options: Sequence[str]) -> sql.Composable:
    """Storage options, which the catalog keeps as name=value."""
    pairs = [option.partition("=") for option in options]
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, _, value in pairs
    )


def role(name: str | None) -> sql.Composable:
    """A role's name, None being PUBLIC."""
    return sql.SQL("PUBLIC") if name is None else sql.Identifier(name)


def text(definition: str) -> sql.SQL:
    """SQL that the catalog itself printed, from which it reads the same again."""
    return sql.SQL(definition)


def _add(table: sql.Composable, name: str, definition: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
        table, sql.Identifier(name), text(definition)
    )


def _attempt(connection: Connection, what: str, table: TableName, statement: sql.Composed) -> None:
    try:
        with connection.transaction():
            connection.execute(statement)
    except (psycopg.ProgrammingError, psycopg.IntegrityError, psycopg.DataError) as error:
        raise PermanentTaskError(
            f"{what[0].upper()}{what[1:]} of the published table does not fit the new rows: "
            f"{error.diag.message_primary}. Drop it, or correct the data; nothing was changed.",
            code="attachment_does_not_fit",
            object=what,
            table=str(table),
        ) from error
