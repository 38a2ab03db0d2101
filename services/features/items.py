"""Features, as the texts of GeoJSON documents.

The database writes each feature as text, and it goes out as it came: what is added around it is
joined to it as text too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from core.errors import NotFound
from core.times import iso_utc
from infrastructure import features_repository
from infrastructure.features_repository import Page, PublishedTable, TableReader
from services.access import ANYONE, Caller, require_readable
from services.features.collections import table_name
from services.features.links import (
    GEOJSON,
    JSON,
    Addresses,
    JsonObject,
    collection_id,
    link,
    with_query,
)
from services.features.parameters import ItemsRequest, item_crs, items_request
from services.features.reference_systems import coordinates
from services.features.values import integer
from services.orchestration.paging import cursor_after


@dataclass(frozen=True, slots=True)
class Document:
    """A GeoJSON document, the CRS of its coordinates, and whether not everyone may see it."""

    text: str
    crs: str
    is_restricted: bool


def items(
    collection: str, query: Mapping[str, str], at: Addresses, caller: Caller = ANYONE
) -> Document:
    """A page of features. Raises `NotFound`, `Forbidden`, `InvalidQuery`."""
    with features_repository.reading(table_name(collection)) as reader:
        require_readable(reader.table, caller)
        request = items_request(query, reader.table)
        written = coordinates(request.crs, reader.table.shape.geometry)
        page = reader.page(request.selection, request.limit, written)
        matched = _matched(reader, request, page)
    here, name = at.items(reader.table.name), reader.table.name
    links = [
        link("self", with_query(here, request.query), GEOJSON, title="This document"),
        link("collection", at.collection(name), JSON, title="The collection"),
    ]
    if page.has_more and page.last_gid is not None:
        following = {**request.query, "cursor": cursor_after(page.last_gid)}
        if reader.table.restricted and "code" in query:
            # The key that the next page is asked for with, as this one was.
            following["code"] = query["code"]
        links.append(link("next", with_query(here, following), GEOJSON, title="Next page"))
    members: JsonObject = {
        "links": links,
        "timeStamp": iso_utc(datetime.now(UTC)),
        **_credit(reader.table),
    }
    if matched is not None:
        members["numberMatched"] = matched
    members["numberReturned"] = len(page.features)
    features = ",".join(page.features)
    text = f'{{"type":"FeatureCollection","features":[{features}],{_members(members)}}}'
    return Document(text, request.crs, reader.table.restricted)


def item(
    collection: str,
    feature: str,
    query: Mapping[str, str],
    at: Addresses,
    caller: Caller = ANYONE,
) -> Document:
    """One feature. Raises `NotFound`, which says what is missing, `Forbidden`, `InvalidQuery`."""
    with features_repository.reading(table_name(collection)) as reader:
        require_readable(reader.table, caller)
        crs = item_crs(query, reader.table)
        written = coordinates(crs, reader.table.shape.geometry)
        gid = _gid(feature)
        found = None if gid is None else reader.feature(gid, written)
    name = reader.table.name
    if gid is None or found is None:
        raise NotFound(
            f"The collection {collection_id(name)!r} has no feature {feature!r}.",
            code="feature_not_found",
        )
    asked = {"crs": query["crs"]} if "crs" in query else {}
    links = [
        link("self", with_query(at.item(name, gid), asked), GEOJSON, title="This document"),
        link("collection", at.collection(name), JSON, title="The collection"),
    ]
    members = {"links": links, **_credit(reader.table)}
    return Document(f"{found[:-1]},{_members(members)}}}", crs, reader.table.restricted)


def _gid(feature: str) -> int | None:
    try:
        return integer(feature)
    except ValueError:
        return None


def _matched(reader: TableReader, request: ItemsRequest, page: Page) -> int | None:
    """How many features match, over all pages; None where it is not known at little cost.

    Without a filter it is the published count. With one, it is counted for the first page
    only, as long as `features_repository.COUNT_SECONDS` allow.
    """
    if not request.selection.is_filter:
        return reader.table.row_count
    if request.selection.after is not None:
        return None
    return reader.count(request.selection) if page.has_more else len(page.features)


def _credit(table: PublishedTable) -> JsonObject:
    """Whom to credit, where the terms of the source ask for it."""
    return {"attribution": table.attribution} if table.attribution else {}


def _members(members: JsonObject) -> str:
    """The members of an object, without the braces around them."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))[1:-1]
