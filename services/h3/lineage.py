"""What h3_raster_aggregation reads and publishes."""

from __future__ import annotations

from core.job_definition import JsonObject
from core.models.lineage import Lineage, Thing, of
from services.h3.parameters import H3RasterAggregation

_COUNTRIES = "geo.curated_admin0"


def lineage(parameters: H3RasterAggregation, result: JsonObject | None) -> Lineage:
    """The rasters, the table that says where a country is, and the dataset."""
    read = of(
        _rasters(parameters),
        None if parameters.iso3 is None else Thing.table(_COUNTRIES),
    )
    if result is None:
        return Lineage(read)
    return Lineage(read, of(Thing.h3_dataset(result["dataset_id"])))


def _rasters(parameters: H3RasterAggregation) -> Thing | None:
    collection_id = parameters.collection_id
    if collection_id is None:
        return Thing.file(parameters.container_name, parameters.blob_name, parameters.source_url)
    if parameters.item_id is None:
        return Thing.stac_collection(collection_id)
    return Thing.stac_item(collection_id, parameters.item_id)
