"""Tables to publish, for tests: rows given as Python values."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import shapely
from psycopg.rows import dict_row

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn, TableName
from infrastructure.copy_binary import encode_rows
from infrastructure.database import Connection, Row
from services.publishing import checks, staging
from services.publishing.publish import Provenance, Published, publish

PARKS = TableName(table_name="parks")
TABLE = FeatureTable(
    columns=(
        Column(name="code", type=ColumnType.INTEGER, comment="CODE"),
        Column(name="name", type=ColumnType.TEXT, comment="Name of the park"),
    ),
    geometry=GeometryColumn(type="Point", srid=4326),
)
_ARROW = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.REAL: pa.float64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.DATE: pa.date32(),
}
_numbers = itertools.count(1)

# code, name, and where: a point at (x, y), or WKT.
ParkRow = tuple[Any, ...]


def connect(url: str, **options: Any) -> Connection:
    """A connection as the app has them."""
    return psycopg.Connection[Row].connect(url, row_factory=dict_row, **options)


def job(number: int | None = None) -> str:
    """A job's id; without a number another one at each call."""
    return hashlib.sha256(str(number or f"n{next(_numbers)}").encode()).hexdigest()


def provenance(job_id: str | None = None, **fields: Any) -> Provenance:
    return Provenance(job_id=job_id or job(), source="parks.gpkg", **fields)


def stage(
    connection: Connection,
    rows: Sequence[Sequence[Any]],
    table: FeatureTable = TABLE,
    *,
    job_id: str | None = None,
    key_columns: Sequence[str] = (),
    finished: bool = True,
    hashes: Sequence[int] | None = None,
) -> str:
    """A staged table; each row holds the columns' values and then WKT or a pair of x and y."""
    name = staging.staged_name(job_id or job(), 0, 0)
    staging.create(connection, name, table)
    columns = [
        pa.array([row[position] for row in rows], _ARROW[column.type])
        for position, column in enumerate(table.columns)
    ]
    geometry = None
    if table.geometry is not None:
        geometry = shapely.to_wkb(np.array([_shape(row[-1]) for row in rows], dtype=object))
    with staging.copy_into(connection, name, table) as write:
        write(
            encode_rows(
                table,
                gid=np.arange(1, len(rows) + 1),
                columns=columns,
                geometry=geometry,
                hashes=np.array(range(len(rows)) if hashes is None else hashes, dtype=np.int64),
            )
        )
    if finished:
        checks.finish(connection, name, table, key_columns=key_columns)
    return name


def put(
    connection: Connection,
    rows: Sequence[Sequence[Any]],
    table: FeatureTable = TABLE,
    *,
    target: TableName = PARKS,
    mode: Any = "replace",
    key_columns: Sequence[str] = (),
    **options: Any,
) -> Published:
    """Stage and publish rows in a transaction of their own."""
    with connection.transaction():
        name = stage(connection, rows, table, key_columns=key_columns)
        return publish(
            connection,
            target,
            name,
            table,
            mode=mode,
            key_columns=key_columns,
            **{"provenance": provenance(), **options},
        )


def contents(connection: Connection, query: str = "SELECT code, name FROM geo.parks") -> list[Any]:
    """Rows as sorted tuples."""
    rows = connection.execute(query).fetchall()  # type: ignore[call-overload]
    return sorted(tuple(row.values()) for row in rows)


def _shape(value: Any) -> Any:
    if value is None:
        return None
    return shapely.from_wkt(value) if isinstance(value, str) else shapely.points(*value)
