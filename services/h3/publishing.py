"""Stage finalize: all statistics of a job into h3.zonal_stats at once, and the job's result.

**What a job leaves.** Each of the cells that it has computed holds exactly the statistics of this
job: rows that were there before, of the same dataset and band, are replaced, and those that have
no new value are removed, of statistics too that were not asked for this time. So all numbers of a
cell come from the same pixels, and who wants another statistic asks for all of them. Cells that
the job has not computed, as none of its rasters has a pixel in them, stay as they are: a dataset
may be made up of many jobs, a country or a tile at a time. A cell without valid pixels has no rows.

A job in which no cell was wanted, or none had data, still leaves the dataset, without a layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlencode

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext
from core.models.task import TaskStatus
from infrastructure import (
    database,
    h3_loading,
    h3_repository,
    locks,
    source_addresses,
    status_repository,
)
from infrastructure.database import Connection, Row
from infrastructure.h3_loading import Loaded, Staged, Target
from infrastructure.h3_repository import MIXED, Dataset, Layer
from infrastructure.locks import Space
from services.h3 import handler_raster_zonal, plans
from services.h3.computed import Computed
from services.h3.model import Head
from services.h3.parameters import H3RasterAggregation

Context = TaskContext[H3RasterAggregation]

STAGE = "finalize"

_LISTED = 20


def publish(context: Context) -> JsonObject:
    """Bring what all tasks have computed into the database, in one transaction.

    Returns the job's result. Safe to repeat: rows that are there already are left alone. Raises
    `PermanentTaskError` for a dataset of another theme, where not one block was computed
    (nothing_computed), where the files are not what the tasks have told of them, or the counts do
    not add up.
    """
    plan = plans.head(context)
    target = _target(context, plan)
    computed = Computed(plan, context.results(handler_raster_zonal.STAGE))
    _refuse_missing(context, plan, computed)
    with database.connect(autocommit=True) as connection:
        refuse_another_theme(connection, context.parameters)
        h3_loading.ensure_partition(connection, target.theme)
        with connection.transaction():
            staged = Staged(connection, target)
            for batch in computed.batches(context.workspace, context.check):
                staged.add(batch)
                context.progress(cells_staged=computed.cells)
            staged.close()
            locks.lock_patiently(connection, context.check, Space.H3_DATASET, target.dataset_id)
            loaded = _load(connection, context, plan, staged, computed)
        h3_loading.analyze(connection, target.theme)
    return _result(context, plan, target, computed, loaded)


def job_result(context: JobContext[H3RasterAggregation]) -> JsonObject:
    """The result as the stage left it in the ledger."""
    return next(context.results(STAGE)).result


def refuse_another_theme(connection: Connection, parameters: H3RasterAggregation) -> Dataset | None:
    """The dataset as it is now, None where there is none yet. Raises `PermanentTaskError`
    (dataset_of_another_theme) where it is of another theme."""
    present = h3_repository.dataset(connection, parameters.dataset_id)
    if present is not None and present.theme != parameters.theme:
        raise PermanentTaskError(
            f"The dataset {parameters.dataset_id!r} is of the theme {present.theme!r}: give that "
            "as theme, or another dataset_id.",
            code="dataset_of_another_theme",
            field="theme",
        )
    return present


def _refuse_missing(context: Context, plan: Head, computed: Computed) -> None:
    if not computed.missing:
        return
    if context.parameters.failed_rasters == "fail":
        raise PermanentTaskError(
            f"{counted(len(computed.missing), 'block')} of cells were not computed.",
            code="counts_differ",
        )
    # Then it is hardly one raster that is broken.
    if len(computed.missing) == len(plan.blocks):
        errors = [task["error"] for task in _failed_tasks(context)]
        code, _ = Counter(error["code"] for error in errors).most_common(1)[0]
        said = next(error["message"] for error in errors if error["code"] == code)
        raise PermanentTaskError(
            f"None of the {counted(len(plan.blocks), 'block')} of cells could be computed, most "
            f"often: {said}",
            code="nothing_computed",
            reason=code,
        )


def _target(context: Context, plan: Head) -> Target:
    parameters = context.parameters
    return Target(
        theme=parameters.theme,
        dataset_id=parameters.dataset_id,
        band=plan.band,
        resolution=plan.resolution,
        job_id=context.job_id,
    )


def _load(
    connection: Connection, context: Context, plan: Head, staged: Staged, computed: Computed
) -> Loaded:
    """While no other job changes the dataset: its rows, and what is said of it."""
    parameters, target = context.parameters, staged.target
    present = refuse_another_theme(connection, parameters)
    before = None if present is None else present.layer(target.resolution, target.band)
    loaded = staged.load(() if before is None else before.statistics.keys(), context.check)
    h3_loading.put_dataset(
        connection,
        target,
        title=parameters.title,
        unit=parameters.unit,
        source=_source(parameters, plan),
        is_restricted=plan.is_restricted,
    )
    _put_layer(connection, target, plan, before, computed, loaded)
    context.check()
    return loaded


def _put_layer(
    connection: Connection,
    target: Target,
    plan: Head,
    before: Layer | None,
    computed: Computed,
    loaded: Loaded,
) -> None:
    """What the layer holds now: cells of this job, and of those before it the others."""
    others = 0 if before is None else before.cells - loaded.cells_before
    extent = computed.extent
    weighting: str = plan.weighting
    if before is not None and others:
        extent.add_bounds(before.bounds)
        if before.weighting != plan.weighting:
            weighting = MIXED if computed.cells_with_data else before.weighting
    bounds = extent.bounds()
    if bounds is None:
        h3_loading.remove_layer(connection, target)
        return
    h3_loading.put_layer(
        connection,
        target,
        weighting=weighting,
        cells=computed.cells_with_data + others,
        bounds=bounds,
        statistics=loaded.statistics,
    )


def _source(parameters: H3RasterAggregation, plan: Head) -> JsonObject:
    """What a dataset is said to be made of. An address is shown without its query, which may be
    a signature."""
    source = parameters.model_dump(
        mode="json",
        include={
            *("collection_id", "item_id", "asset", "datetime", "container_name", "blob_name"),
            *("band", "iso3", "bbox"),
        },
        exclude_none=True,
    )
    if parameters.source_url is not None:
        source["source_url"] = source_addresses.shown(source_addresses.parse(parameters.source_url))
    if parameters.polygon is not None:
        source["polygon"] = True  # Which may be long.
    return {**source, "rasters": plan.rasters}


def _result(
    context: Context, plan: Head, target: Target, computed: Computed, loaded: Loaded
) -> JsonObject:
    cells = computed.cells_computed + computed.cells_failed
    with_data = computed.cells_with_data
    without_data = computed.cells - with_data
    if cells != with_data + without_data + computed.cells_failed:
        raise PermanentTaskError(
            f"Of {counted(cells, 'cell')}, {with_data:,} with data, {without_data:,} without and "
            f"{computed.cells_failed:,} that failed do not make up all.",
            code="counts_differ",
        )
    where = urlencode({"dataset": target.dataset_id})
    return {
        "dataset_id": target.dataset_id,
        "theme": target.theme,
        "resolution": target.resolution,
        "band": target.band,
        "weighting": plan.weighting,
        "cells": cells,
        "cells_with_data": with_data,
        "cells_without_data": without_data,
        "cells_failed": computed.cells_failed,
        "cells_beyond": computed.cells_beyond,
        "rows": computed.values,
        "rows_written": loaded.written,
        "rows_unchanged": computed.values - loaded.written,
        "rows_removed": loaded.removed,
        "statistics": list(plan.statistics),
        "pixels_read": computed.pixels_read,
        "valid_pixels": computed.valid_pixels,
        "failed": _failed(context, computed),
        "complete": not computed.missing,
        "notes": [*plan.notes, *_notes(computed)],
        "links": {"stats": f"/api/h3/stats?{where}", "map": f"/api/interface/map?{where}"},
    }


def _notes(computed: Computed) -> Iterator[str]:
    if computed.missing:
        yield (
            f"{counted(len(computed.missing), 'block')} of cells failed: their "
            f"{counted(computed.cells_failed, 'cell')} are as they were before."
        )
    if computed.not_finite:
        yield (
            f"{counted(computed.not_finite, 'value')} that are infinite or no number were left out."
        )
    if computed.cells_beyond and not computed.cells and not computed.missing:
        yield "No raster has a pixel in any of the cells that are wanted."
    if computed.cells and not computed.cells_with_data:
        yield "No cell has a valid pixel, so that there is nothing to be kept."


def _failed(context: Context, computed: Computed) -> list[JsonObject]:
    """The first of the blocks that failed, and why."""
    if not computed.missing:
        return []
    tasks = _failed_tasks(context)
    errors = {task["parameters"]["block"]: task["error"] for task in tasks}
    return [
        {
            "block": block.index,
            "box": [block.box.west, block.box.south, block.box.east, block.box.north],
            "cells": block.cells,
            "error": errors.get(block.index),
        }
        for block in computed.missing[:_LISTED]
    ]


def _failed_tasks(context: Context) -> list[Row]:
    """The first of the tasks that failed, as the ledger has them."""
    with database.transaction() as connection:
        return status_repository.tasks(
            connection, context.job_id, status=TaskStatus.FAILED, limit=_LISTED
        )
