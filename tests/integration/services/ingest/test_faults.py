"""ingest_collection when something happens in between: crashes, races, changes, outages."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from core.errors import PermanentTaskError, TaskCancelled, TransientTaskError, Unavailable
from infrastructure import blob_storage, stac_loader
from infrastructure.blob_lookup import head
from jobs.ingest_collection import JOB
from tests.integration.services.ingest.conftest import RunIngest, item_ids, rows
from tests.support.run_job import JobRun, TaskFailed
from tests.support.settings import app_settings
from tests.support.stac_collection import cog, make_collection, new_container

STAGES = [stage.name for stage in JOB.stages]
ALL_FOUR = {f"tiles-{number:05}" for number in range(4)}


@pytest.mark.parametrize("stage", STAGES)
def test_a_task_that_ran_to_its_end_twice_counts_once(bronze: str, silver: str, stage: str) -> None:
    """The worker died between its last effect and the ledger: the task goes again."""
    make_collection(bronze, items=3).write()
    job = JobRun(JOB, source_container=bronze, target_container=silver, batch_size=2)
    for name in STAGES:
        job.run_stage(name)
        if name == stage:
            for index in range(len(job.tasks[name])):
                job.run_task(name, index, again=True)
    result = job.run()
    assert result is not None
    assert (result["items_new"], result["items_registered"]) == (3, 3)
    assert (result["assets"]["copied"], result["assets"]["skipped"]) == (3, 0)
    assert result["assets"]["bytes_copied"] == 3 * len(cog())
    assert result["changed"] is True
    assert len(item_ids("tiles")) == 3


@pytest.mark.parametrize("stage", STAGES)
def test_a_task_that_is_stopped_in_the_middle_goes_on(bronze: str, silver: str, stage: str) -> None:
    make_collection(bronze, items=4).write()
    job = JobRun(JOB, source_container=bronze, target_container=silver, batch_size=2)
    job.run(until=stage)
    for stop_at in (1, 3, 6):
        calls = 0

        def stop(stop_at: int = stop_at) -> None:
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise TaskCancelled("the worker goes down")

        job.on_check = stop
        # A stage that asks less often than that is through.
        with suppress(TaskFailed):
            job.run_stage(stage)
        if stage != "finalize":
            assert stored_ids() in (set(), ALL_FOUR)
    job.on_check = lambda: None
    result = job.run()
    assert result is not None
    assert (result["items_new"], result["items_registered"]) == (4, 4)
    assert item_ids("tiles") == ALL_FOUR


def stored_ids() -> set[str]:
    return {row["id"] for row in rows("SELECT id FROM pgstac.items")}


def test_nothing_is_visible_before_the_catalog_is_loaded(bronze: str, silver: str) -> None:
    make_collection(bronze).write()
    JobRun(JOB, source_container=bronze, target_container=silver).run(until="register_items")
    assert rows("SELECT FROM pgstac.collections") == []
    assert rows("SELECT FROM pgstac.items") == []
    assert rows("SELECT FROM h3.source_catalog") == []


def test_a_load_that_fails_half_way_leaves_nothing(
    bronze: str, silver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(bronze, items=6).write()
    job = JobRun(JOB, source_container=bronze, target_container=silver)
    job.run(until="register_items")
    monkeypatch.setattr(stac_loader, "CHUNK_ITEMS", 2)
    original = stac_loader.Loader.load_partition
    calls: list[int] = []

    def break_at_the_third(self: Any, *arguments: Any, **options: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("the worker dies here")
        original(self, *arguments, **options)

    monkeypatch.setattr(stac_loader.Loader, "load_partition", break_at_the_third)
    with pytest.raises(TaskFailed):
        job.run_stage("register_items")
    assert len(calls) == 3
    assert rows("SELECT FROM pgstac.collections") == []
    assert rows("SELECT FROM pgstac.items") == []
    monkeypatch.setattr(stac_loader.Loader, "load_partition", original)
    result = job.run()
    assert result is not None
    assert result["items_new"] == 6


def test_a_count_that_does_not_hold_is_not_committed(
    bronze: str, silver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(bronze, items=3).write()
    job = JobRun(JOB, source_container=bronze, target_container=silver)
    job.run(until="register_items")
    original = stac_loader.Loader.load_items
    monkeypatch.setattr(
        stac_loader.Loader,
        "load_items",
        lambda self, items, mode, **options: original(self, iter(list(items)[1:]), mode, **options),
    )
    with pytest.raises(TaskFailed) as caught:
        job.run_stage("register_items")
    assert isinstance(caught.value.__cause__, TransientTaskError)
    assert "2 items" in str(caught.value)
    assert rows("SELECT FROM pgstac.collections") == []


def test_two_ingests_at_once_lose_nothing(bronze: str, silver: str) -> None:
    other = new_container()
    make_collection(bronze, items=30, collection_id="first").write()
    make_collection(other, items=30, collection_id="second").write()
    jobs = [
        JobRun(JOB, source_container=source, target_container=silver) for source in (bronze, other)
    ]
    for job in jobs:
        job.run(until="register_items")
    together = threading.Barrier(2)

    def finish(job: JobRun) -> Any:
        together.wait()
        return job.run()

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(finish, jobs))
    assert [result["items_new"] for result in results] == [30, 30]
    assert len(item_ids("first")) == len(item_ids("second")) == 30


def test_two_ingests_of_one_collection_at_once_agree(bronze: str, silver: str) -> None:
    make_collection(bronze, items=20).write()
    jobs = [JobRun(JOB, run, source_container=bronze, target_container=silver) for run in range(2)]
    with ThreadPoolExecutor(2) as threads:
        results = [each for each in threads.map(JobRun.run, jobs) if each is not None]
    assert sorted(result["items_new"] for result in results) == [0, 20]
    assert sorted(result["items_unchanged"] for result in results) == [0, 20]
    assert len(item_ids("tiles")) == 20


def test_a_source_that_changes_meanwhile_is_quarantined(bronze: str, silver: str) -> None:
    make_collection(bronze, items=3).write()
    job = JobRun(JOB, source_container=bronze, target_container=silver)
    job.run(until="copy")
    blob_storage.write_bytes(bronze, "data/tiles-00000.tif", cog(7))
    blob_storage.blob_client(bronze, "data/tiles-00001.tif").delete_blob()
    result = job.run()
    assert result is not None
    assert result["quarantine_by_reason"] == {"source_changed": 2}
    assert result["items_registered"] == 1
    assert head(silver, "data/tiles-00000.tif") is None


def test_an_item_registered_by_somebody_else_meanwhile_is_kept(bronze: str, silver: str) -> None:
    collection = make_collection(bronze, items=2)
    collection.write()
    job = JobRun(JOB, source_container=bronze, target_container=silver)
    job.run(until="register_items")
    other = new_container()
    theirs = make_collection(other, items=1)
    next(iter(theirs.items.values()))["properties"]["platform"] = "theirs"
    theirs.write()
    JobRun(JOB, source_container=other, target_container=new_container("silver")).run()

    result = job.run()
    assert result is not None
    assert result["quarantine_by_reason"] == {"target_exists": 1}
    assert (result["items_registered"], result["items_read"]) == (1, 2)
    kept = rows("SELECT pgstac.get_item('tiles-00000', 'tiles') AS item")[0]["item"]
    assert kept["properties"]["platform"] == "theirs"


def test_the_collection_document_of_a_copy_is_left_out_with_a_warning(
    ingest: RunIngest, bronze: str, silver: str
) -> None:
    collection = make_collection(bronze, items=1)
    collection.document["assets"] = {"thumbnail": {"href": "thumb.png"}}
    collection.blobs["thumb.png"] = b"new"
    collection.write()
    blob_storage.write_bytes(silver, "thumb.png", b"other")
    result = ingest()
    assert "thumb.png exists and differs" in result["warnings"][0]
    stored = rows("SELECT pgstac.get_collection('tiles') AS c")[0]["c"]
    assert stored["assets"] == {}


def test_storage_that_is_down_is_worth_another_try(database_url: str) -> None:
    with app_settings(DATABASE_URL=database_url), pytest.raises(TaskFailed) as caught:
        JobRun(JOB, source_container="bronze", target_container="silver").run()
    assert isinstance(caught.value.__cause__, Unavailable)


def test_a_database_that_is_down_is_worth_another_try(
    bronze: str, silver: str, blob_connection_string: str
) -> None:
    make_collection(bronze).write()
    job = JobRun(JOB, source_container=bronze, target_container=silver)
    job.run(until="register_items")
    with (
        app_settings(AZURE_STORAGE_CONNECTION_STRING=blob_connection_string),
        pytest.raises(TaskFailed) as caught,
    ):
        job.run_stage("register_items")
    assert isinstance(caught.value.__cause__, Unavailable)


def test_counts_that_do_not_add_up_fail_the_job(bronze: str, silver: str) -> None:
    make_collection(bronze).write()
    job = JobRun(JOB, source_container=bronze, target_container=silver)
    job.run(until="finalize")
    (task,) = job.tasks["inventory"]
    assert task.result is not None
    task.result["items_read"] += 1
    with pytest.raises(TaskFailed) as caught:
        job.run_stage("finalize")
    assert isinstance(caught.value.__cause__, PermanentTaskError)
    assert caught.value.__cause__.error_code == "counts_differ"
