"""STAC collections for tests, written into a container: seeded, and broken where asked."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.io import MemoryFile

from infrastructure import blob_storage

JsonObject = dict[str, Any]

COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
_numbers = count(1)


def new_container(prefix: str = "bronze") -> str:
    """A container that nothing is in; its name is used by nobody else."""
    name = f"{prefix}-{next(_numbers)}-{random.getrandbits(32):08x}"
    blob_storage.ensure_container(name)
    return name


@cache
def cog(seed: int = 0, size: int = 64) -> bytes:
    """A valid COG in EPSG:32631 at 10 m, uint8, nodata 0."""
    return _raster(seed, size, driver="COG")


@cache
def plain_geotiff(seed: int = 0, size: int = 1024) -> bytes:
    """A GeoTIFF of strips, without overviews: not a COG."""
    return _raster(seed, size, driver="GTiff", tiled=False)


def _raster(seed: int, size: int, **options: Any) -> bytes:
    pixels = np.random.default_rng(seed).integers(1, 255, (1, size, size), dtype="uint8")
    profile = {
        "width": size, "height": size, "count": 1, "dtype": "uint8", "nodata": 0,
        "crs": "EPSG:32631", "transform": Affine(10, 0, 500_000, 0, -10, 5_000_000),
    }  # fmt: skip
    with MemoryFile() as memory:
        with rasterio.Env(GDAL_PAM_ENABLED="NO"), memory.open(**profile, **options) as dataset:
            dataset.write(pixels)
        return bytes(memory.read())


@dataclass
class Collection:
    """A collection in the making. Change `document`, `items` and `blobs`, then `write` it.

    Item n has sidecar 'items/<id>/<id>.json' and an asset 'data' at 'data/<id>.tif'.
    """

    container: str
    document: JsonObject
    items: dict[str, JsonObject] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        return list(self.items)

    def write(self) -> None:
        blob_storage.write_bytes(self.container, "collection.json", dumps(self.document))
        for path, item in self.items.items():
            blob_storage.write_bytes(self.container, path, dumps(item))
        for path, data in self.blobs.items():
            blob_storage.write_bytes(self.container, path, data)

    def add(self, identifier: str, data: bytes | None = None, **item: Any) -> str:
        """Add an item with a linked sidecar and one asset; the sidecar's path."""
        path = f"items/{identifier}/{identifier}.json"
        self.items[path] = {
            **make_item(identifier, self.document["id"], f"../../data/{identifier}.tif"),
            **item,
        }
        self.link(f"./{path}")
        self.blobs[f"data/{identifier}.tif"] = cog() if data is None else data
        return path

    def link(self, href: str, rel: str = "item") -> None:
        self.document["links"].append({"rel": rel, "href": href, "type": "application/json"})


def make_collection(container: str, items: int = 3, collection_id: str = "tiles") -> Collection:
    """A collection of `items` good items, not yet written."""
    collection = Collection(
        container,
        {
            "type": "Collection",
            "stac_version": "1.0.0",
            "id": collection_id,
            "title": "Tiles",
            "description": "Generated tiles.",
            "license": "CC0-1.0",
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [["1990-01-01T00:00:00Z", None]]},
            },
            "links": [
                {"rel": "root", "href": "./collection.json", "type": "application/json"},
                {"rel": "about", "href": "https://example.com/tiles"},
            ],
        },
    )
    for number in range(items):
        collection.add(f"{collection_id}-{number:05}")
    return collection


def make_item(identifier: str, collection_id: str | None, asset_href: str) -> JsonObject:
    """A valid STAC 1.0 Item, somewhere and some day in 2020 that its id decides."""
    chance = random.Random(identifier)
    west, south = round(chance.uniform(0, 20), 4), round(chance.uniform(40, 50), 4)
    east, north = west + 0.5, south + 0.5
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item: JsonObject = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": identifier,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": f"2020-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T12:00:00Z",
            "platform": chance.choice(["alpha", "beta"]),
            "eo:cloud_cover": round(chance.uniform(0, 100), 2),
        },
        "links": [
            {"rel": "collection", "href": "../../collection.json", "type": "application/json"},
            {"rel": "self", "href": f"./{identifier}.json", "type": "application/json"},
        ],
        "assets": {"data": {"href": asset_href, "type": COG_TYPE, "roles": ["data"]}},
    }
    if collection_id is not None:
        item["collection"] = collection_id
    return item


def dumps(document: Any) -> bytes:
    return json.dumps(document).encode()
