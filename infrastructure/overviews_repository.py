"""Overviews: copies of large published tables for the tiles of small zooms.

See migration 0042 for what they are. They are made and thrown away beside the published table,
which neither keeps anybody from reading nor has a part in what the table holds. Who locks the
table ends the making of its overview (`stop_making`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from core.errors import NotFound
from core.models.feature_table import (
    GEOMETRY_COLUMN,
    Column,
    ColumnType,
    GeometryColumn,
    TableName,
)
from infrastructure import database, features_repository, queries
from infrastructure.database import Connection
from infrastructure.features_repository import PublishedTable
from infrastructure.features_selection import Bounds

# What an overview has beside the columns of its table, whose names have no spaces: the first zoom
# at which a feature is drawn, its size in EPSG:3857, and its rank by that.
OWN_COLUMNS = {"zoom": "its zoom", "size": "its size", "rank": "its rank"}
GEOMETRY = GeometryColumn(type="Geometry", srid=3857)

_SCHEMA = "geo_overviews"
# Who drops an overview does not queue behind those who read it.
_DROP_PATIENCE = "1s"

_SQL = queries.load("overviews")


@dataclass(frozen=True, slots=True)
class Plan:
    """How an overview is made.

    `srid` is the table's, `deepest` the last zoom that the overview serves, `deepest_far` the last
    one of its far part. `pixel` is the width of a pixel at zoom 0, and `tolerance` and
    `tolerance_far` what geometries are simplified by, all in EPSG:3857.
    `world` are bounds in the table's CRS beyond which nothing can be shown, None where there are
    none. Texts are cut to `max_text` characters.
    """

    token: str
    srid: int
    deepest: int
    deepest_far: int
    pixel: float
    tolerance: float
    tolerance_far: float
    world: Bounds | None
    columns: Sequence[Column]
    max_text: int


@dataclass(frozen=True, slots=True)
class Overview:
    """An overview, made or tried, and the version of the table that it is of."""

    overview_id: int
    name: TableName
    token: str


def build(name: TableName, plan_for: Callable[[PublishedTable], Plan]) -> int:
    """Make the overview of the present version of a table; the number of its rows.

    Raises `NotFound` for a table that is not published, `psycopg.errors.UniqueViolation` where
    someone else has made this overview, `psycopg.errors.QueryCanceled` where somebody wants to
    lock the table meanwhile.
    """
    with database.connect() as connection:
        try:
            connection.execute(sql.SQL(_SQL["begin"]).format(table=_identifier(name)))
        except psycopg.errors.UndefinedTable as error:
            raise NotFound(f"There is no table {name}.", code="collection_not_found") from error
        plan = plan_for(features_repository.published_in(connection, name))
        row = connection.execute(
            _SQL["record"], {**name.model_dump(), "token": plan.token}
        ).fetchone()
        assert row is not None  # INSERT ... RETURNING
        overview, far = relation(row["overview_id"]), relation(row["overview_id"], far=True)
        connection.execute(_making(overview, name, plan))
        connection.execute(_making_far(far, overview, plan))
        for made in (overview, far):
            connection.execute(sql.SQL(_SQL["finish"]).format(overview=made, **own_columns()))
        counted = connection.execute(
            sql.SQL(_SQL["count"]).format(overview=overview), {"overview_id": row["overview_id"]}
        ).fetchone()
        assert counted is not None
        return int(counted["row_count"])


def stop_making(connection: Connection, oids: Sequence[int]) -> None:
    """End whoever makes an overview of the relations of `oids`, as they are to be locked."""
    connection.execute(sql.SQL(_SQL["stop_making"]).format(oids=sql.Literal(list(oids))))


def record_failure(connection: Connection, name: TableName, token: str, error: str) -> None:
    """Record why there is no overview of that version of a table."""
    connection.execute(
        _SQL["record_failure"], {**name.model_dump(), "token": token, "error": error}
    )


def forget_failures(connection: Connection) -> None:
    """Forget what could not be made a day ago: it may be tried again."""
    connection.execute(_SQL["forget_failures"])


def current(
    connection: Connection, name: TableName, token: str, *, far: bool
) -> sql.Identifier | None:
    """The overview of that version of a table, or its far part, held to the end of the
    transaction; None where there is none."""
    row = connection.execute(_SQL["current"], {**name.model_dump(), "token": token}).fetchone()
    if row is None:
        return None
    overview = relation(row["overview_id"], far=far)
    try:
        with connection.transaction():
            connection.execute(sql.SQL(_SQL["hold"]).format(overview=overview))
    except psycopg.errors.UndefinedTable:
        return None  # dropped at this moment
    return overview


def table_sizes(connection: Connection) -> dict[TableName, int]:
    """How many bytes each published table takes, without its indexes."""
    return {
        TableName(schema_name=row["schema_name"], table_name=row["table_name"]): row["bytes"] or 0
        for row in connection.execute(_SQL["sizes"])
    }


def overviews(connection: Connection) -> list[Overview]:
    """All overviews that there are, and those that could not be made."""
    return [
        Overview(
            row["overview_id"],
            TableName(schema_name=row["schema_name"], table_name=row["table_name"]),
            row["token"],
        )
        for row in connection.execute(_SQL["all"])
    ]


def drop(overview: Overview) -> bool:
    """Drop an overview; whether it is gone, which it is not while someone reads it."""
    try:
        with database.transaction() as connection:
            connection.execute(sql.SQL(_SQL["patience"]).format(sql.Literal(_DROP_PATIENCE)))
            dropping = sql.SQL(_SQL["drop"]).format(
                overview=relation(overview.overview_id),
                far=relation(overview.overview_id, far=True),
            )
            connection.execute(dropping)
            connection.execute(_SQL["forget"], {"overview_id": overview.overview_id})
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def own_columns() -> dict[str, sql.Composable]:
    """`OWN_COLUMNS` as quoted identifiers."""
    return {name: sql.Identifier(column) for name, column in OWN_COLUMNS.items()}


def relation(overview_id: int, *, far: bool = False) -> sql.Identifier:
    """The table of an overview, or of its far part."""
    return sql.Identifier(_SCHEMA, f"overview_{overview_id}{'_far' if far else ''}")


def _making(overview: sql.Identifier, name: TableName, plan: Plan) -> sql.Composed:
    column = sql.Identifier(GEOMETRY_COLUMN)
    drawn: sql.Composable = sql.SQL("ST_Force2D({})").format(column)
    world: sql.Composable = sql.SQL("{} IS NOT NULL").format(column)
    if plan.world is not None:
        box = sql.SQL("ST_MakeEnvelope({}, {})").format(
            sql.SQL(", ").join(map(sql.Literal, plan.world)), sql.Literal(plan.srid)
        )
        drawn = sql.SQL("ST_ClipByBox2D({}, {})").format(drawn, box)
        world = sql.SQL("{} && {}").format(column, box)
    if plan.srid != GEOMETRY.srid:
        drawn = sql.SQL("ST_Transform({}, {})").format(drawn, sql.Literal(GEOMETRY.srid))
    drawn = sql.SQL("ST_Simplify({}, {}, true)").format(drawn, sql.Literal(plan.tolerance))
    return sql.SQL(_SQL["make"]).format(
        overview=overview,
        table=_identifier(name),
        geometry=drawn,
        **own_columns(),
        world=world,
        pixel=sql.Literal(plan.pixel),
        deepest=sql.Literal(plan.deepest),
        columns=sql.SQL("").join(_copied(each, plan.max_text) for each in plan.columns),
    )


def _making_far(far: sql.Identifier, overview: sql.Identifier, plan: Plan) -> sql.Composed:
    return sql.SQL(_SQL["make_far"]).format(
        far=far,
        overview=overview,
        tolerance=sql.Literal(plan.tolerance_far),
        deepest=sql.Literal(plan.deepest_far),
        columns=sql.SQL("").join(
            sql.SQL(", {}").format(sql.Identifier(column.name)) for column in plan.columns
        ),
        **own_columns(),
    )


def _copied(column: Column, max_text: int) -> sql.Composable:
    name = sql.Identifier(column.name)
    stored = sql.Identifier("stored", column.name)
    if column.type is ColumnType.TEXT:
        return sql.SQL(", left({}, {}) AS {}").format(stored, sql.Literal(max_text), name)
    return sql.SQL(", {}").format(stored)


def _identifier(name: TableName) -> sql.Identifier:
    return sql.Identifier(name.schema_name, name.table_name)
