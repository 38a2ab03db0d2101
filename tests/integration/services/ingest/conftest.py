"""The app's settings on servers of the tests' own, and a job ready to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from infrastructure import database
from infrastructure.database import Row
from jobs.ingest_collection import JOB
from tests.support.run_job import JobRun
from tests.support.settings import app_settings
from tests.support.stac_collection import new_container

RunIngest = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _app(database_url: str, blob_connection_string: str) -> Iterator[None]:
    with app_settings(
        DATABASE_URL=database_url, AZURE_STORAGE_CONNECTION_STRING=blob_connection_string
    ):
        yield


@pytest.fixture
def bronze() -> str:
    return new_container("bronze")


@pytest.fixture
def silver() -> str:
    """A target container's name; the container exists already."""
    return new_container("silver")


@pytest.fixture
def ingest(bronze: str, silver: str) -> RunIngest:
    """Runs the job from bronze to silver and returns its result; each call is a new run."""
    runs = count()

    def run(**parameters: Any) -> dict[str, Any]:
        containers = {"source_container": bronze, "target_container": silver}
        result = JobRun(JOB, next(runs), **{**containers, **parameters}).run()
        assert result is not None
        return result

    return run


def rows(query: str, *values: Any) -> list[Row]:
    """The rows of a query on the app's database."""
    with database.transaction() as connection:
        connection.execute("SET LOCAL search_path TO pgstac, public")
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def item_ids(collection_id: str) -> set[str]:
    """The ids that a search over the collection finds."""
    found = rows(
        "SELECT pgstac.search(jsonb_build_object('collections', jsonb_build_array(%s::text), "
        "'limit', 10000)) AS page",
        collection_id,
    )[0]["page"]
    return {feature["id"] for feature in found["features"]}
