"""process_fathom_stack from a container of tiles to the catalog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rio_cogeo.cogeo import cog_validate

from core.errors import PermanentTaskError
from infrastructure import blob_storage
from infrastructure.stac_repository import JsonObject
from local.demo.fathom_tiles import NODATA, WATER, Flaws
from services.fathom.model import BANDS
from services.fathom.names import RETURN_PERIODS
from services.raster import catalog
from tests.support import fathom_job
from tests.support.fathom_job import (
    CONTAINER,
    LATER,
    TARGET,
    pixels_of,
    put,
    put_one,
    refusal,
    stack,
    stack_job,
)

pytestmark = pytest.mark.usefixtures("one_app")

ITEM = "fathom_n04w006_fluvial-defended_2020"
LATER_ITEM = "fathom_n04w006_fluvial-defended_2050_ssp2-4.5"


def path_of(prefix: str, years: int, tile: str = "n04w006") -> str:
    return fathom_job.path_of(prefix, years, tile)


def item_of(prefix: str, item_id: str = ITEM) -> JsonObject:
    return fathom_job.item(f"{prefix}-stacks", item_id)


def version_of(prefix: str, item_id: str = ITEM) -> str:
    return str(item_of(prefix, item_id)["properties"]["version"])


class TestWhatBecomesOfATile:
    def test_a_valid_cog_whose_bands_are_the_files_bit_by_bit(self, tmp_path: Path) -> None:
        contents = put("whole", "n04w006", maps=[LATER], pixels=64)
        result = stack("whole")
        assert (result["groups"], result["made"], result["items"]["new"]) == (1, 1, 1)
        cog = fathom_job.published("whole-stacks", LATER_ITEM, tmp_path)
        valid, errors, _ = cog_validate(cog, strict=True, quiet=True)
        assert valid, errors
        bands = fathom_job.bands_of(cog)
        assert tuple(bands) == BANDS
        for years, name in zip(RETURN_PERIODS, BANDS, strict=True):
            wanted = pixels_of(contents, fathom_job.path_of("whole", years, "n04w006", LATER))
            assert wanted.any()
            np.testing.assert_array_equal(bands[name], wanted)
        item = item_of("whole", LATER_ITEM)
        properties = item["properties"]
        assert properties["fathom:return_periods"] == list(RETURN_PERIODS)
        assert properties["fathom:missing_return_periods"] == []
        assert properties["fathom:flood_type"] == "fluvial"
        assert properties["fathom:defence"] == "defended"
        assert (properties["fathom:year"], properties["fathom:ssp"]) == (2050, "ssp2_4.5")
        assert properties["fathom:tile"] == "n04w006"
        assert properties["start_datetime"] == "2050-01-01T00:00:00Z"
        assert properties["end_datetime"] == "2050-12-31T23:59:59Z"
        assert properties["fathom:monotonic"]["is_monotonic"]
        bands = item["assets"]["data"]["bands"]
        assert [band["name"] for band in bands] == list(BANDS)
        assert {band["unit"] for band in bands} == {"cm"}
        assert {band["nodata"] for band in bands} == {NODATA}

    def test_a_missing_return_period_is_an_empty_band_and_no_shift(self, tmp_path: Path) -> None:
        missing_of = {"n04w006": (5,), "n04w007": (1000,), "n04w008": (5, 20, 100)}
        contents: dict[str, bytes] = {}
        for tile, missing in missing_of.items():
            contents |= put("missing", tile, flaws=Flaws(omitted=missing))
        result = stack("missing")
        assert result["missing_return_periods"] == {
            "1in5": 2,
            "1in1000": 1,
            "1in20": 1,
            "1in100": 1,
        }
        for tile, missing in missing_of.items():
            item_id = f"fathom_{tile}_fluvial-defended_2020"
            bands = fathom_job.bands_of(fathom_job.published("missing-stacks", item_id, tmp_path))
            assert tuple(bands) == BANDS
            for years in RETURN_PERIODS:
                band = bands[f"1in{years}"]
                if years in missing:
                    assert (band == NODATA).all()
                else:
                    wanted = pixels_of(contents, path_of("missing", years, tile))
                    np.testing.assert_array_equal(band, wanted)
            properties = item_of("missing", item_id)["properties"]
            assert properties["fathom:missing_return_periods"] == list(missing)
            assert not set(properties["fathom:return_periods"]) & set(missing)

    def test_pixels_marked_as_water_stay_and_are_no_depths(self, tmp_path: Path) -> None:
        pixels = np.full((36, 36), 120, np.int16)
        pixels[0, :3], pixels[1, :2] = WATER, NODATA
        put_one(path_of("water", 5), pixels, "n04w006")
        stack("water")
        bands = fathom_job.bands_of(fathom_job.published("water-stacks", ITEM, tmp_path))
        np.testing.assert_array_equal(bands["1in5"], pixels)
        item = item_of("water")
        assert item["properties"]["fathom:water"] == {"value": WATER, "pixels": 3}
        codes = [each["code"] for each in item["properties"]["geoforge:warnings"]]
        assert codes == ["water_is_marked"]
        statistics = item["assets"]["data"]["bands"][0]["statistics"]
        assert (statistics["minimum"], statistics["mean"]) == (120, 120)
        assert statistics["valid_percent"] == pytest.approx(100 * (36 * 36 - 5) / 36**2)

    def test_floods_that_get_shallower_are_counted(self) -> None:
        put("shallower", "n04w006", flaws=Flaws(shallower=7))
        result = stack("shallower")
        assert (result["not_monotonic"], result["shallower_pixels"]) == (1, 7)
        monotonic = item_of("shallower")["properties"]["fathom:monotonic"]
        assert monotonic == {
            "is_monotonic": False,
            "shallower_pixels": 7,
            "pairs": [{"shorter": "1in500", "longer": "1in1000", "pixels": 7, "largest_cm": 1}],
        }


class TestRefusals:
    def test_of_a_file_that_differs(self) -> None:
        put("differs", "n04w006")
        put_one(path_of("differs", 50), np.zeros((40, 41), np.int16), "n04w006")
        error = refusal(stack_job("differs"))
        assert isinstance(error, PermanentTaskError)
        assert error.error_code == "grid_differs"
        assert path_of("differs", 50) in error.message
        assert "41 x 40 pixels, not 40 x 40" in error.message

    def test_of_one_that_is_cut_off(self) -> None:
        put("cut", "n04w006", flaws=Flaws(corrupt=[20]))
        error = refusal(stack_job("cut"))
        assert isinstance(error, PermanentTaskError)
        assert path_of("cut", 20) in error.message
        assert catalog.stored_collection("cut-stacks") is None

    def test_of_a_container_without_maps(self) -> None:
        blob_storage.ensure_container(CONTAINER)
        blob_storage.write_bytes(CONTAINER, "nothing/readme.txt", b"no maps here")
        assert refusal(stack_job("nothing")).error_code == "no_stacks"

    def test_of_an_item_that_somebody_else_has_made(self) -> None:
        put("theirs", "n04w006")
        stack("theirs")
        own = item_of("theirs")
        del own["properties"]["fathom:sources_digest"]
        own["properties"]["datetime"] = None  # which the catalog does not keep
        catalog.publish(
            "j" * 64, "theirs-stacks", lambda: iter([own]), container=TARGET,
            check=lambda: None, progress=lambda _: None,
        )  # fmt: skip
        error = refusal(stack_job("theirs"))
        assert error.error_code == "item_of_another_source"


class TestFailedTilesReported:
    def test_the_others_are_published_and_the_counts_add_up(self) -> None:
        put("some", "n04w006", flaws=Flaws(corrupt=[20]))
        put("some", "n04w007")
        result = stack("some", failed_tiles="report")
        assert (result["groups"], result["made"], result["failed"]) == (2, 1, 1)
        (failure,) = result["failures"]
        assert failure["item_id"] == ITEM
        assert path_of("some", 20) in failure["message"]
        assert result["failed_by_reason"] == {failure["code"]: 1}
        stored = catalog.stored_items("some-stacks", [ITEM])
        assert stored == {}

    def test_two_files_for_one_return_period(self) -> None:
        contents = put("twice", "n04w006", "n04w007")
        again = path_of("twice", 10)
        blob_storage.write_bytes(CONTAINER, f"twice/again/{again}", contents[again])
        error = refusal(stack_job("twice"))
        assert error.error_code == "duplicate_return_period"
        assert again in error.message
        result = stack("twice", failed_tiles="report")
        assert (result["groups"], result["made"], result["failed"]) == (2, 1, 1)
        assert result["failed_by_reason"] == {"duplicate_return_period": 1}

    def test_none_is_left(self) -> None:
        put("all", "n04w006", flaws=Flaws(corrupt=[5]))
        result = stack("all", failed_tiles="report")
        assert (result["groups"], result["made"], result["failed"]) == (1, 0, 1)
        assert catalog.stored_collection("all-stacks") is None


class TestAgain:
    def test_a_second_run_makes_nothing_unless_it_is_told_to(self) -> None:
        put("again", "n04w006")
        stack("again")
        before = version_of("again"), item_of("again")["properties"]["updated"]
        result = stack("again")
        assert (result["groups"], result["made"], result["skipped"]) == (1, 0, 1)
        assert (version_of("again"), item_of("again")["properties"]["updated"]) == before
        result = stack("again", force_reprocess=True)
        assert (result["made"], result["skipped"]) == (1, 0)

    def test_a_changed_file_has_its_stack_made_anew(self, tmp_path: Path) -> None:
        put("changed", "n04w006", "n04w007")
        stack("changed")
        before = version_of("changed")
        pixels = np.full((40, 40), 33, np.int16)
        offset = fathom_job.transform_of("n04w006", 40)
        put_one(path_of("changed", 10), pixels, "n04w006", transform=offset)
        result = stack("changed")
        assert (result["made"], result["skipped"], result["items"]["updated"]) == (1, 1, 1)
        item = item_of("changed")
        assert item["properties"]["version"] != before
        links = [each["href"] for each in item["links"] if each["rel"] == "predecessor-version"]
        assert len(links) == 1
        assert before in links[0]
        bands = fathom_job.bands_of(fathom_job.published("changed-stacks", ITEM, tmp_path))
        np.testing.assert_array_equal(bands["1in10"], pixels)

    def test_a_task_whose_worker_died_is_done_again(self, tmp_path: Path) -> None:
        contents = put("restart", "n04w006")
        run = stack_job("restart")
        run.run("publish")
        run.run_task("stack", 0, again=True)
        run.run_stage("publish")
        run.run_task("publish", 0, again=True)
        result = fathom_job.run(run)
        assert (result["made"], result["failed"]) == (1, 0)
        bands = fathom_job.bands_of(fathom_job.published("restart-stacks", ITEM, tmp_path))
        np.testing.assert_array_equal(bands["1in5"], pixels_of(contents, path_of("restart", 5)))


def test_a_dry_run_says_what_it_would_make_and_writes_nothing() -> None:
    put("dry", "n04w006", "n04w007")
    job = stack_job("dry", dry_run=True, target_container="silver-dry")
    result = fathom_job.run(job)
    assert (result["dry_run"], result["groups"], result["would_make"]) == (True, 2, 2)
    assert result["sources"] == 16
    assert ITEM in result["first"]
    assert job.tasks["stack"] == job.tasks["publish"] == []
    assert not blob_storage.container_exists("silver-dry")
    assert catalog.stored_collection("dry-stacks") is None
