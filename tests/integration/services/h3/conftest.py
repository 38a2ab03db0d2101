"""The app's settings on servers of the tests' own, and a database with no statistics in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infrastructure import database
from infrastructure.database import Connection
from tests.servers import PostgresServer
from tests.support.settings import app_settings


@pytest.fixture(scope="module")
def h3_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The module's database."""
    url = postgres_server.create_database(migrated_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def db(h3_url: str, blob_connection_string: str) -> Iterator[Connection]:
    """A connection (autocommit) to a database without statistics, which the app uses too."""
    with (
        app_settings(DATABASE_URL=h3_url, AZURE_STORAGE_CONNECTION_STRING=blob_connection_string),
        database.connect(autocommit=True) as connection,
    ):
        connection.execute("TRUNCATE h3.zonal_stats, h3.datasets, app.jobs CASCADE")
        yield connection
