"""Rasters in files, and the statistics that an aggregation makes of them in this process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio

from core.job_definition import JsonObject
from infrastructure.blob_lookup import BlobVersion
from services.h3 import grids, handler_raster_zonal, sources
from services.h3.child.aggregating import aggregate
from services.h3.child.work import file_name
from services.h3.model import Block, Box, Cells, Mosaic, Numbers, Plan, SourceRaster, Weighting
from services.h3.parameters import H3RasterAggregation
from services.h3.sources import Found
from services.raster.child.facts import read_facts

WORLD = Box(west=-180, south=-90, east=180, north=90)


@dataclass(frozen=True)
class Statistics:
    """What came out: a row for each cell, ascending, and what the tasks said."""

    table: pa.Table
    answers: tuple[JsonObject, ...]

    @property
    def cells(self) -> Cells:
        return self.table["h3_index"].to_numpy().view(np.uint64)

    def column(self, name: str) -> Numbers:
        """The column, NaN for null."""
        return self.table[name].to_numpy().astype(np.float64)

    def of(self, cell: int) -> dict[str, float | None]:
        row = int(np.searchsorted(self.cells, np.uint64(cell)))
        assert self.cells[row] == cell
        found: dict[str, float | None] = self.table.slice(row, 1).to_pylist()[0]
        return found


def source(path: Path, **parameters: Any) -> SourceRaster:
    """What a raster says of itself, as the first stage finds it."""
    wanted = H3RasterAggregation.model_validate(
        {"theme": "t", "dataset_id": "d", "resolution": 4, "source_url": "https://example.org",
         **parameters}
    )  # fmt: skip
    size = path.stat().st_size
    with rasterio.open(path) as dataset:
        facts = read_facts(dataset, size)
    found = Found(path.name, BlobVersion("rasters", str(path), size, "etag"))
    return sources.described(found, facts, wanted)


def statistics(
    paths: Sequence[Path],
    resolution: int,
    names: Sequence[str] = ("count", "sum", "mean", "stdev", "min", "max"),
    *,
    weighting: Weighting = "exact",
    boxes: Sequence[Box] = (WORLD,),
    area: dict[str, Any] | None = None,
    memory_mb: int = 512,
    mosaics: tuple[Mosaic, ...] | None = None,
    **parameters: Any,
) -> Statistics:
    """Aggregate rasters in blocks that are these boxes."""
    rasters = tuple(source(path, **parameters) for path in paths)
    plan = Plan(
        resolution=resolution,
        weighting=weighting,
        statistics=tuple(names),
        rasters=rasters,
        mosaics=grids.mosaics(rasters) if mosaics is None else mosaics,
        area=area,
        blocks=tuple(Block(index=n, box=box, cells=0) for n, box in enumerate(boxes)),
        cells=0,
        pixels_per_cell=1.0,
    )
    tables, answers = [], []
    for block in plan.blocks:
        rows: list[bytes] = []
        sinks = {"rows": rows.append, "progress": lambda _: None}
        work = handler_raster_zonal.work_of(plan, block, memory_mb)
        with ExitStack() as stack:
            files = {
                file_name(number): stack.enter_context(Path(raster.path).open("rb"))
                for number, raster in work.rasters.items()
            }
            answers.append(
                aggregate(
                    work.model_dump(mode="json"),
                    lambda name, data, sinks=sinks: sinks[name](bytes(data)),
                    **files,
                )
            )
        tables.append(pa.ipc.open_file(b"".join(rows)).read_all())
    together = pa.concat_tables(tables, promote_options="default").sort_by("h3_index")
    return Statistics(together, tuple(answers))
