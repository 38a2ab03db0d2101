"""process_raster_collection from blobs to the catalog: who is published, who is not, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cogeo_mosaic.backends.memory import MemoryBackend
from cogeo_mosaic.mosaic import MosaicJSON

from core.errors import PermanentTaskError
from infrastructure import blob_storage, database, job_progress, metrics_repository
from services.raster import listing
from tests.support import raster_collection as collections
from tests.support import rasters
from tests.support.raster_collection import job, put, put_raster, report, result_of
from tests.support.run_job import JobRun, TaskFailed

pytestmark = pytest.mark.usefixtures("app")


def put_tiles(folder: Path, prefix: str, count: int = 3, **more: Any) -> list[str]:
    """Elevation tiles beside each other."""
    return [
        put_raster(f"{prefix}n{place:02}.tif", rasters.dem(seed=place), folder, place=place, **more)
        for place in range(count)
    ]


def failure_of(run: JobRun, until: str | None = None) -> PermanentTaskError:
    with pytest.raises(TaskFailed) as failed:
        run.run(until)
    cause = failed.value.__cause__
    assert isinstance(cause, PermanentTaskError)
    return cause


class TestAPrefix:
    def test_good_files_are_published_and_all_others_told(self, tmp_path: Path) -> None:
        tiles = put_tiles(tmp_path, "dem/2020/")
        put_raster("dem/2020/photo.tif", rasters.rgb(), tmp_path)
        put("dem/2020/broken.tif", b"II*\0 and nothing more")
        put("dem/2020/README.md", b"Heights")
        put_raster("dem/2021/other.tif", rasters.dem(), tmp_path)
        run = job(prefix="dem/2020/", collection_id="heights", title="Heights of somewhere")
        result = result_of(run)

        assert (result["read"], result["published"], result["refused"]) == (5, 3, 2)
        assert result["skipped_by_reason"] == {"not_a_raster": 1}
        assert result["by_type"] == {"dem": 3}
        assert result["refused_by_reason"]["type_differs"] == 1
        assert result["bytes_in"] > 0 < result["bytes_out"]
        told = report(result)
        assert {path for path, each in told.items() if each["status"] == "published"} == set(tiles)
        assert "is rgb" in told["dem/2020/photo.tif"]["message"]
        assert told["dem/2020/broken.tif"]["status"] == "refused"
        assert [each["status"] for each in result["files"]] == ["refused"] * 2 + ["published"] * 3

        stored = collections.items("heights")
        assert set(stored) == {"n00", "n01", "n02"}
        for item in stored.values():
            assert item["properties"]["geoforge:raster_type"] == "dem"
            assert collections.blob_of(item["assets"]["data"]["href"])[:2] == b"II"
        found = collections.collection("heights")
        assert found["title"] == "Heights of somewhere"
        assert found["summaries"]["geoforge:raster_type"] == ["dem"]

        mosaic = json.loads(collections.blob_of(found["assets"]["mosaic"]["href"]))
        west, south, east, north = stored["n01"]["bbox"]
        with MemoryBackend(mosaic_def=MosaicJSON.model_validate(mosaic)) as reader:
            near = reader.assets_for_point((west + east) / 2, (south + north) / 2)
        assert stored["n01"]["assets"]["data"]["href"] in near


def test_one_that_shows_nothing_takes_the_type_of_the_others(tmp_path: Path) -> None:
    put_tiles(tmp_path, "coast/", 2)
    put_raster("coast/sea.tif", np.zeros((256, 256), np.float32), tmp_path, place=2)
    result = result_of(job(prefix="coast/", collection_id="coast"))
    assert (result["published"], result["joined"]) == (3, 1)
    sea = collections.items("coast")["sea"]["properties"]
    assert sea["geoforge:raster_type"] == "dem"


def test_a_second_run_replaces_what_changed_and_keeps_the_rest(tmp_path: Path) -> None:
    put_tiles(tmp_path, "again/")
    first = result_of(job(prefix="again/", collection_id="again"))
    before = collections.items("again")
    mosaic = collections.collection("again")["assets"]["mosaic"]["href"]
    assert first["items"] == {"new": 3, "updated": 0, "unchanged": 0}
    put_raster("again/n01.tif", rasters.dem(seed=99), tmp_path, place=1)
    put_raster("again/n03.tif", rasters.dem(seed=3), tmp_path, place=3)
    second = result_of(job(prefix="again/", collection_id="again"))
    assert second["items"]["new"] == 1
    after = collections.items("again")
    assert after["n00"]["assets"]["data"]["href"] == before["n00"]["assets"]["data"]["href"]
    assert after["n01"]["assets"]["data"]["href"] != before["n01"]["assets"]["data"]["href"]
    # Who has just read the old address is still served.
    assert collections.blob_of(before["n01"]["assets"]["data"]["href"])
    replaced = collections.collection("again")["assets"]["mosaic"]["href"]
    assert replaced != mosaic
    listed = {each for hrefs in json.loads(collections.blob_of(replaced))["tiles"].values()
              for each in hrefs}  # fmt: skip
    assert listed == {each["assets"]["data"]["href"] for each in after.values()}


def test_a_mosaic_covers_what_other_jobs_have_put_into_the_collection(tmp_path: Path) -> None:
    put_tiles(tmp_path, "east/", 2)
    put_raster("west/w00.tif", rasters.dem(seed=7), tmp_path, place=-5)
    result_of(job(prefix="east/", collection_id="both"))
    result_of(job(prefix="west/", collection_id="both", mosaic=False))
    mosaic = json.loads(
        collections.blob_of(collections.collection("both")["assets"]["mosaic"]["href"])
    )
    listed = {each for hrefs in mosaic["tiles"].values() for each in hrefs}
    assert len(listed) == 3


class TestNames:
    def test_named_files_that_are_missing_are_told(self, tmp_path: Path) -> None:
        tiles = put_tiles(tmp_path, "named/", 2)
        result = result_of(job(blob_names=[*tiles, "named/n77.tif"], collection_id="named"))
        assert (result["published"], result["refused_by_reason"]) == (2, {"blob_not_found": 1})

    def test_very_long_names_fit_into_the_results_and_the_report_has_all(
        self, tmp_path: Path
    ) -> None:
        tiles = put_tiles(tmp_path, "long/", 1)
        missing = [f"long/{number:02}{'地' * 400}.tif" for number in range(60)]
        run = job(blob_names=[*tiles, *missing], collection_id="long")
        result = result_of(run)
        assert (result["published"], result["refused"]) == (1, 60)
        assert set(report(result)) == {*tiles, *missing}
        assert 5 < len(result["files"]) < 60
        assert len(json.dumps(result)) < 50_000

    def test_those_refused_at_inventory_are_counted_as_processed(self, tmp_path: Path) -> None:
        tiles = put_tiles(tmp_path, "counted/", 2)
        run = job(blob_names=[*tiles, "counted/n77.tif"], collection_id="counted")
        with database.transaction() as connection:
            connection.execute(
                "INSERT INTO app.jobs (job_id, job_type, parameters, submission_key, total_stages)"
                " VALUES (%s, 'process_raster_collection', '{}', %s, 6)",
                (run.job_id, run.job_id),
            )
        result_of(run)
        job_progress.flush(run.job_id)
        figures = metrics_repository.transact(
            lambda connection: metrics_repository.contexts(connection, [run.job_id])
        )
        shown = figures[run.job_id]["raster_collection"]
        assert (shown["files_total"], shown["files_processed"], shown["cogs_created"]) == (3, 3, 2)

    def test_files_of_one_name_get_ids_by_their_folders(self, tmp_path: Path) -> None:
        for place, folder in enumerate(("n00", "n10")):
            put_raster(f"grid/{folder}/dem.tif", rasters.dem(seed=place), tmp_path, place=place)
        result_of(job(prefix="grid/", collection_id="grid"))
        assert set(collections.items("grid")) == {"n00_dem", "n10_dem"}

    def test_what_an_earlier_run_made_is_not_read_again(self, tmp_path: Path) -> None:
        put_tiles(tmp_path, "tiles/", 2)
        for _ in range(2):
            result = result_of(
                job(prefix="tiles/", collection_id="tiles", target_container=collections.SOURCE)
            )
            assert result["read"] == 2
        assert result["skipped_by_reason"]["made_by_geoforge"] > 0


def test_a_dry_run_lists_the_files_and_opens_none(tmp_path: Path) -> None:
    put_tiles(tmp_path, "dry/", 1)
    put("dry/broken.tif", b"no raster at all")
    put("dry/notes.txt", b"Heights")
    preview = listing.preview(job(prefix="dry/", collection_id="dry").parameters)
    assert (preview["files"], preview["refused"]) == (2, [])
    assert preview["skipped"] == {"not_a_raster": 1}
    assert [each["item_id"] for each in preview["first"]] == ["broken", "n00"]


class TestRefusals:
    def test_strict_fails_before_anything_is_encoded(self, tmp_path: Path) -> None:
        put_tiles(tmp_path, "strict/", 2, nodata=-9999)
        put("strict/broken.tif", b"no raster at all")
        run = job(prefix="strict/", collection_id="strict", strict=True)
        cause = failure_of(run)
        assert cause.error_code == "files_refused"
        assert "strict/broken.tif" in cause.message
        assert "create_cog" not in run.tasks

    def test_where_all_are_refused_the_commonest_reason_is_told(self, tmp_path: Path) -> None:
        for number in range(3):
            put_raster(f"bare/{number}.tif", rasters.dem(seed=number), tmp_path, crs=None)
        put("bare/broken.tif", b"no raster at all")
        cause = failure_of(job(prefix="bare/", collection_id="bare"))
        assert cause.error_code == "nothing_to_publish"
        assert "crs_missing (3)" in cause.message
        assert cause.details["refused_by_reason"]["crs_missing"] == 3

    def test_a_mixed_collection_is_refused_unless_it_is_allowed(self, tmp_path: Path) -> None:
        put_raster("mixed/a.tif", rasters.dem(), tmp_path)
        put_raster("mixed/b.tif", rasters.rgb(), tmp_path)
        cause = failure_of(job(prefix="mixed/", collection_id="mixed"))
        assert cause.error_code == "mixed_collection"
        result = result_of(job(prefix="mixed/", collection_id="mixed", mixed="allow"))
        assert result["by_type"] == {"dem": 1, "rgb": 1}
        assert "No MosaicJSON" in result["warnings"][0]
        assert "mosaic" not in (collections.collection("mixed").get("assets") or {})

    def test_nothing_under_a_prefix_says_what_was_passed_over(self) -> None:
        put("papers/a.pdf", b"%PDF")
        cause = failure_of(job(prefix="papers/", collection_id="papers"))
        assert cause.error_code == "no_rasters"
        assert "1 have names of no raster format" in cause.message

    def test_a_container_that_is_not_there_is_named(self) -> None:
        run = job(prefix="", container_name="no-such-container", collection_id="nowhere")
        cause = failure_of(run)
        assert cause.error_code == "container_not_found"
        assert "no-such-container" in cause.message


class TestRepeating:
    def test_each_task_may_be_tried_again(self, tmp_path: Path) -> None:
        put_tiles(tmp_path, "twice/", 2)
        put_raster("twice/sea.tif", np.zeros((256, 256), np.float32), tmp_path, place=2)
        put("twice/broken.tif", b"no raster at all")
        run = job(prefix="twice/", collection_id="twice")
        results = {}
        for stage in run.definition.stages:
            run.run_stage(stage.name)
            for index in range(len(run.tasks[stage.name])):
                run.run_task(stage.name, index, again=True)
            results[stage.name] = [task.result for task in run.tasks[stage.name]]
        result = result_of(run)
        assert (result["published"], result["refused"], result["joined"]) == (3, 1, 1)
        assert len(collections.items("twice")) == 3

    def test_counts_that_do_not_add_up_publish_nothing(self, tmp_path: Path) -> None:
        put_tiles(tmp_path, "lost/", 2)
        run = job(prefix="lost/", collection_id="lost")
        run.run(until="publish")
        run.tasks["create_cog"].pop()
        cause = failure_of(run)
        assert cause.error_code == "counts_differ"
        assert collections.items("lost") == {}

    def test_a_file_that_is_gone_between_stages_costs_itself_only(self, tmp_path: Path) -> None:
        tiles = put_tiles(tmp_path, "gone/")
        run = job(prefix="gone/", collection_id="gone")
        run.run(until="validate")
        blob_storage.blob_client(collections.SOURCE, tiles[1]).delete_blob()
        result = result_of(run)
        assert result["published"] == 2
        assert report(result)[tiles[1]]["status"] == "refused"
