"""Stage publish of process_raster_collection: all files in their places, then all Items in the
catalog at once; and what there is to say of each file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import orjson

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext
from core.result_lists import listed
from infrastructure import blob_storage, locks, stac_loader
from infrastructure.blob_lookup import CONCURRENCY
from infrastructure.job_progress_contexts import RasterCollectionTracker
from infrastructure.locks import Space
from infrastructure.metering import Threads
from infrastructure.stac_loader import LoadOutcome
from services.ingest.documents import DocumentError, check_item
from services.raster import catalog, collecting, files, items, mosaic, publishing, refusals
from services.raster.parameters import ProcessRasterCollection
from services.raster.refusals import Refused

Context = TaskContext[ProcessRasterCollection]

STAGE = "publish"

# The result is kept in the ledger, and must stay far below 100 KB: paths alone may have 1,024
# characters, of which JSON in ASCII makes six bytes each.
_LISTED_BYTES = 40_000
_LISTED_IDS = 100
_BATCH = 100
_NDJSON = "application/x-ndjson"
_UNTOLD_LICENSE = "other"


def publish_collection(context: Context) -> JsonObject:
    """Put every COG into its place, and the Collection with its Items into the catalog.

    Returns the job's result. Raises `PermanentTaskError` where nothing is left to be published,
    in strict mode where any file was refused, and where the counts do not add up.
    """
    blob_storage.ensure_container(context.parameters.target_container)
    with locks.held(context.check, Space.RASTERS, context.parameters.collection_id):
        return _publish(context)


def _publish(context: Context) -> JsonObject:
    parameters = context.parameters
    refused = collecting.all_refused(context)
    made = [each.result for each in context.results(collecting.COGS) if _is_made(each.result)]
    collecting.judge(context, len(made), refused)
    placing = _Placing(context)
    for chunk in _chunks(made, _BATCH):
        placing.place(chunk)
    refused = sorted([*refused, *placing.refused], key=lambda each: each.path)
    collecting.judge(context, len(placing.published), refused)
    read = _read(context, len(placing.published), len(refused))
    outcome = _load(context, placing)
    for item_id in placing.replaced:
        catalog.remove_older(
            parameters.target_container, parameters.collection_id, item_id, check=context.check
        )
    return _result(context, read, placing.published, refused, outcome)


def job_result(context: JobContext[ProcessRasterCollection]) -> JsonObject:
    """The result as the stage left it in the ledger."""
    return next(context.results(STAGE)).result


class _Placing:
    """The files that are put in their places, a batch at a time; their Items go to the
    workspace, since there may be very many."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages: list[str] = []
        self.published: list[JsonObject] = []
        self.refused: list[Refused] = []
        self.replaced: list[str] = []

    def place(self, made: Iterable[JsonObject]) -> None:
        """Place what the results of create_cog tell of."""
        context = self._context
        collection_id = context.parameters.collection_id
        results = list(made)
        listed = files.read_files(context.workspace, [each["file"] for each in results])
        numbered = list(zip(results, listed, strict=True))
        ids = [file.item_id for _, file in numbered]
        before = catalog.stored_items(collection_id, ids)
        self.replaced += sorted(before)

        def work(number: int) -> JsonObject | Refused:
            _, file = numbered[number]
            try:
                item = publishing.publishable_item(
                    context, file, collection_id, before.get(file.item_id)
                )
                _check(item)
            except PermanentTaskError as error:
                return Refused.because(error, file.name, file.index)
            return item

        placed: list[JsonObject] = []
        with Threads(CONCURRENCY, thread_name_prefix="place") as threads:
            for number, found in enumerate(threads.map(work, range(len(numbered)))):
                context.check()
                if isinstance(found, Refused):
                    self._refuse(found, numbered[number][1].ref.size)
                else:
                    placed.append(found)
                    self.published.append(_published(numbered[number][0], found))
        page = f"publish/{context.attempt}/items-{len(self._pages):05}.ndjson"
        lines = (orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in placed)
        context.workspace.write_bytes(page, b"".join(lines))
        self._pages.append(page)
        context.progress(files_placed=len(self.published))

    def items(self) -> Iterator[JsonObject]:
        """The Items of all that was placed."""
        for page in self._pages:
            for line in self._context.workspace.read_bytes(page).splitlines():
                yield orjson.loads(line)

    def _refuse(self, refused: Refused, size: int) -> None:
        self.refused.append(refused)
        RasterCollectionTracker(self._context.job_id).refused(
            f"{collecting.COGS}:{refused.index}", bytes_in=size
        )


def _is_made(result: Mapping[str, Any]) -> bool:
    return "refused" not in result


def _check(item: JsonObject) -> None:
    """Raise `PermanentTaskError` for an Item for which the whole load would fail."""
    try:
        check_item(item)
        stac_loader.check_loadable(item)
    except (DocumentError, ValueError) as error:
        raise PermanentTaskError(
            f"Its Item cannot be registered: {error}.", code="invalid_item"
        ) from error


def _load(context: Context, placing: _Placing) -> LoadOutcome:
    parameters = context.parameters
    license_ = parameters.license
    return catalog.publish(
        context.job_id,
        parameters.collection_id,
        placing.items,
        container=parameters.target_container,
        title=parameters.title,
        description=parameters.description,
        # A Collection that says its own keeps it where the job says none.
        license=None if license_ == _UNTOLD_LICENSE else license_,
        with_mosaic=context.parameters.mosaic,
        check=context.check,
        progress=lambda done: context.progress(
            items_registered=done, items_to_register=len(placing.published)
        ),
    )


def _read(context: Context, published: int, refused: int) -> int:
    """How many files were read. Raises `PermanentTaskError` where those to be published and
    those refused do not make up all of them."""
    inventory = collecting.inventory(context)
    read: int = inventory["files"] + inventory["refused"]
    if read != published + refused:
        raise PermanentTaskError(
            f"Of {counted(read, 'file')} read, {published:,} to be published and {refused:,} "
            "refused do not make up all.",
            code="counts_differ",
        )
    return read


def _result(
    context: Context,
    read: int,
    published: list[JsonObject],
    refused: list[Refused],
    outcome: LoadOutcome,
) -> JsonObject:
    parameters, inventory = context.parameters, collecting.inventory(context)
    collection_id = parameters.collection_id
    records = [*(_record(each) for each in refused), *published]
    report = f"{collection_id}/files-{context.job_id[:12]}.ndjson"
    lines = (orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
    blob_storage.write_bytes(
        parameters.target_container, report, b"".join(lines), content_type=_NDJSON
    )
    comparison = collecting.comparison(context)
    address = f"/api/stac/collections/{collection_id}"
    return {
        "collection_id": collection_id,
        "message": _message(collection_id, len(published), refused, outcome),
        "read": read,
        "published": len(published),
        "refused": len(refused),
        "skipped": sum(inventory["skipped"].values()),
        "by_type": dict(Counter(each["type"] for each in published).most_common()),
        "refused_by_reason": refusals.by_code(refused),
        "skipped_by_reason": inventory["skipped"],
        "joined": comparison["joined"],
        "crs": parameters.target_crs or comparison["crs"],
        "bytes_in": sum(each["bytes_in"] for each in published),
        "bytes_out": sum(each["bytes_out"] for each in published),
        "collection": outcome.collection.value,
        "items": {
            "new": outcome.new,
            "updated": outcome.updated,
            "unchanged": outcome.unchanged,
        },
        "item_ids": [each["item_id"] for each in published[:_LISTED_IDS]],
        "files": list(listed(records, _LISTED_BYTES)),
        "report": {"container": parameters.target_container, "path": report},
        "warnings": list(_warnings(context)),
        "links": {
            "collection": address,
            "items": f"{address}/items",
            "map": f"/api/interface/map?collection={collection_id}",
        },
    }


def _message(
    collection_id: str, published: int, refused: list[Refused], outcome: LoadOutcome
) -> str:
    """What came of it, for people."""
    text = (
        f"Published {counted(published, 'raster')} in {collection_id}: {outcome.new:,} new, "
        f"{outcome.updated:,} updated, {outcome.unchanged:,} unchanged"
    )
    if not refused:
        return f"{text}."
    reasons = ", ".join(f"{count:,} {code}" for code, count in refusals.by_code(refused).items())
    return f"{text}; {len(refused):,} refused ({reasons})."


def _warnings(context: Context) -> Iterator[str]:
    parameters = context.parameters
    stored = catalog.stored_collection(parameters.collection_id)
    if parameters.mosaic and mosaic.asset_of(stored) is None:
        yield (
            "No MosaicJSON was made: the rasters of the collection differ in type, number of "
            "bands or data type, and cannot be drawn as one."
        )


def _published(made: JsonObject, item: JsonObject) -> JsonObject:
    properties = item["properties"]
    return {
        "path": made["name"],
        "status": "published",
        "item_id": item["id"],
        "type": properties[items.RASTER_TYPE],
        "bytes_in": made["bytes_in"],
        "bytes_out": made["bytes_out"],
        "sha256": made["sha256"],
    }


def _record(refused: Refused) -> JsonObject:
    return {
        "path": refused.path,
        "status": "refused",
        "code": refused.code,
        "message": refused.message,
    }


def _chunks(values: Iterable[JsonObject], size: int) -> Iterator[list[JsonObject]]:
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk
