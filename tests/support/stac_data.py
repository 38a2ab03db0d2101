"""A small catalog for tests: two collections, one of 36 items around the world."""

from __future__ import annotations

from typing import Any

from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods

WORLD = "world"
EMPTY = "empty"
ITEMS = 36


def collection(collection_id: str) -> dict[str, Any]:
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": collection_id,
        "title": collection_id.title(),
        "description": f"The collection {collection_id}.",
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [[-180, -20, 180, 30]]},
            "temporal": {"interval": [["2020-01-01T00:00:00Z", "2022-12-01T00:00:00Z"]]},
        },
        "links": [
            {"rel": "license", "href": "https://creativecommons.org/publicdomain/zero/1.0/"},
            {"rel": "items", "href": "./of/the/files/it/came/from.json"},
        ],
    }


def item(number: int) -> dict[str, Any]:
    """Item n lies 10 n degrees east of -180, in month 1 + n mod 12 of year 2020 + n div 12."""
    west = -180 + 10 * number
    ring = [[west, -20], [west + 5, -20], [west + 5, 30], [west, 30], [west, -20]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": f"item-{number:02d}",
        "collection": WORLD,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, -20, west + 5, 30],
        "properties": {
            "datetime": f"{2020 + number // 12}-{1 + number % 12:02d}-01T00:00:00Z",
            "eo:cloud_cover": number,
            "platform": "even" if number % 2 == 0 else "odd",
        },
        "assets": {
            "data": {"href": f"https://silver.test/world/{number}.tif", "type": "image/tiff"}
        },
        "links": [
            {"rel": "derived_from", "href": "https://bronze.test/source.json"},
            {"rel": "parent", "href": "../collection.json"},
        ],
    }


def load(database_url: str) -> None:
    """Put both collections, and the items of one, into the catalog."""
    with PgstacDB(dsn=database_url) as pgstac:
        loader = Loader(pgstac)
        loader.load_collections(iter([collection(WORLD), collection(EMPTY)]), Methods.upsert)
        loader.load_items(iter([item(number) for number in range(ITEMS)]), Methods.upsert)
