"""Writing statistics by H3 cells: one job's, of one band and resolution of a dataset.

    with database.connect() as connection:
        staged = Staged(connection, target)
        for batch in batches:
            staged.add(batch)
        staged.close()
        locks.lock_patiently(connection, check, Space.H3_DATASET, target.dataset_id)
        written = staged.load(before, check)

Rows come by COPY into a table of the transaction's own, and from there into h3.zonal_stats: what
is the same stays as it is, so that loading twice changes nothing. Readers see the dataset as it
was until the transaction is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.types.json import Jsonb

from core.errors import PermanentTaskError
from core.h3_index import all_cells
from core.models.feature_table import ColumnType
from infrastructure import copy_binary, queries
from infrastructure.copy_binary import FieldType, Values
from infrastructure.database import Connection
from infrastructure.h3_repository import Bounds
from infrastructure.locks import Space, lock

_SQL = queries.load("h3_loading")
_CELL_COLUMNS: Final = ("h3_index", "pixel_count", "nodata_count")
_NO_STATISTIC: Final = "none"
# A row lies in one page of 8 kB, in which each value takes 8 bytes.
MAX_STATISTICS: Final = 900


@dataclass(frozen=True, slots=True)
class Target:
    """Where a job's rows belong. `theme` matches `[a-z][a-z0-9_]{0,39}`."""

    theme: str
    dataset_id: str
    band: int
    resolution: int
    job_id: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading came to.

    `removed` rows had a value before and have none now. `cells_before` of the job's cells had any
    statistic. The others are of the layer as it is now: the range of each statistic's values, and
    how many of its rows the job has written, in this attempt or one before.
    """

    removed: int
    cells_before: int
    statistics: Mapping[str, tuple[float, float]]
    written: int


def ensure_partition(connection: Connection, theme: str) -> None:
    """Make the theme's partition where it is missing, in a short transaction of its own."""
    stored = _partition(theme)
    with connection.transaction():
        lock(connection, Space.DDL, "h3.zonal_stats", theme)
        name = stored.as_string(connection)
        row = connection.execute(_SQL["partition"], {"name": name}).fetchone()
        if row is not None and row["exists"]:
            return
        connection.execute(sql.SQL(_SQL["create_partition"]).format(stored=stored))
        connection.execute(sql.SQL(_SQL["attach_partition"]).format(stored=stored, theme=theme))


class Staged:
    """A job's rows in the transaction that is to publish them. The theme has its partition."""

    def __init__(self, connection: Connection, target: Target) -> None:
        self.target = target
        self._connection = connection
        self._stored = _partition(target.theme)
        self._statistics: set[str] = set()
        connection.execute(_SQL["create_staged"])

    @property
    def statistics(self) -> frozenset[str]:
        """The statistics of all batches together."""
        return frozenset(self._statistics)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in cells: the columns h3_index (int64), pixel_count and nodata_count (float64),
        and one (float64) for each statistic, null for a cell that has none.

        Raises `PermanentTaskError` (too_many_classes) where batches have more than
        `MAX_STATISTICS` together.
        """
        names = [name for name in batch.schema.names if name not in _CELL_COLUMNS]
        self._add_columns(names)
        columns = [*_CELL_COLUMNS, *names]
        fields: list[tuple[FieldType, Values]] = [
            (ColumnType.INTEGER if name == "h3_index" else ColumnType.REAL, batch.column(name))
            for name in columns
        ]
        statement = sql.SQL(_SQL["copy_staged"]).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(copy_binary.HEADER)
            copy.write(copy_binary.encode(fields))
            copy.write(copy_binary.TRAILER)

    def close(self) -> None:
        """All cells are there. Raises `PermanentTaskError` (cell_twice) where one is twice."""
        try:
            self._connection.execute(_SQL["index_staged"])
        except psycopg.errors.UniqueViolation as error:
            raise PermanentTaskError(
                "Two tasks have computed the same cell "
                f"({error.diag.message_detail or 'which one is not known'}).",
                code="cell_twice",
            ) from error
        self._connection.execute("ANALYZE pg_temp.h3_staged")

    def load(self, before: Collection[str], check: Callable[[], None]) -> Loaded:
        """Bring the rows into h3.zonal_stats, so that each of the job's cells has exactly the
        statistics that are staged for it. The caller holds the lock of the dataset.

        `before` are the statistics that the layer holds rows of. `check` may raise, to stop.
        """
        cells_before = removed = 0
        if before:
            row = self._execute("cells_before", statistics=list(before)).fetchone()
            cells_before = 0 if row is None else int(row["cells"])
        if cells_before:
            for name in sorted(before):
                check()
                removed += self._execute("remove", name).rowcount
        for name in sorted(self._statistics):
            check()
            if cells_before:
                self._execute("update", name)
            self._execute("insert", name)
        check()
        return self._summary(removed, cells_before, self._statistics.union(before))

    def _summary(self, removed: int, cells_before: int, statistics: Collection[str]) -> Loaded:
        low, high = all_cells(self.target.resolution)
        found = self._execute("summary", statistics=list(statistics), low=low, high=high).fetchall()
        return Loaded(
            removed=removed,
            cells_before=cells_before,
            statistics={row["stat_type"]: (row["smallest"], row["largest"]) for row in found},
            written=sum(row["written"] for row in found),
        )

    def _add_columns(self, names: Collection[str]) -> None:
        new = set(names) - self._statistics
        if len(self._statistics) + len(new) > MAX_STATISTICS:
            raise PermanentTaskError(
                f"There are more than {MAX_STATISTICS} statistics of a cell, which means more "
                "classes than can be kept: leave fractions out.",
                code="too_many_classes",
            )
        for name in sorted(new):
            self._connection.execute(
                sql.SQL(_SQL["add_column"]).format(column=sql.Identifier(name))
            )
        self._statistics |= new

    def _execute(
        self, query: str, statistic: str | None = None, **values: Any
    ) -> psycopg.Cursor[dict[str, Any]]:
        column = sql.Identifier(statistic if statistic in self._statistics else _NO_STATISTIC)
        return self._connection.execute(
            sql.SQL(_SQL[query]).format(stored=self._stored, column=column),
            {**asdict(self.target), "statistic": statistic, **values},
        )


def analyze(connection: Connection, theme: str) -> None:
    """Let the planner know what the theme's partition holds, which may have grown by millions."""
    connection.execute(sql.SQL("ANALYZE {}").format(_partition(theme)))


def put_dataset(
    connection: Connection,
    target: Target,
    *,
    title: str | None,
    unit: str | None,
    source: Mapping[str, Any],
    is_restricted: bool,
) -> None:
    """Say what a dataset is. Where title and unit are None they stay; restricted once is restricted
    for good."""
    connection.execute(
        _SQL["put_dataset"],
        {
            "dataset_id": target.dataset_id,
            "theme": target.theme,
            "title": title,
            "unit": unit,
            "source": Jsonb(dict(source)),
            "is_restricted": is_restricted,
        },
    )


def put_layer(
    connection: Connection,
    target: Target,
    *,
    weighting: str,
    cells: int,
    bounds: Bounds,
    statistics: Mapping[str, tuple[float, float]],
) -> None:
    """Say what a layer holds; see `h3_repository.Layer`."""
    values = {name: {"min": low, "max": high} for name, (low, high) in statistics.items()}
    connection.execute(
        _SQL["put_layer"],
        {
            **asdict(target),
            "weighting": weighting,
            "cells": cells,
            "bounds": list(bounds),
            "statistics": Jsonb(values),
        },
    )


def remove_layer(connection: Connection, target: Target) -> None:
    """A layer without cells is none."""
    connection.execute(_SQL["remove_layer"], asdict(target))


def _partition(theme: str) -> sql.Identifier:
    return sql.Identifier("h3", f"zonal_stats_{theme}")
