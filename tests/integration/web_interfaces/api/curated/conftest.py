"""A client of the registry of curated datasets, in which nothing is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

import jobs
from infrastructure import database
from infrastructure.database import Connection
from tests.support.curated_datasets import forget_all
from tests.support.in_process import InProcessClient
from tests.support.settings import app_settings
from web_interfaces.api.curated import bp


@pytest.fixture
def db(ledger_url: str) -> Iterator[Connection]:
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        jobs.discover()
        forget_all(connection)
        yield connection


@pytest.fixture
def storage(db: Connection, ledger_url: str, blob_connection_string: str) -> Iterator[None]:
    """The app's blob storage, with a container of curated files of the test's own."""
    with app_settings(
        DATABASE_URL=ledger_url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_CURATED_CONTAINER=f"curated-{uuid.uuid4().hex[:12]}",
    ):
        yield


@pytest.fixture
def client(db: Connection) -> InProcessClient:
    return InProcessClient(bp)
