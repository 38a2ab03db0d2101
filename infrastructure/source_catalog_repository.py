"""h3.source_catalog: the rasters that H3 aggregation can read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from psycopg.types.json import Jsonb

from infrastructure import queries
from infrastructure.database import Connection

_SQL = queries.load("source_catalog")

# What follows the rasters until somebody sets it.
_FOLLOWED = ("recommended_stats", "recommended_h3_res_min", "recommended_h3_res_max", "unit")


class Entry(StrEnum):
    """What became of an entry."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class StacCollectionSource:
    """A STAC collection as a source of rasters.

    Bounds in degrees (WGS84), resolution in metres, times as RFC 3339 texts. The facts of the
    rasters are those of asset `asset_key`, and None where no raster of it could be read:
    `value_range` is the smallest and the largest value, `band_info` says of each band what is
    known. What is recommended is for aggregation to H3: statistics, and resolutions. Of this and
    of the unit an entry keeps what people have set.
    """

    collection_id: str
    display_name: str
    description: str | None
    stac_api_url: str
    asset_key: str | None
    native_resolution_m: float | None
    crs: str | None
    data_type: str | None
    nodata_value: float | None
    value_range: list[float] | None
    band_count: int | None
    band_info: list[dict[str, Any]] | None
    theme: str | None
    recommended_stats: list[str] | None
    recommended_h3_res_min: int | None
    recommended_h3_res_max: int | None
    unit: str | None
    west: float
    south: float
    east: float
    north: float
    temporal_extent_start: str | None
    temporal_extent_end: str | None
    source_provider: str | None
    source_license: str | None
    citation: str | None


def put(connection: Connection, source: StacCollectionSource) -> Entry:
    """Enter the collection, or bring its entry up to date."""
    values = asdict(source)
    for name in ("value_range", "band_info"):
        values[name] = None if values[name] is None else Jsonb(values[name])
    computed = {name: values[name] for name in _FOLLOWED if values[name] is not None}
    values["computed"] = Jsonb(computed)
    row = connection.execute(_SQL["put_stac_collection"], values).fetchone()
    if row is None:
        return Entry.UNCHANGED
    return Entry.CREATED if row["created"] else Entry.UPDATED
