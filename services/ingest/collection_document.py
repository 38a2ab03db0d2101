"""The Collection as it is registered: what its items are, not what its file says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest import summaries
from services.ingest.extent import Extent
from services.ingest.summaries import Summaries

JsonObject = dict[str, Any]

_ITEM_ASSETS_EXTENSION = "https://stac-extensions.github.io/item-assets/v1.0.0/schema.json"
_ITEM_ASSET_FIELDS = ("type", "roles", "title", "description")
_MAX_ITEM_ASSETS = 50


class CollectionBuilder:
    """Computes extent, summaries and item_assets while the items pass by."""

    def __init__(self) -> None:
        self.items = 0
        self._extent = Extent()
        self._summaries = Summaries()
        self._item_assets: dict[str, JsonObject] = {}

    def add(self, item: Mapping[str, Any]) -> None:
        """Take in an Item that will be registered."""
        self.items += 1
        self._extent.add_item(item)
        self._summaries.add_item(item)
        for name, asset in item["assets"].items():
            described = {key: asset[key] for key in _ITEM_ASSET_FIELDS if asset.get(key)}
            common = self._item_assets.setdefault(name, described)
            if common != described:
                self._item_assets[name] = {
                    key: value for key, value in common.items() if described.get(key) == value
                }

    def build(self, source: Mapping[str, Any], collection_id: str) -> JsonObject:
        """The document, from the source's (its links and hrefs are rewritten already)."""
        document = {
            **source,
            "id": collection_id,
            "extent": self._extent.as_stac(source["extent"]),
            "summaries": self._summaries.as_stac(source.get("summaries")),
        }
        if not document["summaries"]:
            del document["summaries"]
        if not source.get("item_assets") and 0 < len(self._item_assets) <= _MAX_ITEM_ASSETS:
            document["item_assets"] = dict(sorted(self._item_assets.items()))
            if str(source["stac_version"]).startswith("1.0."):
                # In STAC 1.1 item_assets are part of the core.
                extensions = source.get("stac_extensions") or []
                document["stac_extensions"] = sorted({*extensions, _ITEM_ASSETS_EXTENSION})
        return document


def merged_with_stored(
    computed: JsonObject, stored: JsonObject | None, *, has_others: bool
) -> JsonObject:
    """What to store, given the Collection that is stored.

    Where it holds items of other ingests (`has_others`), they count as well: extent,
    summaries and item_assets cover both.
    """
    if stored is None or not has_others:
        return computed
    extent = Extent()
    extent.add_declared(stored["extent"])
    extent.add_declared(computed["extent"])
    merged = {
        **computed,
        "extent": extent.as_stac(computed["extent"]),
        "summaries": summaries.union(
            stored.get("summaries") or {}, computed.get("summaries") or {}
        ),
    }
    if not merged["summaries"]:
        del merged["summaries"]
    item_assets = {**(stored.get("item_assets") or {}), **(computed.get("item_assets") or {})}
    if item_assets:
        merged["item_assets"] = item_assets
    return merged
