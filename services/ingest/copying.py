"""Stage 2: copy the files of a batch of items to the target container, and check its COGs.

An item goes on to registration only when every file of it is at the target, verified.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from core.errors import NotFound, PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from infrastructure.blob_copy import Copied, CopyRefused, CopyRules, copy_blob
from infrastructure.blob_lookup import CONCURRENCY
from infrastructure.metering import Threads
from services.ingest import files
from services.ingest.cogs import CogChecks
from services.ingest.files import SourceDocument, SourceFile
from services.ingest.inventory import batch_name
from services.ingest.parameters import IngestCollection
from services.ingest.quarantine import Quarantined, Reason
from services.ingest.rewriting import registered_collection, registered_item

Context = TaskContext[IngestCollection]


def plan_copies(context: JobContext[IngestCollection]) -> Iterator[TaskSpec]:
    """One task for each batch of items, and one for the Collection's own document."""
    inventory = next(context.results("inventory")).result
    for batch in range(inventory["batches"]):
        yield TaskSpec({"batch": batch, "inventory": inventory["files"]})
    yield TaskSpec({"collection": True, "inventory": inventory["files"]})


def copy_batch(context: Context) -> JsonObject:
    """Copy what the task names. Safe to repeat: what is there is verified and left alone."""
    if context.task.get("collection"):
        return _copy_collection(context)
    batch: int = context.task["batch"]
    prefix = f"copy/{batch:05}-{context.attempt}"
    name = batch_name(context.task["inventory"], batch)
    sources = [SourceDocument.from_json(line) for line in files.read_lines(context.workspace, name)]
    collection_id = _collection_id(context)
    quarantined: list[Quarantined] = []
    ready: list[JsonObject] = []
    tally = _Tally()
    with CogChecks(context.parameters.target_container, context.check) as cogs:
        for source, outcome in zip(sources, _copy_all(context, sources), strict=True):
            context.check()
            if isinstance(outcome, CopyRefused):
                reason, item_id = Reason(outcome.fault), source.document["id"]
                quarantined.append(Quarantined(source.path, item_id, reason, outcome.message))
                continue
            tally.add(outcome)
            tally.external += source.external_assets
            copied = [each for each, _ in outcome]
            for each in copied:
                cogs.look_at(source, each)
            item = registered_item(
                source, collection_id, context.parameters.target_container, copied
            )
            ready.append({"path": source.path, "item": item})
    files.write_lines(context.workspace, f"{prefix}/items.ndjson", ready)
    files.write_quarantine(context.workspace, f"{prefix}/quarantine.ndjson", quarantined)
    context.workspace.write_bytes(f"{prefix}/cogs.json", orjson.dumps(cogs.report.as_json()))
    return {
        "files": prefix,
        "items_ready": len(ready),
        "items_quarantined": len(quarantined),
        **tally.as_json(),
    }


def _copy_collection(context: Context) -> JsonObject:
    """Copy the Collection's own assets and linked files. One that cannot be copied is left
    out of the document, with a warning: no item depends on it."""
    record = context.workspace.read_bytes(f"{context.task['inventory']}/collection.json")
    source = SourceDocument.from_json(orjson.loads(record))
    copied: list[SourceFile] = []
    warnings: list[str] = []
    tally = _Tally(external=source.external_assets)
    for each in source.files:
        outcome = _copy_one(context, each)
        if isinstance(outcome, CopyRefused):
            warnings.append(f"A file of the collection was left out: {outcome.message}")
        else:
            copied.append(each)
            tally.add([(each, outcome)])
    document = registered_collection(source, context.parameters.target_container, copied)
    prefix = f"copy/collection-{context.attempt}"
    context.workspace.write_bytes(f"{prefix}/collection.json", orjson.dumps(document))
    return {"collection_files": prefix, "warnings": warnings[:20], **tally.as_json()}


def _copy_all(
    context: Context, sources: list[SourceDocument]
) -> Iterator[list[tuple[SourceFile, Copied]] | CopyRefused]:
    """For each document its copied files, or the refusal of an asset. A linked file that is
    refused is left out. Files are copied a few at a time, across documents."""
    with Threads(CONCURRENCY, thread_name_prefix="copy") as threads:
        pending = [
            [(each, threads.submit(_copy_one, context, each)) for each in source.files]
            for source in sources
        ]
        try:
            for copies in pending:
                outcomes = [(each, copy.result()) for each, copy in copies]
                yield next(
                    (o for each, o in outcomes if each.is_asset and isinstance(o, CopyRefused)),
                    [(each, o) for each, o in outcomes if isinstance(o, Copied)],
                )
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _copy_one(context: Context, each: SourceFile) -> Copied | CopyRefused:
    p = context.parameters
    rules = CopyRules(context.job_id, p.skip_existing, p.overwrite)
    context.check()
    try:
        return copy_blob(
            each.source, p.target_container, each.source.path, rules, check=context.check
        )
    except CopyRefused as refusal:
        return refusal
    except NotFound as error:
        raise PermanentTaskError(error.message, code=error.error_code) from error


def _collection_id(context: Context) -> str:
    if context.parameters.collection_id is not None:
        return context.parameters.collection_id
    record = context.workspace.read_bytes(f"{context.task['inventory']}/collection.json")
    identifier: str = orjson.loads(record)["document"]["id"]
    return identifier


@dataclass(slots=True)
class _Tally:
    """Assets of the items that went through; linked files count with their bytes only."""

    copied: int = 0
    skipped: int = 0
    external: int = 0
    bytes_copied: int = 0

    def add(self, outcomes: list[tuple[SourceFile, Copied]]) -> None:
        moved = Counter(copy.moved for each, copy in outcomes if each.is_asset)
        self.copied += moved[True]
        self.skipped += moved[False]
        self.bytes_copied += sum(copy.size for _, copy in outcomes if copy.moved)

    def as_json(self) -> JsonObject:
        return {
            "assets_copied": self.copied,
            "assets_skipped": self.skipped,
            "assets_external": self.external,
            "bytes_copied": self.bytes_copied,
        }
