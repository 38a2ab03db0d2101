"""A database with nothing published: one for each module, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infrastructure.database import Connection
from tests.servers import PostgresServer
from tests.support.published import connect


@pytest.fixture(scope="module")
def publishing_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The module's database."""
    url = postgres_server.create_database(migrated_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def db(publishing_url: str) -> Iterator[Connection]:
    """A connection (autocommit) to it."""
    with connect(publishing_url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("DROP SCHEMA IF EXISTS geo, geo_staging, geo_versions, city CASCADE")
        connection.execute("CREATE SCHEMA geo")
        connection.execute("CREATE SCHEMA geo_staging")
        connection.execute("CREATE SCHEMA geo_versions")
        connection.execute(
            "TRUNCATE app.published_tables, app.published_versions, app.jobs CASCADE"
        )
        yield connection
