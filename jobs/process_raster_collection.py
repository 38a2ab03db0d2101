"""process_raster_collection: many rasters of one kind, as one STAC Collection of COGs."""

from __future__ import annotations

from core.job_definition import PATIENT, JobDefinition, Queue, Stage, plan_one_task
from services.raster import collecting, collection_publishing, listing
from services.raster.lineage import of_collection
from services.raster.outputs import RasterCollectionOutputs
from services.raster.parameters import ProcessRasterCollection

JOB = JobDefinition(
    name="process_raster_collection",
    description=(
        "Make COGs of all rasters under a prefix, hold them against each other, and publish "
        "those that belong together as one STAC collection, with a mosaic."
    ),
    parameters=ProcessRasterCollection,
    outputs=RasterCollectionOutputs,
    stages=(
        Stage(
            listing.STAGE,
            planner=plan_one_task,
            handler=listing.list_files,
            description="Find the files, each in its present version",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            collecting.VALIDATE,
            planner=collecting.plan_validation,
            handler=collecting.validate_file,
            description="Find out what each raster is, decide how its COG is made",
            queue=Queue.HEAVY,
            max_parallel=lambda parameters: parameters.max_parallel,
            retry=PATIENT,
        ),
        Stage(
            collecting.COMPARE,
            planner=plan_one_task,
            handler=collecting.compare_files,
            description="Hold the rasters against what most of them are",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
        Stage(
            collecting.STRIPS,
            planner=collecting.plan_strips,
            handler=collecting.encode_strip,
            description="Encode large rasters in strips; nothing for others",
            queue=Queue.HEAVY,
            max_parallel=lambda parameters: parameters.max_parallel,
            retry=PATIENT,
        ),
        Stage(
            collecting.COGS,
            planner=collecting.plan_cogs,
            handler=collecting.create_cog,
            description="Make the COGs, compare them with their sources, draw their previews",
            queue=Queue.HEAVY,
            max_parallel=lambda parameters: parameters.max_parallel,
            retry=PATIENT,
        ),
        Stage(
            collection_publishing.STAGE,
            planner=plan_one_task,
            handler=collection_publishing.publish_collection,
            description="Put the COGs in their places, and all Items into the catalog at once",
            queue=Queue.HEAVY,
            max_parallel=1,
            retry=PATIENT,
        ),
    ),
    finalize=collection_publishing.job_result,
    lineage=of_collection,
    preview=listing.preview,
)
