"""h3.source_catalog: the rasters that H3 aggregation can read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from infrastructure import queries
from infrastructure.database import Connection

_SQL = queries.load("source_catalog")


class Entry(StrEnum):
    """What became of an entry."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class StacCollectionSource:
    """A STAC collection as a source of rasters.

    Bounds in degrees (WGS84), resolution in metres, times as RFC 3339 texts. The facts of the
    rasters are those of asset `asset_key`, and None where no raster of it could be read.
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
    band_count: int | None
    theme: str | None
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
    row = connection.execute(_SQL["put_stac_collection"], asdict(source)).fetchone()
    if row is None:
        return Entry.UNCHANGED
    return Entry.CREATED if row["created"] else Entry.UPDATED
