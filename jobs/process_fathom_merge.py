"""process_fathom_merge: stacks of FATHOM's flood maps, merged into larger rasters."""

from __future__ import annotations

from core.job_definition import PATIENT, JobDefinition, Queue, Stage, plan_one_task
from services.fathom import merging, planning, publishing
from services.fathom.lineage import of_merged
from services.fathom.outputs import MergedOutputs
from services.fathom.parameters import ProcessFathomMerge

JOB = JobDefinition(
    name="process_fathom_merge",
    description=(
        "Merge the stacks of neighbouring tiles of FATHOM's flood maps: of each map and grid cell "
        "one COG, band by band, published as one STAC collection."
    ),
    parameters=ProcessFathomMerge,
    outputs=MergedOutputs,
    stages=(
        Stage(
            planning.INVENTORY,
            planner=plan_one_task,
            handler=merging.list_cells,
            description="Find the stacks, and which grid cells of them are to be made",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            merging.STAGE,
            planner=planning.cogs,
            handler=merging.make_merge,
            description="Make the COG of each grid cell, and compare it with its stacks",
            queue=Queue.HEAVY,
            max_parallel=lambda parameters: parameters.max_parallel,
            retry=PATIENT,
        ),
        Stage(
            publishing.STAGE,
            planner=planning.publication,
            handler=publishing.publish_merged,
            description="Put the COGs in their places, and all Items into the catalog at once",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=publishing.merged_result,
    lineage=of_merged,
    preview=merging.preview,
)
