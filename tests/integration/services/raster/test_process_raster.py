"""process_raster from a blob to the catalog: what it publishes, what it takes the place of, and
what it does where something changes in mid-job."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import get_settings
from core.errors import GeoforgeError, PermanentTaskError, TransientTaskError
from infrastructure import blob_storage
from services.raster import catalog, files, items
from tests.support import raster_items, rasters
from tests.support.raster_job import CONTAINER, cog_of, item_of, job, publish, put, refusal
from tests.support.run_job import Context, JobRun, TaskFailed
from tests.support.website import serving

pytestmark = pytest.mark.usefixtures("app")

Usage = namedtuple("Usage", "total used free")


def put_dem(name: str, folder: Path, seed: int = 0) -> str:
    """Write an elevation raster as a blob; its name."""
    return put(name, rasters.write(folder / "local.tif", rasters.dem(seed=seed)))


def failure_of(run: JobRun, stage: str) -> GeoforgeError:
    """What the only task of a stage fails with."""
    with pytest.raises(TaskFailed) as failed:
        run.run_stage(stage)
    cause = failed.value.__cause__
    assert isinstance(cause, GeoforgeError), cause
    return cause


def test_a_raster_becomes_a_cog_with_an_item(tmp_path: Path) -> None:
    result = publish(put_dem("whole/dem.tif", tmp_path), collection_id="whole")
    assert (result["type"], result["item"]) == ("dem", "created")
    assert result["verification"]["exact"]
    item = item_of(result)
    assert item["properties"]["geoforge:source"] == {
        "container": CONTAINER, "blob": "whole/dem.tif"
    }  # fmt: skip
    assert item["assets"]["data"]["type"] == items.COG
    assert item["assets"]["data"]["file:size"] == result["cog"]["bytes"]
    assert cog_of(result, tmp_path).stat().st_size == result["cog"]["bytes"]


def test_a_large_one_is_made_of_strips(tmp_path: Path) -> None:
    blob = put("strips/dem.tif", rasters.write(tmp_path / "local.tif", rasters.dem(1200)))
    result = publish(blob, collection_id="strips", window_gb=0.002)
    assert result["cog"]["strips"] > 1
    assert result["verification"]["exact"]


class TestReplacing:
    def test_the_same_source_takes_its_items_place(self, tmp_path: Path) -> None:
        blob = put_dem("same/dem.tif", tmp_path)
        publish(blob, collection_id="same")
        put_dem("same/dem.tif", tmp_path, seed=1)
        assert publish(blob, collection_id="same")["item"] == "updated"

    def test_another_source_does_not(self, tmp_path: Path) -> None:
        first = publish(put_dem("n00/dem.tif", tmp_path), collection_id="grid")
        other = put_dem("n10/dem.tif", tmp_path, seed=1)
        error = refusal(other, collection_id="grid")
        assert isinstance(error, PermanentTaskError)
        assert error.error_code == "item_of_another_source"
        for said in (
            f"{CONTAINER}/n00/dem.tif",
            f"{CONTAINER}/n10/dem.tif",
            "item_id",
            "overwrite",
        ):
            assert said in error.message
        assert item_of(first)["properties"]["version"] == first["cog"]["sha256"][:12]

    @pytest.mark.parametrize("said", [{"overwrite": True}, {"item_id": "dem"}])
    def test_another_source_does_where_the_job_says_so(
        self, tmp_path: Path, said: dict[str, object]
    ) -> None:
        collection = f"told-{next(iter(said))}"
        publish(put_dem("n00/dem.tif", tmp_path), collection_id=collection)
        other = put_dem("n10/dem.tif", tmp_path, seed=1)
        result = publish(other, collection_id=collection, **said)
        assert result["item"] == "updated"
        assert item_of(result)["properties"]["geoforge:source"]["blob"] == "n10/dem.tif"

    def test_an_item_that_comes_in_between_is_not_replaced(self, tmp_path: Path) -> None:
        run = job(put_dem("n10/dem.tif", tmp_path, seed=1), collection_id="between")
        run.run("publish")
        publish(put_dem("n00/dem.tif", tmp_path), collection_id="between")
        assert failure_of(run, "publish").error_code == "item_of_another_source"

    def test_nor_is_somebodys_own(self, tmp_path: Path) -> None:
        own = raster_items.make_item(container="silver-rasters")
        del own["properties"][items.SOURCE]
        own["collection"] = "theirs"
        catalog.publish(
            "j" * 64, "theirs", lambda: iter([own]), container="silver-rasters",
            check=lambda: None, progress=lambda _: None,
        )  # fmt: skip
        error = refusal(put_dem("n00/dem.tif", tmp_path), collection_id="theirs")
        assert error.error_code == "item_of_another_source"
        assert "somewhere else than geoforge" in error.message


class TestAFullDisk:
    @pytest.mark.parametrize("stage", ["encode_windows", "create_cog"])
    def test_room_is_asked_for_first(
        self, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blob = put("full/dem.tif", rasters.write(tmp_path / "local.tif", rasters.dem(1200)))
        run = job(blob, collection_id=f"full-{stage}", window_gb=0.002)
        run.run(stage)
        # All of the disk's reserve but a few bytes.
        usage = Usage(10 << 30, 0, (256 << 20) + 100)
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "disk_usage", lambda _: usage)
            error = failure_of(run, stage)
        assert isinstance(error, TransientTaskError)
        assert error.error_code == "not_enough_disk"
        assert run.run() is not None

    def test_nothing_of_a_task_stays_beside_the_local_copy(self, tmp_path: Path) -> None:
        publish(put_dem("clean/dem.tif", tmp_path), collection_id="clean")
        (entry,) = (each for each in (tmp_path / "sources").iterdir() if each.is_dir())
        assert {each.name for each in entry.iterdir()} == {"files", "files.lock"}


class TestMidJob:
    @pytest.mark.parametrize("what", ["cog", "thumbnail", "preview"])
    def test_only_what_was_verified_is_published(self, what: str, tmp_path: Path) -> None:
        run = job(put_dem("proof/dem.tif", tmp_path), collection_id=f"proof-{what}")
        run.run("publish")
        stored = getattr(files.made(Context(run).workspace, 0), what)
        work, path = get_settings().work_container, f"work/{run.job_id}/{stored.path}"
        blob_storage.write_bytes(work, path, blob_storage.read_bytes(work, path))
        error = failure_of(run, "publish")
        assert isinstance(error, TransientTaskError)
        assert error.error_code == "workspace_file_changed"
        assert catalog.stored_items(f"proof-{what}", ["dem"]) == {}
        # As the task does that makes it again.
        run.run_task("create_cog", 0, again=True)
        assert run.run() is not None

    def test_the_time_is_that_of_the_sidecar_at_validation(self, tmp_path: Path) -> None:
        blob = put_dem("timed/dem.tif", tmp_path)
        sidecar = tmp_path / "dem.json"
        sidecar.write_text('{"datetime": "2019-05-04T03:02:01Z"}')
        put("timed/dem.json", sidecar)
        run = job(blob, collection_id="timed")
        run.run("publish")
        sidecar.write_text('{"datetime": "2001-01-01T00:00:00Z"}')
        put("timed/dem.json", sidecar)
        result = run.run()
        assert result is not None
        properties = item_of(result)["properties"]
        assert properties["datetime"] == "2019-05-04T03:02:01Z"
        assert properties["geoforge:datetime_source"] == "sidecar"


@pytest.fixture
def website(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTP server, and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()
    with serving(folder) as address:
        yield address, folder


class TestAddresses:
    @staticmethod
    def job_of(url: str, collection_id: str) -> JobRun:
        return job(
            "", container_name=None, blob_name=None, source_url=url, collection_id=collection_id
        )

    def test_a_file_is_known_by_its_own_name(self, website: tuple[str, Path]) -> None:
        address, folder = website
        rasters.write(folder / "dem.tif", rasters.dem())
        run = self.job_of(f"{address}/dem.tif?sig=secret", "fetched")
        result = run.run()
        assert result is not None
        named = [run.tasks[stage][0].result for stage in ("validate", "create_cog")]
        assert [each and each["name"] for each in named] == ["dem.tif", "dem.tif"]
        source = item_of(result)["properties"]["geoforge:source"]
        assert source == {"url": f"{address}/dem.tif"}
        # Signatures change; the file is the same.
        again = self.job_of(f"{address}/dem.tif?sig=other", "fetched").run()
        assert again is not None
        assert again["item_id"] == "dem"

    def test_its_refusal_names_it_so(self, website: tuple[str, Path]) -> None:
        address, folder = website
        (folder / "broken.tif").write_bytes(b"II*\0 and nothing more")
        error = failure_of(self.job_of(f"{address}/broken.tif", "fetched"), "validate")
        assert "broken.tif" in error.message
        assert "work/" not in error.message
