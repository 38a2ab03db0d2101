"""What published rasters tell h3.source_catalog: what most Items of a collection have in common."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any

import orjson

from infrastructure import (
    database,
    faults,
    job_progress,
    source_catalog_repository,
    stac_repository,
)
from infrastructure.source_catalog_repository import Entry
from services.h3 import source_entries
from services.h3.source_entries import RasterFacts
from services.raster import items as raster_items
from services.raster.item_bands import BANDS, RASTER_BANDS

JsonObject = dict[str, Any]

log = logging.getLogger(__name__)

# So many Items say what those of a collection are.
_NEWEST = 200


def enter(collection_id: str) -> Entry | None:
    """Enter a collection in h3.source_catalog, or bring its entry up to date, by its newest Items.

    Safe to repeat. None where there is no such collection any more, or it has no raster of ours.
    """
    with stac_repository.snapshot() as catalog:
        collection = catalog.collection(collection_id)
        found = catalog.search({"collections": [collection_id], "limit": _NEWEST})["features"]
    facts = facts_of(found)
    if collection is None or facts is None:
        return None
    with database.transaction() as connection:
        return source_catalog_repository.put(connection, source_entries.entry(collection, facts))


def enter_published(job_id: str, collection_id: str) -> None:
    """Enter a collection that a job has published.

    The rasters are in the catalog by now, so what would go wrong each time anew (a bug, or a row
    that the table refuses) does not fail the job: it is logged, and stands among the job's
    events. Raises what another attempt may mend.
    """
    try:
        enter(collection_id)
    except Exception as error:
        fault = faults.classify(error)
        if fault.transient or fault.cancelled:
            raise
        log.exception("%s could not be entered in h3.source_catalog", collection_id)
        job_progress.event(
            job_id,
            "source_not_entered",
            f"{collection_id} is published, but could not be entered in h3.source_catalog: "
            f"{fault.record['message']}",
            error=True,
            collection_id=collection_id,
        )


def facts_of(items: Iterable[JsonObject]) -> RasterFacts | None:
    """What most of the Items say of their rasters, and the values that all of these have; None
    where none is an Item of `items.make_item`."""
    ours = [each for each in items if _is_ours(each)]
    if not ours:
        return None
    described = [(orjson.dumps(_shared(each), option=orjson.OPT_SORT_KEYS), each) for each in ours]
    # Of facts that are equally frequent, those of the newest.
    [(usual, _)] = Counter(key for key, _ in described).most_common(1)
    alike = [each for key, each in described if key == usual]
    shared: JsonObject = orjson.loads(usual)
    bands = shared.pop("bands")
    # Pixels of rasters in degrees are wider in one item than in the next.
    sides = [side for each in alike if (side := each["properties"].get("gsd")) is not None]
    ranges = [found for each in alike if (found := _value_range(each)) is not None]
    lowest = min((low for low, _ in ranges), default=None)
    highest = max((high for _, high in ranges), default=None)
    return RasterFacts(
        **{name: value for name, value in shared.items() if name != "nodata"},
        resolution_m=median(sides) if sides else None,
        nodata=_number(shared["nodata"]),
        band_count=len(bands),
        bands=tuple(bands),
        value_range=None if lowest is None or highest is None else (lowest, highest),
    )


def _is_ours(item: JsonObject) -> bool:
    data = item["assets"].get(raster_items.DATA) or {}
    return raster_items.RASTER_TYPE in item["properties"] and bool(data.get(RASTER_BANDS))


def _shared(item: JsonObject) -> JsonObject:
    properties = item["properties"]
    bands = list(_bands(item["assets"][raster_items.DATA]))
    return {
        "asset_key": raster_items.DATA,
        "crs": properties.get("proj:code"),
        "data_type": bands[0]["data_type"],
        "nodata": bands[0].get("nodata"),
        "bands": bands,
        "unit": bands[0].get("unit"),
        "raster_type": properties[raster_items.RASTER_TYPE],
        "subtype": properties.get(raster_items.RASTER_SUBTYPE),
    }


def _bands(asset: Mapping[str, Any]) -> Iterator[JsonObject]:
    named = asset.get(BANDS) or []
    for place, band in enumerate(asset[RASTER_BANDS]):
        names = named[place] if place < len(named) else {}
        fields = {
            "number": place + 1,
            "name": names.get("name"),
            "description": names.get("description"),
            "common_name": names.get("eo:common_name"),
            **{name: band.get(name) for name in ("data_type", "nodata", "unit", "scale", "offset")},
        }
        yield {name: value for name, value in fields.items() if value is not None}


def _value_range(item: JsonObject) -> tuple[float, float] | None:
    """Of the first band, as its values are meant: scaled and with their offset."""
    band = item["assets"][raster_items.DATA][RASTER_BANDS][0]
    statistics = band.get("statistics") or {}
    if not {"minimum", "maximum"} <= statistics.keys():
        return None
    scale, offset = band.get("scale", 1.0), band.get("offset", 0.0)
    low, high = sorted(float(statistics[name]) * scale + offset for name in ("minimum", "maximum"))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _number(value: float | str | None) -> float | None:
    """A number, where JSON has none for it as a text."""
    return None if value is None else float(value)
