"""process_raster over HTTP, on a whole stack, while its host is killed in every stage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks.raster_files import terrain
from tests.acceptance.conftest import Api, api_of
from tests.servers import ScratchDirectory, StackUnderTest
from tests.support.freezing import freeze
from tests.support.settings import app_settings

CONTAINER = "bronze-rasters"
TERRAIN = "terrain.tif"
SIDE = 1536
STAGES = ("validate", "encode_windows", "create_cog", "publish")
JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


@pytest.fixture(scope="module")
def storage(mortal: StackUnderTest) -> Iterator[None]:
    """This process uses the stack's storage; a raster lies in it."""
    settings = mortal.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=settings), ScratchDirectory() as directory:
        from infrastructure import blob_storage

        file = Path(directory) / TERRAIN
        terrain(file, SIDE)
        blob_storage.ensure_container(CONTAINER)
        blob_storage.write_bytes(CONTAINER, TERRAIN, file.read_bytes())
        yield


def submit(api: Api, item_id: str, **parameters: Any) -> str:
    """A job that encodes the terrain in three strips; its id."""
    return api.submit(
        "process_raster",
        container_name=CONTAINER, blob_name=TERRAIN, collection_id="terrain", item_id=item_id,
        **{"window_gb": 0.008, **parameters},
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(api: Api, storage: None) -> JsonObject:
    """The result of a job that nothing happens to."""
    job = api.ended(submit(api, "undisturbed"))
    assert job["status"] == "completed", job["error"]
    result: JsonObject = job["result"]
    return result


def at_work(connection: psycopg.Connection[Any], job_id: str, stage: str) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM app.tasks WHERE job_id = %s AND stage = %s AND status = 'running'",
        (job_id, STAGES.index(stage)),
    ).fetchone()
    return bool(row and row[0])


def published(result: JsonObject) -> bytes:
    from infrastructure import blob_storage

    return blob_storage.read_bytes(result["cog"]["container"], result["cog"]["path"])


def test_a_raster_goes_from_a_blob_to_the_map(api: Api, undisturbed: JsonObject) -> None:
    assert undisturbed["type"] == "dem"
    assert undisturbed["cog"]["strips"] == 3
    assert undisturbed["verification"]["exact"]
    assert undisturbed["verification"]["compared"] == SIDE * SIDE
    data = published(undisturbed)
    assert hashlib.sha256(data).hexdigest() == undisturbed["cog"]["sha256"]

    item = api.http.get(undisturbed["links"]["item"]).raise_for_status().json()
    assert item["assets"]["data"]["href"] == undisturbed["cog"]["href"]
    assert item["assets"]["data"]["file:size"] == len(data)
    assert item["properties"]["geoforge:raster_type"] == "dem"
    assert item["properties"]["datetime"] is None
    for address in (undisturbed["links"]["preview"], undisturbed["links"]["tilejson"]):
        assert api.http.get(address).status_code == 200
    found = api.http.get("/api/stac/search", params={"collections": "terrain"}).json()["features"]
    assert "undisturbed" in {each["id"] for each in found}


def test_a_single_pass_makes_the_same_pixels(api: Api, undisturbed: JsonObject) -> None:
    import rasterio

    job = api.ended(submit(api, "single", window_gb=4.0))
    assert job["status"] == "completed", job["error"]
    assert job["result"]["cog"]["strips"] == 0
    with (
        rasterio.MemoryFile(published(undisturbed)) as strips,
        rasterio.MemoryFile(published(job["result"])) as single,
        strips.open() as one,
        single.open() as other,
    ):
        assert one.overviews(1) == other.overviews(1)
        assert (one.read(1) == other.read(1)).all()
        assert one.checksum(1) == other.checksum(1)
        assert "STATISTICS_MEAN" in one.tags(1)
        assert one.tags(1) == other.tags(1)


def test_the_host_is_killed_in_every_stage(
    mortal: StackUnderTest, api: Api, undisturbed: JsonObject
) -> None:
    """One job for each stage: while the next is killed, the last waits for its lease."""
    jobs = {}
    for stage in STAGES:
        jobs[stage] = job_id = submit(api, f"killed-{stage}")
        with psycopg.connect(api.database_url, autocommit=True) as connection:
            work = partial(at_work, connection, job_id, stage)
            freeze(mortal.pid("host"), work)
        mortal.restart("host")
    for stage, job_id in jobs.items():
        job = api.ended(job_id, 240)
        assert job["status"] == "completed", job["error"]
        result = job["result"]
        assert result["cog"]["sha256"] == undisturbed["cog"]["sha256"], stage
        assert hashlib.sha256(published(result)).hexdigest() == result["cog"]["sha256"]
        item = api.http.get(result["links"]["item"]).raise_for_status().json()
        assert item["assets"]["data"]["href"] == result["cog"]["href"]
        attempts = api.rows(
            "SELECT max(attempt) AS most FROM app.tasks WHERE job_id = %(id)s AND stage = %(n)s",
            id=job_id,
            n=STAGES.index(stage),
        )
        assert attempts[0]["most"] > 1, f"nothing of {stage} was done again"


def test_what_cannot_be_a_cog_is_refused_with_the_reason(api: Api, storage: None) -> None:
    from infrastructure import blob_storage

    blob_storage.write_bytes(CONTAINER, "notes.tif", b"II*\0 and then nothing of a raster")
    job = api.ended(api.submit("process_raster", container_name=CONTAINER, blob_name="notes.tif"))
    assert job["status"] == "failed"
    assert job["error"]["code"] == "unreadable_raster"
    assert "notes.tif" in job["error"]["message"]
    assert api.http.get("/api/stac/collections/rasters").status_code == 404
