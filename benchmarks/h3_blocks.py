"""What the tasks of an h3_raster_aggregation compute, one block after the other in one process.

The same code as in a task's child process, without queue, ledger and database. Prints one line of
JSON, and writes each cell's mean for the comparison with others.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio

from services.h3 import areas, boxes, cells, grids, planning, plans
from services.h3.areas import Area
from services.h3.child.aggregating import aggregate
from services.h3.child.work import file_name
from services.h3.handler_raster_zonal import work_of
from services.h3.model import Block, Box, Grid, Page, Plan, SourceRaster, Weighting
from services.h3.parameters import H3RasterAggregation

STATISTICS = ("mean", "min", "max", "stdev", "count")

# What a job has that says nothing of it.
_MEMORY_MB: int = H3RasterAggregation.model_fields["memory_mb"].default


def measure(
    raster: Path, means: Path, resolution: int, weighting: Weighting, area: Area | None
) -> dict[str, float]:
    """Fill the cells of a raster, and write h3_index and mean of each to an .npz file.

    Returns {seconds, cells, pixels}.
    """
    source = _source(raster)
    began = time.perf_counter()
    plan = _plan(source, resolution, weighting, area)
    tables, pixels = [], 0
    for page, block in ((each, block) for each in plans.pages(plan) for block in each.blocks):
        table, read = _filled(page, block, plan.area, raster)
        tables.append(table)
        pixels += read
    seconds = time.perf_counter() - began
    rows = pa.concat_tables(tables, promote_options="default")
    index = rows["h3_index"].to_numpy().view(np.uint64)
    np.savez(means, index=index, mean=rows["mean"].to_numpy())
    return {"seconds": seconds, "cells": len(rows), "pixels": pixels}


def _plan(source: SourceRaster, resolution: int, weighting: Weighting, area: Area | None) -> Plan:
    """As the stage inventory_cells makes it."""
    mosaics = grids.mosaics([source])
    pixel_m = grids.pixel_size_m(source.grid)
    bounds = planning.bounds(
        None if area is None else area.boxes(), grids.bounds(source.grid), resolution
    )
    blocks = tuple(_blocks(bounds, resolution, pixel_m, area))
    return Plan(
        resolution=resolution,
        weighting=weighting,
        statistics=STATISTICS,
        rasters=(source,),
        mosaics=mosaics,
        area=None if area is None else area.as_geojson(),
        blocks=blocks,
        cells=sum(block.cells for block in blocks),
        pixels_per_cell=planning.pixels_per_cell(resolution, pixel_m),
    )


def _blocks(
    bounds: Sequence[Box], resolution: int, pixel_m: float, area: Area | None
) -> Iterator[Block]:
    side_m = planning.block_side_m(resolution, pixel_m)
    for number, box in enumerate(boxes.partition(bounds, resolution, side_m)):
        if count := cells.count_in_box(box, resolution, area):
            yield Block(index=number, box=box, cells=count, rasters=(0,))


def _filled(
    page: Page, block: Block, area: dict[str, Any] | None, raster: Path
) -> tuple[pa.Table, int]:
    """The rows of a block, and how many pixels were read for them."""
    rows = io.BytesIO()

    def keep(sink: str, content: bytes | memoryview) -> None:
        if sink == "rows":
            rows.write(content)

    work = work_of(page, block, area, _MEMORY_MB).model_dump(mode="json")
    with raster.open("rb") as file:
        answer = aggregate(work, keep, **{file_name(0): file})
    rows.seek(0)
    return pa.ipc.open_file(rows).read_all().select(["h3_index", "mean"]), answer["pixels_read"]


def _source(file: Path) -> SourceRaster:
    with rasterio.open(file) as dataset:
        return SourceRaster(
            name=file.name,
            container="benchmark",
            path=file.name,
            etag="1",
            size=file.stat().st_size,
            grid=Grid(
                crs=dataset.crs.to_string(),
                transform=tuple(dataset.transform)[:6],
                width=dataset.width,
                height=dataset.height,
            ),
            band=1,
            dtype=dataset.dtypes[0],
            nodata=dataset.nodata,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.h3_blocks", description=__doc__)
    parser.add_argument("raster", type=Path)
    parser.add_argument("means", type=Path, help="the .npz file that is written")
    parser.add_argument("resolution", type=int)
    parser.add_argument("weighting", choices=("exact", "centroid"))
    parser.add_argument("--area", type=Path, help="a GeoJSON geometry; default: the whole raster")
    options = parser.parse_args(arguments)
    geometry: dict[str, Any] | None = (
        json.loads(options.area.read_text("utf-8")) if options.area is not None else None
    )
    area = None if geometry is None else areas.of_polygon(geometry)
    print(
        json.dumps(
            measure(options.raster, options.means, options.resolution, options.weighting, area)
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
