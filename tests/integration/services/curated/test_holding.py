"""Which fetched files of curated datasets are kept, beside updates that come and go."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from core.models.curated import CuratedDataset, UpdateStatus, UpdateType
from infrastructure import blob_storage, database
from infrastructure import curated_updates_repository as updates_log
from infrastructure import curated_versions_repository as versions
from infrastructure.database import Connection
from services.curated import file_store, holding, registry
from services.curated.file_store import folder_of
from tests.support.curated_datasets import (
    begin,
    forget_all,
    publish_version,
    register,
    stage_version,
)
from tests.support.handler_runs import carry_on
from tests.support.settings import app_settings

CONTAINER = f"curated-{uuid.uuid4().hex}"


@pytest.fixture
def connection(ledger_url: str, blob_connection_string: str) -> Iterator[Connection]:
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER=CONTAINER,
        ),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        blob_storage.ensure_container(CONTAINER)
        yield connection
        for path in blob_storage.container_client(CONTAINER).list_blob_names():
            blob_storage.blob_client(CONTAINER, path).delete_blob()


@pytest.fixture
def lakes(connection: Connection) -> CuratedDataset:
    return register(connection)


def fetched(*names: str, dataset_id: str = "lakes") -> None:
    """Files of these versions, as updates leave them."""
    for name in names:
        path = f"{dataset_id}/{folder_of(name)}/lakes.gpkg"
        blob_storage.write_bytes(CONTAINER, path, name.encode())


def left() -> set[str]:
    """The versions whose files are there."""
    paths = blob_storage.container_client(CONTAINER).list_blob_names()
    return {blob_storage.read_bytes(CONTAINER, path).decode() for path in paths}


def attempt_that_failed(connection: Connection, source_version: str) -> str:
    """An update that fetched this version, and failed; its job can be resumed for a while."""
    job_id = begin(connection, "lakes", status="failed")
    updates_log.begin(connection, "lakes", job_id, UpdateType.MANUAL)
    status = UpdateStatus.FAILED
    assert updates_log.finish(connection, job_id, status, source_version=source_version)
    return job_id


def forget_work(connection: Connection, job_id: str) -> None:
    """What housekeeping does a day later."""
    connection.execute("UPDATE app.jobs SET work_removed_at = now() WHERE job_id = %s", (job_id,))


def test_the_files_of_an_update_that_has_begun_since_are_left_alone(
    connection: Connection, lakes: CuratedDataset
) -> None:
    publish_version(connection, lakes, source_version="v1")
    fetched("v0", "v1", "v2")
    # It has not heard yet which version there is.
    job_id = begin(connection, "lakes")
    updates_log.begin(connection, "lakes", job_id, UpdateType.MANUAL)
    holding.tidy(lakes, carry_on)
    assert left() == {"v0", "v1", "v2"}
    updates_log.finish(connection, job_id, UpdateStatus.SKIPPED, source_version="v1")
    holding.tidy(lakes, carry_on)
    assert left() == {"v1"}


def test_no_update_begins_while_files_are_removed(
    connection: Connection, lakes: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidy, refused = file_store.tidy, []

    def watched(*args: Any, **options: Any) -> int:
        # What `updates.start` does first.
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("SELECT 1 FROM app.curated_datasets FOR UPDATE NOWAIT")
        refused.append(True)
        return tidy(*args, **options)

    monkeypatch.setattr(file_store, "tidy", watched)
    holding.tidy(lakes, carry_on)
    assert refused


def test_the_files_of_attempts_that_may_go_on_are_kept(
    connection: Connection, lakes: CuratedDataset
) -> None:
    publish_version(connection, lakes, source_version="v1")
    fetched("v1", "v2", "v3", "v4")
    first = attempt_that_failed(connection, "v2")
    second = attempt_that_failed(connection, "v3")
    holding.tidy(lakes, carry_on)
    assert left() == {"v1", "v2", "v3"}
    forget_work(connection, first)
    forget_work(connection, second)
    holding.tidy(lakes, carry_on)
    # Another attempt follows the newest one, and finds the same version.
    assert left() == {"v1", "v3"}


def test_files_that_nobody_needs_are_swept(connection: Connection, lakes: CuratedDataset) -> None:
    publish_version(connection, lakes, source_version="v1")
    attempts = [attempt_that_failed(connection, version) for version in ("v2", "v3", "v4")]
    for job_id in attempts:
        forget_work(connection, job_id)
    held = stage_version(connection, lakes, attempts[1], source_version="v3")
    versions.hold(connection, held.version_id, {}, [])
    fetched("v1", "v2", "v3", "v4")
    holding.sweep()
    assert left() == {"v1", "v3", "v4"}


def test_files_of_deleted_datasets_are_swept_and_those_of_others_are_not(
    connection: Connection, lakes: CuratedDataset
) -> None:
    attempt_that_failed(connection, "v1")
    fetched("v1")
    fetched("a picture", dataset_id="pictures")
    holding.sweep()
    assert left() == {"v1", "a picture"}
    registry.delete("lakes")
    holding.sweep()
    assert left() == {"a picture"}
