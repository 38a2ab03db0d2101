"""Stage inventory_cells: which rasters are read, which cells are wanted, and in what blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from infrastructure import database
from infrastructure.job_progress_contexts import H3AggregationTracker
from services.h3 import (
    areas,
    cells,
    cutting,
    grids,
    looking,
    planning,
    plans,
    publishing,
    repeats,
    sources,
)
from services.h3.areas import Area
from services.h3.model import Block, Box, Mosaic, Plan, SourceRaster
from services.h3.nearby import Nearby
from services.h3.parameters import H3RasterAggregation
from services.h3.tally import limit_of

Context = TaskContext[H3RasterAggregation]

STAGE = plans.STAGE

_MOST_CELLS = 250_000_000
# A country with far islands has bounds of many times its own area.
_BOUNDS_TO_AREA = 20
_PREVIEWED = 20
# Cells of a projected raster have their edges straight there: how far around a block, in radii of
# a cell, a raster is looked for.
_REACH = 2.0


def inventory_cells(context: Context) -> JsonObject:
    """Settle the aggregation's plan and keep it in the workspace.

    Returns {plan, rasters, mosaics, cells, blocks, weighting, pixels_per_cell, statistics}. Raises
    `PermanentTaskError` for what cannot be aggregated: too_many_cells, items_overlap,
    band_numbers_differ, and what finding the area and the rasters raises.
    """
    plan = settled(context)
    folder = plans.keep(context.workspace, plan, context.attempt, context.check)
    H3AggregationTracker(context.job_id).begin(
        cells_total=plan.cells, tiles_discovered=len(plan.blocks)
    )
    return {
        plans.PLAN: folder,
        "rasters": len(plan.rasters),
        "mosaics": len(plan.mosaics),
        "cells": plan.cells,
        "blocks": len(plan.blocks),
        "weighting": plan.weighting,
        "pixels_per_cell": round(plan.pixels_per_cell, 3),
        "statistics": list(plan.statistics),
    }


def plan_blocks(context: JobContext[H3RasterAggregation]) -> Iterator[TaskSpec]:
    """A task for each block of cells; none where no cell is wanted."""
    for index in range(next(context.results(STAGE)).result["blocks"]):
        yield TaskSpec({"block": index})


def preview(parameters: H3RasterAggregation) -> JsonObject:
    """What a job would read, for a dry run: {rasters, first, cells_in_bounds}.

    `cells_in_bounds` is about how many cells the bounds of the area have, None where no area is
    named: then the rasters would have to be opened. Raises what finding area and rasters raises.
    """
    with database.transaction() as connection:
        publishing.refuse_another_theme(connection, parameters)
    area = area_of(parameters)
    names = sources.names(parameters)
    estimate = (
        None
        if area is None
        else round(planning.estimated_cells(area.boxes(), parameters.resolution))
    )
    return {"rasters": len(names), "first": names[:_PREVIEWED], "cells_in_bounds": estimate}


def settled(context: Context) -> Plan:
    """The plan of an aggregation. No pixel is read for it."""
    parameters = context.parameters
    area = area_of(parameters)
    found = sources.resolve(context)
    rasters = looking.look_all(context, found)
    planning.band_of(rasters)
    mosaics = grids.mosaics(rasters, context.check)
    notes = [] if area is None else list(area.repairs)
    notes += _notes_on_overlaps(context, rasters, mosaics)
    pixels_m = [grids.pixel_size_m(each.grid) for each in mosaics]
    notes += planning.notes_on_pixel_sizes(pixels_m)
    pixels_per_cell = planning.pixels_per_cell(parameters.resolution, min(pixels_m))
    weighting = planning.weighting_for(parameters.weighting)
    notes += planning.notes_on_density(weighting, pixels_per_cell)
    statistics = planning.statistics_for(parameters.statistics, rasters)
    bounds = _bounds(parameters.resolution, area, mosaics)
    boxes = cutting.blocks(
        bounds,
        parameters.resolution,
        rasters,
        mosaics,
        pixel_m=min(pixels_m),
        statistics=statistics,
        most_values=limit_of(parameters.memory_mb),
    )
    reach = _REACH * cells.circumradius(parameters.resolution)
    nearby = Nearby([raster.grid for raster in rasters], reach, context.check)
    blocks = _blocks(context, area, bounds, boxes, nearby)
    total = sum(block.cells for block in blocks)
    if not total:
        notes.append("No cell is wanted: no cell's centre lies in the area and near a raster.")
    return Plan(
        resolution=parameters.resolution,
        weighting=weighting,
        statistics=statistics,
        rasters=tuple(rasters),
        mosaics=mosaics,
        area=None if area is None else area.as_geojson(),
        blocks=tuple(blocks),
        cells=total,
        pixels_per_cell=pixels_per_cell,
        is_restricted=parameters.restricted or any(each.is_restricted for each in found),
        notes=tuple(notes),
    )


def area_of(parameters: H3RasterAggregation) -> Area | None:
    """The area that the parameters name, None where they name none."""
    if parameters.iso3 is not None:
        with database.transaction() as connection:
            return areas.of_country(connection, parameters.iso3)
    if parameters.bbox is not None:
        return areas.of_bbox(parameters.bbox)
    if parameters.polygon is not None:
        return areas.of_polygon(parameters.polygon)
    return None


def _notes_on_overlaps(
    context: Context, rasters: Sequence[SourceRaster], mosaics: Sequence[Mosaic]
) -> Iterator[str]:
    """What to say of rasters that show the same ground, where that is allowed."""
    parameters = context.parameters
    pair = repeats.repeated(rasters, mosaics)
    if pair is not None:
        one, other = (rasters[index].name for index in pair)
        if parameters.overlap == "refuse":
            raise _overlap(
                f"{one} and {other} show the same ground on one grid: they are of different "
                "times, or of different things.",
                "newest",
            )
        yield f"{one} and {other}, and maybe others, show the same ground: the newest counts."
    pair = grids.overlapping(rasters, mosaics, context.check)
    if pair is not None:
        one, other = (rasters[index].name for index in pair)
        if parameters.overlap != "merge":
            raise _overlap(
                f"{one} and {other} lie over each other and have different grids: pixels of both "
                "would count for the same ground.",
                "merge",
            )
        yield f"{one} and {other}, and maybe others, lie over each other: pixels of both count."


def _overlap(what: str, setting: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"{what} Choose the items (item_id, datetime, properties), or set overlap to {setting}.",
        code="items_overlap",
        field="overlap",
    )


def _bounds(resolution: int, area: Area | None, mosaics: Sequence[Mosaic]) -> list[Box]:
    """Where the wanted cells have their centres. Raises `PermanentTaskError` (too_many_cells)
    where there are more of them than a job takes."""
    bounds = planning.bounds(
        None if area is None else area.boxes(),
        (box for mosaic in mosaics for box in grids.bounds(mosaic.grid)),
        resolution,
    )
    estimate = planning.estimated_cells(bounds, resolution)
    # The bounds of an area hold more cells than the area: those are counted one by one.
    if estimate > _MOST_CELLS * (1 if area is None else _BOUNDS_TO_AREA):
        raise _too_many(estimate, resolution)
    return bounds


def _blocks(
    context: Context,
    area: Area | None,
    bounds: Sequence[Box],
    boxes: Iterable[Box],
    nearby: Nearby,
) -> list[Block]:
    """Those of the boxes, which are all in the bounds, in which there are cells, and rasters
    near them."""
    resolution = context.parameters.resolution
    blocks: list[Block] = []
    total = 0
    for box in boxes:
        context.check()
        near = nearby.to(box)
        if not near:
            continue
        count = cells.count_in_box(box, resolution, area)
        total += count
        if total > _MOST_CELLS:
            raise _too_many(planning.estimated_cells(bounds, resolution), resolution)
        if count:
            blocks.append(Block(index=len(blocks), box=box, cells=count, rasters=near))
            context.progress(cells_found=total)
    return blocks


def _too_many(estimate: float, resolution: int) -> PermanentTaskError:
    return PermanentTaskError(
        f"At resolution {resolution} there are about {estimate:,.0f} cells in the bounds of what "
        f"is wanted, and a job takes {_MOST_CELLS:,} cells at most: choose a coarser resolution or "
        "a smaller area.",
        code="too_many_cells",
        field="resolution",
    )
