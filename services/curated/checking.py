"""Stage 1 of an update: ask the source what it offers, and say whether that is wanted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from core.errors import Conflict
from core.job_definition import JobContext, JsonObject, TaskContext
from core.models.curated import CuratedDataset, UpdateStatus
from infrastructure import (
    curated_repository,
    curated_updates_repository,
    database,
)
from services.curated import handlers, readiness, standing, updates
from services.curated.handler import Days, RemoteVersion, Run, UploadedFile
from services.curated.parameters import CuratedUpdate
from services.curated.standing import Standing

STAGE = "check_source"

_UPDATE, _SKIP = "update", "skip"
# By the names that the API and the form of a page have for it.
_READ_ALL_THE_SAME = 'force_update ("Read all of the source again") reads it all the same.'
_OUTDATED = "What is published was read before the definition was changed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the update is to bring: a version of the source, and the version of the published
    table that it is held against (None: nothing is published), whose table may be gone."""

    remote: RemoteVersion
    base_version: int | None
    table_is_there: bool


def check_source(context: TaskContext[CuratedUpdate]) -> JsonObject:
    """Ask the source for its version, and decide.

    Returns {action: update, source_version, remote, base_version, table_is_there}, or {action:
    skip, reason, source_version} where that version is published, was rolled back or discarded by
    an operator, or is held for one; then the log says skipped. What is published or held is read
    again where the definition says other things of its source by now, and then the handler is
    asked for all of it; increments are skipped where what that brought was rolled back, discarded
    or is held. A backfill of days is never skipped, and neither is a file that a person names:
    another file may be of the same version.

    Raises what the dataset's handler raises, `NotFound` for an unknown dataset,
    `InvalidParameters` naming the fields that the handler cannot be asked for, and `Conflict`
    (update_under_way, handler_missing, definition_changed for a backfill).
    """
    parameters = context.parameters
    with database.transaction() as connection:
        updates.opened(connection, context)
        dataset = curated_repository.get(connection, parameters.dataset_id)
        stands = standing.of(connection, dataset)
    handler = handlers.get(dataset.handler)
    run = run_of(context, dataset)
    readiness.require_options(handler, run.days, run.file)
    about = handler.describe(dataset)
    run = replace(run, dataset=stands.shown_to_handler(about))
    is_redefined = stands.is_redefined(about)
    if run.days is not None and is_redefined and run.dataset.source_version is not None:
        raise _redefined(dataset)
    is_meant = run.forced or parameters.dry_run or run.days is not None or run.file is not None
    # Each reading of all has a version of its own, so that the version does not tell.
    reason = _settled(stands) if stands.is_outdated(about) and not is_meant else None
    remote = handler.check(replace(run, forced=run.forced or (is_redefined and reason is None)))
    is_published = remote.version == run.dataset.source_version
    if reason is None and not is_meant:
        reason = _unwanted(stands, remote.version, is_published and not is_redefined)
    details: JsonObject = {"remote": _logged(remote)}
    if stands.is_outdated(about):
        details["reason"] = f"{_OUTDATED}: all of the source is read again."
    elif is_published and is_redefined:
        details["reason"] = (
            f"{remote.version} is published as it was read before the definition was changed: it "
            "is read again."
        )
    with database.transaction() as connection:
        curated_repository.checked(connection, dataset.dataset_id)
        if reason is not None:
            curated_updates_repository.finish(
                connection,
                context.job_id,
                UpdateStatus.SKIPPED,
                source_version=remote.version,
                base_version=stands.base_version,
                details={**details, "reason": reason},
            )
            return {"action": _SKIP, "reason": reason, "source_version": remote.version}
        curated_updates_repository.mark(
            connection,
            context.job_id,
            UpdateStatus.STARTED,
            source_version=remote.version,
            source_bytes=remote.size,
            base_version=stands.base_version,
            details=details,
        )
    return {
        "action": _UPDATE,
        "source_version": remote.version,
        "remote": asdict(remote),
        "base_version": stands.base_version,
        "table_is_there": stands.table_is_there,
    }


def wanted(context: JobContext[CuratedUpdate]) -> Wanted | None:
    """What stage 1 decided: what the later stages bring, or None after a skip."""
    for task in context.results(STAGE):
        if task.result["action"] == _UPDATE:
            remote: dict[str, Any] = task.result["remote"]
            return Wanted(
                RemoteVersion(**remote),
                task.result["base_version"],
                task.result["table_is_there"],
            )
    return None


def run_of(context: TaskContext[CuratedUpdate], dataset: CuratedDataset) -> Run:
    """What a handler is told of the update that it works for."""
    asked = context.parameters
    days, file = None, None
    if asked.from_date is not None or asked.to_date is not None:
        days = Days(asked.from_date, asked.to_date)
    if asked.container_name is not None and asked.blob_name is not None:
        file = UploadedFile(asked.container_name, asked.blob_name)
    return Run(
        dataset,
        context.job_id,
        check=context.check,
        progress=context.progress,
        forced=asked.force_update,
        days=days,
        file=file,
    )


def _logged(remote: RemoteVersion) -> JsonObject:
    """What the log shows of an offer: of its parts, which may be hundreds, their number."""
    shown = {name: value for name, value in asdict(remote).items() if name != "parts"}
    return {**shown, "parts": len(remote.parts)} if remote.parts else shown


def _settled(stands: Standing) -> str | None:
    """Why all of a source is not read again by a definition that was changed; None where it
    is."""
    if stands.is_undone:
        became = "rolled back or discarded"
    elif stands.waiting:
        became = "stopped by a gate: it is held until it is published or discarded"
    else:
        return None
    return f"{_OUTDATED}, and what was read since was {became}. {_READ_ALL_THE_SAME}"


def _unwanted(stands: Standing, version: str, is_published: bool) -> str | None:
    """Why a version is left where it is, and what reads it nevertheless; None where it is
    wanted."""
    if is_published:
        why = "which is published"
    elif version == stands.dataset.rejected_version:
        why = "which was rolled back or discarded"
    elif stands.holds(version):
        why = "which a gate stopped: it is held until it is published or discarded"
    else:
        return None
    return f"The source offers {version}, {why}. {_READ_ALL_THE_SAME}"


def _redefined(dataset: CuratedDataset) -> Conflict:
    return Conflict(
        f"The definition of {dataset.dataset_id} was changed since its rows were read: an "
        "update reads all of them again, and days can be read after that.",
        code="definition_changed",
        dataset_id=dataset.dataset_id,
    )
