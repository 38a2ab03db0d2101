"""Stages 3 and 4: compute the Collection, then load it and its items into the catalog.

Nothing is visible before stage 4 commits, and then everything is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import orjson

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JsonObject, TaskContext
from infrastructure import stac_comparison, stac_loader
from infrastructure.stac_comparison import Difference
from infrastructure.stac_loader import CatalogLoad
from services.ingest import files
from services.ingest.collection_document import CollectionBuilder, merged_with_stored
from services.ingest.parameters import IngestCollection
from services.ingest.quarantine import Quarantined, Reason, first_few

Context = TaskContext[IngestCollection]


def compute_collection(context: Context) -> JsonObject:
    """Write the Collection document as its items make it; the catalog is only read.

    Without `overwrite`, items that the catalog holds differently are quarantined here, before
    they count towards extent and summaries. Returns {files, collection_id, items,
    items_quarantined}.
    """
    inventory = next(context.results("inventory")).result
    source, collection_id = _source_collection(context)
    builder = CollectionBuilder()
    conflicts: list[Quarantined] = []
    with stac_comparison.comparison(collection_id) as catalog:
        for ready in _ready_batches(context):
            context.check()
            batch = list(ready)
            compared = catalog.of(item for _, item in batch)
            for (path, item), (_, difference) in zip(batch, compared, strict=True):
                if difference is Difference.CHANGED and not context.parameters.overwrite:
                    conflicts.append(_conflict(path, item["id"], collection_id))
                else:
                    builder.add(item)
    if builder.items == 0:
        raise PermanentTaskError(
            f"Of {counted(inventory['items_read'], 'item')} of the collection, none is left to "
            f"register: {first_few([*_quarantined_while_copying(context), *conflicts])}",
            code="nothing_to_register",
            items_read=inventory["items_read"],
        )
    prefix = f"collection/{context.attempt}"
    document = builder.build(source, collection_id)
    context.workspace.write_bytes(f"{prefix}/collection.json", orjson.dumps(document))
    files.write_quarantine(context.workspace, f"{prefix}/quarantine.ndjson", conflicts)
    return {
        "files": prefix,
        "collection_id": collection_id,
        "items": builder.items,
        "items_quarantined": len(conflicts),
    }


def load_catalog(context: Context) -> JsonObject:
    """Load the Collection and its items into pgSTAC in one transaction.

    Returns {files, collection, items_new, items_updated, items_unchanged, items_quarantined}.
    The last counts items that another writer registered differently since stage 3.
    """
    computed = next(context.results("register_collection")).result
    document = orjson.loads(context.workspace.read_bytes(f"{computed['files']}/collection.json"))
    conflicts = {
        each.item_id
        for each in files.read_quarantine(
            context.workspace, f"{computed['files']}/quarantine.ndjson"
        )
    }

    def items() -> Iterator[JsonObject]:
        return (
            item
            for batch in _ready_batches(context)
            for _, item in batch
            if item["id"] not in conflicts
        )

    outcome = stac_loader.load(
        CatalogLoad(
            job_id=context.job_id,
            collection_id=document["id"],
            compose=lambda stored, has_others: merged_with_stored(
                document, stored, has_others=has_others
            ),
            items=items,
            overwrite=context.parameters.overwrite,
            check=context.check,
            progress=partial(_report, context, computed["items"]),
        )
    )
    prefix = f"catalog/{context.attempt}"
    files.write_quarantine(
        context.workspace,
        f"{prefix}/quarantine.ndjson",
        _refused(context, set(outcome.refused), document["id"]),
    )
    return {
        "files": prefix,
        "collection": outcome.collection.value,
        "items_new": outcome.new,
        "items_updated": outcome.updated,
        "items_unchanged": outcome.unchanged,
        "items_quarantined": len(outcome.refused),
    }


def _report(context: Context, total: int, done: int) -> None:
    context.progress(items_registered=done, items_to_register=total)


def _source_collection(context: Context) -> tuple[JsonObject, str]:
    """The Collection with its own files copied, and the id to register it under."""
    name = next(
        each.result["collection_files"]
        for each in context.results("copy")
        if "collection_files" in each.result
    )
    document: JsonObject = orjson.loads(context.workspace.read_bytes(f"{name}/collection.json"))
    return document, context.parameters.collection_id or document["id"]


def _ready_batches(context: Context) -> Iterator[Iterator[tuple[str, JsonObject]]]:
    """The items whose files are all at the target, as (sidecar's path, Item), by batch.

    Each item is parsed when it is asked for: see `stac_loader` for what many at once cost.
    """
    for each in context.results("copy"):
        if "files" in each.result:
            name = f"{each.result['files']}/items.ndjson"
            lines = files.read_lines(context.workspace, name)
            yield ((line["path"], line["item"]) for line in lines)


def _quarantined_while_copying(context: Context) -> Iterator[Quarantined]:
    for each in context.results("copy"):
        if each.result.get("items_quarantined"):
            yield from files.read_quarantine(
                context.workspace, f"{each.result['files']}/quarantine.ndjson"
            )


def _refused(context: Context, ids: set[str], collection_id: str) -> Iterator[Quarantined]:
    for batch in _ready_batches(context) if ids else ():
        for path, item in batch:
            if item["id"] in ids:
                yield _conflict(path, item["id"], collection_id)


def _conflict(path: str, item_id: Any, collection_id: str) -> Quarantined:
    return Quarantined(
        path,
        item_id,
        Reason.TARGET_EXISTS,
        f"{path}: the catalog holds another version of this item in {collection_id!r}; "
        "set overwrite to replace it",
    )
