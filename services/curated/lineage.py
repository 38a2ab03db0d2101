"""What curated_update and curated_publish read and publish."""

from __future__ import annotations

from core.job_definition import JsonObject
from core.models.lineage import Lineage, Thing, of
from services.curated.parameters import CuratedPublish, CuratedUpdate

_PUBLISHED = ("updated", "unchanged")


def of_update(parameters: CuratedUpdate, result: JsonObject | None) -> Lineage:
    """The file that was uploaded, or the source; and the dataset with its table."""
    uploaded = Thing.file(parameters.container_name, parameters.blob_name, None)
    source = None if result is None else result.get("source_url")
    return Lineage(
        of(uploaded or Thing.file(None, None, source)),
        _published(result),
    )


def of_publication(parameters: CuratedPublish, result: JsonObject | None) -> Lineage:
    """The version that was held is the dataset's own, and so is what is published."""
    return Lineage(of(Thing.curated_dataset(parameters.dataset_id)), _published(result))


def _published(result: JsonObject | None) -> tuple[Thing, ...]:
    """Nothing where the update was skipped, or only a plan."""
    if result is None or result["action"] not in _PUBLISHED:
        return ()
    table = result.get("table")
    return of(
        Thing.curated_dataset(result["dataset_id"]),
        None if table is None else Thing.table(table),
        Thing.quality_report(result["report"]),
    )
