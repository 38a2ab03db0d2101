"""Which rasters the catalog has, for people who look through it."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import NotFound
from core.job_definition import JsonObject
from infrastructure import stac_repository
from infrastructure.stac_repository import SearchRefused
from services.orchestration.paging import bad_query
from services.raster.items import DATETIME_SOURCE
from services.raster.rendering.published import is_geotiff, located
from services.raster.times import UNKNOWN
from services.stac import values


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An item in a list. `days` says when it was taken, `assets` are the keys of its rasters that
    this app can draw."""

    item_id: str
    title: str | None
    days: str | None
    assets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some items of a collection, the latest first, and the tokens of the pages around them."""

    items: tuple[ListedItem, ...]
    next: str | None
    previous: str | None


def collections() -> list[tuple[str, str]]:
    """(id, title) of the collections that have items, by title."""
    with stac_repository.snapshot() as catalog:
        found = catalog.collections_with_items()
    return sorted(
        ((each, title or each) for each, title in found), key=lambda pair: pair[1].lower()
    )


def items(collection_id: str, *, limit: int, token: str | None = None) -> ItemPage:
    """A page of a collection's items; `token` is one of another page's.

    Raises `NotFound` for an unknown collection, `InvalidParameters` for what is no token.
    """
    search: JsonObject = {"collections": [collection_id], "limit": limit}
    if token is not None:
        search["token"] = _token(token)
    with stac_repository.snapshot() as catalog:
        if not _is_storable(collection_id) or not catalog.has_collection(collection_id):
            raise NotFound(
                f"There is no collection {collection_id!r}.", code="collection_not_found"
            )
        try:
            page = catalog.search(search)
        except SearchRefused:
            raise bad_query("page", "is not of this collection, or no longer there") from None
    tokens = {link["rel"]: link["href"].partition("token=")[2] for link in page.get("links", [])}
    return ItemPage(
        tuple(_listed(item) for item in page["features"]), tokens.get("next"), tokens.get("prev")
    )


def raster_assets(item: JsonObject) -> tuple[str, ...]:
    """The keys of an item's GeoTIFFs in the app's own storage."""
    return tuple(
        name
        for name, asset in (item.get("assets") or {}).items()
        if is_geotiff(asset) and located(str(asset.get("href"))) is not None
    )


def days(item: JsonObject) -> str | None:
    """The day on which an item's raster was taken, or the first and the last; None if unknown."""
    said = item["properties"]
    if said.get("datetime"):
        return str(said["datetime"])[:10]
    if said.get(DATETIME_SOURCE) == UNKNOWN:
        # The range is then one that is true of everything.
        return None
    ends = [str(said[name])[:10] for name in ("start_datetime", "end_datetime") if said.get(name)]
    return " to ".join(dict.fromkeys(ends)) or None


def _listed(item: JsonObject) -> ListedItem:
    title = item["properties"].get("title")
    return ListedItem(item["id"], title, days(item), raster_assets(item))


def _is_storable(text: str) -> bool:
    try:
        values.storable(text)
    except ValueError:
        return False
    return True


def _token(text: str) -> str:
    try:
        return values.token(text)
    except ValueError as error:
        raise bad_query("page", str(error)) from None
