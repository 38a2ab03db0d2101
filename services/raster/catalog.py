"""Rasters' Items in the catalog, and the versions of their files in storage.

Readers see the Item of before with its COG, or the new one with the new: both COGs are there
when the Item changes. Each version lies in a folder of its own, with its Item as a document; the
version before stays, for those who have just read its address, and older ones are removed.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson
from azure.core.exceptions import ResourceNotFoundError

from config import get_settings
from core.errors import NotFound, PermanentTaskError
from infrastructure import blob_storage, database, job_repository, stac_loader, stac_repository
from infrastructure.blob_copy import COPIED_BY
from infrastructure.metering import Threads
from infrastructure.stac_documents import TABLE_FIELD
from infrastructure.stac_loader import CatalogLoad, LoadOutcome
from services.ingest.collection_document import CollectionBuilder, merged_with_stored
from services.ingest.documents import DocumentError, check_item
from services.raster import items as raster_items
from services.raster import mosaic, source_entries
from services.raster.rendering.published import RESTRICTED
from services.raster.times import UNKNOWN
from services.stac.links import Addresses, linked_item

JsonObject = dict[str, Any]
Items = Callable[[], Iterator[JsonObject]]

_GEOJSON = "application/geo+json"
# What is worth saying of all items of a collection together.
_SUMMARISED = ("gsd", "proj:code", raster_items.RASTER_TYPE, raster_items.RASTER_SUBTYPE)
_TIMES = ("datetime", "start_datetime", "end_datetime")
# As `items.version_of` names them.
_VERSION = re.compile(r"[0-9a-f]{12}")
_AT_ONCE = 500
_THREADS = 10


def publish(
    job_id: str,
    collection_id: str,
    items: Items,
    *,
    container: str,
    title: str | None = None,
    description: str | None = None,
    license: str | None = None,  # noqa: A002  # As STAC names it.
    with_mosaic: bool = False,
    restricted: bool = False,
    check: Callable[[], None],
    progress: Callable[[int], None],
) -> LoadOutcome:
    """Bring Items, and the Collection that they make, into the catalog in one transaction.

    `items` gives a fresh iterator over the Items of `items.make_item` at each call; their files
    lie in `container` already. Items of the same ids are replaced. A Collection that exists
    keeps title, description and licence unless they are given. `with_mosaic` writes a
    MosaicJSON of the whole Collection beside its files, if they can be drawn as one; one that
    has a mosaic gets a new one in any case, or has none any more. `restricted` says that all of
    the Items are, and so is a Collection that holds no others; one that is so stays it. In
    h3.source_catalog it has an entry afterwards. `progress` is told how many items are done. The
    caller holds the lock `Space.RASTERS` of the collection.

    Raises `PermanentTaskError` for an Item that is not valid, and for a Collection that
    describes a table; and what `stac_loader.load` raises.
    """
    builder = CollectionBuilder()
    for each in items():
        check()
        _check(each)
        builder.add(_summarised(each))
    _write_documents(container, items(), check)
    given = {"title": title, "description": description, "license": license}
    said = {name: text for name, text in given.items() if text is not None}
    present = stored_collection(collection_id)
    drawn = with_mosaic or mosaic.asset_of(present) is not None
    # Before the load, for which all jobs wait in line. No other job of rasters changes the
    # collection meanwhile.
    drawing = (
        mosaic.publish(
            container,
            collection_id,
            items(),
            name=title or (present or {}).get("title") or collection_id,
            before=mosaic.asset_of(present),
        )
        if drawn
        else None
    )

    def compose(stored: JsonObject | None, has_others: bool) -> JsonObject:
        if stored is not None and TABLE_FIELD in stored:
            raise PermanentTaskError(
                f"The collection {collection_id!r} describes the table {stored[TABLE_FIELD]}; "
                "give another collection_id.",
                code="collection_is_a_table",
                collection_id=collection_id,
            )
        document = {**(stored or _new_collection(collection_id)), **said}
        if restricted and not has_others:
            document[RESTRICTED] = True
        if drawn:
            document = _with_mosaic(document, drawing)
        computed = builder.build(document, collection_id)
        return merged_with_stored(computed, stored, has_others=has_others)

    outcome = stac_loader.load(
        CatalogLoad(
            job_id=job_id,
            collection_id=collection_id,
            compose=compose,
            items=items,
            overwrite=True,
            check=check,
            progress=progress,
        )
    )
    if drawn:
        mosaic.remove_older(container, collection_id)
    source_entries.enter_published(job_id, collection_id)
    return outcome


def stored_collection(collection_id: str) -> JsonObject | None:
    """The Collection as the catalog holds it now, or None."""
    with stac_repository.snapshot() as catalog:
        return catalog.collection(collection_id)


def stored_items(collection_id: str, ids: Iterable[str]) -> dict[str, JsonObject]:
    """Those of the Items that the catalog holds now, by id: the predecessors of new ones."""
    found: dict[str, JsonObject] = {}
    remaining = iter(ids)
    with stac_repository.snapshot() as catalog:
        while chunk := list(islice(remaining, _AT_ONCE)):
            page = catalog.search(
                {"collections": [collection_id], "ids": chunk, "limit": len(chunk)}
            )
            found.update((each["id"], each) for each in page["features"])
    return found


def remove_older(
    container: str, collection_id: str, item_id: str, *, check: Callable[[], None]
) -> int:
    """Remove the files of an item's versions before the last; how many blobs that were.

    The catalog says which version is current, and its Item which one was before. What a job
    that is still at work has put there stays as well, and so does whatever no job has: the
    folder may be one of somebody's own files. Safe to repeat; without the item in the catalog
    nothing is removed.
    """
    current = stored_items(collection_id, [item_id]).get(item_id)
    if current is None:
        return 0
    kept = _versions_of(current)
    prefix = f"{collection_id}/{item_id}/"
    copies: dict[str, list[str]] = defaultdict(list)
    jobs: dict[str, set[str]] = defaultdict(set)
    documents: set[str] = set()
    with blob_storage.faults(container):
        client = blob_storage.container_client(container)
        for blob in client.list_blobs(name_starts_with=prefix, include=["metadata"]):
            version, slash, _ = blob.name.removeprefix(prefix).partition("/")
            if not slash or version in kept or not _VERSION.fullmatch(version):
                continue
            job_id = (blob.metadata or {}).get(COPIED_BY)
            if job_id is not None:
                copies[version].append(blob.name)
                jobs[version].add(job_id)
            elif blob.name == f"{prefix}{version}/{raster_items.DOCUMENT}":
                documents.add(blob.name)
    removed = 0
    for version, names in copies.items():
        check()
        if not _any_at_work(jobs[version]):
            # By the copies the folder is known for one of ours: the document goes before them.
            document = f"{prefix}{version}/{raster_items.DOCUMENT}"
            removed += _delete(container, [*documents & {document}, *names])
    return removed


def _check(item: JsonObject) -> None:
    try:
        check_item(item)
    except DocumentError as error:
        raise PermanentTaskError(
            f"{item.get('id')}: the Item is not valid: {error}.",
            code="invalid_item",
            item_id=item.get("id"),
        ) from None


def _summarised(item: JsonObject) -> JsonObject:
    """The item as its Collection counts it: a time that nobody knows widens no extent."""
    properties = item["properties"]
    unknown = properties[raster_items.DATETIME_SOURCE] == UNKNOWN
    fields = _SUMMARISED if unknown else (*_SUMMARISED, *_TIMES)
    return {**item, "properties": {name: properties.get(name) for name in fields}}


def _new_collection(collection_id: str) -> JsonObject:
    return {
        "type": "Collection",
        "stac_version": raster_items.STAC_VERSION,
        "stac_extensions": [],
        "id": collection_id,
        "title": collection_id,
        "description": f"Rasters of {collection_id}, as cloud-optimized GeoTIFFs.",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
            "temporal": {"interval": [[None, None]]},
        },
        "links": [],
    }


def _with_mosaic(document: JsonObject, asset: JsonObject | None) -> JsonObject:
    """The Collection with the asset that leads to its mosaic, or without one."""
    if asset is None and mosaic.asset_of(document) is None:
        return document
    assets = {name: each for name, each in (document.get("assets") or {}).items()
              if name != mosaic.ASSET}  # fmt: skip
    if asset is None:
        return {**document, "assets": assets}
    extensions = {*document.get("stac_extensions", ()), raster_items.FILE_EXTENSION}
    return {
        **document,
        "stac_extensions": sorted(extensions),
        "assets": {**assets, mosaic.ASSET: asset},
    }


def _write_documents(
    container: str, items: Iterator[JsonObject], check: Callable[[], None]
) -> None:
    """Each Item beside its files, where the version after it says that it can be read."""
    at = Addresses((get_settings().public_url or "").rstrip("/"))

    def write(item: JsonObject) -> None:
        folder = raster_items.folder(item["collection"], item["id"], item["properties"]["version"])
        document = orjson.dumps(linked_item(item, at), option=orjson.OPT_INDENT_2)
        path = f"{folder}/{raster_items.DOCUMENT}"
        blob_storage.write_bytes(container, path, document, content_type=_GEOJSON)

    with Threads(_THREADS, thread_name_prefix="documents") as threads:
        while chunk := list(islice(items, _AT_ONCE)):
            check()
            list(threads.map(write, chunk))


def _versions_of(item: JsonObject) -> set[str]:
    """The item's own version, and the one that it names as the one before."""
    versions = {str(item["properties"].get("version"))}
    for link in item["links"]:
        if link.get("rel") == raster_items.PREDECESSOR:
            versions.add(posixpath.basename(posixpath.dirname(link["href"])))
    return versions


def _any_at_work(job_ids: Collection[str]) -> bool:
    with database.transaction() as connection:
        for job_id in job_ids:
            try:
                if not job_repository.get(connection, job_id).status.is_terminal:
                    return True
            except NotFound:
                continue  # Nobody's, or a job's that is forgotten.
    return False


def _delete(container: str, names: Sequence[str]) -> int:
    removed = 0
    with blob_storage.faults(container):
        client = blob_storage.container_client(container)
        for name in names:
            try:
                client.delete_blob(name)
                removed += 1
            except ResourceNotFoundError:
                continue  # Another attempt was faster.
    return removed
