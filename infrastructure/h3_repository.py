"""Reading statistics by H3 cells: the datasets, and their rows as batches of columns.

Rows come by binary COPY and become numpy columns without a Python object per value. They are
written by `infrastructure.h3_loading`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from psycopg import sql

from core.h3_index import Range, joined
from infrastructure import queries
from infrastructure.database import Connection, Row

Indices = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
# West, south, east, north in degrees; west beyond east crosses the antimeridian.
Bounds = tuple[float, float, float, float]

# The weighting of a layer whose cells were computed in more than one way.
MIXED: Final = "mixed"

_SQL = queries.load("h3")
_PARENTHESES: Final = sql.SQL("({})")
_BATCH_ROWS: Final = 65_536
_COPY_HEADER_BYTES: Final = 19


@dataclass(frozen=True, slots=True)
class Layer:
    """What a dataset holds of one resolution and band.

    `cells` are those with any statistic. `weighting` is "exact", "centroid", or `MIXED` where
    jobs have computed different cells in different ways. `statistics` are the smallest and the
    largest value of each.
    """

    resolution: int
    band: int
    weighting: str
    cells: int
    bounds: Bounds
    statistics: Mapping[str, tuple[float, float]]
    job_id: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset, with its layers by resolution and band. `source` says what it was made of."""

    dataset_id: str
    theme: str
    title: str | None
    unit: str | None
    source: Mapping[str, Any]
    is_restricted: bool
    created_at: datetime
    updated_at: datetime
    layers: tuple[Layer, ...]

    def layer(self, resolution: int, band: int) -> Layer | None:
        """The layer of a resolution and band, None where there is none."""
        return next(
            (each for each in self.layers if (each.resolution, each.band) == (resolution, band)),
            None,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a dataset as columns of one length, in the order of the cells.

    `values` has a column for each statistic that was asked for, NaN where a cell has none.
    """

    cells: Indices
    pixel_count: Numbers
    nodata_count: Numbers
    values: Mapping[str, Numbers]

    def __len__(self) -> int:
        return len(self.cells)

    def as_arrow(self) -> pa.RecordBatch:
        """The columns h3_index, pixel_count, nodata_count, and one for each statistic, with nulls
        in the place of NaN."""
        return pa.RecordBatch.from_pydict(
            {
                "h3_index": pa.array(self.cells),
                "pixel_count": pa.array(self.pixel_count),
                "nodata_count": pa.array(self.nodata_count),
                **{name: pa.array(each, from_pandas=True) for name, each in self.values.items()},
            }
        )


def datasets(
    connection: Connection,
    *,
    theme: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Dataset]:
    """Datasets by their names, those behind `after`."""
    found = connection.execute(
        _SQL["datasets"], {"theme": theme, "after": after, "limit": limit}
    ).fetchall()
    return _with_layers(connection, found)


def dataset(connection: Connection, dataset_id: str) -> Dataset | None:
    """One dataset, None where there is none of this name."""
    found = connection.execute(_SQL["dataset"], {"dataset_id": dataset_id}).fetchall()
    return next(iter(_with_layers(connection, found)), None)


def rows(
    connection: Connection,
    theme: str,
    dataset_id: str,
    band: int,
    statistics: Sequence[str],
    ranges: Iterable[Range],
    *,
    after: int | None = None,
    limit: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Batch]:
    """Rows of a dataset's band whose cells lie in any of the ranges, in the order of the cells.

    A range is `low <= cell < high`, see `core.h3_index`: it holds cells of one resolution.
    `after` leaves out the cells up to and with this one, `limit` is for cells. A cell without any
    of the statistics has no row. Each range is a statement, and ranges that touch are one; so
    ask in a snapshot (`queries` of one REPEATABLE READ transaction) where one moment matters.
    Before each `check` is called, which may raise to stop.

    The connection is busy until the iterator is exhausted or closed.
    """
    if not statistics:
        raise ValueError("no statistics are asked for")
    left = limit
    # Rolled back, the planner's settings are as they were.
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute(_SQL["in_order"])
        for low, high in joined(ranges):
            start = low if after is None else max(low, after + 1)
            if start >= high or left == 0:
                continue
            check()
            statement = _statement(theme, dataset_id, band, statistics, (start, high), left)
            with cursor.copy(statement) as copy:
                for batch in _batches(copy, statistics):
                    if left is not None:
                        left -= len(batch)
                    yield batch


def _with_layers(connection: Connection, found: list[Row]) -> list[Dataset]:
    layers: dict[str, list[Layer]] = {row["dataset_id"]: [] for row in found}
    if found:
        for row in connection.execute(_SQL["layers"], {"dataset_ids": list(layers)}):
            layers[row.pop("dataset_id")].append(_layer(row))
    return [Dataset(**row, layers=tuple(layers[row["dataset_id"]])) for row in found]


def _layer(row: Row) -> Layer:
    west, south, east, north = row.pop("bounds")
    statistics = {
        name: (each["min"], each["max"]) for name, each in sorted(row.pop("statistics").items())
    }
    return Layer(**row, bounds=(west, south, east, north), statistics=statistics)


def _statement(
    theme: str,
    dataset_id: str,
    band: int,
    statistics: Sequence[str],
    within: Range,
    limit: int | None,
) -> sql.Composed:
    low, high = within
    branches = [
        sql.SQL(_SQL["rows_of_statistic"]).format(
            place=place,
            theme=theme,
            dataset_id=dataset_id,
            band=band,
            statistic=name,
            low=low,
            high=high,
        )
        for place, name in enumerate(statistics)
    ]
    value = sql.SQL(_SQL["value_of_statistic"])
    return sql.SQL(_SQL["rows"]).format(
        values=sql.SQL(", ").join(value.format(place=place) for place in range(len(statistics))),
        statistics=sql.SQL(" UNION ALL ").join(map(_PARENTHESES.format, branches)),
        limit=limit,
    )


def _batches(
    copy: Iterable[bytes | bytearray | memoryview], names: Sequence[str]
) -> Iterator[Batch]:
    """Tuples of a binary COPY, which are all of one width since none of their fields is null."""
    columns = [
        "h3_index",
        "pixel_count",
        "nodata_count",
        *(f"value_{n}" for n in range(len(names))),
    ]
    kinds = [">i8", *(">f8" for _ in columns[1:])]
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for column, kind in zip(columns, kinds, strict=True):
        layout += [(f"{column}_bytes", ">i4"), (column, kind)]
    row = np.dtype(layout)

    def batch(data: bytes) -> Batch:
        table = np.frombuffer(data, row)
        values = [table[column].astype(np.float64) for column in columns[1:]]
        return Batch(
            cells=table["h3_index"].astype(np.int64),
            pixel_count=values[0],
            nodata_count=values[1],
            values=dict(zip(names, values[2:], strict=True)),
        )

    buffer = bytearray()
    is_first = True
    for chunk in copy:
        buffer += chunk
        if is_first and len(buffer) >= _COPY_HEADER_BYTES:
            del buffer[:_COPY_HEADER_BYTES]
            is_first = False
        if len(buffer) >= _BATCH_ROWS * row.itemsize:
            whole = len(buffer) // row.itemsize * row.itemsize
            yield batch(bytes(buffer[:whole]))
            del buffer[:whole]
    # What remains behind the last tuple is the trailer.
    whole = len(buffer) // row.itemsize * row.itemsize
    if whole:
        yield batch(bytes(buffer[:whole]))
