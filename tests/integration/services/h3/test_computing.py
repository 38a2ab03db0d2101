"""The first two stages of an aggregation: children read rasters in storage, and rows come out."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from affine import Affine
from numpy.typing import NDArray

from core.errors import PermanentTaskError
from infrastructure import blob_storage, job_progress, metrics_repository
from infrastructure.blob_storage import BlobWorkspace
from infrastructure.database import Connection
from infrastructure.job_progress_contexts import H3AggregationTracker
from jobs.h3_raster_aggregation import JOB
from tests.support.metrics import fresh_metrics
from tests.support.rasters import write
from tests.support.run_job import JobRun, Task, TaskFailed

CONTAINER = "bronze-h3"
INVENTORY, COMPUTE = "inventory_cells", "compute_stats"
NODATA = -9999.0

_RUNS = itertools.count()

pytestmark = pytest.mark.usefixtures("db")


def values(rows: int = 90, columns: int = 120) -> NDArray[np.float32]:
    """Values, some of them `NODATA`."""
    random = np.random.default_rng(11)
    found = random.gamma(2.0, 40.0, (rows, columns)).astype(np.float32)
    found[random.random(found.shape) < 0.1] = NODATA
    return found


def put(folder: Path, name: str, pixels: NDArray[Any], **options: Any) -> str:
    """Write a raster of 0.05 degrees, from 28 E, 3 N, as a blob; its name."""
    profile = {
        "crs": "EPSG:4326", "nodata": NODATA, "transform": Affine(0.05, 0, 28, 0, -0.05, 3),
        **options,
    }  # fmt: skip
    blob_storage.ensure_container(CONTAINER)
    file = write(folder / "raster.tif", pixels, **profile)
    blob_storage.write_bytes(CONTAINER, name, file.read_bytes())
    return name


def job(blob: str, **parameters: Any) -> JobRun:
    return JobRun(
        JOB,
        next(_RUNS),
        **{
            "theme": "climate",
            "dataset_id": "rainfall",
            "resolution": 5,
            "container_name": CONTAINER,
            "blob_name": blob,
            "statistics": ["sum", "mean", "median"],
            **parameters,
        },
    )


def computed(run: JobRun) -> pa.Table:
    """The rows of all blocks of a job, whose stages are run up to there."""
    for stage in (INVENTORY, COMPUTE):
        run.run_stage(stage)
    results = [task.result for task in run.tasks[COMPUTE]]
    tables = []
    for result in results:
        assert result is not None
        data = BlobWorkspace(run.job_id).read_bytes(result["rows_file"])
        assert len(data) == result["rows_bytes"]
        table = pa.ipc.open_file(io.BytesIO(data)).read_all()
        assert len(table) == result["cells"]
        tables.append(table)
    return pa.concat_tables(tables)


def failure(run: JobRun, stage: str = COMPUTE) -> PermanentTaskError:
    with pytest.raises(TaskFailed) as failed:
        run.run_stage(stage)
    cause = failed.value.__cause__
    assert isinstance(cause, PermanentTaskError), cause
    return cause


@pytest.mark.parametrize("weighting", ["exact", "centroid"])
def test_all_cells_together_have_all_of_a_raster(weighting: str, tmp_path: Path) -> None:
    pixels = values()
    run = job(put(tmp_path, "a.tif", pixels), weighting=weighting)
    table = computed(run)
    valid = pixels != NODATA
    assert np.sum(table["pixel_count"].to_numpy()) == pytest.approx(valid.sum(), rel=1e-9)
    assert np.sum(table["nodata_count"].to_numpy()) == pytest.approx((~valid).sum(), rel=1e-9)
    total = np.nansum(table["sum"].to_numpy())
    assert total == pytest.approx(pixels[valid].astype(float).sum(), rel=1e-9)
    assert table.schema.field("h3_index").type == pa.int64()
    results = [task.result or {} for task in run.tasks[COMPUTE]]
    assert sum(each["valid"] for each in results) == pytest.approx(valid.sum(), rel=1e-9)
    planned = (run.tasks[INVENTORY][0].result or {})["cells"]
    assert sum(each["cells"] + each["cells_beyond"] for each in results) == planned


def test_only_cells_of_the_area_are_computed(tmp_path: Path) -> None:
    blob = put(tmp_path, "a.tif", values())
    everywhere, here = computed(job(blob)), computed(job(blob, bbox=[29, -0.5, 31, 1.5]))
    assert 0 < len(here) < len(everywhere)
    whole = dict(zip(*(everywhere[name].to_pylist() for name in ("h3_index", "sum")), strict=True))
    for cell, total in zip(*(here[name].to_pylist() for name in ("h3_index", "sum")), strict=True):
        assert total == pytest.approx(whole[cell], rel=1e-12)


def test_a_second_attempt_leaves_the_file_of_the_first(tmp_path: Path) -> None:
    run = job(put(tmp_path, "a.tif", values()))
    computed(run)
    first = (run.tasks[COMPUTE][0].result or {})["rows_file"]
    second = run.run_task(COMPUTE, 0, again=True)["rows_file"]
    workspace = BlobWorkspace(run.job_id)
    assert first != second
    assert workspace.read_bytes(first) == workspace.read_bytes(second)


def test_a_late_first_attempt_does_not_replace_the_plan_of_the_second(tmp_path: Path) -> None:
    blob = put(tmp_path, "a.tif", values())
    late, run = job(blob, bbox=[28, 0, 29, 1]), job(blob)
    run.tasks[INVENTORY] = [Task({}, attempt=1)]
    run.run_stage(INVENTORY)
    late.job_id = run.job_id
    late.run_stage(INVENTORY)
    (second,), (first,) = run.tasks[INVENTORY], late.tasks[INVENTORY]
    assert (first.attempt, second.attempt) == (1, 2)
    assert len(computed(run)) > len(computed(late)) > 0


def test_a_raster_that_was_replaced_is_not_mixed_with_the_one_before(tmp_path: Path) -> None:
    run = job(put(tmp_path, "a.tif", values()))
    run.run_stage(INVENTORY)
    put(tmp_path, "a.tif", values() + 1)
    error = failure(run)
    assert (error.error_code, "a.tif" in error.message) == ("source_changed", True)


def test_a_raster_of_which_pixels_are_missing_is_named(tmp_path: Path) -> None:
    blob = put(tmp_path, "whole.tif", values(), compress="deflate")
    data = blob_storage.read_bytes(CONTAINER, blob)
    blob_storage.write_bytes(CONTAINER, "cut.tif", data[: len(data) // 2])
    run = job("cut.tif")
    run.run_stage(INVENTORY)
    error = failure(run)
    assert (error.error_code, "cut.tif" in error.message) == ("raster_failed", True)


def test_a_job_that_is_cancelled_stops(tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    run = job(put(tmp_path, "a.tif", values()))
    run.run_stage(INVENTORY)
    run.on_check = cancel
    with pytest.raises(TaskFailed) as failed:
        run.run_stage(COMPUTE)
    assert isinstance(failed.value.__cause__, Cancelled)


def test_a_raster_that_does_not_fit_into_the_memory_of_a_child_is_read(tmp_path: Path) -> None:
    """Its values take 540 MB; they are all the same, so that its file is small."""
    pixels = np.ones((8_000, 8_400), np.uint8)
    blob = put(
        tmp_path, "large.tif", pixels, nodata=None, compress="deflate", tiled=True,
        blockxsize=512, blockysize=512, transform=Affine(0.0004, 0, 28, 0, -0.0004, 3),
    )  # fmt: skip
    table = computed(job(blob, resolution=3, memory_mb=512, weighting="exact", statistics=["sum"]))
    assert np.nansum(table["sum"].to_numpy()) == pytest.approx(pixels.size, rel=1e-9)


def test_what_was_done_is_shown(
    db: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block's cells as they are done, and in the end all of them, whatever is said on the
    way."""
    with fresh_metrics(monkeypatch):
        run = job(put(tmp_path, "a.tif", values()))
        db.execute(
            "INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, total_stages)"
            " VALUES (%s, 'h3_raster_aggregation', '{}', %s, 3)",
            (run.job_id, run.job_id),
        )
        said: list[int] = []
        say = H3AggregationTracker.cells_processed

        def noted(tracker: H3AggregationTracker, task: str, cells: int, stats: int) -> None:
            said.append(cells)
            say(tracker, task, cells, stats)

        monkeypatch.setattr(H3AggregationTracker, "cells_processed", noted)
        computed(run)
        job_progress.flush(run.job_id)
        shown = metrics_repository.contexts(db, [run.job_id])[run.job_id]["h3_aggregation"]
    results = [task.result or {} for task in run.tasks[COMPUTE]]
    assert shown["cells_processed"] == sum(each["cells"] + each["cells_beyond"] for each in results)
    assert shown["stats_computed"] == sum(each["values"] for each in results)
    assert shown["tiles_processed"] == len(results)
    assert len(said) > len(results)  # words amid the blocks, beside the last of each
    assert "pixels_read" not in run.figures
    assert run.figures["rasters_looked_at"] == 1
