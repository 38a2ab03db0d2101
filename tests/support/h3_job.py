"""Aggregations whose rows are given, for tests of what becomes of them in the database."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import h3
import numpy as np
import pyarrow as pa

from core.job_definition import JobDefinition, JsonObject, Stage, plan_one_task
from infrastructure.blob_storage import BlobWorkspace
from services.h3 import plans, publishing
from services.h3.model import Block, Box, Cells, Grid, Plan, SourceRaster
from services.h3.outputs import H3Outputs
from services.h3.parameters import H3RasterAggregation
from tests.support.run_job import JobRun, Task

_RUNS = itertools.count()
_WORLD = Box(west=-180, south=-90, east=180, north=90)
# The stages as far as they matter here: plan and rows that are given, and what publishes them.
_JOB = JobDefinition(
    name="h3_raster_aggregation",
    description="Publish rows that are given.",
    parameters=H3RasterAggregation,
    outputs=H3Outputs,
    stages=(
        Stage(plans.STAGE, planner=plan_one_task, handler=lambda _: None),
        Stage("compute_stats", planner=plan_one_task, handler=lambda _: None),
        Stage(publishing.STAGE, planner=plan_one_task, handler=publishing.publish),
    ),
    finalize=publishing.job_result,
)


def cells_around(latitude: float, longitude: float, resolution: int = 6, rings: int = 3) -> Cells:
    """Cells in rings around a place, in ascending order."""
    middle = h3.latlng_to_cell(latitude, longitude, resolution)
    found = [h3.str_to_int(cell) for cell in h3.grid_disk(middle, rings)]
    return np.sort(np.array(found, np.uint64))


def rows(cells: Cells, **statistics: Any) -> pa.Table:
    """A task's rows: one value for all cells, or one for each. Where `pixel_count` and
    `nodata_count` are not given they are 10 and 1."""
    columns = {"pixel_count": 10.0, "nodata_count": 1.0, **statistics}
    return pa.table(
        {
            "h3_index": pa.array(cells.astype(np.int64)),
            **{name: pa.array(_each(value, len(cells)), pa.float64())
               for name, value in columns.items()},
        }
    )  # fmt: skip


def aggregation(
    blocks: Sequence[pa.Table | None],
    statistics: Sequence[str] = ("mean",),
    *,
    resolution: int = 6,
    weighting: Any = "exact",
    planned: Sequence[int] | None = None,
    beyond: int = 0,
    is_restricted: bool = False,
    job_id: str | None = None,
    **parameters: Any,
) -> JobRun:
    """A job of which all but the publishing is done. None is a block that failed; `planned` are the
    cells of each block where the plan says others than its rows have; `beyond` of each no raster
    reaches."""
    run = JobRun(
        _JOB,
        next(_RUNS),
        **{
            "theme": "elevation",
            "dataset_id": "hills",
            "resolution": resolution,
            "collection_id": "dem",
            "statistics": list(statistics),
            **parameters,
        },
    )
    run.job_id = job_id or run.job_id
    sizes = [len(table) if table is not None else 1 for table in blocks]
    counts = sizes if planned is None else list(planned)
    plan = Plan(
        resolution=resolution,
        weighting=weighting,
        statistics=tuple(statistics),
        rasters=(_raster(parameters.get("band", 1)),),
        mosaics=(),
        area=None,
        blocks=tuple(Block(index=n, box=_WORLD, cells=each) for n, each in enumerate(counts)),
        cells=sum(counts),
        pixels_per_cell=10.0,
        is_restricted=is_restricted,
    )
    folder = plans.keep(BlobWorkspace(run.job_id), plan, 1, run.on_check)
    run.tasks[plans.STAGE] = [Task({}, result={plans.PLAN: folder, "blocks": len(blocks)})]
    run.tasks["compute_stats"] = [
        Task({"block": n}, result=None if table is None else _kept(run, n, table, beyond))
        for n, table in enumerate(blocks)
    ]
    return run


def published(*given: Any, **options: Any) -> JsonObject:
    """Publish an `aggregation`; its result."""
    return publish(aggregation(*given, **options))


def publish(run: JobRun) -> JsonObject:
    """The result of a job's last stage, which is run again where it has run before."""
    if publishing.STAGE not in run.tasks:
        run.tasks[publishing.STAGE] = [Task({})]
    result = run.run_task(publishing.STAGE, 0, again=True)
    assert _JOB.misfits(result) == []
    return result


def _raster(band: int) -> SourceRaster:
    grid = Grid(crs="EPSG:4326", transform=(1, 0, -180, 0, -1, 90), width=360, height=180)
    return SourceRaster(
        name="dem", container="silver", path="dem.tif", etag="1", size=1, grid=grid, band=band,
        dtype="float32",
    )  # fmt: skip


def _each(value: Any, number: int) -> Any:
    return [value] * number if value is None or isinstance(value, (int, float)) else value


def _kept(run: JobRun, block: int, table: pa.Table, beyond: int) -> JsonObject:
    """Write a task's file; the task's result."""
    name = f"rows/{block}.arrow"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    BlobWorkspace(run.job_id).write_bytes(name, sink.getvalue().to_pybytes())
    has_data = np.asarray(table.column("pixel_count")) > 0
    return {
        "block": block,
        "cells": len(table),
        "cells_with_data": int(has_data.sum()),
        "cells_beyond": beyond,
        "rows_file": name,
        "pixels_read": 100,
    }
