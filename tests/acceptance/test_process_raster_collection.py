"""process_raster_collection over HTTP, on a whole stack, whose host is killed amid the COGs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.conftest import Api, api_of
from tests.servers import ScratchDirectory, StackUnderTest
from tests.support import rasters
from tests.support.freezing import freeze
from tests.support.raster_collection import SOURCE, TARGET, put, put_raster
from tests.support.settings import app_settings

TILES = 5
COGS = 4  # the stage's place
JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


@pytest.fixture(scope="module")
def files(mortal: StackUnderTest) -> Iterator[None]:
    """Elevation tiles, of which one is encoded in strips; a photo, and a file that is damaged."""
    settings = mortal.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=settings), ScratchDirectory() as directory:
        folder = Path(directory)
        for place in range(TILES):
            size = 1024 if place == 0 else 512
            put_raster(
                f"dem/n{place:02}.tif", rasters.dem(size, seed=place), folder, place=2 * place
            )
        put_raster("dem/photo.tif", rasters.rgb(), folder)
        put("dem/broken.tif", b"II*\0 and nothing more")
        put("dem/README.md", b"Heights")
        yield


def at_work(connection: psycopg.Connection[Any], job_id: str) -> bool:
    """Whether a COG is being made, and another one is."""
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE status = 'running') AS running,"
        "       count(*) FILTER (WHERE status = 'completed') AS completed"
        " FROM app.tasks WHERE job_id = %s AND stage = %s",
        (job_id, COGS),
    ).fetchone()
    return bool(row and row[0] and row[1])


def test_a_collection_is_published_and_counted_right_though_the_host_was_killed(
    mortal: StackUnderTest, api: Api, files: None
) -> None:
    job_id = api.submit(
        "process_raster_collection",
        container_name=SOURCE, prefix="dem/", collection_id="heights", window_gb=0.002,
        max_parallel=2,
    )  # fmt: skip
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        freeze(mortal.pid("host"), partial(at_work, connection, job_id))
    mortal.restart("host")
    job = api.ended(job_id, 240)
    assert job["status"] == "completed", job["error"]

    result = job["result"]
    assert (result["read"], result["published"], result["refused"]) == (TILES + 2, TILES, 2)
    assert result["refused_by_reason"]["type_differs"] == 1
    assert result["by_type"] == {"dem": TILES}
    found = api.http.get(result["links"]["items"], params={"limit": 50}).raise_for_status().json()
    assert {each["id"] for each in found["features"]} == {f"n{n:02}" for n in range(TILES)}
    strips = next(stage for stage in job["stages"] if stage["name"] == "encode_windows")
    assert strips["tasks_total"] == 2

    context = api.http.get(f"/api/metrics/jobs/{job_id}").raise_for_status().json()["context"]
    shown = context["raster_collection"]
    assert shown["files_total"] == shown["files_processed"] == TILES + 2
    assert shown["cogs_created"] == TILES
    assert shown["output_size_gb"] == pytest.approx(result["bytes_out"] / 1e9, abs=1e-9)
    assert shown["current_file"].startswith("dem/")

    collection = api.http.get(result["links"]["collection"]).raise_for_status().json()
    from infrastructure import blob_storage

    path = collection["assets"]["mosaic"]["href"].partition(f"/{TARGET}/")[2]
    mosaic = json.loads(blob_storage.read_bytes(TARGET, path))
    listed = {href for hrefs in mosaic["tiles"].values() for href in hrefs}
    assert listed == {each["assets"]["data"]["href"] for each in found["features"]}
    report = blob_storage.read_bytes(TARGET, result["report"]["path"]).splitlines()
    assert len(report) == TILES + 2
