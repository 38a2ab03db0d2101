"""What ingest_collection reads and publishes."""

from __future__ import annotations

from core.job_definition import JsonObject
from core.models.lineage import Lineage, Thing, of
from services.ingest.parameters import IngestCollection


def lineage(parameters: IngestCollection, result: JsonObject | None) -> Lineage:
    """The Collection's document, which leads to all else, and the collection in the catalog."""
    read = of(Thing.blob(parameters.source_container, parameters.collection_json_path))
    if result is None:
        return Lineage(read)
    return Lineage(read, of(Thing.stac_collection(result["collection_id"])))
