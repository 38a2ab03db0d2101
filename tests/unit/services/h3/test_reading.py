"""Which pixels count, and for how much, in whatever way a file says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.shutil import copy

from services.h3 import grids
from services.raster.child.refusals import UnreadableRaster
from tests.support.h3_rasters import source, statistics
from tests.support.rasters import write

HERE = Affine(0.01, 0, 15.0, 0, -0.01, 48.0)
ROWS, COLUMNS = 24, 40
RESOLUTION = 4


def ramp(dtype: str = "float32") -> NDArray[Any]:
    return np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS).astype(dtype) % 100


def holes() -> NDArray[np.bool_]:
    """A fifth of the pixels, which shall not count."""
    return np.random.default_rng(5).random((ROWS, COLUMNS)) < 0.2


def raster(folder: Path, pixels: NDArray[Any], **options: Any) -> Path:
    return write(
        folder / "raster.tif", pixels, **{"crs": "EPSG:4326", "transform": HERE, **options}
    )


def totals(path: Path, **options: Any) -> tuple[float, float, float]:
    """Valid pixels, pixels without data, and the sum of the values, of all cells."""
    found = statistics([path], RESOLUTION, ["sum"], weighting="centroid", **options)
    return (
        found.column("pixel_count").sum(),
        found.column("nodata_count").sum(),
        float(np.nansum(found.column("sum"))),
    )


def without(pixels: NDArray[Any], missing: NDArray[np.bool_]) -> tuple[float, float, float]:
    """The totals of what is not missing."""
    return (
        float((~missing).sum()),
        float(missing.sum()),
        float(pixels[~missing].astype(np.float64).sum()),
    )


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32",
     "float64"],
)  # fmt: skip
def test_declared_values_of_any_type_do_not_count(dtype: str, tmp_path: Path) -> None:
    pixels, missing = ramp(dtype), holes()
    pixels[missing] = 111
    assert totals(raster(tmp_path, pixels, nodata=111)) == without(pixels, missing)


def test_a_value_without_data_is_that_of_the_pixels_own_type(tmp_path: Path) -> None:
    """-3.4e38 has other digits as a double than as the float that is stored."""
    pixels, missing = ramp(), holes()
    pixels[missing] = -3.4e38
    assert totals(raster(tmp_path, pixels, nodata=-3.4e38)) == without(pixels, missing)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_does_not_count(value: float, tmp_path: Path) -> None:
    pixels, missing = ramp(), holes()
    pixels[missing] = value
    assert totals(raster(tmp_path, pixels)) == without(pixels, missing)


def test_both_nan_and_the_declared_value_do_not_count(tmp_path: Path) -> None:
    pixels, missing = ramp(), holes()
    pixels[missing] = np.nan
    pixels[0, :] = -1
    missing[0, :] = True
    assert totals(raster(tmp_path, pixels, nodata=-1)) == without(pixels, missing)


def test_the_parameter_says_what_the_file_does_not(tmp_path: Path) -> None:
    pixels, missing = ramp(), holes()
    pixels[missing] = 7
    missing = pixels == 7
    assert totals(raster(tmp_path, pixels), nodata=7) == without(pixels, missing)


def test_what_the_file_declares_stands(tmp_path: Path) -> None:
    pixels, missing = ramp(), holes()
    pixels[missing] = -1
    assert totals(raster(tmp_path, pixels, nodata=-1), nodata=7) == without(pixels, missing)


def test_values_that_are_excluded_do_not_count_beside_the_declared_one(tmp_path: Path) -> None:
    pixels, missing = ramp("int16"), holes()
    pixels[missing] = -32768
    pixels[0, :] = -32767
    missing[0, :] = True
    path = raster(tmp_path, pixels, nodata=-32768)
    assert totals(path, exclude=[-32767]) == without(pixels, missing)


def test_a_value_that_the_type_cannot_hold_changes_nothing(tmp_path: Path) -> None:
    pixels = ramp("uint8")
    nothing = np.zeros(pixels.shape, bool)
    path = raster(tmp_path, pixels)
    for value in (-9999, 0.5, 300):
        assert totals(path, nodata=value) == without(pixels, nothing)


def test_a_mask_in_the_file_says_what_counts(tmp_path: Path) -> None:
    pixels, missing = ramp(), holes()
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        path = raster(tmp_path, pixels)
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(~missing)
    assert totals(path) == without(pixels, missing)


def test_a_mask_and_a_declared_value_both_say_what_counts(tmp_path: Path) -> None:
    pixels, missing = ramp(), holes()
    pixels[3, :] = -1
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        path = raster(tmp_path, pixels, nodata=-1)
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(~missing)
    missing[3, :] = True
    assert totals(path) == without(pixels, missing)


@pytest.mark.parametrize("nodata", [None, 0])
def test_an_alpha_band_says_what_counts(nodata: int | None, tmp_path: Path) -> None:
    pixels, missing = ramp("uint8"), holes()
    alpha = np.where(missing, 0, 200).astype(np.uint8)
    path = raster(
        tmp_path, np.stack([pixels, pixels + 1, pixels, alpha]), nodata=nodata,
        colours=(ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha),
    )  # fmt: skip
    assert totals(path, band=2) == without(pixels + 1, missing)
    assert totals(path, band="alpha")[0] == (alpha.size if nodata is None else (~missing).sum())


def test_values_are_physical(tmp_path: Path) -> None:
    pixels, missing = ramp("int16"), holes()
    pixels[missing] = -1
    path = raster(tmp_path, pixels, nodata=-1)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.5,), (-10.0,)
    assert totals(path) == without(pixels * 0.5 - 10, missing)


@pytest.mark.parametrize(
    "storage",
    [
        {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"},
        {"tiled": False, "blockysize": 3},
        {"tiled": False, "blockysize": ROWS},
        {"compress": "lzw", "predictor": 3},
        {"BIGTIFF": "YES"},
    ],
)
def test_files_stored_in_any_way_are_read(storage: dict[str, Any], tmp_path: Path) -> None:
    pixels = ramp()
    nothing = np.zeros(pixels.shape, bool)
    assert totals(raster(tmp_path, pixels, **storage)) == without(pixels, nothing)


def test_other_formats_are_read(tmp_path: Path) -> None:
    pixels = ramp()
    path = tmp_path / "raster.img"
    copy(raster(tmp_path, pixels), path, driver="HFA")
    assert totals(path) == without(pixels, np.zeros(pixels.shape, bool))


def test_the_first_valid_pixel_of_a_place_counts(tmp_path: Path) -> None:
    """And what is missing in all of the rasters that are there is counted once."""
    pixels, missing = ramp(), holes()
    first, second = pixels.copy(), pixels + 1000
    first[missing] = -1
    second[:, :10] = -1
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for path, values in zip(paths, (first, second), strict=True):
        write(path, values, crs="EPSG:4326", transform=HERE, nodata=-1)
    expected = np.where(missing, pixels + 1000, pixels)
    nowhere = missing.copy()
    nowhere[:, 10:] = False
    found = statistics(paths, RESOLUTION, ["sum"], weighting="centroid")
    assert found.column("pixel_count").sum() == (~nowhere).sum()
    assert found.column("nodata_count").sum() == nowhere.sum()
    assert np.nansum(found.column("sum")) == expected[~nowhere].astype(float).sum()


def test_rasters_that_are_not_needed_are_not_read(tmp_path: Path) -> None:
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for path in paths:
        write(path, ramp(), crs="EPSG:4326", transform=HERE)
    found = statistics(paths, RESOLUTION, ["sum"], weighting="exact")
    alone = statistics(paths[:1], RESOLUTION, ["sum"], weighting="exact")
    assert [each["pixels_read"] for each in found.answers] == [
        each["pixels_read"] for each in alone.answers
    ]


@pytest.mark.parametrize("pieces", [2, 8])
@pytest.mark.parametrize("weighting", ["exact", "centroid"])
def test_tiles_of_a_raster_are_the_raster(pieces: int, weighting: Any, tmp_path: Path) -> None:
    """Cut in 4 and in 64, in files that are stored in other ways."""
    pixels = np.random.default_rng(3).normal(50, 20, (64, 96)).astype(np.float32)
    pixels[holes_of(pixels)] = -9999
    whole = write(tmp_path / "whole.tif", pixels, crs="EPSG:4326", transform=HERE, nodata=-9999)
    rows, columns = 64 // pieces, 96 // pieces
    tiles = []
    for down in range(pieces):
        for right in range(pieces):
            row, column = down * rows, right * columns
            tiles.append(
                write(
                    tmp_path / f"{down}-{right}.tif",
                    pixels[row : row + rows, column : column + columns],
                    crs="EPSG:4326", nodata=-9999, blockysize=1 + down,
                    transform=HERE @ Affine.translation(column, row),
                )
            )  # fmt: skip
    names = ["count", "sum", "mean", "stdev", "min", "max", "median", "p95"]
    one = statistics([whole], 5, names, weighting=weighting)
    many = statistics(tiles, 5, names, weighting=weighting)
    assert len(grids.mosaics([source(tile) for tile in tiles])) == 1
    for name in ("pixel_count", "nodata_count", "min", "max"):
        np.testing.assert_array_equal(many.column(name), one.column(name))
    for name in names:
        np.testing.assert_allclose(many.column(name), one.column(name), rtol=1e-12)


def holes_of(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    return np.random.default_rng(4).random(pixels.shape) < 0.15


def test_a_cell_over_rasters_of_two_grids_has_the_sums_of_both(tmp_path: Path) -> None:
    left, right = tmp_path / "left.tif", tmp_path / "right.tif"
    write(left, ramp(), crs="EPSG:4326", transform=HERE)
    # Beside it, of pixels of another size.
    beyond = Affine(0.013, 0, 15.0 + 0.01 * COLUMNS, 0, -0.013, 48.0)
    write(right, ramp() + 500, crs="EPSG:4326", transform=beyond)
    both = statistics([left, right], RESOLUTION, ["sum", "mean", "min", "max", "stdev"])
    alone = [statistics([path], RESOLUTION, ["sum", "min", "max"]) for path in (left, right)]
    shared = set(alone[0].cells.tolist()) & set(alone[1].cells.tolist())
    over_both = [cell for cell in shared if all(each.of(cell)["pixel_count"] for each in alone)]
    assert over_both
    for cell in over_both:
        found, parts = both.of(cell), [each.of(cell) for each in alone]
        count = sum(part["pixel_count"] or 0 for part in parts)
        total = sum(part["sum"] or 0 for part in parts)
        assert found["pixel_count"] == pytest.approx(count, rel=1e-12)
        assert found["sum"] == pytest.approx(total, rel=1e-12)
        assert found["mean"] == pytest.approx(total / count, rel=1e-12)
        assert found["min"] == min(part["min"] or 0 for part in parts)
        assert found["max"] == max(part["max"] or 0 for part in parts)


def test_a_damaged_raster_is_named(tmp_path: Path) -> None:
    path = raster(tmp_path, np.random.default_rng(1).random((ROWS, COLUMNS)), compress="deflate")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableRaster, match=r"raster\.tif") as failed:
        statistics([path], RESOLUTION)
    assert failed.value.error_code == "raster_failed"
