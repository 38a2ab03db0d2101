"""Entries of h3.source_catalog follow what is published, and keep what people have set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infrastructure import database, source_catalog_repository
from infrastructure.database import Connection
from infrastructure.source_catalog_repository import Entry, StacCollectionSource
from tests.servers import PostgresServer
from tests.support.settings import app_settings

DEM = StacCollectionSource(
    collection_id="dem",
    display_name="Heights",
    description=None,
    stac_api_url="/api/stac",
    asset_key="data",
    native_resolution_m=30.0,
    crs="EPSG:4326",
    data_type="float32",
    nodata_value=None,
    value_range=[0.0, 100.0],
    band_count=1,
    band_info=None,
    theme=None,
    recommended_stats=["mean"],
    recommended_h3_res_min=8,
    recommended_h3_res_max=10,
    unit="m",
    west=0.0,
    south=0.0,
    east=1.0,
    north=1.0,
    temporal_extent_start=None,
    temporal_extent_end=None,
    source_provider=None,
    source_license=None,
    citation=None,
)
COARSER: dict[str, Any] = {
    "recommended_stats": ["mean", "max"],
    "recommended_h3_res_min": 5,
    "recommended_h3_res_max": 7,
    "unit": "ft",
}
UNKNOWN = dict.fromkeys(COARSER)


@pytest.fixture(scope="module")
def connection(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Connection]:
    url = postgres_server.create_database(migrated_template)
    with app_settings(DATABASE_URL=url), database.connect(autocommit=True) as connection:
        yield connection
    postgres_server.drop_database(url)


@pytest.fixture
def db(connection: Connection) -> Iterator[Connection]:
    """A catalog without entries, and which keeps none."""
    with connection.transaction(force_rollback=True):
        yield connection


def followed(connection: Connection) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM h3.source_catalog WHERE id = 'dem'").fetchone()
    assert row is not None
    return {name: row[name] for name in COARSER}


def put(connection: Connection, **values: Any) -> Entry:
    return source_catalog_repository.put(connection, replace(DEM, **values))


def test_what_nobody_has_set_follows_what_is_published(db: Connection) -> None:
    assert put(db, **UNKNOWN) == Entry.CREATED
    assert put(db) == Entry.UPDATED
    assert followed(db) == {name: getattr(DEM, name) for name in COARSER}
    assert put(db) == Entry.UNCHANGED
    for _ in range(2):
        assert put(db, **COARSER) == Entry.UPDATED
        assert put(db, **COARSER) == Entry.UNCHANGED
        assert followed(db) == COARSER
        # What could not be told this time stays as it was, and follows again when it can.
        assert put(db, **UNKNOWN) == Entry.UNCHANGED
        assert followed(db) == COARSER
        assert put(db) == Entry.UPDATED


@pytest.mark.parametrize(
    ("name", "value"),
    [("recommended_stats", ["p95"]), ("recommended_h3_res_min", 3),
     ("recommended_h3_res_max", 4), ("unit", None)],
)  # fmt: skip
def test_what_somebody_has_set_stays_alone(db: Connection, name: str, value: Any) -> None:
    put(db)
    db.execute(f"UPDATE h3.source_catalog SET {name} = %s", (value,))
    assert put(db) == Entry.UNCHANGED
    for rasters in (COARSER, {}, UNKNOWN, COARSER):
        put(db, **rasters)
        assert followed(db)[name] == value
    assert followed(db) == {**COARSER, name: value}


def test_what_an_older_entry_has_stays(db: Connection) -> None:
    put(db, unit=None)
    db.execute("UPDATE h3.source_catalog SET computed = DEFAULT")
    put(db, **COARSER)
    assert followed(db) == {**{name: getattr(DEM, name) for name in COARSER}, "unit": "ft"}
