"""Finding out what a raster is, and whether it can become a COG with a place on the Earth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.errors import PermanentTaskError
from core.job_definition import JsonObject
from infrastructure.blob_lookup import BlobRanges
from infrastructure.sandbox import Sandbox
from services import previews
from services.raster import children, sources
from services.raster.model import Survey
from services.raster.parameters import ProcessRaster, RasterOptions
from services.raster.placement import caveats, refuse_unplaced
from services.vector.source_files import SourceRef

Check = Callable[[], None]

_CHILD = "services.raster.child.surveying"
# What a request may wait for. A larger raster is read in ranges, where it stands by itself.
_PREVIEW_COPY_BYTES = 256 << 20
_PREVIEW_SECONDS = 30.0
# Warnings of what takes more room than it must, which nothing is wrong with.
_ONLY_WASTEFUL = frozenset({"64_bit", "integers_in_float", "tiny"})


def survey(
    child: Sandbox, path: Path, name: str, parameters: RasterOptions, check: Check | None
) -> Survey:
    """What a local raster is. `name` is the one its owner knows it by.

    Raises `PermanentTaskError`: unreadable_raster, driver_not_allowed, refers_elsewhere,
    raster_too_large, block_too_large, damaged_pixels, and what `children.call` raises.
    """
    answer = children.call(
        child,
        f"{_CHILD}:survey",
        {"path": str(path), "name": name, "options": _options(parameters)},
        check=check,
        what=name,
    )
    return _with_caveats(answer, parameters)


def refuse_unusable(survey: Survey, name: str, parameters: RasterOptions) -> None:
    """Raise `PermanentTaskError` for a raster that cannot be placed on the Earth, with what is
    missing and how to mend it; see `placement`. With strict also for a warning about its place,
    its type or its nodata."""
    refuse_unplaced(survey.facts, name, parameters)
    doubts = [each for each in survey.inference.warnings if each.code not in _ONLY_WASTEFUL]
    if parameters.strict and doubts:
        reasons = " ".join(each.message.rstrip(".") + "." for each in doubts)
        raise PermanentTaskError(
            f"strict: {name} has warnings. {reasons}", code="strict", field="strict"
        )


def inspect(container: str, path: str, parameters: RasterOptions) -> JsonObject:
    """What a raster in storage is, of any size, within the time of a request.

    Returns {type, subtype, confidence, candidates, evidence, warnings, overridden, conflict,
    refusal, facts, statistics, files, bytes}; `refusal` is {code, message} where process_raster
    would not take the raster as it is. Raises `NotFound`, `PermanentTaskError` (as `survey`, and
    preview_too_slow) and `Unavailable`.
    """
    ref = sources.pin(container, path)
    found = _look(ref, parameters)
    return {
        **found.inference.model_dump(mode="json"),
        "refusal": _refusal(found, ref.path, parameters),
        "facts": found.facts.model_dump(mode="json"),
        "statistics": [each.model_dump(mode="json") for each in found.statistics],
        "files": ref.names,
        "bytes": ref.size,
    }


def _refusal(found: Survey, name: str, parameters: RasterOptions) -> JsonObject | None:
    try:
        refuse_unusable(found, name, parameters)
    except PermanentTaskError as error:
        return {"code": error.error_code, "message": error.message}
    return None


def preview(parameters: ProcessRaster) -> JsonObject:
    """What process_raster would find in its source, for a dry run. Nothing is written.

    Raises what `inspect` and `refuse_unusable` raise.
    """
    container, path = parameters.container_name, parameters.blob_name
    if container is None or path is None:
        return {"inspected": False, "because": "The address is fetched by a job only."}
    ref = sources.pin(container, path)
    found = _look(ref, parameters)
    refuse_unusable(found, ref.path, parameters)
    return {
        "inspected": True,
        "source": {"container": ref.container, "files": ref.names, "bytes": ref.size},
        **found.model_dump(mode="json"),
    }


def _look(ref: SourceRef, parameters: RasterOptions) -> Survey:
    check = previews.deadline(f"{ref.path} cannot be looked into", _PREVIEW_SECONDS)
    if ref.size > _PREVIEW_COPY_BYTES:
        return _look_in_ranges(ref, parameters, check)
    with (
        sources.local_copy(ref, check=check) as source,
        children.brief_child(source, _PREVIEW_SECONDS) as child,
    ):
        path = sources.raster_path(source, child, check)
        return survey(child, path, ref.path, parameters, check)


def _look_in_ranges(ref: SourceRef, parameters: RasterOptions, check: Check) -> Survey:
    """As `survey`, of a blob that is not copied: only the blocks of the sample are read."""
    raster = ref.blobs[0]
    with children.brief_child(None, _PREVIEW_SECONDS) as child:
        answer = children.call(
            child,
            f"{_CHILD}:survey_ranges",
            {"size": raster.size, "name": ref.path, "options": _options(parameters)},
            sources={"raster": BlobRanges(ref.container, raster.path, raster.size)},
            check=check,
            what=ref.path,
        )
    return _with_caveats(answer, parameters)


def _with_caveats(answer: JsonObject, parameters: RasterOptions) -> Survey:
    """The child's answer, with what the parent finds odd about the raster's place."""
    found = Survey.model_validate(answer)
    warnings = (*found.inference.warnings, *caveats(found.facts, parameters))
    return found.model_copy(
        update={"inference": found.inference.model_copy(update={"warnings": warnings})}
    )


def _options(parameters: RasterOptions) -> JsonObject:
    nodata = parameters.nodata
    return {
        "raster_type": parameters.raster_type,
        "nodata": None if nodata is None else str(nodata),
        "source_crs": parameters.source_crs,
    }
