"""Stage 4 of an update: put the rows together, judge them, publish them or hold them.

It goes from one committed step to the next, so that an attempt after a crash goes on behind the
last one: the version is recorded when its table is whole (`assembling`), compared and judged
without any change (`reviewing`), and published with its log in one transaction (`publication`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.addresses import bare
from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from core.models.curated import CuratedDataset, UpdateStatus, UpdateStrategy
from infrastructure import (
    curated_repository,
    curated_updates_repository,
    curated_versions_repository,
    database,
    publishing_repository,
)
from infrastructure.curated_updates_repository import Counts
from infrastructure.curated_versions_repository import CuratedVersion
from services.curated import (
    assembling,
    deletions,
    handlers,
    holding,
    mapping,
    publication,
    reviewing,
)
from services.curated.assembling import Arrival
from services.curated.checking import wanted
from services.curated.etl import STAGE as ETL
from services.curated.fetching import STAGE as FETCH
from services.curated.handler import About
from services.curated.outputs import CuratedOutputs
from services.curated.parameters import CuratedUpdate
from services.curated.reviewing import Review
from services.vector import reports, validating
from services.vector.inspecting import read_plan
from services.vector.planning import Plan

STAGE = "finalize"

Context = TaskContext[CuratedUpdate]


def plan_finalize(context: JobContext[CuratedUpdate]) -> Iterator[TaskSpec]:
    """One task, and none after a skip. Raises what `validating.compare_with_tasks` raises."""
    if wanted(context) is not None:
        validating.compare_with_tasks(context, ETL)
        yield TaskSpec()


def finalize(context: Context) -> JsonObject:
    """Publish what was staged, or hold it where a gate stops it.

    Returns what `job_result` says of it. Raises `PermanentTaskError`: gate_failed naming every
    gate that failed, superseded where another version was published meanwhile, and what
    publishing raises; the published table is then as it was.
    """
    with database.transaction() as connection:
        dataset = curated_repository.get(connection, context.parameters.dataset_id)
    about = handlers.get(dataset.handler).describe(dataset)
    _check_keys(dataset, about)
    version = _assembled(context, dataset, about)
    if version.state == "published":
        return published_result(dataset, version)
    if version.state == "discarded":
        # A dry run discards what it has compared, others what they found in their way.
        if context.parameters.dry_run and version.changes is not None:
            return _result_of("planned", dataset, version)
        raise _discarded(version)
    review = _reviewed(context, dataset, about, version)
    if context.parameters.dry_run:
        version = _report_plan(context, version, review)
        holding.drop_discarded()
        return _result_of("planned", dataset, version)
    if review.refused:
        _hold(context, dataset, version, review)
        holding.drop_discarded()
        raise _gate_failed(dataset, version, review)
    version = _published(context, dataset, about, version, review)
    holding.tidy(dataset, context.check)
    return published_result(dataset, version)


def job_result(context: JobContext[CuratedUpdate]) -> JsonObject:
    """The job's result, as `outputs.CuratedOutputs` declares it. Of an update by which nothing
    changed `version` is the one that is published still."""
    for task in context.results(STAGE):
        return task.result
    skipped = next(context.results("check_source")).result
    return {
        **dict.fromkeys(CuratedOutputs.model_fields),
        "action": "skipped",
        "dataset_id": context.parameters.dataset_id,
        "source_version": skipped["source_version"],
        "reason": skipped["reason"],
    }


def _check_keys(dataset: CuratedDataset, about: About) -> None:
    if _in_place(dataset) and not about.key_columns:
        raise PermanentTaskError(
            f"{dataset.dataset_id} is updated by upsert, and nothing says which columns are its "
            "key. Set source_config.key_columns, or update_strategy to full_replace.",
            code="keys_missing",
        )


def _in_place(dataset: CuratedDataset) -> bool:
    return dataset.update_strategy is UpdateStrategy.UPSERT


def _assembled(context: Context, dataset: CuratedDataset, about: About) -> CuratedVersion:
    """The version that this job stages; an earlier attempt may have done so."""
    with database.transaction() as connection:
        done = curated_versions_repository.of_job(connection, context.job_id)
        entry = curated_updates_repository.of_job(connection, context.job_id)
    if done is not None:
        return done
    due = wanted(context)
    if due is None:
        raise ValueError("there is nothing to publish after a skip")
    fetched = _fetched(context)
    plan = read_plan(context)
    _check_target(dataset, plan)
    arrival = Arrival(
        dataset_id=dataset.dataset_id,
        job_id=context.job_id,
        log_id=None if entry is None else entry["log_id"],
        base_version=due.base_version,
        source_version=due.remote.version,
        definition_digest=fetched.definition_digest,
        source_columns=mapping.source_columns(plan, dataset, handlers.get(dataset.handler)),
        files=fetched.files,
        licence=due.remote.licence or dataset.licence or about.licence,
        delivers=due.remote.delivers or about.delivers,
        deletions=deletions.read(fetched.deletions, context.check),
    )
    return assembling.assemble(
        arrival,
        plan.layers,
        newest=about.newest,
        # An upsert changes the published table, which has its indexes.
        indexed=() if _in_place(dataset) and due.base_version is not None else about.indexed,
        check=context.check,
        progress=context.progress,
    )


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What stage 2 has brought, of all parts; `deletions` are among the `files`."""

    definition_digest: str
    files: list[JsonObject]
    deletions: list[JsonObject]


def _fetched(context: Context) -> _Fetched:
    results = [task.result for task in context.results(FETCH)]
    return _Fetched(
        # Stage 3 has seen to it that all parts were read by one definition.
        definition_digest=results[0]["definition_digest"],
        files=[file for result in results for file in result["files"]],
        deletions=[
            file
            for result in results
            if result.get("kind") == "deletions"
            for file in result["files"]
        ],
    )


def _check_target(dataset: CuratedDataset, plan: Plan) -> None:
    targets = {table.target for layer in plan.layers for table in layer.tables}
    if targets != {dataset.target}:
        raise PermanentTaskError(
            f"{dataset.dataset_id} was given another table while this update was under way. "
            "Run the update again.",
            code="superseded",
        )


def _reviewed(
    context: Context, dataset: CuratedDataset, about: About, version: CuratedVersion
) -> Review:
    due = wanted(context)
    with database.transaction() as connection:
        published = publishing_repository.table(connection, dataset.target)
        try:
            publication.require_base(dataset, version, published)
            publication.require_rows(
                connection, dataset, version, were_there=due is not None and due.table_is_there
            )
        except PermanentTaskError:
            _give_up(version)
            raise
        return reviewing.review(connection, dataset, about, version, context.check)


def _give_up(version: CuratedVersion) -> None:
    """What the version was made for is gone, and does not come back."""
    with database.transaction() as connection:
        curated_versions_repository.discard(connection, version.version_id)
    holding.drop_discarded()


def _report_plan(context: Context, version: CuratedVersion, review: Review) -> CuratedVersion:
    """End a dry run: what would change goes to the log, and nothing is left of the rows."""
    with database.transaction() as connection:
        curated_versions_repository.discard(
            connection, version.version_id, review.changes, review.gates
        )
        publication.finish_report(connection, version, [])
        curated_updates_repository.finish(
            connection,
            context.job_id,
            UpdateStatus.COMPLETED,
            source_version=version.source_version,
            base_version=version.base_version,
            counts=Counts(**review.difference.counts, quarantined=version.quarantined),
            details={"changes": review.changes, "gates": review.gates},
        )
        reported = curated_versions_repository.find(
            connection, version.dataset_id, version.version_id
        )
    assert reported is not None
    return reported


def _hold(
    context: Context, dataset: CuratedDataset, version: CuratedVersion, review: Review
) -> None:
    """Keep the version for a person's word. It takes the place of one that is held already."""
    with database.transaction() as connection:
        curated_versions_repository.hold(
            connection, version.version_id, review.changes, review.gates
        )
        curated_versions_repository.discard_others(
            connection, dataset.dataset_id, version.version_id
        )
        publication.finish_report(connection, version, [])
        # The end of the job ends the log, with the error that is raised next.
        curated_updates_repository.mark(
            connection,
            context.job_id,
            UpdateStatus.PROCESSING,
            details={
                "changes": review.changes,
                "gates": review.gates,
                "version_id": version.version_id,
            },
        )


def _published(
    context: Context, dataset: CuratedDataset, about: About, version: CuratedVersion, review: Review
) -> CuratedVersion:
    with database.transaction() as connection:
        return publication.publish_version(
            connection,
            dataset,
            about,
            version,
            changes=review.changes,
            gates=review.gates,
            job_id=context.job_id,
            check=context.check,
        )


def _gate_failed(
    dataset: CuratedDataset, version: CuratedVersion, review: Review
) -> PermanentTaskError:
    reasons = " ".join(f"{verdict.gate}: {verdict.message}" for verdict in review.refused)
    return PermanentTaskError(
        f"{version.source_version} is held back. {reasons} "
        f"POST /api/curated/datasets/{dataset.dataset_id}/publish publishes it all the same.",
        code="gate_failed",
        gates=[verdict.as_json() for verdict in review.refused],
        version_id=version.version_id,
    )


def _discarded(version: CuratedVersion) -> PermanentTaskError:
    return PermanentTaskError(
        f"What was staged of {version.source_version} was discarded since. Run the update again.",
        code="superseded",
        version_id=version.version_id,
    )


def published_result(dataset: CuratedDataset, version: CuratedVersion) -> JsonObject:
    """What came of a version that is published, as the result of a job."""
    is_unchanged = version.version == version.base_version
    return _result_of("unchanged" if is_unchanged else "updated", dataset, version)


def _result_of(action: str, dataset: CuratedDataset, version: CuratedVersion) -> JsonObject:
    changes: Mapping[str, Any] = version.changes or {}
    return {
        "action": action,
        "dataset_id": version.dataset_id,
        "source_version": version.source_version,
        "reason": None,
        "table": str(dataset.target),
        "source_url": None if dataset.source_url is None else bare(dataset.source_url),
        "version": version.version,
        "delivers": version.delivers,
        "changes": {
            name: changes.get(name) for name in ("added", "updated", "deleted", "unchanged")
        },
        "rows": changes.get("rows"),
        "read": version.read,
        "loaded": version.loaded,
        "quarantined": version.quarantined,
        "gates": list(version.gates),
        "report": reports.links(version.job_id)["self"],
        "log_id": version.log_id,
    }
