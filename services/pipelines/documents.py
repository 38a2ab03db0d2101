"""The documents of pipelines: kept as versions, checked before they are kept.

A document that is no pipeline at all (a step without an id, an unknown field) is always refused.
One that is, but could not be run (a reference to nothing, a value of the wrong type), is kept as
a draft where the caller says so, with its problems beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from core.errors import Conflict, FieldError, InvalidParameters, PreconditionFailed
from core.models.pipeline import Pipeline
from core.pipelines import checking, structure
from core.pipelines.checking import Check
from core.registry import registry
from core.schedules import Schedule, ScheduleError
from infrastructure import database, pipelines_repository
from infrastructure.database import Connection, Row
from infrastructure.pipelines_repository import Stored
from services.orchestration.paging import cursor_after, name_key, row_key
from services.pipelines.diffing import changes

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a check depends on: a version, which never changes, and the job types that there are.

    The version's name, number and time stand for its document.
    """

    name: str
    version: int
    saved_at: datetime
    job_types: frozenset[str]
    document: JsonObject = field(compare=False, repr=False)


def etag(version: int) -> str:
    """The entity tag of a version of a pipeline."""
    return f'"{version}"'


def links(name: str, base_url: str = "") -> JsonObject:
    """Where a pipeline is found and run. Relative to the host without a `base_url`."""
    at = f"{base_url}/api/pipelines/{name}"
    return {
        "self": at,
        "versions": f"{at}/versions",
        "runs": f"{at}/runs",
        "run": f"{at}/run",
        "export": f"{at}/export",
        "clone": f"{at}/clone",
        "page": f"{base_url}/api/interface/pipelines/{name}",
    }


def read(body: Mapping[str, Any], *, name: str | None = None) -> Pipeline:
    """The body as a pipeline; where `name` is given, it is that of the pipeline.

    Raises `InvalidParameters` naming everything that is wrong with it, of a step by the step's id.
    """
    document = dict(body) if name is None else {"name": name, **body}
    reading = structure.read(document)
    if reading.pipeline is None or reading.errors:
        # What is wrong with the rest of it is told in the same go.
        raise _invalid(checking.check_document(document, registry).errors)
    pipeline = reading.pipeline
    if name is not None and pipeline.name != name:
        raise _invalid([{"loc": ["name"], "msg": f"must be {name!r}, as in the address"}])
    return pipeline


def validate(body: Mapping[str, Any]) -> JsonObject:
    """What would be wrong with a document: {valid, errors, warnings, layers, outputs,
    dependencies}. Every fault of it in one go."""
    return _check_view(checking.check_document(body, registry))


def page(*, limit: int = 50, cursor: str | None = None, base_url: str = "") -> JsonObject:
    """A page of pipelines by name: {pipelines, next}. Raises `InvalidParameters`."""
    after = None if cursor is None else name_key(cursor)
    with database.transaction() as connection:
        rows = pipelines_repository.page(connection, limit=limit + 1, after=after)
    return {
        "pipelines": [_listed(row, base_url) for row in rows[:limit]],
        "next": cursor_after(rows[limit - 1]["name"]) if len(rows) > limit else None,
    }


def view(name: str, *, version: int | None = None, base_url: str = "") -> JsonObject:
    """One version of a pipeline, the newest by default, as it is checked now.

    Raises `NotFound` for an unknown pipeline or version.
    """
    with database.transaction() as connection:
        return _view(pipelines_repository.get_version(connection, name, version), base_url)


def is_there(name: str) -> bool:
    """Whether there is a pipeline of this name: one that runs are of may have been deleted."""
    with database.transaction() as connection:
        return pipelines_repository.find(connection, name) is not None


def document(name: str, *, version: int | None = None) -> JsonObject:
    """The document of one version of a pipeline, the newest by default. Raises `NotFound`."""
    with database.transaction() as connection:
        return pipelines_repository.get_version(connection, name, version).document


def create(
    body: Mapping[str, Any], *, draft: bool = False, note: str | None = None, base_url: str = ""
) -> JsonObject:
    """Keep a document as a new pipeline; its view.

    Raises `InvalidParameters`, and `Conflict` (pipeline_exists) where the name is taken.
    """
    pipeline = read(body)
    return _create(pipeline, _to_keep(pipeline, draft=draft), note, base_url)


def replace(
    name: str,
    body: Mapping[str, Any],
    *,
    if_match: Collection[str] | None = None,
    draft: bool = False,
    note: str | None = None,
    base_url: str = "",
) -> JsonObject:
    """Keep a document as the next version of a pipeline; its view. One that says the same as the
    newest version does makes no other.

    Raises `NotFound`, `InvalidParameters`, and `PreconditionFailed` where the newest version's
    entity tag is none of `if_match`.
    """
    with database.transaction() as connection:
        current = pipelines_repository.get(connection, name, for_update=True)
        _require_match(current, if_match)
        pipeline = read(body, name=name)
        check = _to_keep(pipeline, draft=draft)
        _keep(connection, current, pipeline, check.errors, note)
        return _view(pipelines_repository.get(connection, name), base_url, check)


def bring_in(
    body: Mapping[str, Any],
    *,
    overwrite: bool = False,
    draft: bool = False,
    note: str | None = None,
    base_url: str = "",
) -> tuple[JsonObject, bool]:
    """Keep a document that was exported, here or elsewhere: (its view, whether it is a new
    pipeline). With `overwrite` it becomes the next version where its name is taken.

    Raises `InvalidParameters`, and `Conflict` (pipeline_exists).
    """
    pipeline = read(body)
    check = _to_keep(pipeline, draft=draft)
    if overwrite:
        with database.transaction() as connection:
            current = pipelines_repository.find(connection, pipeline.name, for_update=True)
            if current is not None:
                _keep(connection, current, pipeline, check.errors, note)
                stored = pipelines_repository.get(connection, pipeline.name)
                return _view(stored, base_url, check), False
    return _create(pipeline, check, note, base_url), True


def clone(name: str, new_name: str, *, title: str | None = None, base_url: str = "") -> JsonObject:
    """Keep a copy of a pipeline under another name; its view. It does not run by schedule.

    Raises `NotFound`, `InvalidParameters` for a name that none can have, and `Conflict`
    (pipeline_exists).
    """
    with database.transaction() as connection:
        original = pipelines_repository.get(connection, name)
    copy = {**original.document, "name": new_name}
    if title is not None:
        copy["title"] = title
    if copy.get("schedule"):
        copy["schedule"] = {**copy["schedule"], "enabled": False}
    pipeline = read(copy)
    note = f"A copy of {name}, version {original.version}"
    return _create(pipeline, _to_keep(pipeline, draft=True), note, base_url)


def delete(name: str, *, if_match: Collection[str] | None = None) -> JsonObject:
    """Take a pipeline away: {name, deleted, version}. Its versions and runs are kept.

    Raises `NotFound`, `PreconditionFailed`, and `Conflict` (runs_under_way) where runs of it have
    not ended.
    """
    with database.transaction() as connection:
        current = pipelines_repository.get(connection, name, for_update=True)
        _require_match(current, if_match)
        if active := pipelines_repository.active_runs(connection, name):
            raise Conflict(
                f"{name} has runs that have not ended. Wait for them, or cancel them.",
                code="runs_under_way",
                name=name,
                run_ids=active,
            )
        pipelines_repository.delete(connection, name)
    return {"name": name, "deleted": True, "version": current.version}


def versions_page(
    name: str, *, limit: int = 50, cursor: str | None = None, base_url: str = ""
) -> JsonObject:
    """A page of a pipeline's versions, newest first: {versions, next}.

    Raises `NotFound`, `InvalidParameters`.
    """
    before = None if cursor is None else row_key(cursor)
    with database.transaction() as connection:
        latest = pipelines_repository.get(connection, name).version
        rows = pipelines_repository.versions(connection, name, limit=limit + 1, before=before)
    at = links(name, base_url)
    return {
        "versions": [
            {
                **row,
                "is_latest": row["version"] == latest,
                "links": {
                    "self": f"{at['self']}?version={row['version']}",
                    "export": f"{at['export']}?version={row['version']}",
                },
            }
            for row in rows[:limit]
        ],
        "next": cursor_after(rows[limit - 1]["version"]) if len(rows) > limit else None,
    }


def diff(name: str, before: int, after: int | None = None) -> JsonObject:
    """What changed from one version to another, the newest by default: {from, to, changes}.

    Raises `NotFound` for an unknown pipeline or version.
    """
    with database.transaction() as connection:
        old = pipelines_repository.get_version(connection, name, before)
        new = pipelines_repository.get_version(connection, name, after)
    found = changes(Pipeline.model_validate(old.document), Pipeline.model_validate(new.document))
    return {"from": old.version, "to": new.version, "changes": found}


def _create(pipeline: Pipeline, check: Check, note: str | None, base_url: str) -> JsonObject:
    with database.transaction() as connection:
        pipelines_repository.create(
            connection, pipeline.name, pipeline.as_document(), problems=check.errors, note=note
        )
        return _view(pipelines_repository.get(connection, pipeline.name), base_url, check)


def _keep(
    connection: Connection,
    current: Stored,
    pipeline: Pipeline,
    problems: list[FieldError],
    note: str | None,
) -> None:
    """The document as the next version, unless it is what the newest one says."""
    new = pipeline.as_document()
    reschedule = _when(new, problems) != _when(current.document, current.problems)
    if new == current.document:
        # The job types may be others than they were when it was saved.
        if problems != current.problems:
            pipelines_repository.set_problems(
                connection, current.name, current.version, problems, reschedule=reschedule
            )
        return
    pipelines_repository.add_version(
        connection,
        current.name,
        new,
        problems=problems,
        note=note,
        reschedule=reschedule,
    )


def _when(document: Mapping[str, Any], problems: Sequence[FieldError]) -> str | None:
    """When runs begin by themselves: the schedule's cron. None where it is not enabled, and for a
    draft that cannot be run.
    """
    schedule = document.get("schedule") or {}
    return schedule.get("cron") if schedule.get("enabled", True) and not problems else None


def _to_keep(pipeline: Pipeline, *, draft: bool) -> Check:
    """The check of what is to be kept; `InvalidParameters` where something keeps it from being run
    and it is to be no draft."""
    check = checking.check(pipeline, registry)
    if check.errors and not draft:
        hint = " To keep it as a draft all the same, save it with ?draft=true."
        raise _invalid(check.errors, hint)
    return check


def _invalid(errors: list[FieldError], hint: str = "") -> InvalidParameters:
    named = ", ".join(dict.fromkeys(".".join(map(str, e["loc"])) or "the document" for e in errors))
    return InvalidParameters(
        f"The pipeline is not valid: {named}.{hint}", errors, code="invalid_pipeline"
    )


def _require_match(current: Stored, if_match: Collection[str] | None) -> None:
    tag = etag(current.version)
    if if_match is not None and tag not in if_match:
        raise PreconditionFailed(
            f"{current.name} was changed since you read it: it is at version {current.version}. "
            "Read it again, and put your change to that.",
            version=current.version,
            etag=tag,
        )


# A page that is open asks for the same version again every two seconds.
@lru_cache(maxsize=32)
def _check(of: _Checked) -> Check:
    """What is wrong with a version, and its layers; not the schemas, which nobody asks of one."""
    check = checking.check_document(of.document, registry)
    return Check(check.errors, check.warnings, check.layers)


def _check_view(check: Check) -> JsonObject:
    return {
        "valid": not check.errors,
        "errors": check.errors,
        "warnings": check.warnings,
        "layers": check.layers,
        "outputs": check.outputs,
        "dependencies": {step: sorted(on) for step, on in check.dependencies.items()},
    }


def _view(stored: Stored, base_url: str, check: Check | None = None) -> JsonObject:
    """The view of a version, with its check where that was made already."""
    if check is None:
        job_types = frozenset(each.name for each in registry)
        check = _check(
            _Checked(stored.name, stored.version, stored.saved_at, job_types, stored.document)
        )
    return {
        "name": stored.name,
        "version": stored.version,
        "latest_version": stored.latest_version,
        "document": stored.document,
        "problems": check.errors,
        "warnings": check.warnings,
        "layers": check.layers,
        "note": stored.note,
        "saved_at": stored.saved_at,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "links": links(stored.name, base_url),
    }


def _listed(row: Row, base_url: str) -> JsonObject:
    last_run = None
    if row["last_run_id"] is not None:
        last_run = {
            "run_id": row["last_run_id"],
            "status": row["last_run_status"],
            "awaiting_approval": row["last_run_awaits"],
            "created_at": row["last_run_created_at"],
        }
    return {
        "name": row["name"],
        "title": row["title"] or "",
        "description": row["description"] or "",
        "version": row["version"],
        "steps": row["steps"],
        "job_types": row["job_types"],
        "problems": row["problems"],
        "schedule": row["schedule"],
        "next_run_at": _next_run(row),
        "last_run": last_run,
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "links": links(row["name"], base_url),
    }


def _next_run(row: Row) -> datetime | None:
    """When a run begins by itself; None where none does."""
    schedule = row["schedule"]
    if not schedule or not schedule.get("enabled", True) or row["problems"]:
        return None
    try:
        return Schedule.parse(schedule["cron"]).next_after(row["read_at"])
    except (ScheduleError, OverflowError):
        return None
