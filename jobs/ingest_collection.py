"""ingest_collection: a STAC Collection of COGs, from bronze to silver and into pgSTAC."""

from __future__ import annotations

from core.job_definition import PATIENT, JobDefinition, Queue, Stage, plan_one_task
from services.ingest import copying, inventory, publishing, registering
from services.ingest.lineage import lineage
from services.ingest.outputs import IngestOutputs
from services.ingest.parameters import IngestCollection

JOB = JobDefinition(
    name="ingest_collection",
    description=(
        "Copy a STAC Collection with its items and COGs to another container, verified, and "
        "register it in the STAC catalog."
    ),
    parameters=IngestCollection,
    outputs=IngestOutputs,
    stages=(
        Stage(
            "inventory",
            planner=plan_one_task,
            handler=inventory.take_inventory,
            description="Read the collection, validate every item, look up every asset",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            "copy",
            planner=copying.plan_copies,
            handler=copying.copy_batch,
            description="Copy the assets, verify them, check the COGs",
            queue=Queue.HEAVY,
            max_parallel=8,
            retry=PATIENT,
        ),
        Stage(
            "register_collection",
            planner=plan_one_task,
            handler=registering.compute_collection,
            description="Compute extent and summaries from the items",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            "register_items",
            planner=plan_one_task,
            handler=registering.load_catalog,
            description="Load collection and items into pgSTAC, in one transaction",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            "finalize",
            planner=plan_one_task,
            handler=publishing.publish,
            description="Enter the collection in h3.source_catalog, add up the result",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=publishing.job_result,
    lineage=lineage,
)
