"""The rasters that the catalog's items publish: which blob an asset is, and who may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from core.blob_names import check_blob_path, check_container_name
from core.errors import Conflict, NotFound
from core.job_definition import JsonObject
from infrastructure import blob_storage, stac_repository
from infrastructure.blob_lookup import BlobVersion, head
from services.access import Caller, may_see_restricted, refusal
from services.data_container import check_data_container
from services.raster.rendering.model import DEFAULT, RenderStyle
from services.stac.values import storable

_ENDINGS = (".tif", ".tiff", ".gtiff", ".cog")
# Where an item of somebody else's has its raster, the likeliest first.
_USUAL_KEYS = ("data", "visual", "image", "cog")
# Of a Collection or an Item that not everyone may see.
RESTRICTED = "geoforge:restricted"


@dataclass(frozen=True, slots=True)
class PublishedRaster:
    """An asset of an item in the catalog, and the version of its blob that is read.

    `style` is what the item says of how it is drawn, None where it says nothing.
    """

    collection_id: str
    item: JsonObject
    asset: str
    blob: BlobVersion
    style: RenderStyle | None
    is_restricted: bool

    @property
    def item_id(self) -> str:
        return str(self.item["id"])

    @property
    def name(self) -> str:
        """The file's name."""
        return self.blob.path.rsplit("/", 1)[-1]


def find(
    collection_id: str, item_id: str, asset: str | None = None, *, caller: Caller
) -> PublishedRaster:
    """The raster of an item: the asset of that name, or the one that the item is about.

    Raises `NotFound` (collection_not_found, item_not_found, asset_not_found, blob_not_found),
    `Conflict` for an item without rasters (no_raster), an asset that is none (not_a_geotiff) or
    that lies in another storage, where it is not followed (not_ours), and `Forbidden`
    (restricted).
    """
    item, is_restricted = _stored(collection_id, item_id)
    if is_restricted and not may_see_restricted(caller):
        raise refusal(f"The rasters of {collection_id!r}")
    assets: Mapping[str, JsonObject] = item.get("assets") or {}
    key = main_asset(item) if asset is None else asset
    if key not in assets:
        known = ", ".join(sorted(name for name in assets if is_geotiff(assets[name])))
        raise NotFound(
            f"The item {item_id!r} has no asset {key!r}; its rasters are: {known or 'none'}.",
            code="asset_not_found",
        )
    if not is_geotiff(assets[key]):
        raise Conflict(
            f"The asset {key!r} of the item {item_id!r} is no GeoTIFF, and only those are drawn.",
            code="not_a_geotiff",
        )
    container, path = place_of(item, key)
    version = head(container, path)
    if version is None:
        raise NotFound(
            f"The file of the asset {key!r} is gone: there is no blob {container}/{path}.",
            code="blob_not_found",
            container=container,
            path=path,
        )
    return PublishedRaster(
        collection_id, item, key, version, _style(item, key, assets[key]), is_restricted
    )


def is_geotiff(asset: Mapping[str, Any]) -> bool:
    """Whether an asset is a GeoTIFF by its media type, or by its name where it has none."""
    media_type = str(asset.get("type") or "").lower()
    if media_type:
        return media_type.startswith("image/tiff")
    return str(asset.get("href") or "").lower().partition("?")[0].endswith(_ENDINGS)


def located(href: str) -> tuple[str, str] | None:
    """(container, path) of an address in the app's own storage; None for any other.

    Containers in which the app and its host work are as if they were elsewhere: an item that names
    a file of theirs would open it to everyone.
    """
    root = str(blob_storage.service().url).split("?")[0].rstrip("/") + "/"
    if not href.startswith(root):
        return None
    container, _, path = href[len(root) :].partition("?")[0].partition("/")
    try:
        data = check_data_container(check_container_name(container))
        return data, check_blob_path(unquote(path))
    except ValueError:
        return None


def main_asset(item: JsonObject) -> str:
    """The asset that an item is about. Raises `Conflict` (no_raster) where none is a GeoTIFF."""
    assets: Mapping[str, JsonObject] = item.get("assets") or {}
    rasters = [name for name in assets if is_geotiff(assets[name])]
    for name in _rendered(item):
        if name in rasters:
            return name
    for name in _USUAL_KEYS:
        if name in rasters:
            return name
    for name in rasters:
        if "data" in (assets[name].get("roles") or []):
            return name
    if rasters:
        return rasters[0]
    raise Conflict(
        f"The item {item['id']!r} has no asset that is a GeoTIFF: there is no raster to read.",
        code="no_raster",
    )


def place_of(item: JsonObject, key: str) -> tuple[str, str]:
    """(container, path) of an item's asset. Raises `Conflict` (not_ours) for one that does not
    lie in a container with data of this app's storage."""
    found = located(str(item["assets"][key].get("href")))
    if found is None:
        raise Conflict(
            f"The asset {key!r} of the item {item['id']!r} does not lie in a container with data "
            "of this app's storage, and no other place is asked for it. Load the collection with "
            "ingest_collection, which copies the files.",
            code="not_ours",
        )
    return found


def _stored(collection_id: str, item_id: str) -> tuple[JsonObject, bool]:
    """The item as the catalog has it, and whether its collection is restricted."""
    try:
        storable(collection_id), storable(item_id)
    except ValueError:
        raise _no_item(collection_id, item_id) from None
    with stac_repository.snapshot() as catalog:
        collection = catalog.collection(collection_id)
        if collection is None:
            raise NotFound(
                f"There is no collection {collection_id!r}.", code="collection_not_found"
            )
        item = catalog.item(collection_id, item_id)
    if item is None:
        raise _no_item(collection_id, item_id)
    is_restricted = collection.get(RESTRICTED) or item["properties"].get(RESTRICTED)
    return item, bool(is_restricted)


def _no_item(collection_id: str, item_id: str) -> NotFound:
    return NotFound(
        f"The collection {collection_id!r} has no item {item_id!r}.", code="item_not_found"
    )


def _rendered(item: JsonObject) -> list[str]:
    """The assets of which the item says how they are drawn."""
    return [
        render["assets"][0] for render in _renders(item) if len(render.get("assets") or []) == 1
    ]


def _renders(document: JsonObject) -> list[JsonObject]:
    """The Render Objects of an item, the default one first."""
    renders = document.get("properties", {}).get("renders")
    if not isinstance(renders, dict):
        return []
    ordered = sorted(renders, key=lambda name: name != DEFAULT)
    return [renders[name] for name in ordered if isinstance(renders[name], dict)]


def _style(item: JsonObject, key: str, asset: JsonObject) -> RenderStyle | None:
    """What the item says of how the asset is drawn. What others have written may hold more than
    we draw; then it is as if nothing were said."""
    own = asset.get("renders")
    of_asset = list(own.values()) if isinstance(own, dict) else []
    known = RenderStyle.model_fields.keys()
    for render in [*of_asset, *_renders(item)]:
        if not isinstance(render, dict) or render.get("assets") != [key]:
            continue
        try:
            return RenderStyle.model_validate({k: v for k, v in render.items() if k in known})
        except ValidationError:
            continue
    return None
