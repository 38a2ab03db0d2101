"""Stage 2 of an update: bring the source's files into blob storage, look into them, plan."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from core.models.curated import UpdateStatus
from infrastructure import curated_repository, curated_updates_repository, database
from services.curated import handlers, planning
from services.curated.checking import run_of, wanted
from services.curated.file_store import FileStore
from services.curated.parameters import CuratedUpdate
from services.vector.source_files import SourceRef

STAGE = "fetch_data"

# Of files that say so, no other attempt makes use: the source may repair them, and name its
# version and theirs as before.
_UNREADABLE = ("unreadable_file", "partly_unreadable")


def plan_fetch(context: JobContext[CuratedUpdate]) -> Iterator[TaskSpec]:
    """One task, and none after a skip."""
    if wanted(context) is not None:
        yield TaskSpec()


def fetch_data(context: TaskContext[CuratedUpdate]) -> JsonObject:
    """Fetch the version that stage 1 found, and plan what is made of it.

    What an earlier attempt or an earlier job has fetched of this version is used, unless the
    update is forced or it could not be read. Returns {files, bytes, layers, chunks,
    definition_digest}; a file is {container, blob, bytes, etag, sha256}, the digest is that of
    the definition by which they are read. Raises what the dataset's handler and the planning of
    its layers raise.
    """
    due = wanted(context)
    if due is None:
        raise ValueError("there is nothing to fetch after a skip")
    with database.transaction() as connection:
        dataset = curated_repository.get(connection, context.parameters.dataset_id)
        curated_updates_repository.mark(connection, context.job_id, UpdateStatus.DOWNLOADING)
    handler = handlers.get(dataset.handler)
    files = FileStore(
        dataset.dataset_id,
        due.remote.version,
        context.job_id,
        check=context.check,
        progress=context.progress,
        fresh=context.parameters.force_update,
    )
    ref = handler.fetch(run_of(context, dataset), due.remote, files)
    try:
        plan = planning.plan_source(
            context, dataset, handler, ref, source_version=due.remote.version
        )
    except PermanentTaskError as error:
        if error.error_code in _UNREADABLE:
            files.discard()
        raise
    records = _records(ref, files)
    with database.transaction() as connection:
        curated_updates_repository.mark(
            connection,
            context.job_id,
            UpdateStatus.DOWNLOADING,
            source_bytes=ref.size,
            details={"files": records},
        )
    return {
        "files": records,
        "bytes": ref.size,
        "layers": len(plan.layers),
        "chunks": sum(len(layer.layer.chunks) for layer in plan.layers),
        "definition_digest": dataset.definition_digest,
    }


def _records(ref: SourceRef, files: FileStore) -> list[JsonObject]:
    """What is kept of the files with the version that is made of them.

    A file that was put into a container by hand has no checksum of ours: its ETag says which one
    it was. A folder (a File Geodatabase) is kept as one.
    """
    if ref.path not in [blob.path for blob in ref.blobs]:
        return [_record(ref.container, ref.path, ref.size, ref.key, None)]
    return [
        _record(ref.container, blob.path, blob.size, blob.etag, files.sha256_of(blob.path))
        for blob in ref.blobs
    ]


def _record(container: str, path: str, size: int, etag: str, sha256: str | None) -> JsonObject:
    return {"container": container, "blob": path, "bytes": size, "etag": etag, "sha256": sha256}
