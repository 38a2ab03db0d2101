"""What rasters say of themselves, and how a child reads them: in ranges, from storage.

Nothing is copied to this machine: a child asks for the bytes that it reads, and the parent gets
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from core.errors import PermanentTaskError
from core.job_definition import JsonObject, TaskContext
from infrastructure import blob_blocks
from infrastructure.blob_blocks import BlobChanged, BlockCache, CachedBlob
from infrastructure.blob_lookup import BlobVersion
from infrastructure.sandbox import Sandbox, Sink
from services.h3.model import Grid, SourceRaster
from services.h3.parameters import H3RasterAggregation
from services.h3.sources import Found
from services.raster import children
from services.raster.model import Band, Facts
from services.vector.inference.crs import parse_crs

Context = TaskContext[H3RasterAggregation]

# Imported before a child is wanted; see `infrastructure.sandbox`.
PRELOAD = ("pyarrow", "h3ronpy.vector", "shapely", "services.h3.child.aggregating")

_HEADER = "services.h3.child.headers:header"


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
