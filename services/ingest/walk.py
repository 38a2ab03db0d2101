"""Follow a Collection's links to its items, at any depth, each document once.

The documents are fetched ahead of their turn by a few threads, and handled strictly in the
order of the links: whatever runs again finds the same items in the same order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from core.errors import NotFound
from infrastructure.metering import Threads
from services.ingest.documents import DocumentError, JsonObject, parse
from services.ingest.hrefs import HrefError, Outside, locate
from services.ingest.quarantine import Quarantined, Reason

Read = Callable[[str], bytes]

_THREADS = 10
_AHEAD = 40
# Links that lead to items, and those that lead to further documents with such links.
_ITEM_RELS = ("item", "items")
_CHILD_RELS = ("child", "next")
# With these an API pages through the items; the document may have been saved from one.
_API_RELS = ("items", "next")


@dataclass(frozen=True, slots=True)
class FoundItem:
    """An item as it stands in the file at `path`, not yet validated.

    `collections` are the ids that it may name as its own: of the Collection that it was
    reached through, and of the one that is ingested.
    """

    path: str
    item: JsonObject
    collections: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Link:
    rel: str
    href: str
    candidates: tuple[str, ...]
    collections: frozenset[str]


class CollectionWalk:
    """One walk from a Collection document to all of its items."""

    def __init__(self, path: str, collection: JsonObject, container_url: str, read: Read) -> None:
        """`read` returns the bytes of the blob at a path of the container. It raises
        `NotFound`, or `DocumentError` for one that is too large.
        """
        self._container_url = container_url
        self._read = read
        self._links: deque[_Link | Quarantined] = deque()
        self._seen = {path}
        self._root = collection["id"]
        self._add_links(path, collection, frozenset({self._root}))

    def __iter__(self) -> Iterator[FoundItem | Quarantined]:
        """The items, in the order of the links, and what cannot be read."""
        ahead: deque[tuple[_Link, Future[tuple[str, bytes]]] | Quarantined] = deque()
        with Threads(_THREADS, thread_name_prefix="sidecar") as threads:
            try:
                while self._links or ahead:
                    while self._links and len(ahead) < _AHEAD:
                        link = self._links.popleft()
                        if isinstance(link, Quarantined):
                            ahead.append(link)
                        else:
                            ahead.append((link, threads.submit(self._fetch, link)))
                    turn = ahead.popleft()
                    if isinstance(turn, Quarantined):
                        yield turn
                    else:
                        yield from self._open(*turn)
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, link: _Link) -> tuple[str, bytes]:
        *others, last = link.candidates
        for path in others:
            try:
                return path, self._read(path)
            except NotFound as error:
                if error.error_code == "container_not_found":
                    raise
        return last, self._read(last)

    def _open(
        self, link: _Link, fetched: Future[tuple[str, bytes]]
    ) -> Iterator[FoundItem | Quarantined]:
        try:
            path, data = fetched.result()
            document = parse(data)
        except NotFound as error:
            if error.error_code == "container_not_found":
                raise
            message = f"there is no {link.candidates[0]}, which a rel={link.rel} link names"
            yield Quarantined(link.href, None, Reason.MISSING_SIDECAR, message)
            return
        except DocumentError as error:
            message = f"{link.candidates[0]} {error}"
            yield Quarantined(link.href, None, Reason.UNREADABLE_SIDECAR, message)
            return
        kind = document.get("type")
        if kind in ("Catalog", "Collection") and link.rel not in _ITEM_RELS:
            self._add_links(path, document, link.collections | _id_of(document, kind))
        elif kind == "FeatureCollection":
            self._add_links(path, document, link.collections)
            yield from self._features(path, document, link)
        else:
            yield FoundItem(path, document, link.collections)

    def _features(
        self, path: str, document: JsonObject, link: _Link
    ) -> Iterator[FoundItem | Quarantined]:
        features = document.get("features")
        if not isinstance(features, list):
            message = f"{path} is an ItemCollection whose features are not a list"
            yield Quarantined(link.href, None, Reason.UNREADABLE_SIDECAR, message)
            return
        for index, feature in enumerate(features):
            if isinstance(feature, dict):
                yield FoundItem(path, feature, link.collections)
            else:
                message = f"{path}: features.{index} is not a JSON object"
                yield Quarantined(link.href, None, Reason.INVALID_ITEM, message)

    def _add_links(self, path: str, document: JsonObject, collections: frozenset[str]) -> None:
        links = document.get("links")
        for entry in links if isinstance(links, list) else []:
            if not isinstance(entry, dict) or entry.get("rel") not in (*_ITEM_RELS, *_CHILD_RELS):
                continue
            link = self._located(path, entry, collections)
            if link is None:
                continue
            if isinstance(link, _Link):
                if link.candidates[0] in self._seen:
                    continue
                self._seen.add(link.candidates[0])
            self._links.append(link)

    def _located(
        self, path: str, entry: dict[str, Any], collections: frozenset[str]
    ) -> _Link | Quarantined | None:
        """Where the link leads; None for one to the API that the document came from."""
        rel, href = entry["rel"], entry.get("href")
        try:
            if not isinstance(href, str):
                raise HrefError(f"has no href (rel={rel} link)")
            target = locate(path, href, self._container_url)
        except HrefError as error:
            return Quarantined(str(href), None, Reason.OUTSIDE_CONTAINER, f"{path}: {error}")
        if isinstance(target, Outside):
            if rel in _API_RELS:
                return None
            message = f"{path}: rel={rel} link leads out of the source container"
            return Quarantined(href, None, Reason.OUTSIDE_CONTAINER, message)
        return _Link(rel, href, target.candidates, collections)


def _id_of(document: JsonObject, kind: str) -> frozenset[str]:
    identifier = document.get("id")
    if kind == "Collection" and isinstance(identifier, str):
        return frozenset({identifier})
    return frozenset()
