"""Rasters in files, and the statistics that an aggregation makes of them in this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import rasterio

from core.job_definition import JsonObject
from infrastructure.blob_lookup import BlobVersion
from services.h3 import grids, handler_raster_zonal, looking, plans
from services.h3.boxes import grown
from services.h3.cells import circumradius
from services.h3.child.aggregating import aggregate
from services.h3.child.work import file_name
from services.h3.model import Block, Box, Cells, Mosaic, Numbers, Plan, SourceRaster, Weighting
from services.h3.mosaicking import go_on
from services.h3.nearby import Nearby
from services.h3.parameters import H3RasterAggregation
from services.h3.sources import Found
from services.raster.child.facts import read_facts


@dataclass(frozen=True)
class Statistics:
    """What came out: a row for each cell, ascending, and what the tasks said."""

    table: pa.Table
    answers: tuple[JsonObject, ...]
    progress: tuple[tuple[int, ...], ...]
    """Of each task, the cells that it said its work came to, from window to window."""

    @property
    def cells(self) -> Cells:
        index: Cells = self.table["h3_index"].to_numpy().view(np.uint64)
        return index

    def column(self, name: str) -> Numbers:
        """The column, NaN for null."""
        values: Numbers = self.table[name].to_numpy().astype(np.float64)
        return values

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
    return looking.described(found, facts, wanted)


def statistics(
    paths: Sequence[Path],
    resolution: int,
    names: Sequence[str] = ("count", "sum", "mean", "stdev", "min", "max"),
    *,
    weighting: Weighting = "exact",
    boxes: Sequence[Box] | None = None,
    area: dict[str, Any] | None = None,
    memory_mb: int = 512,
    mosaics: tuple[Mosaic, ...] | None = None,
    **parameters: Any,
) -> Statistics:
    """Aggregate rasters in blocks that are these boxes, or a few around all of them."""
    rasters = tuple(source(path, **parameters) for path in paths)
    placed = grids.mosaics(rasters) if mosaics is None else mosaics
    if boxes is None:
        boxes = around(placed, resolution)
    nearby = Nearby([raster.grid for raster in rasters], 2 * circumradius(resolution), go_on)
    plan = Plan(
        resolution=resolution,
        weighting=weighting,
        statistics=tuple(names),
        rasters=rasters,
        mosaics=placed,
        area=area,
        blocks=tuple(
            Block(index=n, box=box, cells=0, rasters=nearby.to(box)) for n, box in enumerate(boxes)
        ),
        cells=0,
        pixels_per_cell=1.0,
    )
    tables, answers, progress = [], [], []
    for page, block in ((each, block) for each in plans.pages(plan) for block in each.blocks):
        emitted = _Emitted()
        work = handler_raster_zonal.work_of(page, block, area, memory_mb)
        with ExitStack() as stack:
            files = {
                file_name(number): stack.enter_context(Path(raster.path).open("rb"))
                for number, raster in work.rasters.items()
            }
            answers.append(aggregate(work.model_dump(mode="json"), emitted, **files))
        tables.append(pa.ipc.open_file(b"".join(emitted.of["rows"])).read_all())
        progress.append(tuple(orjson.loads(line)["cells"] for line in emitted.of["progress"]))
    together = pa.concat_tables(tables, promote_options="default").sort_by("h3_index")
    return Statistics(together, tuple(answers), tuple(progress))


def around(mosaics: Sequence[Mosaic], resolution: int) -> list[Box]:
    """Boxes in which all cells lie that touch a raster."""
    bounds = [box for mosaic in mosaics for box in grids.bounds(mosaic.grid)]
    return grown(bounds, 2 * circumradius(resolution))


class _Emitted:
    """What a child has emitted, by the names of the sinks."""

    def __init__(self) -> None:
        self.of: dict[str, list[bytes]] = defaultdict(list)

    def __call__(self, sink: str, data: bytes | memoryview) -> None:
        self.of[sink].append(bytes(data))
