"""curated_publish: publish a version of a curated dataset that a gate stopped."""

from __future__ import annotations

from core.job_definition import PATIENT, JobDefinition, Queue, Stage, plan_one_task
from services.curated import approving, updates
from services.curated.lineage import of_publication
from services.curated.outputs import CuratedOutputs
from services.curated.parameters import CuratedPublish

JOB = JobDefinition(
    name="curated_publish",
    description="Publish a version of a curated dataset that was held back by its gates.",
    parameters=CuratedPublish,
    outputs=CuratedOutputs,
    stages=(
        Stage(
            "publish",
            planner=plan_one_task,
            handler=approving.publish_held,
            description="Publish the version that is held",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=approving.job_result,
    lineage=of_publication,
    on_end=updates.ended,
    on_resume=updates.resumed,
)
