"""Rows of H3 cells are read as they were written, in order, by the primary key alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from psycopg.rows import tuple_row

from core.h3_index import Range, all_cells, descendants
from infrastructure import database, h3_loading, h3_repository
from infrastructure.database import Connection
from infrastructure.h3_loading import Staged, Target
from infrastructure.h3_repository import Batch
from services.h3 import cells
from services.h3.model import Box, Cells
from tests.servers import PostgresServer
from tests.support.h3_job import rows as staged_rows
from tests.support.settings import app_settings

RESOLUTION = 6
CELLS = cells.in_box(Box(west=8, south=46, east=14, north=49), RESOLUTION)
STATISTICS = ("mean", "max", "fraction_11")
# Only every third cell has a share of the class.
SHARES = np.where(np.arange(len(CELLS)) % 3 == 0, 0.25, np.nan)
WHOLE = [all_cells(RESOLUTION)]


@pytest.fixture(scope="module")
def db(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Connection]:
    """A database with two datasets of one theme, which nothing changes."""
    url = postgres_server.create_database(migrated_template)
    with app_settings(DATABASE_URL=url), database.connect(autocommit=True) as connection:
        load(connection, "hills", CELLS)
        load(connection, "peaks", CELLS[:50])
        load(connection, "vast", CELLS, band=2)
        h3_loading.analyze(connection, "elevation")
        yield connection
    postgres_server.drop_database(url)


def load(connection: Connection, dataset_id: str, these: Cells, band: int = 1) -> None:
    target = Target("elevation", dataset_id, band, RESOLUTION, "job")
    h3_loading.ensure_partition(connection, target.theme)
    count = len(these)
    table = staged_rows(
        these,
        mean=np.arange(count, dtype=float),
        max=np.arange(count, dtype=float) + 0.5,
        fraction_11=[None if np.isnan(share) else share for share in SHARES[:count]],
        pixel_count=np.arange(count) + 1.5,
        nodata_count=0.25,
    )
    with connection.transaction():
        staged = Staged(connection, target)
        for batch in table.to_batches(max_chunksize=1000):
            staged.add(batch)
        staged.close()
        loaded = staged.load((), lambda: None)
        h3_loading.put_dataset(
            connection, target, title=None, unit=None, source={}, is_restricted=dataset_id == "vast"
        )
        h3_loading.put_layer(
            connection,
            target,
            weighting="exact",
            cells=count,
            bounds=(8.0, 46.0, 14.0, 49.0),
            statistics=loaded.statistics,
        )


def read(
    connection: Connection,
    ranges: Sequence[Range] = WHOLE,
    statistics: Sequence[str] = STATISTICS,
    dataset_id: str = "hills",
    **options: int,
) -> list[Batch]:
    found = h3_repository.rows(
        connection, "elevation", dataset_id, 1, statistics, ranges, **options
    )
    return list(found)


def cells_of(batches: Sequence[Batch]) -> list[int]:
    return [int(cell) for batch in batches for cell in batch.cells]


def test_all_rows_come_in_the_order_of_the_cells(db: Connection) -> None:
    [batch] = read(db)
    np.testing.assert_array_equal(batch.cells, CELLS.astype(np.int64))
    np.testing.assert_array_equal(batch.values["mean"], np.arange(len(CELLS)))
    np.testing.assert_array_equal(batch.values["max"], np.arange(len(CELLS)) + 0.5)
    np.testing.assert_array_equal(batch.values["fraction_11"], SHARES)
    np.testing.assert_array_equal(batch.pixel_count, np.arange(len(CELLS)) + 1.5)
    np.testing.assert_array_equal(batch.nodata_count, 0.25)
    assert list(batch.values) == list(STATISTICS)


def test_a_batch_as_arrow_has_nulls(db: Connection) -> None:
    [batch] = read(db, statistics=("fraction_11", "mean"))
    table = batch.as_arrow()
    assert table.schema.names == [
        "h3_index", "pixel_count", "nodata_count", "fraction_11", "mean"
    ]  # fmt: skip
    assert table.column("fraction_11").null_count == int(np.isnan(SHARES).sum())
    assert table.column("mean").null_count == 0


def test_cells_without_the_statistic_are_not_there(db: Connection) -> None:
    assert cells_of(read(db, statistics=("fraction_11",))) == CELLS[::3].tolist()
    assert read(db, statistics=("p95",)) == []


def test_rows_of_other_datasets_and_bands_are_not_there(db: Connection) -> None:
    assert cells_of(read(db, dataset_id="peaks")) == CELLS[:50].tolist()
    assert read(db, dataset_id="vast") == []
    assert list(h3_repository.rows(db, "landcover", "hills", 1, STATISTICS, WHOLE)) == []


def test_ranges_are_read_in_order_and_each_cell_once(db: Connection) -> None:
    parents = np.unique(cells.parents(CELLS, 3)).tolist()
    ranges = [descendants(parent, RESOLUTION) for parent in (parents[2], parents[0], parents[2])]
    wanted = [cell for cell in CELLS if cells.parents(np.array([cell]), 3)[0] in parents[:3:2]]
    assert cells_of(read(db, ranges)) == wanted
    assert cells_of(read(db, [*ranges, *WHOLE])) == CELLS.tolist()
    assert read(db, []) == []
    assert read(db, [(5, 5), (9, 3)]) == []


def test_pages_make_up_the_whole(db: Connection) -> None:
    parents = np.unique(cells.parents(CELLS, 4)).tolist()
    ranges = [descendants(parent, RESOLUTION) for parent in parents[::2]]
    whole = cells_of(read(db, ranges))
    paged: list[int] = []
    while page := cells_of(read(db, ranges, limit=97, after=paged[-1] if paged else 0)):
        assert len(page) == min(97, len(whole) - len(paged))
        paged += page
    assert paged == whole


def test_many_rows_come_in_several_batches(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h3_repository, "_BATCH_ROWS", 500)
    batches = read(db)
    assert [len(batch) for batch in batches[:-1]] == [500] * (len(batches) - 1)
    assert len(batches) == -(-len(CELLS) // 500)
    assert cells_of(batches) == CELLS.tolist()


def test_reading_may_stop_in_the_middle(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h3_repository, "_BATCH_ROWS", 100)
    with db.transaction():
        reading = h3_repository.rows(db, "elevation", "hills", 1, STATISTICS, WHOLE)
        first = next(reading)
        reading.close()  # type: ignore[attr-defined]
        # The connection, the transaction and the planner's settings are as they were.
        row = db.execute("SELECT current_setting('enable_sort') AS sort").fetchone()
        assert row == {"sort": "on"}
        assert cells_of(read(db, limit=100)) == first.cells.tolist()


def test_rows_are_read_by_the_primary_key_and_no_more_of_them_than_wanted(db: Connection) -> None:
    parent = int(cells.parents(CELLS[1000:1001], 4)[0])
    inside = [descendants(parent, RESOLUTION)]
    assert touched(db, limit=10)[0] == 0
    assert touched(db, limit=10)[1] < 10 * len(STATISTICS) + 20
    assert touched(db) == (0, 2 * len(CELLS) + len(CELLS[::3]))
    count = len(cells_of(read(db, inside)))
    assert 0 < count <= 49
    assert touched(db, inside, ("mean", "max")) == (0, 2 * count)


def touched(connection: Connection, *given: Any, **options: Any) -> tuple[int, int]:
    """How often a table of statistics was gone through, and how many rows were got by its index,
    while these rows were read, as PostgreSQL counts it."""
    query = """
        SELECT coalesce(sum(seq_scan), 0)::int, coalesce(sum(idx_tup_fetch), 0)::int
        FROM pg_stat_xact_user_tables
        WHERE schemaname = 'h3' AND relname LIKE 'zonal_stats%'
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        [before] = cursor.execute(query).fetchall()
        read(connection, *given, **options)
        [after] = cursor.execute(query).fetchall()
    return after[0] - before[0], after[1] - before[1]


def test_statistics_must_be_named(db: Connection) -> None:
    with pytest.raises(ValueError, match="no statistics"):
        read(db, statistics=())


def test_datasets_are_listed_by_name_with_their_layers(db: Connection) -> None:
    found = h3_repository.datasets(db)
    assert [each.dataset_id for each in found] == ["hills", "peaks", "vast"]
    [layer] = found[1].layers
    assert (layer.resolution, layer.band, layer.cells) == (RESOLUTION, 1, 50)
    assert layer.bounds == (8.0, 46.0, 14.0, 49.0)
    assert layer.statistics["mean"] == (0.0, 49.0)
    assert found[1].layer(RESOLUTION, 1) == layer
    assert found[1].layer(RESOLUTION, 2) is None
    names = [each.dataset_id for each in h3_repository.datasets(db, after="hills", limit=1)]
    assert names == ["peaks"]
    assert h3_repository.datasets(db, theme="landcover") == []
    assert h3_repository.dataset(db, "peaks") == found[1]
    assert h3_repository.dataset(db, "nothing") is None
