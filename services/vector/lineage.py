"""What process_vector reads and publishes."""

from __future__ import annotations

from core.job_definition import JsonObject
from core.models.lineage import Lineage, Thing, of
from services.vector.parameters import ProcessVector


def lineage(parameters: ProcessVector, result: JsonObject | None) -> Lineage:
    """The file, and the tables that it became."""
    read = of(Thing.file(parameters.container_name, parameters.blob_name, parameters.source_url))
    if result is None:
        return Lineage(read)
    tables = (Thing.table(each["table"]) for each in result["tables"])
    return Lineage(read, of(*tables, Thing.quality_report(result["report"])))
