"""Stage compute_stats: the statistics of the cells of one block.

A task computes its cells wholly: it reads every pixel that any of them touches, so that nothing
is put together across tasks. What it finds is an Arrow file among the job's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from core.job_definition import JsonObject, TaskContext
from infrastructure.blob_lookup import BlobVersion
from infrastructure.job_progress_contexts import H3AggregationTracker
from services.h3 import boxes, grids, plans, sources
from services.h3.cells import circumradius
from services.h3.child.work import Work, file_name
from services.h3.model import Block, Box, Mosaic, Plan, SourceRaster
from services.h3.parameters import H3RasterAggregation
from services.raster import children

Context = TaskContext[H3RasterAggregation]

STAGE = "compute_stats"

_AGGREGATE = "services.h3.child.aggregating:aggregate"
# Cells of a projected raster have their edges straight there: how far around a cell, in its own
# radii, a raster is looked for.
_REACH = 2.0


def compute(context: Context) -> JsonObject:
    """Compute the statistics of a block's cells and keep them as a file in the workspace.

    Returns {block, rows_file, rows_bytes} and what the child tells: cells, cells_with_data,
    cells_beyond, values, pixels_read, valid; see `services.h3.child.aggregating`.
    Raises `PermanentTaskError`: source_changed, raster_failed or the code of the raster that
    cannot be read, cells_not_in_crs, too_many_values, fractions_need_classes.
    """
    plan = plans.read(context.workspace)
    block = plan.blocks[context.task["block"]]
    work = work_of(plan, block, context.parameters.memory_mb)
    tracker = H3AggregationTracker(context.job_id)
    name = f"{STAGE}:{block.index}"
    tracker.working_on(_words_for(block, plan))
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


def work_of(plan: Plan, block: Block, memory_mb: int) -> Work:
    """What the child is to compute of a block: with the mosaics near it, and of their members
    those that are near."""
    around = boxes.grown([block.box], _REACH * circumradius(plan.resolution))
    near = [_near(mosaic, plan.rasters, around) for mosaic in plan.mosaics]
    mosaics = tuple(mosaic for mosaic in near if mosaic is not None)
    numbers = sorted({member.raster for mosaic in mosaics for member in mosaic.members})
    return Work(
        resolution=plan.resolution,
        weighting=plan.weighting,
        statistics=plan.statistics,
        area=plan.area,
        box=block.box,
        mosaics=mosaics,
        rasters={number: plan.rasters[number] for number in numbers},
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
        context.job_id, context.check, memory_mb=work.memory_mb, preload=sources.PRELOAD
    ) as child:
        answer: JsonObject = sources.call(
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


def _near(mosaic: Mosaic, rasters: Sequence[SourceRaster], around: Sequence[Box]) -> Mosaic | None:
    """The mosaic with those of its members that lie in the boxes or reach into them; its grid
    stays. None where there are none."""
    if not _meet(grids.bounds(mosaic.grid), around):
        return None
    members = mosaic.members
    if len(members) > 1:
        members = tuple(
            member for member in members if _meet(grids.bounds(rasters[member.raster].grid), around)
        )
    return mosaic.model_copy(update={"members": members}) if members else None


def _meet(some: Sequence[Box], others: Sequence[Box]) -> bool:
    return any(
        one.west <= other.east
        and other.west <= one.east
        and one.south <= other.north
        and other.south <= one.north
        for one in some
        for other in others
    )


def _words_for(block: Block, plan: Plan) -> str:
    """A block as people know it: its number, and the place in its middle."""
    longitude, latitude = (
        (block.box.west + block.box.east) / 2,
        (block.box.south + block.box.north) / 2,
    )
    return (
        f"{block.index + 1:,} of {len(plan.blocks):,} "
        f"({abs(latitude):.1f} {'N' if latitude >= 0 else 'S'}, "
        f"{abs(longitude):.1f} {'E' if longitude >= 0 else 'W'})"
    )
