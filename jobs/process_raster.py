"""process_raster: what a raster is, the COG that is made of it, and its place in the catalog."""

from __future__ import annotations

from core.job_definition import PATIENT, JobDefinition, Queue, Stage, plan_one_task
from services.raster import creating, publishing, surveying, validating
from services.raster.lineage import of_raster
from services.raster.outputs import RasterOutputs
from services.raster.parameters import ProcessRaster

JOB = JobDefinition(
    name="process_raster",
    description=(
        "Find out what a raster is (picture, multispectral, elevation, classes, ...), make a "
        "COG of it that suits its type, compare the two pixel by pixel, and publish it in the "
        "STAC catalog with previews."
    ),
    parameters=ProcessRaster,
    outputs=RasterOutputs,
    stages=(
        Stage(
            "validate",
            planner=plan_one_task,
            handler=validating.validate_raster,
            description="Find out what the raster is, decide how its COG is made",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            "encode_windows",
            planner=validating.plan_strips,
            handler=creating.encode_strip,
            description="Encode a large raster in strips; nothing for others",
            queue=Queue.HEAVY,
            max_parallel=8,
            retry=PATIENT,
        ),
        Stage(
            "create_cog",
            planner=validating.plan_cogs,
            handler=creating.create_cog,
            description="Make the COG, compare it with the source, draw its previews",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            "publish",
            planner=plan_one_task,
            handler=publishing.publish_raster,
            description="Put the COG in its place, and its Item into the catalog",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=publishing.job_result,
    lineage=of_raster,
    preview=surveying.preview,
)
