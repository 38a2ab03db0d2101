"""Where a raster comes from, and which Items it may take the place of: those of the same source,
and others where the job says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from core.errors import PermanentTaskError
from core.job_definition import JsonObject, TaskContext
from services.raster import catalog, items
from services.raster.files import RasterFile
from services.raster.items import Origin
from services.raster.parameters import ProcessRaster, RasterOptions

Context = TaskContext[RasterOptions]


def origin_of(context: Context, file: RasterFile) -> Origin:
    """Where a file comes from: its blob, or the address that its job was given."""
    parameters = context.parameters
    if isinstance(parameters, ProcessRaster) and parameters.source_url is not None:
        return Origin(job_id=context.job_id, at=datetime.now(UTC), url=parameters.source_url)
    return Origin(
        job_id=context.job_id,
        at=datetime.now(UTC),
        container=file.ref.container,
        path=file.ref.path,
    )


def refuse_other_source(context: TaskContext[ProcessRaster], file: RasterFile) -> None:
    """As `refuse_unless_same_source`, by what the catalog holds now: before any work is done."""
    collection_id = context.parameters.collection_id
    stored = catalog.stored_items(collection_id, [file.item_id])
    refuse_unless_same_source(context, file, stored.get(file.item_id))


def refuse_unless_same_source(
    context: Context, file: RasterFile, predecessor: JsonObject | None
) -> None:
    """Raise `PermanentTaskError` (item_of_another_source) where a file's Item would replace one
    that came from elsewhere, and nobody has said that it shall: by its id, or by overwrite."""
    parameters = context.parameters
    is_named = isinstance(parameters, ProcessRaster) and parameters.item_id is not None
    if predecessor is None or parameters.overwrite or is_named:
        return
    own = items.source_of(origin_of(context, file))
    other = predecessor["properties"].get(items.SOURCE)
    if other == own:
        return
    is_one = isinstance(parameters, ProcessRaster)
    raise PermanentTaskError(
        f"The item {file.item_id!r} of collection {predecessor['collection']!r} comes from "
        f"{_named(other)}, and would be replaced by one from {_named(own)}: give "
        f"{'an item_id' if is_one else 'another collection_id'}, or set overwrite to replace it.",
        code="item_of_another_source",
        field="item_id" if is_one else "collection_id",
        item_id=file.item_id,
    )


def _named(source: object) -> str:
    """What an Item says of its source, for people."""
    if isinstance(source, Mapping) and "url" in source:
        return str(source["url"])
    if isinstance(source, Mapping) and "blob" in source:
        return f"{source.get('container')}/{source['blob']}"
    return "somewhere else than geoforge"
