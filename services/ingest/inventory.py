"""Stage 1: read the Collection, find and judge every item, and look up every file they name.

Items are spooled to a temporary file while they are found, so that memory holds their ids and
paths and not their documents; then one lookup answers for all of their files.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import IO

import orjson

from core.counting import counted
from core.errors import NotFound, PermanentTaskError
from core.job_definition import JsonObject, TaskContext
from infrastructure import blob_lookup, blob_storage
from infrastructure.blob_lookup import BlobVersion
from services.ingest import files
from services.ingest.documents import (
    MAX_DOCUMENT_BYTES,
    DocumentError,
    check_item,
    read_collection,
)
from services.ingest.files import SourceDocument, SourceFile
from services.ingest.hrefs import HrefError, Outside, is_structural, locate
from services.ingest.parameters import IngestCollection
from services.ingest.quarantine import Quarantined, Reason, first_few
from services.ingest.walk import CollectionWalk, FoundItem

Context = TaskContext[IngestCollection]

MAX_ITEMS = 2_000_000
_PROGRESS_EVERY = 100


def take_inventory(context: Context) -> JsonObject:
    """Write the batches of items that can be ingested, and the quarantine with the rest.

    Returns {files, batches, items_read, items_quarantined, has_collection_files, warnings}:
    `files` is the prefix of what was written. Raises `PermanentTaskError` for a Collection
    that is missing, broken or empty, and in strict mode for anything quarantined.
    """
    p = context.parameters
    collection = read_collection(p.source_container, p.collection_json_path)
    _check_target(p)
    prefix = f"inventory/{context.attempt}"
    inventory = _Inventory(context, collection)
    with tempfile.TemporaryFile() as spool:
        inventory.gather(spool)
        inventory.look_up()
        batches = inventory.write_batches(spool, prefix)
    quarantined = inventory.quarantined
    _judge(p, inventory)
    if p.create_target_container:
        blob_storage.ensure_container(p.target_container)
    files.write_quarantine(context.workspace, f"{prefix}/quarantine.ndjson", quarantined)
    record = inventory.collection_record()
    context.workspace.write_bytes(f"{prefix}/collection.json", orjson.dumps(record.as_json()))
    return {
        "files": prefix,
        "batches": batches,
        "items_read": inventory.items_read,
        "items_quarantined": len(quarantined),
        "has_collection_files": bool(record.files),
        "warnings": inventory.warnings[:20],
    }


def _check_target(p: IngestCollection) -> None:
    if not p.create_target_container and not blob_storage.container_exists(p.target_container):
        raise PermanentTaskError(
            f"There is no container {p.target_container!r} (target_container), and "
            "create_target_container is false.",
            code="container_not_found",
            container=p.target_container,
        )


def _judge(p: IngestCollection, inventory: _Inventory) -> None:
    """Fail the job where there is nothing to ingest, or, if strict, anything to quarantine."""
    where = f"{p.source_container}/{p.collection_json_path}"
    quarantined = inventory.quarantined
    reasons = dict(Counter(each.reason.value for each in quarantined))
    if inventory.items_read == 0:
        raise PermanentTaskError(
            f"{where} is an empty collection: no rel=item link leads to an item.",
            code="empty_collection",
        )
    if p.strict and quarantined:
        raise PermanentTaskError(
            f"strict: {len(quarantined):,} of {counted(inventory.items_read, 'item')} of {where} "
            f"cannot be ingested: {first_few(quarantined)}",
            code="items_quarantined",
            items_read=inventory.items_read,
            quarantine_by_reason=reasons,
        )
    if len(quarantined) == inventory.items_read:
        raise PermanentTaskError(
            f"Of {counted(inventory.items_read, 'item')} of {where}, none can be ingested: "
            f"{first_few(quarantined)}",
            code="nothing_to_register",
            items_read=inventory.items_read,
            quarantine_by_reason=reasons,
        )


class _Inventory:
    """What is known of the collection so far."""

    def __init__(self, context: Context, collection: JsonObject) -> None:
        self._context = context
        self._collection = collection
        self._container = context.parameters.source_container
        self._path = context.parameters.collection_json_path
        self._container_url = blob_storage.container_client(self._container).url
        self._ids: set[str] = set()
        self._wanted: set[str] = set()
        self._found: dict[str, BlobVersion] = {}
        self.items_read = 0
        self.quarantined: list[Quarantined] = []
        self.warnings: list[str] = []

    def gather(self, spool: IO[bytes]) -> None:
        """Find and judge all items; the good ones go to the spool, a line each."""
        walk = CollectionWalk(self._path, self._collection, self._container_url, self._read)
        for found in walk:
            self._context.check()
            self.items_read += 1
            if self.items_read > MAX_ITEMS:
                raise PermanentTaskError(
                    f"The collection has more than {MAX_ITEMS:,} items.", code="too_many_items"
                )
            fault = found if isinstance(found, Quarantined) else self._fault(found)
            if fault is not None:
                self.quarantined.append(fault)
            elif isinstance(found, FoundItem):
                self._ids.add(found.item["id"])
                self._want(found.path, found.item)
                spool.write(orjson.dumps([found.path, found.item]) + b"\n")
            if self.items_read % _PROGRESS_EVERY == 0:
                self._report()
        self._want(self._path, self._collection)
        self._report()

    def look_up(self) -> None:
        """Find out which of the files exist, and in which version."""
        try:
            self._found = blob_lookup.find(self._container, self._wanted, check=self._context.check)
        except NotFound as error:
            raise PermanentTaskError(error.message, code=error.error_code) from error

    def write_batches(self, spool: IO[bytes], prefix: str) -> int:
        """Write the items whose assets are all there, in batches; how many batches."""
        size = self._context.parameters.batch_size
        batch: list[JsonObject] = []
        written = 0
        for document in self._complete(spool):
            batch.append(document.as_json())
            if len(batch) == size:
                self._write(prefix, written, batch)
                batch, written = [], written + 1
        if batch:
            self._write(prefix, written, batch)
            written += 1
        return written

    def collection_record(self) -> SourceDocument:
        """The Collection with its own files. What is missing of them is a warning."""
        listed, missing, external = self._files(self._path, self._collection)
        collection = dict(self._collection)
        for name in missing:
            self.warnings.append(f"The collection's asset {name!r} does not exist; it is left out.")
        if missing:
            assets = collection["assets"]
            collection["assets"] = {k: v for k, v in assets.items() if k not in missing}
        return SourceDocument(self._path, collection, tuple(listed), external)

    def _read(self, path: str) -> bytes:
        try:
            return blob_storage.read_bytes(self._container, path, limit=MAX_DOCUMENT_BYTES)
        except ValueError:
            raise DocumentError(
                f"is larger than {MAX_DOCUMENT_BYTES >> 20} MiB, the limit for a document"
            ) from None

    def _fault(self, found: FoundItem) -> Quarantined | None:
        """Why the item cannot be ingested, as far as its document tells."""
        item = found.item
        identifier = item.get("id") if isinstance(item.get("id"), str) else None

        def fault(reason: Reason, message: str) -> Quarantined:
            return Quarantined(found.path, identifier, reason, message)

        try:
            check_item(item)
        except DocumentError as error:
            return fault(Reason.INVALID_ITEM, f"{found.path}: {error}")
        if item["id"] in self._ids:
            return fault(Reason.DUPLICATE_ID, f"{found.path}: an earlier item has this id")
        if item.get("collection") is not None and item["collection"] not in found.collections:
            return fault(
                Reason.OTHER_COLLECTION,
                f"{found.path}: the item says that it belongs to {item['collection']!r}",
            )
        if not item["assets"]:
            return fault(Reason.NO_ASSETS, f"{found.path}: the item has no assets")
        for name, asset in item["assets"].items():
            try:
                locate(found.path, asset["href"], self._container_url)
            except HrefError as error:
                return fault(Reason.OUTSIDE_CONTAINER, f"{found.path}: asset {name!r}: {error}")
        return None

    def _want(self, path: str, document: JsonObject) -> None:
        for _, candidates in self._targets(path, document):
            self._wanted.update(candidates)

    def _complete(self, spool: IO[bytes]) -> Iterator[SourceDocument]:
        """The spooled items whose assets all exist; the others are quarantined."""
        spool.seek(0)
        for line in spool:
            path, item = orjson.loads(line)
            self._context.check()
            listed, missing, external = self._files(path, item)
            if missing:
                name, href = next(iter(missing.items()))
                self.quarantined.append(
                    Quarantined(
                        path,
                        item["id"],
                        Reason.MISSING_ASSET,
                        f"{path}: asset {name!r}: there is no {href}",
                    )
                )
            else:
                yield SourceDocument(path, item, tuple(listed), external)

    def _files(
        self, path: str, document: JsonObject
    ) -> tuple[list[SourceFile], dict[str, str], int]:
        """The document's files that exist, its assets that do not, and how many assets are
        elsewhere. A link's file that does not exist is not listed."""
        listed: list[SourceFile] = []
        missing: dict[str, str] = {}
        inside = 0
        for place, candidates in self._targets(path, document):
            version = next((self._found[c] for c in candidates if c in self._found), None)
            inside += place[0] == "assets"
            if version is not None:
                listed.append(SourceFile(place, version))
            elif place[0] == "assets":
                missing[str(place[1])] = candidates[0]
        return listed, missing, len(document.get("assets") or {}) - inside

    def _targets(
        self, path: str, document: JsonObject
    ) -> Iterator[tuple[tuple[str, str | int], tuple[str, ...]]]:
        """The blobs of the container that the document's assets and links point at."""
        for place, href in _hrefs(document):
            try:
                target = locate(path, href, self._container_url)
            except HrefError:
                if place[0] == "assets" and document is self._collection:
                    # Items with such an asset were quarantined; a Collection goes on.
                    yield place, (href,)
                continue
            if not isinstance(target, Outside):
                yield place, target.candidates

    def _write(self, prefix: str, batch: int, records: list[JsonObject]) -> None:
        self._context.check()
        files.write_lines(self._context.workspace, batch_name(prefix, batch), records)
        self._context.progress(batches_written=batch + 1)

    def _report(self) -> None:
        self._context.progress(items_read=self.items_read, items_quarantined=len(self.quarantined))


def batch_name(prefix: str, batch: int) -> str:
    """The name of a batch of `SourceDocument` lines in the job's workspace."""
    return f"{prefix}/items-{batch:05}.ndjson"


def _hrefs(document: JsonObject) -> Iterator[tuple[tuple[str, str | int], str]]:
    for name, asset in (document.get("assets") or {}).items():
        yield ("assets", name), asset["href"]
    for index, link in enumerate(document["links"]):
        if not is_structural(link):
            yield ("links", index), link["href"]
