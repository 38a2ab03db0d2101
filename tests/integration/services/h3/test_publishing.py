"""What jobs leave in h3.zonal_stats and in what is said of their datasets."""

from __future__ import annotations

from typing import Any

import h3
import numpy as np
import pytest

from core.errors import PermanentTaskError
from infrastructure import h3_repository
from infrastructure.blob_storage import BlobWorkspace
from infrastructure.database import Connection
from infrastructure.h3_loading import MAX_STATISTICS
from infrastructure.h3_repository import Layer
from tests.support.h3_job import aggregation, cells_around, publish, rows
from tests.support.ledger import Stage, Task, add_job
from tests.support.run_job import JobRun, TaskFailed

HILLS = cells_around(47.0, 11.0)  # 37 cells
PLAINS = cells_around(52.0, 20.0)


def stored(db: Connection, columns: str = "h3_index, stat_type, value") -> list[tuple[Any, ...]]:
    """All rows, in the order of the cells."""
    query = f"SELECT {columns} FROM h3.zonal_stats ORDER BY h3_index, dataset_id, band, stat_type"
    return [tuple(row.values()) for row in db.execute(query)]


def layer(db: Connection, dataset_id: str = "hills", band: int = 1) -> Layer | None:
    found = h3_repository.dataset(db, dataset_id)
    assert found is not None
    return found.layer(6, band)


def refusal(run: JobRun) -> PermanentTaskError:
    with pytest.raises(TaskFailed) as failed:
        publish(run)
    assert isinstance(failed.value.__cause__, PermanentTaskError)
    return failed.value.__cause__


def test_rows_of_all_blocks_are_published(db: Connection) -> None:
    values = np.arange(len(HILLS), dtype=float)
    blocks = [
        rows(HILLS[:20], mean=values[:20], max=values[:20] + 0.5, pixel_count=7.25),
        rows(HILLS[20:], mean=values[20:], max=values[20:] + 0.5, nodata_count=0.75),
    ]
    run = aggregation(blocks, ("mean", "max"), title="Hills", unit="m")
    result = publish(run)

    assert stored(db) == [
        (int(cell), name, value)
        for cell, mean in zip(HILLS, values, strict=True)
        for name, value in (("max", mean + 0.5), ("mean", mean))
    ]
    [row] = db.execute(
        "SELECT * FROM h3.zonal_stats WHERE stat_type = 'mean' ORDER BY h3_index LIMIT 1"
    ).fetchall()
    computed_at = row.pop("computed_at")
    assert row == {
        "theme": "elevation", "h3_index": int(HILLS[0]), "dataset_id": "hills", "band": 1,
        "stat_type": "mean", "value": 0.0, "pixel_count": 7.25, "nodata_count": 1.0,
        "source_job_id": run.job_id,
    }  # fmt: skip
    assert computed_at is not None
    assert result == {
        "dataset_id": "hills", "theme": "elevation", "resolution": 6, "band": 1,
        "weighting": "exact", "cells": 37, "cells_with_data": 37, "cells_without_data": 0,
        "cells_failed": 0, "cells_beyond": 0, "rows": 74, "rows_written": 74,
        "rows_unchanged": 0, "rows_removed": 0,
        "statistics": ["mean", "max"], "pixels_read": 200, "valid_pixels": 20 * 7.25 + 17 * 10,
        "failed": [], "complete": True, "notes": [],
        "links": {
            "stats": "/api/h3/stats?dataset=hills", "map": "/api/interface/map?dataset=hills",
        },
    }  # fmt: skip


def test_a_dataset_says_what_is_in_it(db: Connection) -> None:
    values = np.arange(len(HILLS), dtype=float)
    run = aggregation([rows(HILLS, mean=values)], title="Hills", unit="m", iso3="AUT")
    publish(run)
    found = h3_repository.dataset(db, "hills")
    assert found is not None
    assert (found.theme, found.title, found.unit) == ("elevation", "Hills", "m")
    assert found.source == {"collection_id": "dem", "band": 1, "iso3": "AUT", "rasters": 1}
    assert not found.is_restricted
    [only] = found.layers
    assert (only.resolution, only.band, only.weighting, only.cells) == (6, 1, "exact", 37)
    assert only.statistics == {"mean": (0.0, 36.0)}
    assert only.job_id == run.job_id
    corners = [h3.cell_to_boundary(h3.int_to_str(int(cell))) for cell in HILLS]
    latitudes = [place[0] for corner in corners for place in corner]
    longitudes = [place[1] for corner in corners for place in corner]
    assert only.bounds == pytest.approx(
        (min(longitudes), min(latitudes), max(longitudes), max(latitudes)), abs=1e-9
    )


def test_title_and_unit_stay_where_a_job_names_none(db: Connection) -> None:
    publish(aggregation([rows(HILLS, mean=1.0)], title="Hills", unit="m", is_restricted=True))
    publish(aggregation([rows(HILLS, mean=2.0)], unit="ft"))
    found = h3_repository.dataset(db, "hills")
    assert found is not None
    assert (found.title, found.unit, found.is_restricted) == ("Hills", "ft", True)


def test_a_second_attempt_changes_nothing(db: Connection) -> None:
    run = aggregation([rows(HILLS, mean=1.0, max=2.0)], ("mean", "max"))
    first = publish(run)
    before = stored(db, "*"), h3_repository.dataset(db, "hills")
    assert publish(run) == first
    assert (stored(db, "*"), h3_repository.dataset(db, "hills")) == before


def test_another_job_writes_only_what_differs(db: Connection) -> None:
    first = aggregation([rows(HILLS, mean=1.0)])
    publish(first)
    second = aggregation([rows(HILLS, mean=[2.0] * 5 + [1.0] * 32)])
    result = publish(second)
    assert (result["rows_written"], result["rows_unchanged"], result["rows_removed"]) == (5, 32, 0)
    writers = [row[0] for row in stored(db, "source_job_id")]
    assert writers == [second.job_id] * 5 + [first.job_id] * 32
    at = layer(db)
    assert at is not None
    assert (at.cells, at.statistics) == (37, {"mean": (1.0, 2.0)})


def test_a_cell_has_no_row_any_more_for_what_it_has_no_value_of(db: Connection) -> None:
    publish(aggregation([rows(HILLS, mean=5.0, max=9.0)], ("mean", "max")))
    gone = [None] * 7 + [5.0] * 30
    counts = [0.0] * 7 + [10.0] * 30
    result = publish(
        aggregation([rows(HILLS, mean=gone, max=gone, pixel_count=counts)], ("mean", "max"))
    )
    assert result["rows_removed"] == 14
    assert (result["cells_with_data"], result["cells_without_data"]) == (30, 7)
    assert {row[0] for row in stored(db, "h3_index")} == set(HILLS[7:].tolist())
    at = layer(db)
    assert at is not None
    assert (at.cells, at.statistics) == (30, {"max": (5.0, 5.0), "mean": (5.0, 5.0)})


def test_classes_that_are_not_there_any_more_go(db: Connection) -> None:
    publish(
        aggregation(
            [
                rows(HILLS[:20], fraction_11=0.25, fraction_41=0.75),
                rows(HILLS[20:], fraction_11=[1.0] + [None] * 16, **{"fraction_-1": 1.0}),
            ],
            ("fractions",),
        )
    )
    at = layer(db)
    assert at is not None
    assert set(at.statistics) == {"fraction_-1", "fraction_11", "fraction_41"}
    result = publish(aggregation([rows(HILLS, fraction_41=1.0)], ("fractions",)))
    assert set(stored(db, "stat_type, value")) == {("fraction_41", 1.0)}
    assert result["rows_removed"] == 20 + 1 + 17
    assert result["rows_written"] == 37
    at = layer(db)
    assert at is not None
    assert at.statistics == {"fraction_41": (1.0, 1.0)}


def test_statistics_that_were_not_asked_for_again_go_with_the_old_pixels(db: Connection) -> None:
    publish(aggregation([rows(HILLS, mean=1.0, p95=3.0)], ("mean", "p95")))
    result = publish(aggregation([rows(HILLS[:10], mean=1.0)], ("mean",)))
    assert (result["rows_unchanged"], result["rows_removed"]) == (10, 10)
    kept = {row[0] for row in stored(db, "h3_index, stat_type") if row[1] == "p95"}
    assert kept == set(HILLS[10:].tolist())


def test_cells_of_other_jobs_bands_and_datasets_stay(db: Connection) -> None:
    publish(aggregation([rows(HILLS, mean=1.0)]))
    publish(aggregation([rows(PLAINS, mean=-3.0)]))
    publish(aggregation([rows(HILLS, mean=2.0)], band=2))
    publish(aggregation([rows(HILLS, mean=3.0)], dataset_id="peaks"))
    publish(aggregation([rows(HILLS[:0], mean=[])], planned=[0]))
    assert len(stored(db)) == 4 * 37
    at = layer(db)
    assert at is not None
    assert (at.cells, at.statistics) == (74, {"mean": (-3.0, 1.0)})
    west, south, east, north = at.bounds
    assert west < 11 < 20 < east
    assert south < 47 < 52 < north
    other = layer(db, band=2)
    assert other is not None
    assert (other.cells, other.statistics) == (37, {"mean": (2.0, 2.0)})


def test_ways_of_weighting_that_are_mixed_are_told(db: Connection) -> None:
    def weighting() -> str:
        at = layer(db)
        assert at is not None
        return at.weighting

    publish(aggregation([rows(HILLS, mean=1.0)], weighting="centroid"))
    publish(aggregation([rows(PLAINS, mean=1.0)], weighting="centroid"))
    assert weighting() == "centroid"
    publish(aggregation([rows(PLAINS, mean=1.0)], weighting="exact"))
    assert weighting() == "mixed"
    publish(aggregation([rows(np.sort(np.append(HILLS, PLAINS)), mean=1.0)], weighting="exact"))
    assert weighting() == "exact"


def test_a_job_without_cells_completes(db: Connection) -> None:
    result = publish(aggregation([]))
    assert (result["cells"], result["rows_written"], result["complete"]) == (0, 0, True)
    found = h3_repository.dataset(db, "hills")
    assert found is not None
    assert found.layers == ()


def test_a_layer_that_lost_all_its_cells_is_gone(db: Connection) -> None:
    publish(aggregation([rows(HILLS, mean=1.0)]))
    result = publish(aggregation([rows(HILLS, mean=None, pixel_count=0.0)]))
    assert (result["rows_removed"], result["cells_without_data"]) == (37, 37)
    assert result["notes"] == ["No cell has a valid pixel, so that there is nothing to be kept."]
    assert stored(db) == []
    assert layer(db) is None


def test_values_that_are_not_finite_are_none(db: Connection) -> None:
    values = [float("inf"), float("nan"), *[1.0] * 35]
    result = publish(aggregation([rows(HILLS, mean=values, count=10.0)], ("mean", "count")))
    assert result["rows_written"] == 37 + 35
    assert result["notes"] == ["2 values that are infinite or no number were left out."]
    assert result["cells_with_data"] == 37


def test_cells_that_no_raster_reaches_are_not_among_the_computed(db: Connection) -> None:
    result = publish(aggregation([rows(HILLS, mean=1.0)], planned=[50], beyond=13))
    counts = ("cells", "cells_with_data", "cells_beyond")
    assert [result[name] for name in counts] == [37, 37, 13]


def test_failed_blocks_are_reported_and_their_cells_stay(db: Connection) -> None:
    publish(aggregation([rows(HILLS, mean=1.0)]))
    why = {"code": "raster_failed", "message": "dem/a.tif cannot be read."}
    failed = Task(1, stage=1, status="failed", parameters={"block": 1}, error=why)
    computing = Stage("compute_stats", "completed", total=2, completed=1, failed=1)
    job_id = add_job(db, Stage("inventory_cells"), computing, tasks=(failed,))
    run = aggregation(
        [rows(HILLS[:10], mean=2.0), None],
        failed_rasters="report",
        planned=[10, 27],
        job_id=job_id,
    )
    result = publish(run)
    assert (result["cells"], result["cells_with_data"], result["cells_failed"]) == (37, 10, 27)
    assert not result["complete"]
    assert result["failed"] == [
        {
            "block": 1, "box": [-180, -90, 180, 90], "cells": 27,
            "error": why,
        }
    ]  # fmt: skip
    assert result["notes"] == ["1 block of cells failed: their 27 cells are as they were before."]
    assert {row[0] for row in stored(db, "value")} == {1.0, 2.0}
    assert len(stored(db)) == 37


def test_a_job_of_which_every_block_failed_fails(db: Connection) -> None:
    publish(aggregation([rows(HILLS, mean=1.0)]))
    said = "The raster has a value of 1e+300, too large to calculate with."
    why = {"code": "values_too_large", "message": said}
    other = {"code": "raster_failed", "message": "dem/a.tif cannot be read."}
    failed = [
        Task(n, stage=1, status="failed", parameters={"block": n}, error=error)
        for n, error in enumerate((other, why, why))
    ]
    computing = Stage("compute_stats", "completed", total=3, completed=0, failed=3)
    job_id = add_job(db, Stage("inventory_cells"), computing, tasks=tuple(failed))
    run = aggregation([None] * 3, failed_rasters="report", job_id=job_id)
    error = refusal(run)
    assert error.error_code == "nothing_computed"
    assert error.message == f"None of the 3 blocks of cells could be computed, most often: {said}"
    assert error.details["reason"] == "values_too_large"
    assert {row[0] for row in stored(db, "value")} == {1.0}


def test_a_dataset_of_another_theme_is_left_alone(db: Connection) -> None:
    publish(aggregation([rows(HILLS, mean=1.0)]))
    error = refusal(aggregation([rows(HILLS, mean=2.0)], theme="landcover"))
    assert error.error_code == "dataset_of_another_theme"
    assert "'elevation'" in error.message
    assert {row[0] for row in stored(db, "value")} == {1.0}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: aggregation([rows(HILLS, mean=1.0), None], planned=[37, 5]), "were not computed"),
        (lambda: aggregation([rows(HILLS, mean=1.0)], planned=[38]), "planned with 38 cells"),
        (lambda: aggregation([rows(HILLS, mean=1.0)], beyond=1), "37 and 1 that no raster"),
        (lambda: aggregation([rows(HILLS, max=1.0)]), "lacks the column 'mean'"),
        (lambda: aggregation([rows(HILLS, mean=1.0, max=1.0)]), "does not belong there"),
        (lambda: aggregation([rows(HILLS, mean=1.0, fraction_3=1.0)]), "does not belong there"),
        (lambda: aggregation([rows(HILLS, mean=1.0)], resolution=7), "not of resolution 7"),
        (lambda: aggregation([rows(HILLS, mean=1.0, pixel_count=None)]), "is null"),
    ],
)
def test_files_that_are_not_what_was_planned_are_refused(
    db: Connection, run: Any, message: str
) -> None:
    error = refusal(run())
    assert error.error_code == "counts_differ"
    assert message in error.message
    assert stored(db) == []
    assert h3_repository.dataset(db, "hills") is None


def test_a_file_that_is_short_or_gone_is_an_error(db: Connection) -> None:
    short = aggregation([rows(HILLS, mean=1.0)])
    other = BlobWorkspace(aggregation([rows(HILLS[:36], mean=1.0)]).job_id)
    BlobWorkspace(short.job_id).write_bytes("rows/0.arrow", other.read_bytes("rows/0.arrow"))
    assert "37 cells, and 36 in its file" in refusal(short).message
    gone = aggregation([rows(HILLS, mean=1.0)])
    gone.tasks["compute_stats"][0].result["rows_file"] = "rows/gone.arrow"  # type: ignore[index]
    assert refusal(gone).error_code == "workspace_file_missing"


def test_a_cell_that_two_tasks_computed_is_an_error(db: Connection) -> None:
    error = refusal(aggregation([rows(HILLS, mean=1.0), rows(HILLS[-1:], mean=1.0)]))
    assert error.error_code == "cell_twice"
    assert str(HILLS[-1]) in error.message
    assert stored(db) == []


def test_more_classes_than_a_row_holds_are_refused(db: Connection) -> None:
    shares = {f"fraction_{number}": 1.0 for number in range(MAX_STATISTICS + 1)}
    run = aggregation([rows(HILLS[:1], **shares)], ("fractions",))
    assert refusal(run).error_code == "too_many_classes"
    shares.popitem()
    publish(aggregation([rows(HILLS[:1], **shares)], ("fractions",)))
    assert len(stored(db)) == MAX_STATISTICS
