"""h3_raster_aggregation: statistics of rasters for each cell of the H3 grid."""

from __future__ import annotations

from core.job_definition import (
    FAIL_FAST,
    PATIENT,
    FailurePolicy,
    JobDefinition,
    Queue,
    Stage,
    plan_one_task,
    tolerate,
)
from services.h3 import handler_inventory_cells, handler_raster_zonal, publishing
from services.h3.lineage import lineage
from services.h3.outputs import H3Outputs
from services.h3.parameters import H3RasterAggregation


def _on_failure(parameters: H3RasterAggregation) -> FailurePolicy:
    return tolerate(1.0) if parameters.failed_rasters == "report" else FAIL_FAST


JOB = JobDefinition(
    name="h3_raster_aggregation",
    description=(
        "Sum rasters up by the cells of the H3 grid: means, extremes, percentiles, shares of "
        "classes, of a collection, a blob or an address."
    ),
    parameters=H3RasterAggregation,
    outputs=H3Outputs,
    stages=(
        Stage(
            handler_inventory_cells.STAGE,
            planner=plan_one_task,
            handler=handler_inventory_cells.inventory_cells,
            description="Find the rasters and the cells, decide how they are counted",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            handler_raster_zonal.STAGE,
            planner=handler_inventory_cells.plan_blocks,
            handler=handler_raster_zonal.compute,
            description="Compute the statistics of the cells, block by block",
            queue=Queue.HEAVY,
            max_parallel=lambda parameters: parameters.max_parallel,
            retry=PATIENT,
            on_failure=_on_failure,
        ),
        Stage(
            publishing.STAGE,
            planner=plan_one_task,
            handler=publishing.publish,
            description="Bring all statistics into h3.zonal_stats at once",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=publishing.job_result,
    lineage=lineage,
    preview=handler_inventory_cells.preview,
)
