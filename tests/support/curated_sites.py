"""A dataset of sites whose updates are finalized, and what is there after that."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from core.models.curated import CuratedDataset
from infrastructure import curated_updates_repository as updates_log
from infrastructure.database import Connection
from services.curated import holding
from tests.support.curated_datasets import forget_all, register
from tests.support.curated_update import Staged, site, use_handler

SEVERAL = [site(number) for number in range(20)]


def registered_sites(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> CuratedDataset:
    """A dataset of sites, of which nothing is published; its files are somewhere else."""
    forget_all(ledger)
    use_handler(monkeypatch)
    monkeypatch.setattr(holding.file_store, "tidy", lambda *_args, **_options: 0)
    monkeypatch.setattr(holding.file_store, "dataset_ids", list)
    return register(
        ledger,
        dataset_id="sites",
        name="Sites",
        description="All sites",
        target_table_name="curated_sites",
        attribution="The site office",
        restricted=True,
        update_strategy="full_replace",
    )


def log_of(connection: Connection, job: Staged) -> dict[str, Any]:
    """The row of an update in the log."""
    row = updates_log.of_job(connection, job.job_id)
    assert row is not None
    return row


def versions(connection: Connection) -> list[tuple[Any, ...]]:
    """(state, version, whether it has a staged table) of all versions of datasets."""
    rows = connection.execute(
        "SELECT state, version, staged IS NOT NULL AS is_staged FROM app.curated_versions"
        " ORDER BY version_id"
    ).fetchall()
    return [tuple(row.values()) for row in rows]


def tables_in(connection: Connection, schema: str) -> list[str]:
    """The names of a schema's tables."""
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", (schema,)
    ).fetchall()
    return [row["tablename"] for row in rows]


def let_pass(connection: Connection, **gates: Any) -> None:
    """Set the dataset's gates."""
    connection.execute("UPDATE app.curated_datasets SET gates = %s", (Jsonb(gates),))


def published_version(connection: Connection) -> int:
    """The version of the one table that is published."""
    row = connection.execute("SELECT version FROM app.published_tables").fetchone()
    assert row is not None
    return int(row["version"])
