"""What the jobs on FATHOM's flood maps read and publish."""

from __future__ import annotations

from core.job_definition import JsonObject
from core.models.lineage import MOST_ALIKE, Lineage, Thing, of
from services.fathom.parameters import (
    FathomTiles,
    InventoryFathomContainer,
    ProcessFathomMerge,
    ProcessFathomStack,
)


def of_inventory(parameters: InventoryFathomContainer, result: JsonObject | None) -> Lineage:
    """The tiles, and the reports on them."""
    reports = () if result is None else map(Thing.report_file, result["reports"].values())
    return Lineage(_tiles(parameters), of(*reports))


def of_stacks(parameters: ProcessFathomStack, result: JsonObject | None) -> Lineage:
    """The tiles, and the collection of stacks with some of its Items."""
    return Lineage(_tiles(parameters), _published(result))


def of_merged(parameters: ProcessFathomMerge, result: JsonObject | None) -> Lineage:
    """The collection of stacks, and that of merged rasters with some of its Items."""
    return Lineage(of(Thing.stac_collection(parameters.source_collection_id)), _published(result))


def _tiles(parameters: FathomTiles) -> tuple[Thing, ...]:
    return of(Thing.blob(parameters.container_name, f"{parameters.prefix}*"))


def _published(result: JsonObject | None) -> tuple[Thing, ...]:
    """Nothing of a dry run, and nothing where all was there already or failed."""
    if result is None or not result.get("made"):
        return ()
    collection_id = result["collection_id"]
    items = (Thing.stac_item(collection_id, each["item_id"]) for each in result["first"])
    return of(
        Thing.stac_collection(collection_id),
        *list(items)[:MOST_ALIKE],
        Thing.report_file(result["report"]),
    )
