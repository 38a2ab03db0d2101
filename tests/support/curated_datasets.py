"""Curated datasets with what is published of them, written as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.models.curated import CuratedDataset, CuratedDefinition
from core.models.feature_table import FeatureTable
from infrastructure import curated_repository as datasets
from infrastructure import curated_versions_repository as versions
from infrastructure.curated_versions_repository import CuratedVersion, NewVersion
from infrastructure.database import Connection
from services.publishing import staging
from tests.support.ledger import add_job
from tests.support.published import TABLE, provenance, put, stage

LAKES: dict[str, Any] = {
    "dataset_id": "lakes",
    "name": "Lakes",
    "source_url": "https://data.example.org/lakes.gpkg",
    "target_table_name": "curated_lakes",
}
ONE = [(1, "Loch Ness", (-4.5, 57.3))]
TWO = [*ONE, (2, "Windermere", (-2.9, 54.4))]


def forget_all(connection: Connection) -> None:
    """Empty the registry, its log, the versions, what is published, its Collections."""
    connection.execute(
        "TRUNCATE app.curated_datasets, app.curated_update_log, app.curated_versions,"
        " app.published_tables, app.published_versions, app.jobs, geo.feature_collection_styles"
        " CASCADE"
    )
    connection.execute("DELETE FROM pgstac.collections WHERE content ? 'geoforge:table'")
    found = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('geo', 'geo_versions', 'geo_staging')"
        " AND tablename <> 'feature_collection_styles'"
    ).fetchall()
    for row in found:
        connection.execute(f"DROP TABLE {row['name']} CASCADE")


def register(connection: Connection, **fields: Any) -> CuratedDataset:
    """A dataset of the registry: the lakes, but for what is said otherwise."""
    definition = CuratedDefinition.model_validate({**LAKES, **fields})
    dataset = datasets.insert(connection, definition, definition.handler or "vector_file")
    assert dataset is not None
    return dataset


def begin(connection: Connection, dataset_id: str, **job: Any) -> str:
    """A job that updates a dataset."""
    number = connection.execute("SELECT count(*) AS n FROM app.jobs").fetchone()
    assert number is not None
    parameters = {"dataset_id": dataset_id, "request_id": str(number["n"])}
    return add_job(connection, job_type="curated_update", parameters=parameters, **job)


def stage_version(
    connection: Connection,
    dataset: CuratedDataset,
    job_id: str,
    rows: Sequence[Sequence[Any]] = ONE,
    *,
    source_version: str = "2026-01",
    table: FeatureTable = TABLE,
    base_version: int | None = None,
) -> CuratedVersion:
    """A version that a job has staged whole."""
    with connection.transaction():
        name = stage(connection, rows, table, job_id=job_id, key_columns=["code"])
        apart = staging.set_apart(connection, name, job_id)
        return versions.add(
            connection,
            NewVersion(
                dataset_id=dataset.dataset_id,
                job_id=job_id,
                log_id=None,
                staged=apart,
                shape=table,
                key_columns=("code",),
                base_version=base_version,
                source_version=source_version,
                definition_digest=dataset.definition_digest,
                source_columns={"code": "bigint", "name": "text"},
                files=[],
                licence=None,
                read=len(rows),
                loaded=len(rows),
                quarantined=0,
                rows=len(rows),
                bbox=None,
            ),
        )


def publish_version(
    connection: Connection,
    dataset: CuratedDataset,
    rows: Sequence[Sequence[Any]] = ONE,
    *,
    source_version: str = "2026-01",
    job_id: str | None = None,
) -> int:
    """Publish a version of a dataset as a job would; its number."""
    job_id = job_id or begin(connection, dataset.dataset_id, status="completed")
    version = stage_version(connection, dataset, job_id, rows, source_version=source_version)
    assert version.staged is not None
    staging.drop_one(connection, version.staged)
    done = put(
        connection,
        rows,
        target=dataset.target,
        key_columns=["code"],
        provenance=provenance(job_id),
    )
    versions.publish(connection, version.version_id, done.version, {}, [])
    datasets.updated(connection, dataset.dataset_id, source_version)
    return done.version
