"""The addresses of the API's resources, and the links between them.

pgstac stores items and collections without knowing where they will be served, so the
structural links are made here, at each request. Other stored links (license, derived_from,
via, ...) are passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

JsonObject = dict[str, Any]
Link = dict[str, Any]

JSON = "application/json"
GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.1"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"

# What addresses of geoforge's own begin with, where they are stored.
_OWN = "/api/"

# Links of the file tree that an item came from: here they would lead nowhere.
_STRUCTURAL = frozenset(
    {"self", "root", "parent", "child", "children", "item", "items", "collection", "data",
     "search", "conformance", "next", "prev", "queryables", QUERYABLES}
)  # fmt: skip


def link(rel: str, href: str, media_type: str, **more: Any) -> Link:
    return {"rel": rel, "type": media_type, "href": href, **more}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the resources are. `base` is the app's address, without a trailing slash."""

    base: str

    @property
    def root(self) -> str:
        return f"{self.base}/api/stac"

    @property
    def service_description(self) -> str:
        return f"{self.base}/api/openapi.json"

    @property
    def collections(self) -> str:
        return f"{self.root}/collections"

    @property
    def search(self) -> str:
        return f"{self.root}/search"

    @property
    def queryables(self) -> str:
        return f"{self.root}/queryables"

    def collection(self, collection_id: str) -> str:
        return f"{self.collections}/{quote(collection_id, safe='')}"

    def items(self, collection_id: str) -> str:
        return f"{self.collection(collection_id)}/items"

    def item(self, collection_id: str, item_id: str) -> str:
        return f"{self.items(collection_id)}/{quote(item_id, safe='')}"

    def collection_queryables(self, collection_id: str) -> str:
        return f"{self.collection(collection_id)}/queryables"


def address_with(href: str, query: Mapping[str, str]) -> str:
    """The address with a query string, without the function key that may have come in one."""
    kept = {name: text for name, text in query.items() if name != "code"}
    return f"{href}?{urlencode(kept)}" if kept else href


def _foreign(stored: JsonObject, at: Addresses) -> list[Link]:
    return [
        _served(each, at)
        for each in stored.get("links") or []
        if each.get("rel") not in _STRUCTURAL
    ]


def _served(linked: JsonObject, at: Addresses) -> JsonObject:
    """An asset or a link; what geoforge serves itself is stored without where that is."""
    if str(linked.get("href")).startswith(_OWN):
        return {**linked, "href": f"{at.base}{linked['href']}"}
    return linked


def linked_collection(stored: JsonObject, at: Addresses) -> JsonObject:
    """The Collection with the links of this API, and with whole addresses of its assets."""
    collection_id = stored["id"]
    links = [
        link("self", at.collection(collection_id), JSON),
        link("root", at.root, JSON),
        link("parent", at.root, JSON),
        link("items", at.items(collection_id), GEOJSON),
        link(QUERYABLES, at.collection_queryables(collection_id), SCHEMA, title="Queryables"),
    ]
    assets = {name: _served(asset, at) for name, asset in (stored.get("assets") or {}).items()}
    served = {"assets": assets} if assets else {}
    return {**stored, **served, "links": links + _foreign(stored, at)}


def linked_item(stored: JsonObject, at: Addresses, *, is_whole: bool = True) -> JsonObject:
    """The Item with the links of this API. `is_whole` is False for one of which the `fields`
    extension has left parts only: without id or collection it has no links.
    """
    if is_whole:
        stored = _with_datetime(stored)
    item_id, collection_id = stored.get("id"), stored.get("collection")
    if item_id is None or collection_id is None:
        return stored
    links = [
        link("self", at.item(collection_id, item_id), GEOJSON),
        link("root", at.root, JSON),
        link("parent", at.collection(collection_id), JSON),
        link("collection", at.collection(collection_id), JSON),
    ]
    return {**stored, "links": links + _foreign(stored, at)}


def _with_datetime(stored: JsonObject) -> JsonObject:
    """An item with a range in place of a time says so: pgstac stores no nulls, and STAC wants
    this one."""
    properties = stored.get("properties")
    if not isinstance(properties, dict) or "start_datetime" not in properties:
        return stored
    return {**stored, "properties": {"datetime": None, **properties}}
