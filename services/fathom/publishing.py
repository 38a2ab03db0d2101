"""Stage publish: all COGs in their places, then all Items in the catalog at once; and what there
is to say of each group.

Each version of an Item has a folder of its own, so that nothing is written over that readers have
the address of; the version before stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext
from core.result_lists import listed
from infrastructure import blob_storage, locks
from infrastructure.blob_lookup import CONCURRENCY
from infrastructure.locks import Space
from infrastructure.metering import Threads
from infrastructure.stac_loader import LoadOutcome
from services.fathom import items, planning, skipping, wanted
from services.fathom.listing import StackList
from services.fathom.parameters import ProcessFathomMerge, ProcessFathomStack
from services.fathom.planning import Planned
from services.fathom.wanted import Failure, Wanted
from services.raster import catalog, files
from services.raster import publishing as raster_publishing
from services.raster.rendering.published import RESTRICTED

STAGE = "publish"

_BATCH = 100
_LISTED = 100
_NDJSON = "application/x-ndjson"

Context = TaskContext[Any]


@dataclass(frozen=True, slots=True)
class Product:
    """What one of the two jobs makes: the stage that makes it, its name for people, and title
    and description of a collection that begins with it."""

    stage: str
    name: str
    title: str
    description: str


STACKS = Product(
    "stack",
    "stack",
    "FATHOM flood depths, by tile",
    "Depths of floods in cm by FATHOM's maps: of each map and tile one COG, with a band for each "
    "return period.",
)
MERGED = Product(
    "merge",
    "merged raster",
    "FATHOM flood depths",
    "Depths of floods in cm by FATHOM's maps: of each map and grid cell one COG, with a band for "
    "each return period.",
)


def publish_stacks(context: TaskContext[ProcessFathomStack]) -> JsonObject:
    """Publish what process_fathom_stack has made. Returns the job's result."""
    return _publish(context, STACKS)


def publish_merged(context: TaskContext[ProcessFathomMerge]) -> JsonObject:
    """Publish what process_fathom_merge has made. Returns the job's result."""
    return _publish(context, MERGED)


def stacks_result(context: JobContext[ProcessFathomStack]) -> JsonObject:
    """The result as the stage left it in the ledger; of a dry run what would be made."""
    inventory = next(context.results(planning.INVENTORY)).result
    found = StackList.model_validate(inventory["listing"])
    return {
        **_result_of(context),
        "files": found.counts.model_dump(),
        "unparsed_by_reason": found.unparsed_by_reason,
        "first_problems": inventory["first_problems"],
    }


def merged_result(context: JobContext[ProcessFathomMerge]) -> JsonObject:
    """The result as the stage left it in the ledger; of a dry run what would be made."""
    inventory = next(context.results(planning.INVENTORY)).result
    of_collection = {name: inventory[name] for name in ("stacks", "deselected", "other")}
    return {**_result_of(context), "source_items": of_collection}


def _result_of(context: JobContext[Any]) -> JsonObject:
    if not context.parameters.dry_run:
        return next(context.results(STAGE)).result
    found = planning.planned(context)
    return {
        **_counts(context, found, [], planning.refused(context), None),
        **planning.dry_result(found),
        "item_ids": list(found.first),
        "report": None,
    }


def _publish(context: Context, product: Product) -> JsonObject:
    found = planning.planned(context)
    made = [each.result for each in context.results(product.stage)]
    failures = [*planning.refused(context), *_failed(context, found, made)]
    if found.groups != len(made) + found.skipped + len(failures):
        raise PermanentTaskError(
            f"Of {counted(found.groups, product.name)}, {len(made):,} made, {found.skipped:,} "
            f"skipped and {len(failures):,} failed do not make up all.",
            code="counts_differ",
        )
    outcome = None
    if made:
        blob_storage.ensure_container(context.parameters.target_container)
        with locks.held(context.check, Space.RASTERS, context.parameters.collection_id):
            outcome = _load(context, product, made)
    return _result(context, product, made, failures, outcome)


def _failed(context: Context, found: Planned, made: Sequence[JsonObject]) -> Iterator[Failure]:
    """Those that were to be made and were not, by their numbers."""
    done = {each["index"] for each in made}
    missing = [index for index in range(found.to_make) if index not in done]
    for index, cog in zip(missing, planning.groups(context, missing), strict=True):
        yield wanted.failure(context.workspace, index, cog.item_id)


def _load(context: Context, product: Product, made: Sequence[JsonObject]) -> LoadOutcome:
    """While no other job changes the collection."""
    parameters = context.parameters
    placing = _Placing(context)
    for chunk in _chunks(made, _BATCH):
        placing.place(chunk)
    is_new = catalog.stored_collection(parameters.collection_id) is None
    outcome = catalog.publish(
        context.job_id,
        parameters.collection_id,
        placing.items,
        container=parameters.target_container,
        title=product.title if is_new else None,
        description=product.description if is_new else None,
        restricted=placing.are_restricted,
        check=context.check,
        progress=lambda done: context.progress(items_registered=done, items_to_register=len(made)),
    )
    _remove_older(context, placing.replaced)
    return outcome


def _remove_older(context: Context, item_ids: Sequence[str]) -> None:
    """Remove the files of versions of Items that are older than the one before."""
    parameters = context.parameters

    def remove(item_id: str) -> int:
        return catalog.remove_older(
            parameters.target_container, parameters.collection_id, item_id, check=context.check
        )

    with Threads(CONCURRENCY, thread_name_prefix="remove") as threads:
        for start in range(0, len(item_ids), _BATCH):
            context.check()
            done = item_ids[start : start + _BATCH]
            list(threads.map(remove, done))
            context.progress(items_tidied=start + len(done), items_to_tidy=len(item_ids))


class _Placing:
    """The COGs that are put in their places, a batch at a time; their Items go to the workspace,
    since there may be very many."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages: list[str] = []
        self.replaced: list[str] = []
        self.are_restricted = True

    def place(self, made: Sequence[JsonObject]) -> None:
        """Place what the results of the stage before tell of."""
        context = self._context
        collection_id = context.parameters.collection_id
        cogs = list(planning.groups(context, (each["index"] for each in made)))
        before = catalog.stored_items(collection_id, (each.item_id for each in cogs))
        self.replaced += sorted(before)

        def work(result: JsonObject, cog: Wanted) -> JsonObject:
            return _placed(context, result["index"], cog, before.get(cog.item_id))

        placed: list[JsonObject] = []
        with Threads(CONCURRENCY, thread_name_prefix="place") as threads:
            for item in threads.map(work, made, cogs):
                context.check()
                placed.append(item)
                self.are_restricted &= bool(item["properties"].get(RESTRICTED))
        page = f"publish/{context.attempt}/items-{len(self._pages):05}.ndjson"
        lines = (orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in placed)
        context.workspace.write_bytes(page, b"".join(lines))
        self._pages.append(page)
        context.progress(cogs_placed=len(self._pages) * _BATCH - _BATCH + len(placed))

    def items(self) -> Iterator[JsonObject]:
        """The Items of all that was placed."""
        for page in self._pages:
            for line in self._context.workspace.read_bytes(page).splitlines():
                yield orjson.loads(line)


def _placed(
    context: Context, index: int, cog: Wanted, predecessor: JsonObject | None
) -> JsonObject:
    """Put one COG and its pictures in their places; the Item that leads there."""
    skipping.refuse_foreign(predecessor)
    parameters = context.parameters
    made = files.made(context.workspace, index)
    stored = raster_publishing.placed(
        context.job_id,
        parameters.target_container,
        (parameters.collection_id, cog.item_id),
        made,
        check=context.check,
    )
    return items.make_item(
        cog,
        parameters.collection_id,
        wanted.built(context.workspace, index),
        made,
        stored,
        job_id=context.job_id,
        source_collection_id=getattr(parameters, "source_collection_id", None),
        predecessor=predecessor,
    )


def _result(
    context: Context,
    product: Product,
    made: Sequence[JsonObject],
    failures: Sequence[Failure],
    outcome: LoadOutcome | None,
) -> JsonObject:
    parameters, found = context.parameters, planning.planned(context)
    collection_id = parameters.collection_id
    records = [
        *(_of_failure(each) for each in failures),
        *({**each, "status": "made"} for each in made),
        *({"item_id": each, "status": "skipped"} for each in planning.skipped(context)),
    ]
    report = f"{collection_id}/{product.stage}-{context.job_id[:12]}.ndjson"
    blob_storage.ensure_container(parameters.target_container)
    blob_storage.write_bytes(
        parameters.target_container,
        report,
        b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in records),
        content_type=_NDJSON,
    )
    return {
        **_counts(context, found, made, failures, outcome),
        "dry_run": False,
        "would_fail": False,
        "message": _message(product, collection_id, found, made, failures),
        "item_ids": [each["item_id"] for each in made[:_LISTED]],
        "first": list(listed(each for each in records if each["status"] == "made")),
        "report": {"container": parameters.target_container, "path": report},
    }


def _counts(
    context: JobContext[Any],
    found: Planned,
    made: Sequence[JsonObject],
    failures: Sequence[Failure],
    outcome: LoadOutcome | None,
) -> JsonObject:
    """What the results of a job and of a dry run have in common."""
    collection_id = context.parameters.collection_id
    return {
        "collection_id": collection_id,
        "groups": found.groups,
        "would_make": found.to_make,
        "made": len(made),
        "skipped": found.skipped,
        "failed": len(failures),
        "failed_by_reason": dict(Counter(each.code for each in failures).most_common()),
        "failures": list(listed(map(_of_failure, failures))),
        "sources": found.sources,
        "bytes": found.bytes,
        "bytes_in": sum(each["bytes_in"] for each in made),
        "bytes_out": sum(each["bytes_out"] for each in made),
        "missing_return_periods": dict(Counter(band for each in made for band in each["missing"])),
        "not_monotonic": sum(1 for each in made if each["shallower"]),
        "shallower_pixels": sum(each["shallower"] for each in made),
        "water_pixels": sum(each["water"] for each in made),
        "differing_seam_pixels": sum(each["seams"] for each in made),
        "collection": None if outcome is None else outcome.collection.value,
        "items": {
            "new": 0 if outcome is None else outcome.new,
            "updated": 0 if outcome is None else outcome.updated,
            "unchanged": 0 if outcome is None else outcome.unchanged,
        },
        "links": _links(collection_id, outcome),
    }


def _links(collection_id: str, outcome: LoadOutcome | None) -> JsonObject | None:
    """Where the collection is to be seen, if there is one."""
    if outcome is None and catalog.stored_collection(collection_id) is None:
        return None
    address = f"/api/stac/collections/{collection_id}"
    return {
        "collection": address,
        "items": f"{address}/items",
        "map": f"/api/interface/map?collection={collection_id}",
    }


def _message(
    product: Product,
    collection_id: str,
    found: Planned,
    made: Sequence[JsonObject],
    failures: Sequence[Failure],
) -> str:
    """What came of it, for people."""
    text = f"Published {counted(len(made), product.name)} in {collection_id}"
    if not made:
        text = "Nothing was published"
    if found.skipped:
        text += f"; {found.skipped:,} are in {collection_id} already, made of the same files"
    if failures:
        reasons = Counter(each.code for each in failures).most_common()
        said = ", ".join(f"{count:,} {code}" for code, count in reasons)
        text += f"; {len(failures):,} failed ({said})"
    return f"{text}."


def _of_failure(failure: Failure) -> JsonObject:
    return {**failure.model_dump(), "status": "failed"}


def _chunks(values: Sequence[JsonObject], size: int) -> Iterator[Sequence[JsonObject]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
