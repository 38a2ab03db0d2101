"""A client of the pipelines' endpoints, in an app without any pipeline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import jobs
from infrastructure import database
from infrastructure.database import Connection
from tests.support.in_process import InProcessClient
from tests.support.settings import app_settings
from web_interfaces.api import pipeline_runs, pipelines


@pytest.fixture
def db(ledger_url: str) -> Iterator[Connection]:
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        jobs.discover()
        connection.execute("TRUNCATE app.jobs, app.pipelines CASCADE")
        yield connection


@pytest.fixture
def client(db: Connection) -> InProcessClient:
    # Runs first: the literals of their addresses come before names, as hosts have it.
    return InProcessClient(pipeline_runs.bp, pipelines.bp)
