"""The rasters that an aggregation reads: found, and pinned to a version.

They are items of the catalog, one blob, or what lies at an address.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import NotFound, PermanentTaskError
from core.job_definition import TaskContext
from infrastructure import blob_lookup, stac_repository
from infrastructure.blob_lookup import BlobVersion
from infrastructure.source_addresses import parse, shown
from services.h3.item_assets import Asset, assets_of
from services.h3.parameters import H3RasterAggregation
from services.raster import sources as raster_sources
from services.raster.rendering import published
from services.vector.source_files import SourceRef

Context = TaskContext[H3RasterAggregation]

# A mask beside a raster says which of its pixels count, and nothing beside it is read.
_MASK = ".msk"


@dataclass(frozen=True, slots=True)
class Found:
    """A raster that is to be read, in the version that its blob has at this moment.

    `name` is what people know it by. Of an item's asset: `raster_type` is what the item says that
    it is, `band_names` are those of its bands, `excluded` values that are no data, and with
    `is_restricted` not everyone may see it.
    """

    name: str
    blob: BlobVersion
    raster_type: str | None = None
    band_names: tuple[str, ...] = ()
    excluded: tuple[float, ...] = ()
    is_restricted: bool = False


def resolve(context: Context) -> list[Found]:
    """The rasters that the parameters name: of the items of a collection that have the asset the
    newest first, and those of one time by their names.

    Raises `NotFound` (collection_not_found, item_not_found, asset_not_found, container_not_found,
    blob_not_found), `Conflict` (no_raster, not_ours), `PermanentTaskError` (no_items,
    too_many_rasters, assets_differ, invalid_datetime, mask_beside_raster, source_too_large), and
    for an address `SourceRefused` and `SourceUnavailable`.
    """
    parameters = context.parameters
    if parameters.collection_id is not None:
        return _pinned(context, assets_of(parameters, parameters.collection_id))
    if parameters.source_url is not None:
        ref = raster_sources.pin_url(
            parameters.source_url,
            context.job_id,
            check=context.check,
            progress=context.progress,
        )
        return [Found(posixpath.basename(ref.path), _only_blob(ref))]
    assert parameters.container_name is not None
    assert parameters.blob_name is not None
    ref = raster_sources.pin(parameters.container_name, parameters.blob_name)
    blob = _only_blob(ref)
    return [Found(ref.path, blob, is_restricted=_is_restricted(blob))]


def names(parameters: H3RasterAggregation) -> list[str]:
    """What `resolve` would find, by name; what lies at an address is not asked for.

    Raises what `resolve` raises for items and blobs that are not there.
    """
    if parameters.collection_id is not None:
        return [each.item_id for each in assets_of(parameters, parameters.collection_id)]
    if parameters.source_url is not None:
        return [shown(parse(parameters.source_url))]
    assert parameters.container_name is not None
    assert parameters.blob_name is not None
    return [raster_sources.pin(parameters.container_name, parameters.blob_name).path]


def _pinned(context: Context, assets: Sequence[Asset]) -> list[Found]:
    """The assets' blobs as they are at this moment. One that several items share is read once."""
    versions: dict[tuple[str, str], BlobVersion] = {}
    for container in {asset.container for asset in assets}:
        paths = {asset.path for asset in assets if asset.container == container}
        present = blob_lookup.find(container, paths, check=context.check)
        versions |= {(container, path): version for path, version in present.items()}
    found: dict[tuple[str, str], Found] = {}
    for asset in assets:
        place = asset.container, asset.path
        if place not in versions:
            raise NotFound(
                f"The file of the item {asset.item_id!r} is gone: there is no blob "
                f"{asset.container}/{asset.path}.",
                code="blob_not_found",
                container=asset.container,
                path=asset.path,
            )
        each = Found(
            asset.item_id,
            versions[place],
            asset.raster_type,
            asset.band_names,
            asset.excluded,
            asset.is_restricted,
        )
        found.setdefault(place, each)
    return list(found.values())


def _is_restricted(blob: BlobVersion) -> bool:
    """Whether a blob lies where the files of an item are kept that not everyone may see.

    An item is found by its files' folder, as `services.raster.items.folder` has it: one whose
    files lie elsewhere is not, as the catalog cannot be asked for an address.
    """
    collection_id, _, below = blob.path.partition("/")
    item_id, _, file = below.partition("/")
    if not file:
        return False
    with stac_repository.snapshot() as catalog:
        item = catalog.item(collection_id, item_id)
        if item is None:
            return False
        collection = catalog.collection(collection_id) or {}
    return bool(
        collection.get(published.RESTRICTED) or item["properties"].get(published.RESTRICTED)
    )


def _only_blob(ref: SourceRef) -> BlobVersion:
    """The raster's own blob. What lies beside it is not read."""
    masks = [blob.path for blob in ref.blobs[1:] if blob.path.lower().endswith(_MASK)]
    if masks:
        raise PermanentTaskError(
            f"{masks[0]} beside the raster says which of its pixels count, and is not read here: "
            "make a COG of both with process_raster, and aggregate its item.",
            code="mask_beside_raster",
            field="blob_name",
        )
    first = ref.blobs[0]
    return BlobVersion(ref.container, first.path, first.size, first.etag)
