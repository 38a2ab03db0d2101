"""Stage compute_stats: the statistics of the cells of one block.

A task computes its cells wholly: it reads every pixel that any of them touches, so that nothing
is put together across tasks. What it finds is an Arrow file among the job's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from core.job_definition import JsonObject, TaskContext
from infrastructure.blob_lookup import BlobVersion
from infrastructure.job_progress_contexts import H3AggregationTracker
from services.h3 import looking, plans
from services.h3.child.work import Work, file_name
from services.h3.model import Block, Page
from services.h3.parameters import H3RasterAggregation
from services.raster import children

Context = TaskContext[H3RasterAggregation]

STAGE = "compute_stats"

_AGGREGATE = "services.h3.child.aggregating:aggregate"


def compute(context: Context) -> JsonObject:
    """Compute the statistics of a block's cells and keep them as a file in the workspace.

    Returns {block, rows_file, rows_bytes} and what the child tells: cells, cells_with_data,
    cells_beyond, values, pixels_read, valid; see `services.h3.child.aggregating`.
    Raises `PermanentTaskError`: source_changed, raster_failed or the code of the raster that
    cannot be read, cells_not_in_crs, and those of `services.h3.statistics.Accumulator`.
    """
    context.check()
    page = plans.page(context, context.task["block"])
    block = page.block(context.task["block"])
    work = work_of(page, block, plans.area(context), context.parameters.memory_mb)
    tracker = H3AggregationTracker(context.job_id)
    name = f"{STAGE}:{block.index}"
    tracker.working_on(_words_for(block, page.blocks_total))
    answer, rows = _aggregated(
        context,
        work,
        f"block {block.index}",
        # No value of a cell is there before its last pixel is.
        progress=lambda cells: tracker.cells_processed(name, cells, stats=0),
    )
    # Of this attempt: a late one writes over nothing that another's result names.
    rows_file = f"rows/{block.index}/{context.attempt}.arrow"
    context.workspace.write_bytes(rows_file, rows)
    tracker.cells_processed(name, answer["cells"] + answer["cells_beyond"], answer["values"])
    tracker.tile_processed(name)
    return {"block": block.index, "rows_file": rows_file, "rows_bytes": len(rows), **answer}


def work_of(page: Page, block: Block, area: dict[str, Any] | None, memory_mb: int) -> Work:
    """What the child is to compute of a block: with the rasters near it, and their mosaics, whose
    grids stay."""
    near = set(block.rasters)
    mosaics = []
    for mosaic in page.mosaics:
        members = tuple(member for member in mosaic.members if member.raster in near)
        if members:
            mosaics.append(mosaic.model_copy(update={"members": members}))
    return Work(
        resolution=page.resolution,
        weighting=page.weighting,
        statistics=page.statistics,
        area=area,
        box=block.box,
        mosaics=tuple(mosaics),
        rasters={number: page.rasters[number] for number in block.rasters},
        memory_mb=memory_mb,
    )


def _aggregated(
    context: Context, work: Work, what: str, *, progress: Callable[[int], None]
) -> tuple[JsonObject, bytes]:
    """What the child says of its work, and the Arrow file that it made. `progress` is told how
    many cells the work so far comes to."""
    rows: list[bytes] = []

    def read(line: bytes) -> None:
        progress(int(orjson.loads(line)["cells"]))

    with children.child_of_ranges(
        context.job_id, context.check, memory_mb=work.memory_mb, preload=looking.PRELOAD
    ) as child:
        answer: JsonObject = looking.call(
            child,
            _AGGREGATE,
            {"work": work.model_dump(mode="json")},
            {
                file_name(number): BlobVersion(
                    raster.container, raster.path, raster.size, raster.etag
                )
                for number, raster in work.rasters.items()
            },
            check=context.check,
            what=what,
            sinks={"rows": rows.append, "progress": read},
        )
    return answer, b"".join(rows)


def _words_for(block: Block, blocks_total: int) -> str:
    """A block as people know it: its number, and the place in its middle."""
    longitude, latitude = (
        (block.box.west + block.box.east) / 2,
        (block.box.south + block.box.north) / 2,
    )
    return (
        f"{block.index + 1:,} of {blocks_total:,} "
        f"({abs(latitude):.1f} {'N' if latitude >= 0 else 'S'}, "
        f"{abs(longitude):.1f} {'E' if longitude >= 0 else 'W'})"
    )
