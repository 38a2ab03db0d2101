"""Which blobs of a folder are rasters, which belong to one, and which are passed over."""

from __future__ import annotations

import re

from infrastructure.blob_lookup import BlobVersion
from services.raster.selecting import Selection, Skip, select, sidecar_names


def blobs(*paths: str, **metadata: str) -> list[BlobVersion]:
    return [BlobVersion("bronze", path, 10, "e", metadata=metadata) for path in paths]


def taken(selection: Selection) -> dict[str, list[str]]:
    return {
        each.raster.path: sorted(version.path for version in each.beside)
        for each in selection.rasters
    }


def test_rasters_are_told_by_their_endings_in_the_order_of_their_paths() -> None:
    selection = select(blobs("b.TIF", "a/x.jp2", "a.zip", "n10e020.hgt", "grid.asc", "e.img"))
    assert list(taken(selection)) == ["a.zip", "a/x.jp2", "b.TIF", "e.img", "grid.asc",
                                      "n10e020.hgt"]  # fmt: skip
    assert not selection.skipped


def test_what_lies_beside_a_raster_goes_with_it() -> None:
    selection = select(
        blobs("dem.tif", "dem.tfw", "DEM.PRJ", "dem.tif.aux.xml", "dem.tif.ovr", "other.tif",
              "deep/dem.tfw")
    )  # fmt: skip
    assert taken(selection) == {
        "dem.tif": ["DEM.PRJ", "dem.tfw", "dem.tif.aux.xml", "dem.tif.ovr"],
        "other.tif": [],
    }
    assert selection.skipped == {Skip.SIDECAR: 1}
    assert selection.examples == [("deep/dem.tfw", Skip.SIDECAR)]


def test_one_file_may_lie_beside_two_rasters() -> None:
    selection = select(blobs("a.tif", "a.jp2", "a.prj"))
    assert taken(selection) == {"a.jp2": ["a.prj"], "a.tif": ["a.prj"]}


def test_the_pixels_of_an_imagine_raster_belong_to_it_alone() -> None:
    selection = select(blobs("big.img", "big.ige", "big.rrd", "small.tif", "small.rrd"))
    assert taken(selection) == {"big.img": ["big.ige", "big.rrd"], "small.tif": []}
    assert selection.skipped == {Skip.SIDECAR: 1}


def test_all_else_is_counted_with_its_reason() -> None:
    selection = select(
        blobs("dem.tif", "README.md", "collection.json", ".DS_Store", "__MACOSX/._dem.tif",
              "a/.hidden/x.tif", "scene.tif", "scene.jpg", "photo.jpg")
    )  # fmt: skip
    assert list(taken(selection)) == ["dem.tif", "photo.jpg", "scene.tif"]
    assert selection.skipped == {Skip.NOT_A_RASTER: 2, Skip.HIDDEN: 3, Skip.PREVIEW: 1}
    assert ("scene.jpg", Skip.PREVIEW) in selection.examples


def test_folders_of_a_hierarchical_account_are_no_files() -> None:
    folder = blobs("dem", "dem.tif", hdi_isfolder="true") + blobs("a/")
    selection = select(folder)
    assert taken(selection) == {}
    assert not selection.skipped


def test_what_is_named_is_a_raster_whatever_it_is_called() -> None:
    selection = select(
        blobs("scene.jpg", "scene.tif", "data.bin", "data.prj"),
        named=frozenset({"scene.jpg", "scene.tif", "data.bin"}),
    )
    assert taken(selection) == {"data.bin": ["data.prj"], "scene.jpg": [], "scene.tif": []}


def test_what_an_earlier_run_has_made_is_not_read_again() -> None:
    own = re.compile(r"dem/[^/]+/[0-9a-f]{12}/")
    selection = select(blobs("dem/a.tif", "dem/a/0123456789ab/a.tif"), own=own)
    assert list(taken(selection)) == ["dem/a.tif"]
    assert selection.skipped == {Skip.OWN_OUTPUT: 1}


def test_examples_are_few_however_much_is_passed_over() -> None:
    selection = select(blobs(*(f"{number}.txt" for number in range(500))))
    assert selection.skipped == {Skip.NOT_A_RASTER: 500}
    assert len(selection.examples) == 20


def test_every_name_that_is_looked_for_beside_a_raster_is_taken_with_it() -> None:
    for raster in ("a/dem.tif", "a/dem.img", "a/dem.png"):
        names = [name for name in sidecar_names(raster) if raster.endswith("img") or
                 not name.lower().endswith((".ige", ".rrd"))]  # fmt: skip
        selection = select(blobs(raster, *names))
        assert taken(selection) == {raster: sorted(names)}


def test_examples_of_very_long_paths_are_few() -> None:
    selection = select(blobs(*(f"{number:02}{'x' * 900}.md" for number in range(30))))
    assert selection.skipped == {Skip.NOT_A_RASTER: 30}
    assert len(selection.examples) == 4
