"""Stage validate: find out what a raster is, and decide how its COG is made."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from infrastructure.sandbox import Sandbox
from services.raster import (
    children,
    cog_plan,
    files,
    replacing,
    room,
    selecting,
    sources,
    surveying,
    times,
    windows,
)
from services.raster.files import RasterFile, Settled
from services.raster.model import CogPlan, Survey
from services.raster.parameters import ProcessRaster, RasterOptions
from services.raster.times import ItemTime
from services.vector.source_files import SourceRef

STAGE = "validate"

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_.:-]+")
_LONGEST_ID = 128


def validate_raster(context: TaskContext[ProcessRaster]) -> JsonObject:
    """Validate the one raster of process_raster. Returns what `validate_file` does; raises
    what it, pinning the source and `replacing.refuse_other_source` raise."""
    file = _the_file(context)
    replacing.refuse_other_source(context, file)
    return validate_file(context, file)


def validate_file(context: TaskContext[RasterOptions], file: RasterFile) -> JsonObject:
    """Survey a raster and decide on its COG and its time, all kept for the later stages.

    Returns {file, name, type, subtype, confidence, bands, dtype, crs, bytes, decoded_bytes,
    strips}. Raises `PermanentTaskError` for a raster that cannot become a COG, and for settings
    that do not fit it.
    """
    parameters = context.parameters
    with (
        room.told(file.name),
        sources.local_copy(file.ref, check=context.check, progress=context.progress) as source,
        children.child_of(
            context.job_id, source, context.check, memory_mb=parameters.memory_mb
        ) as child,
    ):
        path = sources.raster_path(source, child, context.check)
        survey = surveying.survey(child, path, file.name, parameters, context.check)
        surveying.refuse_unusable(survey, file.name, parameters)
        plan = cog_plan.plan(survey, parameters)
        width, height = _grid(child, path, file.name, survey, plan, context.check)
    files.keep(context.workspace, file.index, survey)
    # As storage says it now: a sidecar may be another one when the Item is made.
    files.keep(context.workspace, file.index, _time_of(parameters, file, survey))
    settled = settle(survey, plan, (width, height), parameters)
    files.keep(context.workspace, file.index, settled)
    return _summary(file, survey, settled)


def settle(
    survey: Survey, plan: CogPlan, size: tuple[int, int], parameters: RasterOptions
) -> Settled:
    """What is decided of a raster whose COG is planned so, `size` its columns and rows."""
    width, height = size
    strips = windows.split(survey.facts, plan, parameters.window_gb, size)
    return Settled(plan=plan, width=width, height=height, strips=tuple(strips))


def plan_strips(context: JobContext[Any]) -> Iterator[TaskSpec]:
    """A task for each strip of the rasters that are encoded in several."""
    for result in context.results(STAGE):
        for strip in range(result.result["strips"]):
            yield TaskSpec({"file": result.result["file"], "strip": strip})


def plan_cogs(context: JobContext[Any]) -> Iterator[TaskSpec]:
    """A task for each raster that was accepted."""
    for result in context.results(STAGE):
        yield TaskSpec({"file": result.result["file"]})


def item_id_of(path: str) -> str:
    """The id of the Item that becomes of a file, by its name: without folder and ending, and
    with nothing in it that an address would have to escape."""
    name = posixpath.basename(path)
    stem = name
    while posixpath.splitext(stem)[1].lower() in selecting.RASTERS:
        stem = posixpath.splitext(stem)[0]
    text = _NOT_IN_AN_ID.sub("_", stem).lstrip(".:-")[:_LONGEST_ID]
    return text or "raster"


def _the_file(context: TaskContext[ProcessRaster]) -> RasterFile:
    """The job's file, as the first attempt has pinned it."""
    if files.are_written(context.workspace):
        return files.read_file(context.workspace, 0)
    parameters = context.parameters
    ref = _pinned(context, parameters)
    file = RasterFile(
        index=0,
        ref=ref,
        item_id=parameters.item_id or item_id_of(ref.path),
        own_name=None if parameters.source_url is None else posixpath.basename(ref.path),
    )
    files.write_files(context.workspace, [file])
    return file


def _pinned(context: TaskContext[ProcessRaster], parameters: ProcessRaster) -> SourceRef:
    if parameters.source_url is not None:
        return sources.pin_url(
            parameters.source_url, context.job_id, check=context.check, progress=context.progress
        )
    if parameters.container_name is None or parameters.blob_name is None:
        raise PermanentTaskError("The job names no file.", code="no_source")
    return sources.pin(parameters.container_name, parameters.blob_name)


def _time_of(parameters: RasterOptions, file: RasterFile, survey: Survey) -> ItemTime:
    return times.of_blob(
        file.ref.container,
        file.ref.path,
        tags=survey.facts.tags,
        acquired=parameters.acquired if isinstance(parameters, ProcessRaster) else None,
        start=parameters.start_datetime,
        end=parameters.end_datetime,
    )


def _grid(
    child: Sandbox,
    path: Path,
    name: str,
    survey: Survey,
    plan: CogPlan,
    check: Callable[[], None],
) -> tuple[int, int]:
    """Columns and rows of the COG: the raster's own, unless it is warped."""
    if plan.warp_to is None:
        return survey.facts.width, survey.facts.height
    width, height = children.call(
        child,
        "services.raster.child.wrapping:warped_grid",
        {"source": str(path), "plan": plan.model_dump(mode="json")},
        check=check,
        what=name,
    )
    return width, height


def _summary(file: RasterFile, survey: Survey, settled: Settled) -> JsonObject:
    facts, inference = survey.facts, survey.inference
    return {
        "file": file.index,
        "name": file.name,
        "type": inference.type.value,
        "subtype": inference.subtype.value if inference.subtype else None,
        "confidence": round(inference.confidence, 4),
        "bands": len(facts.bands),
        "dtype": facts.bands[0].dtype,
        "crs": facts.crs,
        "bytes": facts.file_bytes,
        "decoded_bytes": facts.decoded_bytes,
        "strips": len(settled.strips),
    }
