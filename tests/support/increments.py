"""Increments of a dataset of sites: records and deletions that say when they came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from core.models.curated import CuratedDataset
from core.models.feature_table import Column, ColumnType, FeatureTable
from infrastructure import curated_updates_repository as updates_log
from infrastructure import database
from infrastructure.database import Connection, Row
from tests.support.curated_datasets import forget_all, register
from tests.support.curated_update import (
    SITES,
    SiteRow,
    Staged,
    site,
    staged,
    use_handler,
)
from tests.support.settings import app_settings

# As the sites, with the time at which a record became what it is.
SEEN = FeatureTable(
    columns=(
        *SITES.columns[:4],
        Column(name="seen", type=ColumnType.INTEGER),
        SITES.columns[4],
    ),
    geometry=SITES.geometry,
)
# No gate stops what these tests are about.
OPEN_GATES: dict[str, Any] = {
    "min_rows": 0,
    "row_count_change_pct": None,
    "extent_change_pct": None,
    "invalid_pct": None,
}


@contextmanager
def seen_sites(
    ledger_url: str,
    blob_connection_string: str,
    monkeypatch: pytest.MonkeyPatch,
    **dataset: Any,
) -> Iterator[tuple[Connection, CuratedDataset]]:
    """A connection (autocommit), and a dataset that is updated by upsert from increments."""
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER="curated-increments",
        ),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        use_handler(monkeypatch, delivers="increment", newest="seen")
        yield (
            connection,
            register(
                connection,
                dataset_id="sites",
                name="Sites",
                target_table_name="curated_sites",
                update_strategy="upsert",
                **{"gates": OPEN_GATES, **dataset},
            ),
        )


def seen(number: int, at: int | None = 10, name: str | None = None, **changed: Any) -> SiteRow:
    """Site `number` as it became at a time."""
    row = site(number, name, **changed)
    return (*row[:-1], at, row[-1])


def deleted(keys: Mapping[int, int]) -> str:
    """A file that says of sites when they were deleted."""
    return "site,seen\n" + "".join(f"S{number},{at}\n" for number, at in keys.items())


def update(
    connection: Connection,
    dataset: CuratedDataset,
    rows: Sequence[SiteRow] = (),
    version: str = "v1",
    **options: Any,
) -> Staged:
    """An update of these rows, staged."""
    return staged(connection, dataset, rows, version, shape=SEEN, **options)


def table_rows(dataset: CuratedDataset) -> list[tuple[Any, ...]]:
    """All that the published table holds, gids too."""
    with database.transaction() as connection:
        rows = connection.execute(
            f"SELECT gid, site, name, area, iso3, seen, source_version, geom::text AS geom"
            f" FROM {dataset.target} ORDER BY gid"
        ).fetchall()
    return [tuple(row.values()) for row in rows]


def names(dataset: CuratedDataset) -> dict[str, str]:
    """The names of the published sites by their keys."""
    return {row[1]: row[2] for row in table_rows(dataset)}


def quarantined(connection: Connection, job: Staged) -> list[tuple[Any, ...]]:
    """(site, reason, detail) of a job's quarantine."""
    rows = connection.execute(
        "SELECT properties ->> 'site' AS site, reason, detail FROM app.vector_quarantine"
        " WHERE job_id = %s ORDER BY layer, source_row",
        (job.job_id,),
    )
    return [tuple(row.values()) for row in rows]


def log_of(connection: Connection, job: Staged) -> Row:
    """The entry of a job in the log."""
    row = updates_log.of_job(connection, job.job_id)
    assert row is not None
    return row


def staged_tables(connection: Connection) -> int:
    """How many tables there are in geo_staging."""
    row = connection.execute(
        "SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'geo_staging'"
    ).fetchone()
    assert row is not None
    return int(row["n"])
