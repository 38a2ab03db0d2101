"""The stages of process_raster_collection between its list of files and the catalog.

Each file goes the way of process_raster's one; what is wrong with it is recorded in its task's
result, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from infrastructure.job_progress_contexts import RasterCollectionTracker
from services.raster import cog_plan, creating, files, listing, refusals, validating
from services.raster.comparing import Comparison, Profile, compare, informed, is_informed
from services.raster.files import RasterFile
from services.raster.model import RasterType
from services.raster.parameters import ProcessRasterCollection
from services.raster.refusals import Refused

Context = TaskContext[ProcessRasterCollection]
Job = JobContext[ProcessRasterCollection]

VALIDATE, COMPARE, STRIPS, COGS = "validate", "compare", "encode_windows", "create_cog"


def plan_validation(context: Job) -> Iterator[TaskSpec]:
    """A task for each file of the inventory."""
    for number in range(inventory(context)["files"]):
        yield TaskSpec({"file": number})


def validate_file(context: Context) -> JsonObject:
    """Survey a file and decide on its COG. Returns what `validating.validate_file` does, with
    `profile` for the comparison; or {file, refused}."""
    file = files.read_file(context.workspace, context.task["file"])

    def validated() -> JsonObject:
        result = validating.validate_file(context, file)
        survey = files.survey(context.workspace, file.index)
        profile = Profile.of(file.index, file.name, survey)
        return {**result, "profile": profile.model_dump(mode="json")}

    return _or_refused(context, VALIDATE, file, validated)


def compare_files(context: Context) -> JsonObject:
    """Hold the files against each other; a file that says little of itself takes the type of
    the others, and its COG is planned anew.

    Returns {accepted, refused, refusals, plan, type, bands, dtypes, crs, joined}: the file
    `plan` of the workspace lists the files that go on. Raises `PermanentTaskError` where none
    is left, where too few are of one kind, and in strict mode where any is refused.
    """
    parameters = context.parameters
    profiles: list[Profile] = []
    strips: dict[int, int] = {}
    for each in context.results(VALIDATE):
        if "profile" in each.result:
            profiles.append(Profile.model_validate(each.result["profile"]))
            strips[each.result["file"]] = each.result["strips"]
    earlier = [*_refused_by_inventory(context), *_refused_by(context, VALIDATE)]
    found = compare(
        profiles,
        allow_mixed=parameters.mixed == "allow",
        # Those that are warped, or are all said to be in one CRS, may have any.
        ignore_crs=(parameters.target_crs or parameters.source_crs) is not None,
    )
    judge(context, len(found.accepted), [*earlier, *found.refused])
    if found.joined:
        found = found.without(_plan_joined(context, found, profiles, strips))
        judge(context, len(found.accepted), [*earlier, *found.refused])
    return _recorded(context, found, strips)


def plan_strips(context: Job) -> Iterator[TaskSpec]:
    """A task for each strip of the files that are encoded in several."""
    for number, strips in _accepted(context):
        for strip in range(strips):
            yield TaskSpec({"file": number, "strip": strip})


def encode_strip(context: Context) -> JsonObject:
    """Encode one strip of a large raster. Returns {file, strip, bytes}, or {file, refused}."""
    file = files.read_file(context.workspace, context.task["file"])
    return _or_refused(context, STRIPS, file, lambda: creating.encode_strip(context))


def plan_cogs(context: Job) -> Iterator[TaskSpec]:
    """A task for each file that goes on."""
    failed = {each.index for each in _refused_by(context, STRIPS)}
    for number, _ in _accepted(context):
        if number not in failed:
            yield TaskSpec({"file": number})


def create_cog(context: Context) -> JsonObject:
    """Make a file's COG. Returns what `creating.create_cog` does, or {file, refused}."""
    file = files.read_file(context.workspace, context.task["file"])

    def created() -> JsonObject:
        result = creating.create_cog(context)
        RasterCollectionTracker(context.job_id).cog_created(
            _task(COGS, file), bytes_in=result["bytes_in"], bytes_out=result["bytes_out"]
        )
        return result

    return _or_refused(context, COGS, file, created)


def judge(context: Context, left: int, refused: list[Refused]) -> None:
    """Fail the job where no file is left, or, if strict, any was refused."""
    reasons = refusals.by_code(refused)
    read = left + len(refused)
    if context.parameters.strict and refused:
        raise PermanentTaskError(
            f"strict: {len(refused):,} of {counted(read, 'file')} cannot be published: "
            f"{refusals.first_few(refused)}.",
            code="files_refused",
            read=read,
            refused_by_reason=reasons,
        )
    if not left:
        commonest = next(iter(reasons))
        first = [each for each in refused if each.code == commonest]
        raise PermanentTaskError(
            f"Of {counted(read, 'file')}, none can be published, most often because of "
            f"{commonest} ({len(first):,}): {refusals.first_few(first)}.",
            code="nothing_to_publish",
            read=read,
            refused_by_reason=reasons,
        )


def all_refused(context: Job) -> list[Refused]:
    """Every file of which no Item becomes, in the order of their paths."""
    found = [
        *_refused_by_inventory(context),
        *_refused_by(context, VALIDATE),
        *refusals.read(context.workspace, comparison(context)["refusals"]),
    ]
    for stage in (STRIPS, COGS):
        # Several strips of one file may have failed.
        known = {each.index for each in found if each.index is not None}
        found += {each.index: each for each in _refused_by(context, stage)
                  if each.index not in known}.values()  # fmt: skip
    return sorted(found, key=lambda each: each.path)


def inventory(context: Job) -> JsonObject:
    """What the stage inventory returned."""
    return next(context.results(listing.STAGE)).result


def comparison(context: Job) -> JsonObject:
    """What the stage compare returned."""
    return next(context.results(COMPARE)).result


def _or_refused(
    context: Context, stage: str, file: RasterFile, work: Callable[[], JsonObject]
) -> JsonObject:
    """What the work returns, or the record of why this file cannot be published."""
    progress = RasterCollectionTracker(context.job_id)
    progress.working_on(file.name)
    try:
        return work()
    except PermanentTaskError as error:
        progress.refused(_task(stage, file), bytes_in=file.ref.size)
        refused = Refused.because(error, file.name, file.index)
        return {"file": file.index, "refused": refused.model_dump(mode="json")}


def _task(stage: str, file: RasterFile) -> str:
    return f"{stage}:{file.index}"


def _plan_joined(
    context: Context, found: Comparison, profiles: list[Profile], strips: dict[int, int]
) -> list[Refused]:
    """Plan those anew that took another type, and note how many strips they have now. Returns
    those that the job's settings do not fit any more."""
    unfit: list[Refused] = []
    for profile in profiles:
        beliefs = found.joined.get(profile.index)
        if beliefs is None:
            continue
        context.check()
        try:
            strips[profile.index] = _planned_anew(context, profile.index, beliefs)
        except PermanentTaskError as error:
            unfit.append(Refused.because(error, profile.path, profile.index))
    return unfit


def _planned_anew(context: Context, number: int, beliefs: dict[RasterType, float]) -> int:
    """Keep what is thought of a file now, and the plan of its COG; how many strips it has."""
    before = files.settled(context.workspace, number)
    survey = files.survey(context.workspace, number)
    if not is_informed(survey.inference):  # by an earlier attempt at this task
        survey = survey.model_copy(update={"inference": informed(survey.inference, beliefs)})
    plan = cog_plan.plan(survey, context.parameters)
    size = (before.width, before.height)
    settled = validating.settle(survey, plan, size, context.parameters)
    files.keep(context.workspace, number, survey)
    files.keep(context.workspace, number, settled)
    return len(settled.strips)


def _recorded(context: Context, found: Comparison, strips: dict[int, int]) -> JsonObject:
    prefix = f"comparison/{context.attempt}"
    refusals.write(context.workspace, f"{prefix}/refused.ndjson", found.refused)
    accepted = [[number, strips[number]] for number in found.accepted]
    context.workspace.write_json(f"{prefix}/accepted.json", accepted)
    RasterCollectionTracker(context.job_id).refused(COMPARE, files=len(found.refused))
    return {
        "accepted": len(found.accepted),
        "refused": len(found.refused),
        "refusals": f"{prefix}/refused.ndjson",
        "plan": f"{prefix}/accepted.json",
        "type": found.type.value if found.type else None,
        "bands": found.bands,
        "dtypes": list(found.dtypes) if found.dtypes else None,
        "crs": found.crs,
        "joined": len(found.joined),
    }


def _accepted(context: Job) -> Iterator[tuple[int, int]]:
    """The numbers of the files that go on, each with how many strips it has."""
    yield from context.workspace.read_json(comparison(context)["plan"])


def _refused_by_inventory(context: Job) -> Iterator[Refused]:
    return refusals.read(context.workspace, inventory(context)["refusals"])


def _refused_by(context: Job, stage: str) -> Iterator[Refused]:
    return refusals.of_results(each.result for each in context.results(stage))
