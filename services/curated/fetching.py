"""Stage 2 of an update: bring the source's files into blob storage, look into them, plan."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from core.models.curated import CuratedDataset, UpdateStatus
from infrastructure import curated_repository, curated_updates_repository, database
from services.curated import handlers, parts, planning
from services.curated.checking import run_of, wanted
from services.curated.file_store import FileStore
from services.curated.handler import Handler, RemoteVersion
from services.curated.parameters import CuratedUpdate
from services.curated.parts import Part
from services.vector.source_files import SourceRef

STAGE = "fetch_data"

Context = TaskContext[CuratedUpdate]

# Of files that say so, no other attempt makes use: the source may repair them, and name its
# version and theirs as before.
_UNREADABLE = ("unreadable_file", "partly_unreadable")


def plan_fetch(context: JobContext[CuratedUpdate]) -> Iterator[TaskSpec]:
    """One task, or one for each part of the version, and none after a skip."""
    due = wanted(context)
    if due is None:
        return
    if not due.remote.parts:
        yield TaskSpec()
    for number in range(len(due.remote.parts)):
        yield TaskSpec({"part": number})


def fetch_data(context: Context) -> JsonObject:
    """Fetch the version that stage 1 found, or one of its parts, and look into it. A version
    that comes as one is planned as well; of parts that is done when all are there.

    What an earlier attempt has fetched of this version is used, and of a version that comes as
    one also what an earlier job has, unless the update is forced or it could not be read. Parts
    are files that the handler makes, each job its own. Returns {files, bytes, definition_digest}
    with {layers, chunks} of a whole version, {kind, records} of a part; a file is {container, blob,
    bytes, etag, sha256}, the digest is that of the definition by which they are read. Raises
    what the dataset's handler and the planning of its layers raise.
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
    fetch = _fetch_part if due.remote.parts else _fetch_all
    try:
        return fetch(context, dataset, handler, due.remote, files)
    except PermanentTaskError as error:
        if error.error_code in _UNREADABLE:
            files.discard()
        raise


def fetched_parts(context: JobContext[CuratedUpdate], dataset: CuratedDataset) -> list[Part]:
    """The parts that the tasks of this stage have brought, in their order.

    Raises `PermanentTaskError` (superseded) where any was read by another definition of the
    dataset than it has now.
    """
    found = []
    for task in context.results(STAGE):
        if task.result["definition_digest"] != dataset.definition_digest:
            raise PermanentTaskError(
                "The definition of the dataset was changed while its source was being read. Run "
                "the update again.",
                code="superseded",
            )
        found.append(parts.kept(context, task.parameters["part"]))
    return found


def _fetch_all(
    context: Context,
    dataset: CuratedDataset,
    handler: Handler,
    remote: RemoteVersion,
    files: FileStore,
) -> JsonObject:
    ref = handler.fetch(run_of(context, dataset), remote, files)
    plan = planning.plan_source(context, dataset, handler, ref, source_version=remote.version)
    brought = _brought(dataset, ref, files)
    with database.transaction() as connection:
        curated_updates_repository.mark(
            connection,
            context.job_id,
            UpdateStatus.DOWNLOADING,
            source_bytes=ref.size,
            details={"files": brought["files"]},
        )
    return {
        **brought,
        "layers": len(plan.layers),
        "chunks": sum(len(layer.layer.chunks) for layer in plan.layers),
    }


def _fetch_part(
    context: Context,
    dataset: CuratedDataset,
    handler: Handler,
    remote: RemoteVersion,
    files: FileStore,
) -> JsonObject:
    number = context.task["part"]
    got = handler.fetch_part(run_of(context, dataset), remote, remote.parts[number], files)
    part = Part(ref=got.ref, kind=got.kind)
    if got.kind == "records":
        found = planning.look_into(context, got.ref, parts.reading(dataset, handler, got.ref))
        planning.require_all_read(dataset, found)
        part = Part(ref=got.ref, kind=got.kind, layers=found.layers, notes=found.notes)
    parts.keep(context, number, part)
    return {**_brought(dataset, got.ref, files), "kind": part.kind, "records": part.records}


def _brought(dataset: CuratedDataset, ref: SourceRef, files: FileStore) -> JsonObject:
    return {
        "files": _records(ref, files),
        "bytes": ref.size,
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
