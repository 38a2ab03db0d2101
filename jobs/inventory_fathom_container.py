"""inventory_fathom_container: which of FATHOM's flood maps a container holds, and what else."""

from __future__ import annotations

from core.job_definition import PATIENT, JobDefinition, Stage, plan_one_task
from services.fathom import inventory, listing
from services.fathom.lineage import of_inventory
from services.fathom.outputs import InventoryOutputs
from services.fathom.parameters import InventoryFathomContainer

JOB: JobDefinition[InventoryFathomContainer] = JobDefinition(
    name="inventory_fathom_container",
    description=(
        "Read the names of all files in a container of FATHOM's flood maps, group them by map "
        "and tile, and report what is complete, what is missing and what cannot be understood."
    ),
    parameters=InventoryFathomContainer,
    outputs=InventoryOutputs,
    stages=(
        Stage(
            listing.STAGE,
            planner=plan_one_task,
            handler=listing.list_stacks,
            description="List the container, group its files into stacks",
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            inventory.STAGE,
            planner=plan_one_task,
            handler=inventory.publish_reports,
            description="Count stacks and problems, publish both in full",
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=inventory.job_result,
    lineage=of_inventory,
    preview=listing.preview,
)
