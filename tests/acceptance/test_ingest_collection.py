"""ingest_collection over HTTP, on a whole stack, with parts killed under it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import Api, api_of
from tests.servers import ScratchDirectory, StackUnderTest
from tests.support.engine import eventually
from tests.support.settings import app_settings
from tests.support.stac_collection import cog, make_collection, new_container, plain_geotiff

ITEMS = 60


@pytest.fixture
def mortal() -> Iterator[StackUnderTest]:
    """A stack of the test's own, whose reconciler looks every five seconds."""
    with ScratchDirectory() as directory:
        stack = StackUnderTest(
            directory,
            GEOFORGE_RECONCILE_SCHEDULE="*/5 * * * * *",
            GEOFORGE_RESEND_AFTER_SECONDS="5",
        )
        yield stack
        stack.close()


@pytest.fixture
def mortal_api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


def broken_collection(stack: StackUnderTest, collection_id: str, items: int) -> str:
    """Write a collection of which three items are broken; its container."""
    storage = stack.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=storage):
        collection = make_collection(new_container(), items, collection_id)
        collection.add("strips", data=plain_geotiff())
        collection.add("lost")
        del collection.blobs["data/lost.tif"]
        collection.link("./gone.json")
        bare = collection.add("bare")
        collection.items[bare]["assets"] = {}
        collection.write()
    return collection.container


def features(api: Api, collection_id: str) -> list[dict[str, Any]]:
    answer = api.http.get("/api/stac/search", params={"collections": collection_id, "limit": 1000})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["features"]
    return found


def test_a_collection_goes_from_bronze_into_the_search(stack: StackUnderTest, api: Api) -> None:
    bronze = broken_collection(stack, "whole-way", 5)
    parameters = {"source_container": bronze, "target_container": f"to-{bronze}", "batch_size": 2}
    job = api.ended(api.submit("ingest_collection", **parameters))
    assert job["status"] == "completed", job["error"]
    result = job["result"]
    assert (result["items_read"], result["items_registered"]) == (9, 6)
    assert result["quarantine_by_reason"] == {
        "missing_asset": 1, "missing_sidecar": 1, "no_assets": 1
    }  # fmt: skip
    assert [each["item_id"] for each in result["cogs"]["invalid"]] == ["strips"]
    assert result["collection"] == "created"

    found = features(api, "whole-way")
    assert len(found) == 6
    answer = api.http.get(result["links"]["collection"])
    assert answer.json()["id"] == "whole-way"
    storage = stack.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=storage):
        from infrastructure.blob_storage import blob_client, read_bytes

        hrefs = {each["id"]: each["assets"]["data"]["href"] for each in found}
        path = "data/whole-way-00000.tif"
        assert hrefs["whole-way-00000"] == blob_client(f"to-{bronze}", path).url
        assert read_bytes(f"to-{bronze}", path) == cog()

    answer = api.http.post(
        "/api/jobs/submit/ingest_collection", params={"rerun": "true"}, json=parameters
    )
    again = api.ended(answer.json()["job_id"])["result"]
    assert again["changed"] is False
    assert again["message"].startswith("Nothing changed")


def test_a_job_that_fails_names_the_culprit_and_registers_nothing(
    stack: StackUnderTest, api: Api
) -> None:
    bronze = broken_collection(stack, "strictly", 2)
    job = api.ended(
        api.submit(
            "ingest_collection",
            source_container=bronze,
            target_container=f"to-{bronze}",
            strict=True,
        )
    )
    assert job["status"] == "failed"
    assert job["error"]["code"] == "items_quarantined"
    assert "gone.json" in job["error"]["message"]
    assert api.http.get("/api/stac/collections/strictly").status_code == 404
    assert features(api, "strictly") == []


def test_killing_every_part_loses_no_item(mortal: StackUnderTest, mortal_api: Api) -> None:
    api = mortal_api
    bronze = broken_collection(mortal, "mortal", ITEMS)
    job_id = api.submit(
        "ingest_collection",
        source_container=bronze, target_container=f"to-{bronze}", batch_size=4,
    )  # fmt: skip

    def copied() -> int:
        return int(api.job(job_id)["stages"][1]["tasks_completed"] or 0)

    for part, tasks in (("host", 1), ("azurite", 4), ("service-bus", 6), ("postgres", 8)):
        eventually(f"{tasks} batches are copied", lambda n=tasks: copied() >= n, 180)
        assert api.job(job_id)["status"] == "running"
        assert features(api, "mortal") == []
        mortal.restart(part)

    job = api.ended(job_id, 240)
    assert job["status"] == "completed", job["error"]
    result = job["result"]
    assert (result["items_registered"], result["items_new"]) == (ITEMS + 1, ITEMS + 1)
    # What an attempt that was killed had copied counts as copied by this job.
    assert (result["assets"]["copied"], result["assets"]["skipped"]) == (ITEMS + 1, 0)
    assert len(features(api, "mortal")) == ITEMS + 1
