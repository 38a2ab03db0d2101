"""A ledger for tests that read or write jobs: one database for each module, emptied each time.

Copying the migrated template takes longer than most of these tests; `database_url` is for
those that change the schema or need a database that nobody has used.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infrastructure import database
from tests.servers import PostgresServer
from tests.support.settings import app_settings


@pytest.fixture(scope="module")
def ledger_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The module's database."""
    url = postgres_server.create_database(migrated_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[database.Connection]:
    """A connection (autocommit) to an empty ledger, which the app uses too."""
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        connection.execute("TRUNCATE app.jobs, app.job_metrics CASCADE")
        yield connection
