"""The entry of a STAC collection in h3.source_catalog: what its rasters are, and how they are best
summed up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config import get_settings
from infrastructure.source_catalog_repository import StacCollectionSource
from services.h3 import planning

# Between so many pixels in a cell a mean says something, and still shows what the raster shows.
FEWEST_PIXELS, MOST_PIXELS = 10.0, 1000.0

_FINEST = 12  # That an aggregation takes.
_POPULATION = "population"
# Of what is counted the sum says more than the mean.
_STATISTICS_OF_COUNTS = ("sum", "mean", "max", "count")


@dataclass(frozen=True, slots=True)
class RasterFacts:
    """What most rasters of a collection have in common; None where none could be read.

    `resolution_m` is the side of a pixel in metres, `value_range` the smallest and the largest
    value of the first band. `raster_type` and `subtype` are the words of `services.raster.model`.
    """

    asset_key: str | None = None
    resolution_m: float | None = None
    crs: str | None = None
    data_type: str | None = None
    nodata: float | None = None
    band_count: int | None = None
    bands: tuple[Mapping[str, Any], ...] | None = None
    value_range: tuple[float, float] | None = None
    unit: str | None = None
    raster_type: str | None = None
    subtype: str | None = None


def entry(
    collection: Mapping[str, Any], facts: RasterFacts, *, theme: str | None = None
) -> StacCollectionSource:
    """The entry of a Collection, by its document and what its rasters are."""
    west, south, east, north = _box(collection["extent"]["spatial"]["bbox"][0])
    start, end = collection["extent"]["temporal"]["interval"][0]
    providers = [each["name"] for each in collection.get("providers") or []]
    base = get_settings().public_url or ""
    coarsest, finest = recommended_resolutions(facts.resolution_m)
    return StacCollectionSource(
        collection_id=collection["id"],
        display_name=collection.get("title") or collection["id"],
        description=collection.get("description"),
        stac_api_url=f"{base.rstrip('/')}/api/stac",
        asset_key=facts.asset_key,
        native_resolution_m=facts.resolution_m,
        crs=facts.crs,
        data_type=facts.data_type,
        nodata_value=facts.nodata,
        value_range=None if facts.value_range is None else list(facts.value_range),
        band_count=facts.band_count,
        band_info=None if facts.bands is None else [dict(band) for band in facts.bands],
        theme=theme,
        recommended_stats=recommended_statistics(facts.raster_type, facts.subtype),
        recommended_h3_res_min=coarsest,
        recommended_h3_res_max=finest,
        unit=facts.unit,
        west=west,
        south=south,
        east=east,
        north=north,
        temporal_extent_start=start,
        temporal_extent_end=end,
        source_provider=", ".join(providers) or None,
        source_license=collection.get("license"),
        citation=collection.get("sci:citation"),
    )


def recommended_statistics(raster_type: str | None, subtype: str | None) -> list[str] | None:
    """The statistics that suit rasters of a type, None where that is not known."""
    if raster_type is None:
        return None
    if raster_type == planning.CATEGORICAL:
        return list(planning.STATISTICS_OF_CLASSES)
    return list(_STATISTICS_OF_COUNTS if subtype == _POPULATION else planning.STATISTICS)


def recommended_resolutions(pixel_m: float | None) -> tuple[int, int] | tuple[None, None]:
    """The coarsest and the finest resolution whose cells have from `FEWEST_PIXELS` to
    `MOST_PIXELS` square pixels of so many metres a side. Of rasters that are too fine or too
    coarse for all of them the nearest."""
    if pixel_m is None or pixel_m <= 0:
        return None, None
    pixels = [planning.pixels_per_cell(each, pixel_m) for each in range(_FINEST + 1)]
    finest = max((each for each, count in enumerate(pixels) if count >= FEWEST_PIXELS), default=0)
    few = (each for each, count in enumerate(pixels) if count <= MOST_PIXELS)
    return min(next(few, _FINEST), finest), finest


def _box(bbox: list[float]) -> Iterator[float]:
    """West, south, east, north; the whole circle for a box across the antimeridian, which
    the entry's single polygon cannot show."""
    half = len(bbox) // 2
    west, south, east, north = bbox[0], bbox[1], bbox[half], bbox[half + 1]
    if west > east:
        west, east = -180.0, 180.0
    yield from (west, south, east, north)
