"""process_vector: any vector file, cleaned, staged, checked and published as PostGIS tables."""

from __future__ import annotations

from core.job_definition import PATIENT, JobDefinition, Queue, Stage, plan_one_task
from services.vector import inspecting, publishing, staging, validating
from services.vector.lineage import lineage
from services.vector.outputs import VectorOutputs
from services.vector.parameters import ProcessVector

JOB = JobDefinition(
    name="process_vector",
    description=(
        "Read a vector file of any common format, repair what is broken in it, and publish it "
        "as PostGIS tables, with a report of what was repaired and what was set aside."
    ),
    parameters=ProcessVector,
    outputs=VectorOutputs,
    stages=(
        Stage(
            "inspect",
            planner=plan_one_task,
            handler=inspecting.inspect_source,
            description="Find out what the file is, plan its tables",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            "clean",
            planner=staging.plan_chunks,
            handler=staging.stage_chunk,
            description="Read, clean and stage the records, in chunks",
            queue=Queue.HEAVY,
            max_parallel=lambda parameters: parameters.max_parallel,
            retry=PATIENT,
        ),
        Stage(
            "validate",
            planner=validating.plan_validation,
            handler=validating.validate_layer,
            description="Index the staged tables, find duplicates, check them in PostGIS",
            queue=Queue.HEAVY,
            max_parallel=4,
            retry=PATIENT,
        ),
        Stage(
            "publish",
            planner=plan_one_task,
            handler=publishing.publish_tables,
            description="Swap the tables in, all at once",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=publishing.job_result,
    lineage=lineage,
    preview=inspecting.preview,
)
