"""What each endpoint of the STAC API answers, as JSON objects.

`at` says where the API is served; every function reads one snapshot of the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import NotFound
from infrastructure import stac_repository
from infrastructure.stac_repository import CatalogSnapshot, SearchRefused
from services.stac.conformance import CONFORMANCE_CLASSES
from services.stac.links import (
    GEOJSON,
    JSON,
    OPENAPI,
    QUERYABLES,
    SCHEMA,
    Addresses,
    JsonObject,
    Link,
    address_with,
    link,
    linked_collection,
    linked_item,
)
from services.stac.search_parameters import (
    CollectionParameters,
    InvalidSearch,
    SearchParameters,
)

STAC_VERSION = "1.0.0"
CATALOG_ID = "geoforge"

# What pgstac interprets itself, and may therefore refuse; the likeliest culprit first.
_INTERPRETED = ("filter", "query", "intersects", "sortby", "fields", "token")


def landing_page(at: Addresses) -> JsonObject:
    """The root catalog, with a `child` link for each collection."""
    with stac_repository.snapshot() as catalog:
        titles = catalog.collection_titles()
    links = [
        link("self", at.root, JSON),
        link("root", at.root, JSON),
        link("data", at.collections, JSON, title="Collections"),
        link("conformance", f"{at.root}/conformance", JSON, title="Conformance classes"),
        link("search", at.search, GEOJSON, method="GET", title="Item search"),
        link("search", at.search, GEOJSON, method="POST", title="Item search"),
        link(QUERYABLES, at.queryables, SCHEMA, title="Queryables"),
        link("service-desc", at.service_description, OPENAPI, title="OpenAPI document"),
    ]
    links += [
        link("child", at.collection(collection_id), JSON, title=title or collection_id)
        for collection_id, title in titles
    ]
    return {
        "type": "Catalog",
        "id": CATALOG_ID,
        "title": "geoforge",
        "description": "The collections that geoforge has published.",
        "stac_version": STAC_VERSION,
        "conformsTo": list(CONFORMANCE_CLASSES),
        "links": links,
    }


def conformance() -> JsonObject:
    return {"conformsTo": list(CONFORMANCE_CLASSES)}


def collections(
    parameters: CollectionParameters, at: Addresses, query: Mapping[str, str]
) -> JsonObject:
    """A page of collections by id. `query` is the query string that asked for it."""
    with stac_repository.snapshot() as catalog:
        page = catalog.collections(parameters.as_pgstac())
    links = [
        link("self", address_with(at.collections, query), JSON),
        link("root", at.root, JSON),
        link("parent", at.root, JSON),
    ]
    matched, offset, limit = page["numberMatched"], parameters.offset, parameters.limit
    pages = {"prev": max(0, min(offset, matched) - limit)} if offset > 0 else {}
    if offset + limit < matched:
        pages["next"] = offset + limit
    for rel, start in pages.items():
        at_start = address_with(at.collections, {**query, "offset": str(start)})
        links.append(link(rel, at_start, JSON, method="GET"))
    return {
        "collections": [linked_collection(each, at) for each in page["collections"]],
        "links": links,
        "numberMatched": matched,
        "numberReturned": page["numberReturned"],
    }


def collection(collection_id: str, at: Addresses) -> JsonObject:
    """One Collection, or `NotFound`."""
    with stac_repository.snapshot() as catalog:
        stored = catalog.collection(collection_id)
    if stored is None:
        raise _no_collection(collection_id)
    return linked_collection(stored, at)


def items(
    collection_id: str, parameters: SearchParameters, at: Addresses, query: Mapping[str, str]
) -> JsonObject:
    """A page of a collection's items, or `NotFound` where there is no such collection.

    It takes all parameters of a search: pystac-client sends `collections` and `ids` here too.
    """
    search = parameters.within(collection_id).as_pgstac()
    with stac_repository.snapshot() as catalog:
        if not catalog.has_collection(collection_id):
            raise _no_collection(collection_id)
        page = _run(catalog, search, "query")
    here = at.items(collection_id)
    links = [
        link("self", address_with(here, query), GEOJSON),
        link("root", at.root, JSON),
        link("parent", at.collection(collection_id), JSON),
        link("collection", at.collection(collection_id), JSON),
        *_pages_by_address(page, here, query),
    ]
    return _feature_collection(page, links, at, parameters)


def item(collection_id: str, item_id: str, at: Addresses) -> JsonObject:
    """One Item, or `NotFound`, which says whether the collection or the item is missing."""
    with stac_repository.snapshot() as catalog:
        stored = catalog.item(collection_id, item_id)
        if stored is None and not catalog.has_collection(collection_id):
            raise _no_collection(collection_id)
    if stored is None:
        raise NotFound(
            f"The collection {collection_id!r} has no item {item_id!r}.", code="item_not_found"
        )
    return linked_item(stored, at)


def search(
    parameters: SearchParameters, at: Addresses, query: Mapping[str, str] | None
) -> JsonObject:
    """A page of an Item Search. `query` is the query string of a GET, None for a POST."""
    with stac_repository.snapshot() as catalog:
        page = _run(catalog, parameters.as_pgstac(), "body" if query is None else "query")
    if query is None:
        here, pages = at.search, _pages_by_body(page, at.search)
    else:
        here = address_with(at.search, query)
        pages = _pages_by_address(page, at.search, query)
    links = [link("self", here, GEOJSON), link("root", at.root, JSON), *pages]
    return _feature_collection(page, links, at, parameters)


def queryables(at: Addresses, collection_id: str | None = None) -> JsonObject:
    """The JSON Schema of what a filter may name; of one collection, or of all."""
    with stac_repository.snapshot() as catalog:
        if collection_id is not None and not catalog.has_collection(collection_id):
            raise _no_collection(collection_id)
        schema = catalog.queryables(collection_id)
    address = at.queryables if collection_id is None else at.collection_queryables(collection_id)
    if schema is None:  # a catalog without collections has nothing to query
        schema = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {},
            "additionalProperties": True,
        }
    title = "Queryables" if collection_id is None else f"Queryables of {collection_id}"
    return {**schema, "$id": address, "title": title}


def _no_collection(collection_id: str) -> NotFound:
    return NotFound(f"There is no collection {collection_id!r}.", code="collection_not_found")


def _run(catalog: CatalogSnapshot, search: Mapping[str, Any], where: str) -> JsonObject:
    """Search, and where pgstac refuses, name the parameter that it could not interpret."""
    try:
        return catalog.search(search)
    except SearchRefused as refusal:
        message = str(refusal).rstrip(".")
        given = [name for name in _INTERPRETED if name in search]
        if not given:
            raise
        named = [name for name in given if name in message.lower()]
        culprit = (named or given)[0]
        raise InvalidSearch(
            f"The parameter {culprit!r} cannot be used: {message}.",
            [{"loc": [where, culprit], "msg": message}],
        ) from refusal


def _tokens(page: JsonObject) -> dict[str, str]:
    """pgstac's paging tokens, by `next` and `prev`, out of its links."""
    return {
        each["rel"]: each["href"].partition("token=")[2]
        for each in page["links"]
        if each["rel"] in ("next", "prev")
    }


def _pages_by_address(page: JsonObject, here: str, query: Mapping[str, str]) -> list[Link]:
    return [
        link(rel, address_with(here, {**query, "token": token}), GEOJSON, method="GET")
        for rel, token in _tokens(page).items()
    ]


def _pages_by_body(page: JsonObject, here: str) -> list[Link]:
    """To post again: the body that asked for this page, with the token merged in."""
    return [
        link(rel, here, GEOJSON, method="POST", body={"token": token}, merge=True)
        for rel, token in _tokens(page).items()
    ]


def _feature_collection(
    page: JsonObject, links: list[Link], at: Addresses, parameters: SearchParameters
) -> JsonObject:
    features = page["features"]
    if parameters.wants_links:
        is_whole = parameters.fields is None
        features = [linked_item(feature, at, is_whole=is_whole) for feature in features]
    answer = {"type": "FeatureCollection", "features": features, "links": links}
    answer |= {key: page[key] for key in ("numberMatched", "numberReturned") if key in page}
    return answer
