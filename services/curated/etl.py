"""Stage 3 of an update: clean and stage the fetched records, chunk by chunk, as process_vector
does."""

from __future__ import annotations

from collections.abc import Iterator

from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from core.models.curated import UpdateStatus
from infrastructure import curated_updates_repository, database
from services.curated.checking import wanted
from services.curated.parameters import CuratedUpdate
from services.vector import staging


def plan_etl(context: JobContext[CuratedUpdate]) -> Iterator[TaskSpec]:
    """One task for each chunk of each layer, and none after a skip."""
    if wanted(context) is not None:
        yield from staging.plan_chunks(context)


def process_chunk(context: TaskContext[CuratedUpdate]) -> JsonObject:
    """Stage one chunk. Returns {read, loaded, quarantined}."""
    with database.transaction() as connection:
        curated_updates_repository.mark(connection, context.job_id, UpdateStatus.PROCESSING)
    return staging.stage_chunk(context)
