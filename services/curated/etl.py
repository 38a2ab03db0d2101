"""Stage 3 of an update: clean and stage the fetched records, chunk by chunk, as process_vector
does."""

from __future__ import annotations

from collections.abc import Iterator

from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from core.models.curated import UpdateStatus
from infrastructure import curated_repository, curated_updates_repository, database
from services.curated import fetching, handlers, parts, planning
from services.curated.checking import Wanted, wanted
from services.curated.parameters import CuratedUpdate
from services.publishing.staging import staged_name
from services.vector import inspecting, staging

STAGE = "etl_process"


def plan_etl(context: JobContext[CuratedUpdate]) -> Iterator[TaskSpec]:
    """One task for each chunk of each layer, and none after a skip. What came in parts is
    planned before; it is one layer.

    Raises what `fetching.fetched_parts` and `parts.plan_parts` raise.
    """
    due = wanted(context)
    if due is None:
        return
    if due.remote.parts:
        yield from _plan_parts(context, due)
    else:
        yield from staging.plan_chunks(context)


def process_chunk(context: TaskContext[CuratedUpdate]) -> JsonObject:
    """Stage one chunk. Returns {read, loaded, quarantined}."""
    with database.transaction() as connection:
        curated_updates_repository.mark(connection, context.job_id, UpdateStatus.PROCESSING)
    return staging.stage_chunk(context)


def _plan_parts(context: JobContext[CuratedUpdate], due: Wanted) -> Iterator[TaskSpec]:
    with database.transaction() as connection:
        dataset = curated_repository.get(connection, context.parameters.dataset_id)
    fetched = fetching.fetched_parts(context, dataset)
    whole, plans = parts.plan_parts(
        dataset,
        handlers.get(dataset.handler),
        fetched,
        source_version=due.remote.version,
        staged=staged_name(context.job_id, 0),
    )
    facts = planning.source_facts(dataset, whole.source, due.remote.version)
    inspecting.begin(context, whole, facts, plans)
    with database.transaction() as connection:
        curated_updates_repository.mark(
            connection,
            context.job_id,
            UpdateStatus.DOWNLOADING,
            source_bytes=whole.source.size,
            details={"parts": len(fetched), "records": sum(part.records or 0 for part in fetched)},
        )
    yield from staging.plan_chunks_of(plans)
