"""process_fathom_stack: the tiles of FATHOM's flood maps, stacked by return period."""

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
from services.fathom import listing, planning, publishing, stacking
from services.fathom.lineage import of_stacks
from services.fathom.outputs import StacksOutputs
from services.fathom.parameters import ProcessFathomStack


def _failure_policy(parameters: ProcessFathomStack) -> FailurePolicy:
    return tolerate(1.0) if parameters.failed_tiles == "report" else FAIL_FAST


JOB = JobDefinition(
    name="process_fathom_stack",
    description=(
        "Stack the tiles of FATHOM's flood maps: of each map and tile one COG, with a band for "
        "each return period, published as one STAC collection."
    ),
    parameters=ProcessFathomStack,
    outputs=StacksOutputs,
    stages=(
        Stage(
            planning.INVENTORY,
            planner=plan_one_task,
            handler=stacking.list_stacks,
            description="Find the tiles, and which stacks of them are to be made",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            stacking.STAGE,
            planner=planning.cogs,
            handler=stacking.make_stack,
            description="Make the COG of each stack, and compare it with its tiles",
            queue=Queue.HEAVY,
            max_parallel=lambda parameters: parameters.max_parallel,
            retry=PATIENT,
            on_failure=_failure_policy,
        ),
        Stage(
            publishing.STAGE,
            planner=planning.publication,
            handler=publishing.publish_stacks,
            description="Put the COGs in their places, and all Items into the catalog at once",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=publishing.stacks_result,
    lineage=of_stacks,
    preview=listing.preview,
)
