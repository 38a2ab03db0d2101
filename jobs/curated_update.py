"""curated_update: bring one curated dataset up to what its source offers."""

from __future__ import annotations

from core.job_definition import PATIENT, JobDefinition, Queue, Stage, plan_one_task
from services.curated import checking, etl, fetching, finalizing, updates
from services.curated.lineage import of_update
from services.curated.outputs import CuratedOutputs
from services.curated.parameters import CuratedUpdate

JOB = JobDefinition(
    name="curated_update",
    description=(
        "Ask the source of a curated dataset for its version; where it is a new one, fetch it, "
        "clean it, hold it against the published one, and publish it."
    ),
    parameters=CuratedUpdate,
    outputs=CuratedOutputs,
    stages=(
        Stage(
            "check_source",
            planner=plan_one_task,
            handler=checking.check_source,
            description="Ask the source for its version",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            "fetch_data",
            planner=fetching.plan_fetch,
            handler=fetching.fetch_data,
            description="Fetch the files and look into them",
            queue=Queue.HEAVY,
            max_parallel=3,
            retry=PATIENT,
        ),
        Stage(
            "etl_process",
            planner=etl.plan_etl,
            handler=etl.process_chunk,
            description="Read, clean and stage the records, in chunks",
            queue=Queue.HEAVY,
            max_parallel=4,
            retry=PATIENT,
        ),
        Stage(
            "finalize",
            planner=finalizing.plan_finalize,
            handler=finalizing.finalize,
            description="Check the new version, hold it against the old one, publish it",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=finalizing.job_result,
    lineage=of_update,
    on_end=updates.ended,
    on_resume=updates.resumed,
)
