"""process_fathom_merge from the stacks of a collection to larger rasters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from infrastructure import blob_storage
from infrastructure.stac_repository import JsonObject
from local.demo.fathom_tiles import NODATA, Flaws
from services.fathom.model import BANDS
from services.raster import catalog
from tests.support import fathom_job
from tests.support.fathom_job import (
    FLUVIAL,
    LATER,
    TARGET,
    merge,
    merge_job,
    pixels_of,
    put,
    put_one,
    refusal,
    stack,
    transform_of,
)

pytestmark = pytest.mark.usefixtures("one_app")

CELL = "n00-n05_w010-w005"
ITEM = f"fathom_{CELL}_fluvial-defended_2020"
SIZE = fathom_job.PIXELS


def stored(prefix: str, item_id: str = ITEM) -> JsonObject:
    return fathom_job.item(f"{prefix}-merged", item_id)


def merged(prefix: str, folder: Path, item_id: str = ITEM) -> Path:
    return fathom_job.published(f"{prefix}-merged", item_id, folder)


class TestFourTiles:
    def test_lie_side_by_side_bit_by_bit(self, tmp_path: Path) -> None:
        tiles = [["n04w007", "n04w006"], ["n03w007", "n03w006"]]
        contents = put("m-four", *tiles[0], *tiles[1], flaws=Flaws(omitted=[20]))
        stack("m-four")
        result = merge("m-four")
        assert (result["groups"], result["made"], result["failed"]) == (1, 1, 0)
        file = merged("m-four", tmp_path)
        valid, errors, _ = cog_validate(file, strict=True, quiet=True)
        assert valid, errors
        bands = fathom_job.bands_of(file)
        assert tuple(bands) == BANDS
        for years in (5, 100, 1000):
            rows = [
                np.hstack([pixels_of(contents, fathom_job.path_of("m-four", years, tile))
                           for tile in row])
                for row in tiles
            ]  # fmt: skip
            np.testing.assert_array_equal(bands[f"1in{years}"], np.vstack(rows))
        assert (bands["1in20"] == NODATA).all()
        with rasterio.open(file) as raster:
            assert raster.transform.almost_equals(transform_of("n04w007", SIZE))

    def test_its_item_leads_to_its_stacks(self) -> None:
        put("m-told", "n04w006", "n03w006", maps=[LATER], flaws=Flaws(omitted=[5]))
        stack("m-told")
        merge("m-told")
        item = stored("m-told", f"fathom_{CELL}_fluvial-defended_2050_ssp2-4.5")
        properties = item["properties"]
        assert properties["fathom:grid_cell"] == CELL
        assert properties["fathom:tiles"] == ["n04w006", "n03w006"]
        assert properties["fathom:missing_return_periods"] == [5]
        assert (properties["fathom:year"], properties["fathom:ssp"]) == (2050, "ssp2_4.5")
        links = [each["href"] for each in item["links"] if each["rel"] == "derived_from"]
        assert links == [
            f"/api/stac/collections/m-told-stacks/items/fathom_{tile}_fluvial-defended_2050_ssp2-4.5"
            for tile in ("n04w006", "n03w006")
        ]


class TestGapsAndEdges:
    def test_what_no_tile_covers_has_no_data(self, tmp_path: Path) -> None:
        contents = put("m-gaps", "n04w007", "n03w006")
        stack("m-gaps")
        merge("m-gaps")
        band = fathom_job.bands_of(merged("m-gaps", tmp_path))["1in500"]
        assert band.shape == (2 * SIZE, 2 * SIZE)
        for tile, rows, columns in (
            ("n04w007", slice(0, SIZE), slice(0, SIZE)),
            ("n03w006", slice(SIZE, None), slice(SIZE, None)),
        ):
            wanted = pixels_of(contents, fathom_job.path_of("m-gaps", 500, tile))
            np.testing.assert_array_equal(band[rows, columns], wanted)
        assert (band[:SIZE, SIZE:] == NODATA).all()
        assert (band[SIZE:, :SIZE] == NODATA).all()

    def test_where_tiles_share_their_edge_the_first_decides(self, tmp_path: Path) -> None:
        """Tiles with a column more than a degree has: the last of one is the first of the next."""
        left = np.full((SIZE, SIZE + 1), 100, np.int16)
        right = np.full((SIZE, SIZE + 1), 200, np.int16)
        left[:3, -1] = NODATA  # of which the other has a value
        for tile, pixels in (("n04w007", left), ("n04w006", right)):
            path = fathom_job.path_of("m-edge", 5, tile)
            put_one(path, pixels, tile, transform=transform_of(tile, SIZE))
        stack("m-edge")
        result = merge("m-edge")
        assert result["differing_seam_pixels"] == SIZE - 3
        band = fathom_job.bands_of(merged("m-edge", tmp_path))["1in5"]
        assert band.shape == (SIZE, 2 * SIZE + 1)
        assert (band[:, :SIZE] == 100).all()
        assert (band[:, SIZE + 1 :] == 200).all()
        assert (band[:3, SIZE] == 200).all()
        assert (band[3:, SIZE] == 100).all()
        codes = [each["code"] for each in stored("m-edge")["properties"]["geoforge:warnings"]]
        assert codes == ["seams_differ"]

    def test_tiles_beside_the_grid_are_refused(self) -> None:
        pixels = np.zeros((SIZE, SIZE), np.int16)
        put_one(fathom_job.path_of("m-beside", 5, "n04w007"), pixels, "n04w007")
        moved = transform_of("n04w006", SIZE) @ rasterio.Affine.translation(0.4, 0)
        put_one(fathom_job.path_of("m-beside", 5, "n04w006"), pixels, "n04w006", transform=moved)
        stack("m-beside")
        error = refusal(merge_job("m-beside"))
        assert error.error_code == "misaligned"
        assert "fathom_n04w006_fluvial-defended_2020" in error.message
        assert catalog.stored_collection("m-beside-merged") is None


class TestGroups:
    def test_each_map_and_cell_has_a_raster_of_its_own(self) -> None:
        put("m-cells", "n04w006", "n05w006", maps=[FLUVIAL, LATER])
        stack("m-cells")
        dry = merge("m-cells", dry_run=True, target_container="silver-dry-merge")
        assert dry["would_make"] == 4
        assert set(dry["first"]) == {
            f"fathom_{cell}_fluvial-defended_{when}"
            for cell in (CELL, "n05-n10_w010-w005")
            for when in ("2020", "2050_ssp2-4.5")
        }
        assert merge("m-cells", years=[2020], dry_run=True)["groups"] == 2
        assert not blob_storage.container_exists("silver-dry-merge")
        assert catalog.stored_collection("m-cells-merged") is None
        result = merge("m-cells", bbox=(-6, 5, -5, 6), years=[2020])
        assert [each["item_id"] for each in result["first"]] == [
            "fathom_n05-n10_w010-w005_fluvial-defended_2020"
        ]

    def test_a_collection_that_is_not_there(self) -> None:
        error = refusal(merge_job("m-nowhere"))
        assert error.error_code == "collection_not_found"
        assert "m-nowhere-stacks" in error.message

    def test_a_collection_without_such_stacks_or_without_their_files(self) -> None:
        put("m-gone", "n04w006")
        stack("m-gone")
        assert refusal(merge_job("m-gone", years=[2050])).error_code == "no_stacks"
        href = fathom_job.item("m-gone-stacks", "fathom_n04w006_fluvial-defended_2020")
        path = href["assets"]["data"]["href"].partition(f"/{TARGET}/")[2]
        blob_storage.container_client(TARGET).delete_blob(path)
        error = refusal(merge_job("m-gone"))
        assert error.error_code == "blob_not_found"
        assert path in error.message


def test_only_what_has_other_stacks_is_made_anew() -> None:
    put("m-again", "n04w006", "n05w006")
    stack("m-again")
    merge("m-again")
    assert merge("m-again")["skipped"] == 2
    put("m-again", "n04w006", seed=2)
    stack("m-again")
    result = merge("m-again")
    assert (result["made"], result["skipped"], result["items"]["updated"]) == (1, 1, 1)
    stack("m-again", force_reprocess=True)  # which makes the same of the same
    assert merge("m-again")["skipped"] == 2
