"""The MosaicJSON of a collection: which of its COGs cover each tile of the web map.

https://github.com/developmentseed/mosaicjson-spec, version 0.0.3, as cogeo-mosaic writes it.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any

import orjson
from azure.core.exceptions import ResourceNotFoundError

from infrastructure import blob_storage, stac_repository
from services.ingest.rewriting import target_url
from services.raster.item_bands import BANDS
from services.raster.items import DATA, RASTER_TYPE

JsonObject = dict[str, Any]
# What rasters that are drawn as one have in common: type, number of bands, and their data types.
Kind = tuple[str, int, tuple[str, ...]]

# The asset of a Collection that leads to it.
ASSET = "mosaic"

_MEDIA_TYPE = "application/json"
# The multihash of SHA-256: its code, and a length of 32 bytes.
_SHA256 = "1220"
_DIGITS = 12
# The mosaic before the present one stays for those who have just read its address.
_PREDECESSOR = "geoforge:predecessor"
# Half of the web map's side, in metres (EPSG:3857), and where it ends to north and south.
_HALF = 20_037_508.342789244
_LATITUDE = 85.0511287798066
_TILE_PIXELS = 256
_MAX_ZOOM = 24
_MAX_TILES = 50_000


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where a COG has data, as GeoJSON in WGS84; its grid's size in pixels and its bounding
    box in degrees, whose west is beyond its east where it crosses the antimeridian."""

    href: str
    geometry: JsonObject
    bbox: tuple[float, float, float, float]
    width: int
    height: int

    @classmethod
    def of(cls, item: JsonObject) -> Footprint:
        """That of an Item of `services.raster.items`."""
        height, width = item["properties"]["proj:shape"]
        return cls(
            item["assets"][DATA]["href"], item["geometry"], _bounds(item["bbox"]), width, height
        )

    @property
    def metres_a_pixel(self) -> float:
        """The side of a pixel on the web map, where it is a square about as large."""
        west, south, east, north = self.bbox
        degrees = east - west if east >= west else east - west + 360
        across = degrees / 180 * _HALF
        upright = _northing(north) - _northing(south)
        return math.sqrt(max(across, 1e-6) * max(upright, 1e-6) / (self.width * self.height))

    @property
    def zooms(self) -> tuple[int, int]:
        """The zoom at which the whole COG fills about one tile, and that of its own pixels."""
        most = _zoom(self.metres_a_pixel)
        fewer = math.floor(math.log2(max(self.width, self.height, 1) / _TILE_PIXELS))
        return max(0, most - max(0, fewer)), most


def mosaic_json(footprints: Sequence[Footprint], *, name: str) -> JsonObject:
    """The document. COGs are listed for a tile in the order in which they are given, and each
    is on all tiles that its footprint touches. Raises ValueError where there are none."""
    if not footprints:
        raise ValueError("there are no footprints")
    # With it comes GDAL, for the burning of tiles: only a worker that writes a mosaic loads it.
    from cogeo_mosaic.mosaic import MosaicJSON

    least, most = _zooms(footprints)
    features = [feature for each in footprints for feature in _features(each)]
    document: JsonObject = MosaicJSON.from_features(
        features, least, most, quadkey_zoom=_quadkey_zoom(footprints, least), quiet=True
    ).model_dump(mode="json", exclude_none=True)
    document["tiles"] = {
        key: list(dict.fromkeys(hrefs)) for key, hrefs in sorted(document["tiles"].items())
    }
    document["name"] = name
    return document


def publish(
    container: str,
    collection_id: str,
    items: Iterable[JsonObject],
    *,
    name: str,
    before: JsonObject | None = None,
) -> JsonObject | None:
    """Write the mosaic of a collection as it will be: of its stored Items that say what kind of
    raster they are, and of those that take their places or come to them.

    Returns the asset of the Collection that leads to it, which names the one `before` (the
    asset as it is stored) as its predecessor; None where no item has a COG, and where they
    differ in type, number of bands or data types, and cannot be drawn as one. The file is named
    by its content: what readers have the address of is never written over.
    """
    found = {item["id"]: (_kind_of(item), Footprint.of(item)) for item in items}
    with stac_repository.snapshot() as catalog:
        for stored in catalog.footprints(collection_id, DATA, RASTER_TYPE):
            if stored["id"] not in found and stored["property"] and stored["shape"]:
                found[stored["id"]] = _stored(stored)
    if len({kind for kind, _ in found.values()}) != 1:
        return None
    footprints = [found[each][1] for each in sorted(found)]
    data = orjson.dumps(mosaic_json(footprints, name=name))
    digest = hashlib.sha256(data).hexdigest()
    path = f"{_prefix(collection_id)}{digest[:_DIGITS]}.json"
    href = target_url(container, path)
    blob_storage.write_bytes(container, path, data, content_type=_MEDIA_TYPE)
    if before is not None and before["href"] == href:
        return before
    return {
        "href": href,
        "type": _MEDIA_TYPE,
        "title": "MosaicJSON of the COGs",
        "roles": ["index"],
        "file:size": len(data),
        "file:checksum": f"{_SHA256}{digest}",
        **({} if before is None else {_PREDECESSOR: before["href"]}),
    }


def asset_of(collection: Mapping[str, Any] | None) -> JsonObject | None:
    """The asset of a Collection that leads to a mosaic of `publish`, or None."""
    if collection is None:
        return None
    asset: JsonObject | None = (collection.get("assets") or {}).get(ASSET)
    name = re.compile(rf"(.*/)?{_pattern(collection['id'])}", re.DOTALL)
    return asset if asset is not None and name.fullmatch(asset["href"]) else None


def remove_older(container: str, collection_id: str) -> int:
    """Remove the mosaics before the last two; how many. Safe to repeat.

    The Collection in the catalog says which is the last, and that which was before it; where it
    names none, nothing is removed.
    """
    with stac_repository.snapshot() as catalog:
        asset = asset_of(catalog.collection(collection_id))
    if asset is None:
        return 0
    kept = {asset["href"], asset.get(_PREDECESSOR)}
    ours = re.compile(_pattern(collection_id))
    with blob_storage.faults(container):
        client = blob_storage.container_client(container)
        names = list(client.list_blob_names(name_starts_with=_prefix(collection_id)))
    # Under the prefix lie the files of Items, too, whose ids begin as a mosaic's name does.
    older = [
        name for name in names
        if ours.fullmatch(name) and target_url(container, name) not in kept
    ]  # fmt: skip
    for name in older:
        with blob_storage.faults(container, name), suppress(ResourceNotFoundError):
            client.delete_blob(name)
    return len(older)


def _kind_of(item: JsonObject) -> Kind:
    bands = item["assets"][DATA][BANDS]
    return _kind(item["properties"][RASTER_TYPE], [band["data_type"] for band in bands])


def _stored(row: JsonObject) -> tuple[Kind, Footprint]:
    """What `CatalogSnapshot.footprints` gives of an Item."""
    height, width = row["shape"]
    footprint = Footprint(row["href"], row["geometry"], _bounds(row["bbox"]), width, height)
    return _kind(row["property"], row["data_types"]), footprint


def _kind(raster_type: str, data_types: Sequence[str]) -> Kind:
    return raster_type, len(data_types), tuple(sorted(set(data_types)))


def _pattern(collection_id: str) -> str:
    """What the blobs of mosaics are called, and nothing else."""
    return rf"{re.escape(_prefix(collection_id))}[0-9a-f]{{{_DIGITS}}}\.json"


def _prefix(collection_id: str) -> str:
    return f"{collection_id}/mosaic-"


def _bounds(box: Sequence[float]) -> tuple[float, float, float, float]:
    """West, south, east and north of a box of 4 or 6 numbers."""
    half = len(box) // 2
    return (box[0], box[1], box[half], box[half + 1])


def _zooms(footprints: Iterable[Footprint]) -> tuple[int, int]:
    """Of all: the zoom from which on a COG is worth a look, and the finest that any has."""
    pairs = [each.zooms for each in footprints]
    return round(median(least for least, _ in pairs)), max(most for _, most in pairs)


def _quadkey_zoom(footprints: Sequence[Footprint], least: int) -> int:
    """The zoom of the tiles that are listed: as fine as the list stays short enough."""
    zoom = least
    while zoom > 0 and sum(_tiles(each, zoom) for each in footprints) > _MAX_TILES:
        zoom -= 1
    return zoom


def _tiles(footprint: Footprint, zoom: int) -> int:
    """About how many tiles a bounding box touches."""
    west, south, east, north = footprint.bbox
    degrees = east - west if east >= west else east - west + 360
    side = 2 * _HALF / (1 << zoom)
    across = math.ceil(degrees / 180 * _HALF / side) + 1
    upright = math.ceil((_northing(north) - _northing(south)) / side) + 1
    return across * upright


def _features(footprint: Footprint) -> Iterator[JsonObject]:
    """The parts of the footprint, each a GeoJSON Feature as cogeo-mosaic takes them."""
    geometry = footprint.geometry
    parts = (
        geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    )
    for rings in parts:
        ring = [
            (longitude, min(max(latitude, -_LATITUDE), _LATITUDE))
            for longitude, latitude, *_ in rings[0]
        ]
        yield {
            "type": "Feature",
            "properties": {"path": footprint.href},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }


def _zoom(metres: float) -> int:
    """The zoom whose pixels are the nearest to a size on the web map."""
    whole = 2 * _HALF / _TILE_PIXELS
    return min(max(round(math.log2(whole / max(metres, 1e-3))), 0), _MAX_ZOOM)


def _northing(latitude: float) -> float:
    """How far north on the web map, in metres."""
    clamped = math.radians(min(max(latitude, -_LATITUDE), _LATITUDE))
    return math.log(math.tan(math.pi / 4 + clamped / 2)) * _HALF / math.pi
