"""Stage publish: the COG and its pictures in their place, and the Item in the catalog.

A version of an item has a folder of its own, named after the COG's content. So nothing that
readers have the address of is written over, and what a job that died has copied is copied again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from config import get_settings
from core.errors import PermanentTaskError, TransientTaskError
from core.job_definition import JobContext, JsonObject, TaskContext
from infrastructure import blob_storage, locks
from infrastructure.blob_copy import CopyRefused, CopyRules, copy_blob
from infrastructure.blob_lookup import head
from infrastructure.locks import Space
from services.ingest.rewriting import target_url
from services.raster import catalog, files, items, replacing
from services.raster.files import Image, Made, RasterFile, Stored
from services.raster.items import StoredCog, StoredFiles, StoredImage
from services.raster.parameters import ProcessRaster, RasterOptions

STAGE = "publish"

Context = TaskContext[RasterOptions]


def publish_raster(context: TaskContext[ProcessRaster]) -> JsonObject:
    """Publish the one raster of process_raster. Returns the job's result."""
    blob_storage.ensure_container(context.parameters.target_container)
    with locks.held(context.check, Space.RASTERS, context.parameters.collection_id):
        return _publish(context)


def _publish(context: TaskContext[ProcessRaster]) -> JsonObject:
    """While no other job changes the collection: of two versions of an item one comes after the
    other, and which one was before is known."""
    parameters = context.parameters
    file = files.read_file(context.workspace, 0)
    made = files.made(context.workspace, 0)
    collection_id = parameters.collection_id
    stored = catalog.stored_items(collection_id, [file.item_id])
    item = publishable_item(context, file, collection_id, stored.get(file.item_id))
    outcome = catalog.publish(
        context.job_id,
        collection_id,
        lambda: iter([item]),
        container=parameters.target_container,
        check=context.check,
        progress=lambda done: context.progress(items_registered=done),
    )
    catalog.remove_older(
        parameters.target_container, collection_id, file.item_id, check=context.check
    )
    return {
        **_result(context, file, made, item),
        "collection": outcome.collection.value,
        "item": "created" if outcome.new else "updated" if outcome.updated else "unchanged",
    }


def publishable_item(
    context: Context, file: RasterFile, collection_id: str, predecessor: JsonObject | None
) -> JsonObject:
    """Put what was made of a file into its place, verified; the Item that leads there.

    `predecessor` is the Item that the catalog holds under the id of the new one. Nobody reads
    the files before the Item is in the catalog. Safe to repeat. Raises `PermanentTaskError`
    (item_of_another_source) for one that must not be replaced, and what `copy_blob` refuses, and
    `TransientTaskError` for files in the workspace that are not those that were made.
    """
    replacing.refuse_unless_same_source(context, file, predecessor)
    survey = files.survey(context.workspace, file.index)
    made = files.made(context.workspace, file.index)
    return items.make_item(
        item_id=file.item_id,
        collection_id=collection_id,
        survey=survey,
        description=made.description,
        when=files.time(context.workspace, file.index),
        files=placed(
            context.job_id,
            context.parameters.target_container,
            (collection_id, file.item_id),
            made,
            check=context.check,
        ),
        origin=replacing.origin_of(context, file),
        style=made.style.model_dump(mode="json"),
        verification=made.verification,
        predecessor=predecessor,
    )


def job_result(context: JobContext[ProcessRaster]) -> JsonObject:
    """The result as the stage left it in the ledger."""
    return next(context.results(STAGE)).result


def placed(
    job_id: str,
    container: str,
    item: tuple[str, str],
    made: Made,
    *,
    check: Callable[[], None],
) -> StoredFiles:
    """Copy what was made for an item, named by its collection and its id, out of the job's
    workspace into a container, by storage itself. Safe to repeat.

    Raises what `publishable_item` raises of files.
    """
    collection_id, item_id = item
    folder = items.folder(collection_id, item_id, items.version_of(made.sha256))
    copy = partial(_copy, job_id, container, check=check)
    cog = f"{folder}/{item_id}.tif"
    copy(made.cog, cog)
    return StoredFiles(
        container=container,
        cog=StoredCog(path=cog, bytes=made.cog.bytes, sha256=made.sha256),
        thumbnail=_placed_image(copy, made.thumbnail, f"{folder}/thumbnail.png"),
        overview=_placed_image(copy, made.preview, f"{folder}/preview.png"),
    )


def _placed_image(copy: Callable[[Stored, str], None], image: Image, path: str) -> StoredImage:
    copy(image, path)
    return StoredImage(path=path, bytes=image.bytes, width=image.width, height=image.height)


def _copy(
    job_id: str, container: str, made: Stored, path: str, *, check: Callable[[], None]
) -> None:
    """Copy what was made, in the version that was verified, and no other."""
    work = get_settings().work_container
    source = head(work, f"work/{job_id}/{made.path}")
    if source is None:
        raise TransientTaskError(
            f"{made.path} is not among the job's files any more.", code="workspace_file_missing"
        )
    if (source.etag, source.size) != (made.etag, made.bytes):
        raise TransientTaskError(
            f"{made.path} among the job's files is not what was made and verified: another writer "
            "is at work there.",
            code="workspace_file_changed",
        )
    try:
        copy_blob(source, container, path, CopyRules(job_id, overwrite=True), check=check)
    except CopyRefused as refusal:
        raise PermanentTaskError(refusal.message, code=refusal.error_code) from refusal


def _result(context: Context, file: RasterFile, made: Made, item: JsonObject) -> JsonObject:
    survey = files.survey(context.workspace, file.index)
    settled = files.settled(context.workspace, file.index)
    plan, inference, proof = settled.plan, survey.inference, made.verification
    path = items.folder(item["collection"], item["id"], items.version_of(made.sha256))
    container = context.parameters.target_container
    here = f"/api/stac/collections/{item['collection']}/items/{item['id']}"
    drawn = f"/api/raster/{item['collection']}/{item['id']}"
    return {
        "collection_id": item["collection"],
        "item_id": item["id"],
        "type": inference.type.value,
        "subtype": inference.subtype.value if inference.subtype else None,
        "confidence": round(inference.confidence, 4),
        "conflict": inference.conflict,
        "warnings": [each.model_dump(mode="json") for each in inference.warnings],
        "notes": list(plan.notes),
        "source_bytes": file.ref.size,
        "cog": {
            "container": container,
            "path": f"{path}/{item['id']}.tif",
            "href": target_url(container, f"{path}/{item['id']}.tif"),
            "bytes": made.cog.bytes,
            "decoded_bytes": made.encoded.decoded_bytes,
            "sha256": made.sha256,
            "width": made.encoded.width,
            "height": made.encoded.height,
            "overviews": list(made.encoded.overviews),
            "tier": plan.tier,
            "compression": plan.compression,
            "lossless": plan.lossless,
            "strips": len(settled.strips),
            "encode_seconds": round(made.encoded.seconds, 3),
            "verify_seconds": None if proof is None else round(proof.seconds, 3),
        },
        "verification": None if proof is None else proof.model_dump(mode="json"),
        "links": {
            "item": here,
            "collection": f"/api/stac/collections/{item['collection']}",
            "preview": f"{drawn}/preview.png",
            "tilejson": f"{drawn}/tilejson.json",
        },
    }
