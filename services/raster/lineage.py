"""What process_raster and process_raster_collection read and publish."""

from __future__ import annotations

from core.job_definition import JsonObject
from core.models.lineage import MOST_ALIKE, Lineage, Thing, of
from services.raster.parameters import ProcessRaster, ProcessRasterCollection


def of_raster(parameters: ProcessRaster, result: JsonObject | None) -> Lineage:
    """The file, and the Item and the COG that it became."""
    read = of(Thing.file(parameters.container_name, parameters.blob_name, parameters.source_url))
    if result is None:
        return Lineage(read)
    cog = result["cog"]
    return Lineage(
        read,
        of(
            Thing.stac_item(result["collection_id"], result["item_id"]),
            Thing.blob(cog["container"], cog["path"]),
        ),
    )


def of_collection(parameters: ProcessRasterCollection, result: JsonObject | None) -> Lineage:
    """The files, or how their paths begin, and the collection with some of its Items."""
    container = parameters.container_name
    if parameters.prefix is not None:
        read = of(Thing.blob(container, f"{parameters.prefix}*"))
    else:
        read = of(*(Thing.blob(container, path) for path in parameters.blob_names[:MOST_ALIKE]))
    if result is None:
        return Lineage(read)
    collection_id = result["collection_id"]
    items = [each["item_id"] for each in result["files"] if each["status"] == "published"]
    return Lineage(
        read,
        of(
            Thing.stac_collection(collection_id),
            *(Thing.stac_item(collection_id, item) for item in items[:MOST_ALIKE]),
            Thing.report_file(result["report"]),
        ),
    )
