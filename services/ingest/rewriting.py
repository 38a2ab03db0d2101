"""Documents as they are registered: hrefs lead to the target, links to nowhere are dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from infrastructure import blob_storage
from services.ingest.files import SourceDocument, SourceFile
from services.ingest.hrefs import is_absolute, is_structural

JsonObject = dict[str, Any]
Place = tuple[str, str | int]


def target_url(container: str, path: str) -> str:
    """Where the blob is read, without any signature."""
    return str(blob_storage.blob_client(container, path).url)


def registered_item(
    source: SourceDocument, collection_id: str, container: str, copied: Iterable[SourceFile]
) -> JsonObject:
    """The item as pgSTAC gets it: in its collection, its files at the target."""
    item = _with_files_at(source.document, container, copied)
    return {**item, "collection": collection_id}


def registered_collection(
    source: SourceDocument, container: str, copied: Collection[SourceFile]
) -> JsonObject:
    """The Collection with its own files at the target; assets that were not copied are left
    out."""
    copied_places = {each.place for each in copied}
    lost = {each.place[1] for each in source.files if each.place not in copied_places}
    document = _with_files_at(source.document, container, copied)
    if document.get("assets"):
        document["assets"] = {k: v for k, v in document["assets"].items() if k not in lost}
    return document


def _with_files_at(
    document: JsonObject, container: str, copied: Iterable[SourceFile]
) -> JsonObject:
    urls: dict[Place, str] = {
        each.place: target_url(container, each.source.path) for each in copied
    }
    result = dict(document)
    if document.get("assets"):
        result["assets"] = {
            name: {**asset, "href": urls.get(("assets", name), asset["href"])}
            for name, asset in document["assets"].items()
        }
    result["links"] = [
        {**link, "href": urls.get(("links", index), link["href"])}
        for index, link in enumerate(document["links"])
        if not is_structural(link) and (("links", index) in urls or is_absolute(link["href"]))
    ]
    return result
