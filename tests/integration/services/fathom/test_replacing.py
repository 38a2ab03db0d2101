"""What takes the place of what the catalog has: never less of it, unless one insists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infrastructure import blob_storage
from local.demo.fathom_tiles import Flaws
from services.fathom.names import RETURN_PERIODS
from tests.support import fathom_job
from tests.support.fathom_job import (
    CONTAINER,
    TARGET,
    merge,
    pixels_of,
    put,
    refusal,
    stack,
    stack_job,
)

pytestmark = pytest.mark.usefixtures("app")

STACK = "fathom_n04w006_fluvial-defended_2020"
MERGED = "fathom_n00-n05_w010-w005_fluvial-defended_2020"
WEST, EAST = (-7, 4, -6, 5), (-6, 4, -5, 5)


def tiles_of(prefix: str) -> list[str]:
    found: list[str] = fathom_job.item(f"{prefix}-merged", MERGED)["properties"]["fathom:tiles"]
    return found


def keep_only(prefix: str, contents: dict[str, bytes], years: int) -> None:
    """Remove all files of n04w006 but that of one return period."""
    kept = fathom_job.path_of(prefix, years, "n04w006")
    for path in contents:
        if path != kept:
            blob_storage.container_client(CONTAINER).delete_blob(path)


class TestNeighboursInOneCell:
    def test_leave_both_of_them_in_its_raster(self, tmp_path: Path) -> None:
        contents = put("both", "n04w007", "n04w006")
        stack("both")
        assert merge("both", bbox=WEST)["made"] == 1
        second = merge("both", bbox=EAST)
        assert (second["made"], second["skipped"]) == (0, 1)
        assert tiles_of("both") == ["n04w007", "n04w006"]
        band = fathom_job.bands_of(fathom_job.published("both-merged", MERGED, tmp_path))["1in100"]
        tiles = [
            pixels_of(contents, fathom_job.path_of("both", 100, each)) for each in tiles_of("both")
        ]
        np.testing.assert_array_equal(band, np.hstack(tiles))

    def test_a_later_one_extends_it(self) -> None:
        put("later", "n04w007")
        stack("later")
        merge("later", bbox=WEST)
        put("later", "n04w006")
        stack("later")
        result = merge("later", bbox=EAST)
        assert (result["made"], result["items"]["updated"]) == (1, 1)
        assert tiles_of("later") == ["n04w007", "n04w006"]

    def test_cells_without_any_of_what_is_asked_for_are_left_out(self) -> None:
        put("beside", "n04w007", "n04w006", "n04w005")
        stack("beside")
        result = merge("beside", bbox=WEST)
        assert result["groups"] == 1
        assert result["source_items"] == {"stacks": 2, "deselected": 1, "other": 0}


class TestALackOfReturnPeriods:
    def test_refuses_the_stack_that_would_lose_them(self) -> None:
        contents = put("trial", "n04w006", flaws=Flaws(omitted=[5]))
        stack("trial")
        keep_only("trial", contents, 100)
        error = refusal(stack_job("trial"))
        assert error.error_code == "return_periods_lost"
        lost = ", ".join(f"1in{years}" for years in RETURN_PERIODS if years not in (5, 100))
        assert f"{STACK} would lose {lost}, which" in error.message
        assert refusal(stack_job("trial", skip_existing=False)).error_code == error.error_code
        properties = fathom_job.item("trial-stacks", STACK)["properties"]
        assert properties["fathom:missing_return_periods"] == [5]

    def test_is_reported_beside_what_can_be_made(self) -> None:
        contents = put("part", "n04w006")
        stack("part")
        keep_only("part", contents, 100)
        put("part", "n04w007")
        result = stack("part", failed_tiles="report")
        assert (result["groups"], result["made"], result["failed"]) == (2, 1, 1)
        assert result["failed_by_reason"] == {"return_periods_lost": 1}
        properties = fathom_job.item("part-stacks", STACK)["properties"]
        assert properties["fathom:missing_return_periods"] == []

    def test_is_no_hindrance_where_one_insists(self) -> None:
        contents = put("insist", "n04w006")
        stack("insist")
        keep_only("insist", contents, 100)
        assert stack("insist", force_reprocess=True)["made"] == 1
        properties = fathom_job.item("insist-stacks", STACK)["properties"]
        assert properties["fathom:return_periods"] == [100]


class TestVersions:
    def test_those_before_the_last_are_removed(self) -> None:
        put("older", "n04w006", "n04w007")
        stack("older")
        versions = [_version("older")]
        for seed in (2, 3):
            put("older", "n04w006", "n04w007", seed=seed)
            job = stack_job("older")
            fathom_job.run(job)
            versions.append(_version("older"))
        assert (job.figures["items_tidied"], job.figures["items_to_tidy"]) == (2, 2)
        paths = blob_storage.container_client(TARGET).list_blob_names(
            name_starts_with=f"older-stacks/{STACK}/"
        )
        assert {path.split("/")[2] for path in paths} == set(versions[1:])


def _version(prefix: str) -> str:
    return str(fathom_job.item(f"{prefix}-stacks", STACK)["properties"]["version"])
