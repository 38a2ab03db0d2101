"""The rasters that an aggregation reads: found, pinned to a version, and looked at.

They are items of the catalog, one blob, or what lies at an address. Nothing is copied to this
machine: a child asks for the bytes that it reads, and the parent gets them from storage.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import NotFound, PermanentTaskError
from core.job_definition import JsonObject, TaskContext
from infrastructure import blob_blocks, blob_lookup, stac_repository
from infrastructure.blob_blocks import BlobChanged, BlockCache, CachedBlob
from infrastructure.blob_lookup import BlobVersion
from infrastructure.sandbox import Sandbox, Sink
from infrastructure.source_addresses import parse, shown
from infrastructure.stac_repository import CatalogSnapshot, SearchRefused
from services.h3.model import Grid, SourceRaster
from services.h3.parameters import H3RasterAggregation
from services.raster import children
from services.raster import sources as raster_sources
from services.raster.items import EXCLUDED_VALUES, RASTER_TYPE
from services.raster.model import Band, Facts
from services.raster.rendering import published
from services.vector.inference.crs import parse_crs
from services.vector.source_files import SourceRef

Context = TaskContext[H3RasterAggregation]

# Imported before a child is wanted; see `infrastructure.sandbox`.
PRELOAD = ("pyarrow", "h3ronpy.vector", "shapely", "services.h3.child.aggregating")

_HEADER = "services.h3.child.headers:header"
_PAGE = 500
_MOST_RASTERS = 20_000
_NAMED = 20
_TIMES = ("datetime", "end_datetime", "start_datetime")
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


@dataclass(frozen=True, slots=True)
class _Asset:
    """An item's asset in our storage. `time` is RFC 3339, empty where the item has none."""

    item_id: str
    time: str
    container: str
    path: str
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
        return _pinned(context, _assets(parameters, parameters.collection_id))
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
        return [each.item_id for each in _assets(parameters, parameters.collection_id)]
    if parameters.source_url is not None:
        return [shown(parse(parameters.source_url))]
    assert parameters.container_name is not None
    assert parameters.blob_name is not None
    return [raster_sources.pin(parameters.container_name, parameters.blob_name).path]


def look_all(context: Context, found: Sequence[Found]) -> list[SourceRaster]:
    """What each of the rasters says of itself in its header, and of the band that is wanted.

    Raises `PermanentTaskError`, naming the raster: crs_missing, not_on_earth, not_georeferenced,
    band_not_found, complex_values, source_changed, and the codes of a file that cannot be read.
    """
    rasters = []
    with children.child_of_ranges(context.job_id, context.check, preload=PRELOAD) as child:
        for count, each in enumerate(found, start=1):
            context.check()
            rasters.append(_look(child, context, each))
            context.progress(rasters_looked_at=count, rasters_total=len(found))
    return rasters


def _look(child: Sandbox, context: Context, found: Found) -> SourceRaster:
    answer = call(
        child,
        _HEADER,
        {"size": found.blob.size, "name": found.blob.path},
        {"raster": found.blob},
        check=context.check,
        what=found.name,
    )
    return described(found, Facts.model_validate(answer), context.parameters)


def call(
    child: Sandbox,
    function: str,
    arguments: JsonObject,
    blobs: dict[str, BlobVersion],
    *,
    check: Callable[[], None],
    what: str,
    sinks: dict[str, Sink] | None = None,
    cache: BlockCache | None = None,
) -> Any:
    """What a function of the child's returns, which reads blobs in ranges; see `children.call`.

    Raises `PermanentTaskError` (source_changed) for a blob of another version than this.
    """
    held = cache or blob_blocks.BlockCache()
    try:
        return children.call(
            child,
            function,
            arguments,
            check=check,
            what=what,
            sources={name: CachedBlob(blob, held) for name, blob in blobs.items()},
            sinks=sinks,
        )
    except BlobChanged as error:
        raise PermanentTaskError(
            f"{error.details['container']}/{error.details['path']} has been replaced while the "
            "job was at work. Submit the job again.",
            code="source_changed",
        ) from error


def described(found: Found, facts: Facts, parameters: H3RasterAggregation) -> SourceRaster:
    """A raster as it is read, from what its file says of it; raises as `look_all` does."""
    band = _band(found, facts.bands, parameters.band)
    if band.dtype.startswith("complex"):
        raise PermanentTaskError(
            f"{found.name}: band {band.number} holds complex numbers, of which there are no such "
            "statistics. Send their magnitudes.",
            code="complex_values",
            field="band",
        )
    nodata = band.nodata
    if nodata is None and parameters.nodata is not None:
        nodata = float(parameters.nodata)
    return SourceRaster(
        name=found.name,
        container=found.blob.container,
        path=found.blob.path,
        etag=found.blob.etag,
        size=found.blob.size,
        grid=_grid(found.name, facts),
        band=band.number,
        dtype=band.dtype,
        nodata=nodata,
        excluded=found.excluded if parameters.exclude is None else tuple(parameters.exclude),
        scale=band.scale,
        offset=band.offset,
        raster_type=found.raster_type,
    )


def _assets(parameters: H3RasterAggregation, collection_id: str) -> list[_Asset]:
    """The assets of all items that are wanted, in the order of `resolve`."""
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


def _asset(item: JsonObject, key: str, is_restricted: bool) -> _Asset:
    container, path = published.place_of(item, key)
    properties, asset = item["properties"], item["assets"][key]
    said = properties.get(RASTER_TYPE)
    return _Asset(
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


def _pinned(context: Context, assets: Sequence[_Asset]) -> list[Found]:
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


def _grid(name: str, facts: Facts) -> Grid:
    if facts.transform is None:
        raise PermanentTaskError(
            f"{name} does not say where it lies: there is no transform in the file itself. Make a "
            "COG of it with process_raster, and aggregate its item.",
            code="not_georeferenced",
        )
    a, b, _, d, e, _ = facts.transform
    if not math.isfinite(1 / (a * e - b * d) if a * e != b * d else math.inf):
        raise PermanentTaskError(
            f"{name} cannot be placed: its pixels have no area.", code="not_georeferenced"
        )
    if facts.crs is None:
        raise PermanentTaskError(
            f"{name} does not say which CRS its coordinates are in. Make a COG of it with "
            "process_raster (source_crs names the CRS), and aggregate its item.",
            code="crs_missing",
        )
    try:
        parse_crs(facts.crs)
    except ValueError as error:
        raise PermanentTaskError(f"{name}: {error}", code="not_on_earth") from error
    return Grid(crs=facts.crs, transform=facts.transform, width=facts.width, height=facts.height)


def _band(found: Found, bands: Sequence[Band], wanted: int | str) -> Band:
    """The band of a number or a name: as its item names it, its file describes it, or by its
    colour; whatever the case of letters."""
    if isinstance(wanted, int):
        if 1 <= wanted <= len(bands):
            return bands[wanted - 1]
        raise PermanentTaskError(
            f"{found.name} has no band {wanted}: its bands are 1 to {len(bands)}.",
            code="band_not_found",
            field="band",
        )
    ways = (
        [*found.band_names[: len(bands)], *([""] * (len(bands) - len(found.band_names)))],
        [band.description or "" for band in bands],
        [band.colour for band in bands],
    )
    for names in ways:
        matching = [
            band
            for band, name in zip(bands, names, strict=True)
            if name.casefold() == wanted.casefold() and name
        ]
        if len(matching) == 1:
            return matching[0]
    known = ", ".join(dict.fromkeys(name for names in ways[:2] for name in names if name))
    raise PermanentTaskError(
        f"{found.name} has no band, or more than one, of the name {wanted!r}. "
        f"It has {len(bands)}: {known or 'none of them has a name'}.",
        code="band_not_found",
        field="band",
    )
