"""The rasters of a collection's items: which of their assets an aggregation reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import NotFound, PermanentTaskError
from core.job_definition import JsonObject
from infrastructure import stac_repository
from infrastructure.stac_repository import CatalogSnapshot, SearchRefused
from services.h3.parameters import H3RasterAggregation
from services.raster.items import EXCLUDED_VALUES, RASTER_TYPE
from services.raster.rendering import published

_PAGE = 500
_MOST_RASTERS = 20_000
_NAMED = 20
_TIMES = ("datetime", "end_datetime", "start_datetime")


@dataclass(frozen=True, slots=True)
class Asset:
    """An item's asset in our storage. `time` is RFC 3339, empty where the item has none."""

    item_id: str
    time: str
    container: str
    path: str
    raster_type: str | None = None
    band_names: tuple[str, ...] = ()
    excluded: tuple[float, ...] = ()
    is_restricted: bool = False


def assets_of(parameters: H3RasterAggregation, collection_id: str) -> list[Asset]:
    """The assets of all items that are wanted, the newest first, and those of one time by their
    items' names."""
    with stac_repository.snapshot() as catalog:
        collection = catalog.collection(collection_id)
        if collection is None:
            raise NotFound(
                f"There is no collection {collection_id!r}.",
                code="collection_not_found",
                field="collection_id",
            )
        is_restricted = bool(collection.get(published.RESTRICTED))
        items = list(_items(catalog, collection_id, parameters))
    if not items:
        raise _no_items(collection_id, parameters)
    key = parameters.asset or _common_asset(items)
    # Items of one collection may show different things: those that do not show this one are
    # not what was asked for.
    showing = [item for item in items if key in item["assets"]]
    if not showing:
        raise _no_asset(collection_id, key, items)
    assets = [_asset(item, key, is_restricted) for item in showing]
    by_name = sorted(assets, key=lambda asset: asset.item_id)
    return sorted(by_name, key=lambda asset: asset.time, reverse=True)


def _items(
    catalog: CatalogSnapshot, collection_id: str, parameters: H3RasterAggregation
) -> Iterator[JsonObject]:
    search: JsonObject = {"collections": [collection_id], "limit": _PAGE}
    if parameters.item_id is not None:
        search["ids"] = [parameters.item_id]
    if parameters.datetime is not None:
        search["datetime"] = parameters.datetime
    if parameters.properties is not None:
        search["query"] = {name: {"eq": value} for name, value in parameters.properties.items()}
    count = 0
    token: str | None = ""
    while token is not None:
        try:
            page = catalog.search({**search, "token": token} if token else search)
        except SearchRefused as error:
            raise PermanentTaskError(
                f"{parameters.datetime!r} cannot be used: {error}. Give an RFC 3339 date-time, or "
                "an interval of two.",
                code="invalid_datetime",
                field="datetime",
            ) from error
        count += len(page["features"])
        if count > _MOST_RASTERS:
            raise PermanentTaskError(
                f"The collection {collection_id!r} has more than {_MOST_RASTERS:,} items that are "
                "asked for: choose fewer by datetime.",
                code="too_many_rasters",
                field="collection_id",
            )
        yield from page["features"]
        token = _next_page(page)


def _next_page(page: JsonObject) -> str | None:
    """pgstac's token of the page after this one, None after the last."""
    for link in page["links"]:
        if link["rel"] == "next":
            return str(link["href"].partition("token=")[2])
    return None


def _common_asset(items: Sequence[JsonObject]) -> str:
    """The asset that all items are about. Raises `PermanentTaskError` (assets_differ) where that
    is not one of the same name: their values could be of different things."""
    about = sorted({published.main_asset(item) for item in items})
    if len(about) > 1:
        raise PermanentTaskError(
            f"The items are about different assets ({', '.join(about[:_NAMED])}): name the one "
            "that is wanted.",
            code="assets_differ",
            field="asset",
        )
    return about[0]


def _no_asset(collection_id: str, key: str, items: Sequence[JsonObject]) -> NotFound:
    known = sorted({name for item in items for name in item["assets"]})
    return NotFound(
        f"No item that is asked for of the collection {collection_id!r} has an asset {key!r}; "
        f"there are: {', '.join(known[:_NAMED]) or 'none'}.",
        code="asset_not_found",
        field="asset",
    )


def _asset(item: JsonObject, key: str, is_restricted: bool) -> Asset:
    container, path = published.place_of(item, key)
    properties, asset = item["properties"], item["assets"][key]
    said = properties.get(RASTER_TYPE)
    return Asset(
        item_id=item["id"],
        time=next((properties[name] for name in _TIMES if properties.get(name)), ""),
        container=container,
        path=path,
        raster_type=said if isinstance(said, str) else None,
        band_names=_band_names(asset),
        excluded=_excluded(properties),
        is_restricted=is_restricted or bool(properties.get(published.RESTRICTED)),
    )


def _band_names(asset: JsonObject) -> tuple[str, ...]:
    """The bands' names, as STAC 1.1 has them, or the eo extension of 1.0."""
    for name in ("bands", "eo:bands"):
        bands = asset.get(name)
        if isinstance(bands, list) and bands:
            return tuple(
                str(band.get("name", "")) if isinstance(band, dict) else "" for band in bands
            )
    return ()


def _excluded(properties: JsonObject) -> tuple[float, ...]:
    """The values that are no data, as geoforge's own items name them."""
    values = properties.get(EXCLUDED_VALUES)
    if not isinstance(values, list):
        return ()
    return tuple(float(value) for value in values if isinstance(value, (int, float)))


def _no_items(collection_id: str, parameters: H3RasterAggregation) -> NotFound | PermanentTaskError:
    if parameters.item_id is not None:
        return NotFound(
            f"The collection {collection_id!r} has no item {parameters.item_id!r}"
            + (f" of {parameters.datetime}." if parameters.datetime else "."),
            code="item_not_found",
            field="item_id",
        )
    of_time = f" of {parameters.datetime}" if parameters.datetime else ""
    if parameters.properties is not None:
        said = ", ".join(f"{name} = {value}" for name, value in parameters.properties.items())
        return PermanentTaskError(
            f"The collection {collection_id!r} has no items{of_time} with {said}.",
            code="no_items",
            field="properties",
        )
    return PermanentTaskError(
        f"The collection {collection_id!r} has no items{of_time}: there is nothing to read.",
        code="no_items",
        field="datetime" if parameters.datetime else "collection_id",
    )
