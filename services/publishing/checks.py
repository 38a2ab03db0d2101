"""What PostgreSQL and PostGIS themselves say of a staged table before anyone reads it.

First `examine`: rows that must not be published are named, and their owner repairs them or
sets them aside. Then `finish`: keys, indexes and statistics, and a count of what there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from core.errors import PermanentTaskError
from core.models.feature_table import GEOMETRY_COLUMN, KEY_COLUMN, FeatureTable
from infrastructure.database import Connection
from infrastructure.locks import Space, lock
from infrastructure.publishing_repository import Bbox
from services.publishing import attachments, extent
from services.publishing.definitions import (
    identifier,
    identifiers,
    shortened,
    staged,
)
from services.publishing.staging import HASH_COLUMN

_DIMENSIONS = {"Point": 0, "LineString": 1, "Polygon": 2}
# Validity is a matter of the processor; the rest of the query is not worth mentioning. So
# workers are asked for however small the table seems, and each is given what there is. What is
# compared with each other is held in memory rather than in files.
_IN_PARALLEL = {
    "max_parallel_workers_per_gather": "4",
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0",
    "min_parallel_table_scan_size": "0",
    "work_mem": "64MB",
    "jit": "off",
}
_PRIMARY_KEY, _KEY = "_pkey", "_key"
_INDEX_MEMORY = {"maintenance_work_mem": "128MB", "max_parallel_maintenance_workers": "2"}


@dataclass(frozen=True, slots=True)
class Invalid:
    """A geometry that PostGIS calls invalid: why, and where (x, y in the table's CRS)."""

    gid: int
    reason: str
    location: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Findings:
    """Rows that must not be published, by gid.

    `duplicates` equal an earlier row in everything; `null_keys` have a key without a value,
    `repeated_keys` the key of an earlier row.
    """

    duplicates: list[int] = field(default_factory=list)
    null_keys: list[int] = field(default_factory=list)
    repeated_keys: list[int] = field(default_factory=list)
    invalid: list[Invalid] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Checked:
    """A staged table that can be published. `types` counts geometries as PostGIS names them
    (MULTIPOLYGON); `bbox` is west, south, east, north in degrees."""

    rows: int
    geometries: int
    types: dict[str, int]
    srid: int | None
    bbox: Bbox | None


def examine(
    connection: Connection,
    name: str,
    table: FeatureTable,
    *,
    key_columns: Sequence[str] = (),
    duplicates: bool = True,
) -> Findings:
    """Look at every row of a staged table; nothing is changed.

    With `duplicates` the hashes are compared, and then the rows behind equal hashes. A row is
    named once: as a duplicate, else for its key, else for its geometry. Where `index_keys` has
    shown that keys are distinct, so are the rows.
    """
    doubles: list[int] = []
    null_keys: list[int] = []
    repeated_keys: list[int] = []
    with in_parallel(connection):
        if not (key_columns and _keys_are_distinct(connection, name, key_columns)):
            if duplicates:
                doubles = _duplicates(connection, name, table)
            if key_columns:
                null_keys, repeated_keys = _bad_keys(connection, name, key_columns, doubles)
        named = {*doubles, *null_keys, *repeated_keys}
        invalid = [found for found in _invalid(connection, name, table) if found.gid not in named]
    return Findings(doubles, null_keys, repeated_keys, invalid)


def mend(connection: Connection, name: str, table: FeatureTable, gids: Sequence[int]) -> list[int]:
    """Make geometries valid by PostGIS itself; the gids of those that are valid now.

    The others are as they were: those that the repair would leave empty, of another dimension,
    or invalid.
    """
    if table.geometry is None or not gids:
        return []
    single = table.geometry.type.removeprefix("Multi")
    geom = sql.Identifier(GEOMETRY_COLUMN)
    made: sql.Composable = sql.SQL(
        "ST_MakeValid({}, 'method=structure keepcollapsed=false')"
    ).format(geom)
    if single in _DIMENSIONS:
        made = sql.SQL("ST_CollectionExtract({}, {})").format(
            made, sql.Literal(_DIMENSIONS[single] + 1)
        )
    if single != table.geometry.type:
        made = sql.SQL("ST_Multi({})").format(made)
    else:
        made = sql.SQL("ST_CollectionHomogenize({})").format(made)
    accepted: sql.Composable = sql.SQL("NOT ST_IsEmpty(made) AND ST_IsValid(made)")
    if single in _DIMENSIONS:
        accepted += sql.SQL(" AND GeometryType(made) = {}").format(
            sql.Literal(table.geometry.type.upper())
        )
    else:
        # What was a multi-geometry stays one, beside others of the same column.
        made = sql.SQL("CASE WHEN ST_IsCollection({}) THEN ST_Multi({}) ELSE {} END").format(
            geom, made, made
        )
        accepted += sql.SQL(
            " AND NOT GeometryType(made) = 'GEOMETRYCOLLECTION'"
            " AND ST_Dimension(made) = ST_Dimension(t.{})"
        ).format(geom)
    found = connection.execute(
        sql.SQL(
            # Materialised, so that each geometry is repaired once.
            "WITH mended AS MATERIALIZED ("
            " SELECT {gid}, {made} AS made FROM {table} WHERE {gid} = ANY(%s::bigint[]))"
            " UPDATE {table} t SET {geom} = mended.made FROM mended"
            " WHERE t.{gid} = mended.{gid} AND {accepted} RETURNING t.{gid} AS gid"
        ).format(
            table=identifier(staged(name)),
            geom=geom,
            gid=sql.Identifier(KEY_COLUMN),
            made=made,
            accepted=accepted,
        ),
        (list(gids),),
    ).fetchall()
    return sorted(row["gid"] for row in found)


@contextmanager
def in_parallel(connection: Connection) -> Iterator[None]:
    """In this block a query that reads a whole table has all processors and some memory."""
    with _settings(connection, _IN_PARALLEL):
        yield


@contextmanager
def building_indexes(connection: Connection) -> Iterator[None]:
    """In this block an index is built in memory, by several processes."""
    with _settings(connection, _INDEX_MEMORY):
        yield


def index(connection: Connection, name: str, table: FeatureTable) -> None:
    """Build the indexes on gid and geometry, and the statistics.

    `finish` does it where it was not done. Reading goes on meanwhile, so it can be done beside
    `examine`, in a transaction of its own. Safe to repeat.
    """
    relation = identifier(staged(name))
    lock(connection, Space.DDL, "staged", name)
    with building_indexes(connection):
        if not _has_primary_key(connection, name):
            with _unique(f"The rows of {name} share numbers"):
                connection.execute(
                    sql.SQL("CREATE UNIQUE INDEX IF NOT EXISTS {} ON {} ({})").format(
                        sql.Identifier(shortened(name, _PRIMARY_KEY)),
                        relation,
                        sql.Identifier(KEY_COLUMN),
                    )
                )
        if table.geometry is not None:
            connection.execute(
                sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING gist ({})").format(
                    sql.Identifier(shortened(name, "_geom_idx")),
                    relation,
                    sql.Identifier(GEOMETRY_COLUMN),
                )
            )
        connection.execute(sql.SQL("ANALYZE {}").format(relation))


def index_keys(connection: Connection, name: str, key_columns: Sequence[str]) -> bool:
    """Build the unique index on the key, unless rows share one; whether they do not.

    It is built anyway in the end. Early it is the quickest way to see that all is well.
    """
    lock(connection, Space.DDL, "staged", name)
    try:
        with connection.transaction(), building_indexes(connection):
            _create_key_index(connection, name, key_columns)
    except psycopg.errors.UniqueViolation:
        return False
    return True


def finish(
    connection: Connection,
    name: str,
    table: FeatureTable,
    *,
    key_columns: Sequence[str] = (),
    indexed: bool = False,
) -> Checked:
    """Give the table its primary key, its indexes and its statistics; what is in it.

    `indexed` says that `index` was done. Safe to repeat. Raises `PermanentTaskError` where
    rows share a gid or a key.
    """
    relation = identifier(staged(name))
    connection.execute(
        sql.SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {}").format(
            relation, sql.Identifier(HASH_COLUMN)
        )
    )
    if not indexed:
        index(connection, name, table)
    with building_indexes(connection):
        if not _has_primary_key(connection, name):
            constraint = sql.Identifier(shortened(name, _PRIMARY_KEY))
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY USING INDEX {}").format(
                    relation, constraint, constraint
                )
            )
    if key_columns:
        with (
            building_indexes(connection),
            _unique(f"Records share the key {', '.join(key_columns)}"),
        ):
            _create_key_index(connection, name, key_columns)
    with in_parallel(connection):
        found = extent.measure(connection, staged(name), table)
        geometries = found.geometries or 0
        types = _types(connection, name, table, geometries)
    return Checked(
        rows=found.rows,
        geometries=geometries,
        types=types,
        srid=None if table.geometry is None else table.geometry.srid,
        bbox=found.bbox,
    )


def _create_key_index(connection: Connection, name: str, key_columns: Sequence[str]) -> None:
    connection.execute(
        sql.SQL("CREATE UNIQUE INDEX IF NOT EXISTS {} ON {} ({})").format(
            sql.Identifier(shortened(name, _KEY)),
            identifier(staged(name)),
            identifiers(key_columns),
        )
    )


def _keys_are_distinct(connection: Connection, name: str, key_columns: Sequence[str]) -> bool:
    """Whether the keys are indexed as unique, and none of them has a null."""
    if attachments.oid_of(connection, staged(shortened(name, _KEY))) is None:
        return False
    row = connection.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {}) AS found").format(
            identifier(staged(name)), _any_null(key_columns)
        )
    ).fetchone()
    return row is not None and not row["found"]


def _any_null(key_columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(" OR ").join(
        sql.SQL("{} IS NULL").format(sql.Identifier(key)) for key in key_columns
    )


def _duplicates(connection: Connection, name: str, table: FeatureTable) -> list[int]:
    """Rows that equal another of a lower gid, whose hash is the same to begin with."""
    if not _has_column(connection, name, HASH_COLUMN):
        return []
    columns = [column.name for column in table.columns]
    equal = identifiers(columns) + sql.SQL(", ") if columns else sql.SQL("")
    if table.geometry is not None:
        # As bytes: PostGIS's own order of geometries looks at a hash of them first.
        equal += sql.SQL("{}::bytea, ").format(sql.Identifier(GEOMETRY_COLUMN))
    rows = connection.execute(
        sql.SQL(
            "WITH suspects AS MATERIALIZED ("
            " SELECT {hash} FROM {table} WHERE {hash} IS NOT NULL"
            " GROUP BY {hash} HAVING count(*) > 1)"
            " SELECT {gid} AS gid FROM ("
            "  SELECT {gid}, row_number() OVER (PARTITION BY {hash}, {equal} true ORDER BY {gid})"
            "  AS place FROM {table} JOIN suspects USING ({hash})) AS ranked"
            " WHERE place > 1 ORDER BY {gid}"
        ).format(
            hash=sql.Identifier(HASH_COLUMN),
            table=identifier(staged(name)),
            gid=sql.Identifier(KEY_COLUMN),
            equal=equal,
        )
    ).fetchall()
    return [row["gid"] for row in rows]


def _bad_keys(
    connection: Connection, name: str, key_columns: Sequence[str], passed_over: list[int]
) -> tuple[list[int], list[int]]:
    """Rows with a null in their key, and rows whose key an earlier one has."""
    query = sql.SQL(
        "SELECT {gid} AS gid, is_null FROM ("
        " SELECT {gid}, {null} AS is_null,"
        " row_number() OVER (PARTITION BY {keys} ORDER BY {gid}) AS place"
        " FROM {table} WHERE {gid} <> ALL(%s::bigint[])) AS ranked"
        " WHERE is_null OR place > 1 ORDER BY {gid}"
    ).format(
        gid=sql.Identifier(KEY_COLUMN),
        keys=identifiers(key_columns),
        null=_any_null(key_columns),
        table=identifier(staged(name)),
    )
    rows = connection.execute(query, (passed_over,)).fetchall()
    return (
        [row["gid"] for row in rows if row["is_null"]],
        [row["gid"] for row in rows if not row["is_null"]],
    )


def _invalid(connection: Connection, name: str, table: FeatureTable) -> Iterator[Invalid]:
    if table.geometry is None:
        return
    rows = connection.execute(
        sql.SQL(
            "SELECT gid, reason(detail) AS reason, ST_X(location(detail)) AS x,"
            " ST_Y(location(detail)) AS y"
            " FROM (SELECT {gid} AS gid, ST_IsValidDetail({geom}) AS detail"
            "  FROM {table} WHERE NOT ST_IsValid({geom})) AS found ORDER BY gid"
        ).format(
            gid=sql.Identifier(KEY_COLUMN),
            geom=sql.Identifier(GEOMETRY_COLUMN),
            table=identifier(staged(name)),
        )
    )
    for row in rows:
        location = None if row["x"] is None else (row["x"], row["y"])
        yield Invalid(row["gid"], row["reason"] or "invalid", location)


def _types(
    connection: Connection, name: str, table: FeatureTable, geometries: int
) -> dict[str, int]:
    if table.geometry is None or geometries == 0:
        return {}
    if table.geometry.type != "Geometry":  # The column takes nothing else.
        return {table.geometry.type.upper(): geometries}
    rows = connection.execute(
        sql.SQL(
            "SELECT GeometryType({geom}) AS type, count(*) AS rows FROM {table}"
            " WHERE {geom} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        ).format(geom=sql.Identifier(GEOMETRY_COLUMN), table=identifier(staged(name)))
    ).fetchall()
    return {row["type"]: row["rows"] for row in rows}


def _has_column(connection: Connection, name: str, column: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s"
        " AND NOT attisdropped",
        (str(staged(name)), column),
    ).fetchone()
    return row is not None


def _has_primary_key(connection: Connection, name: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_index WHERE indrelid = %s::regclass AND indisprimary",
        (str(staged(name)),),
    ).fetchone()
    return row is not None


@contextmanager
def _unique(sentence: str) -> Iterator[None]:
    """An error that names the value which is not unique."""
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise PermanentTaskError(
            f"{sentence}: {error.diag.message_detail}", code="keys_not_unique"
        ) from error


@contextmanager
def _settings(connection: Connection, values: dict[str, str]) -> Iterator[None]:
    """Settings of the server for the statements of this block."""
    for name, value in values.items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, value))
    yield
    for name in values:
        connection.execute(sql.SQL("SET LOCAL {} TO DEFAULT").format(sql.Identifier(name)))
