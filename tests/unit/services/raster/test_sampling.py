"""What a sample holds, and that it is spread, bounded and masked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window

from services.raster import sampling
from services.raster.sampling import Sample
from tests.support import rasters


def _take(path: Path) -> Sample:
    with rasterio.open(path) as dataset:
        return sampling.take(dataset)


def test_a_small_raster_is_read_whole(tmp_path: Path) -> None:
    pixels = rasters.rgb(64)
    sample = _take(rasters.write(tmp_path / "a.tif", pixels))
    assert sample.whole
    assert [band.windows[0].tolist() for band in sample.bands] == pixels.tolist()
    assert all(band.size == 64 * 64 == band.values.size for band in sample.bands)


class _Counting:
    """A dataset of which is known which windows were read, and how often it was asked whether its
    bands have masks."""

    def __init__(self, dataset: rasterio.DatasetReader) -> None:
        self._dataset = dataset
        self.windows: list[Window] = []
        self.flags_asked = 0

    @property
    def mask_flag_enums(self) -> Any:
        self.flags_asked += 1
        return self._dataset.mask_flag_enums

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def read(self, window: Window) -> NDArray[Any]:
        self.windows.append(window)
        return np.asarray(self._dataset.read(window=window))


def _huge(path: Path, side: int, **profile: Any) -> Path:
    """A raster of which hardly any block is written."""
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="uint8",
        crs="EPSG:32633", transform=rasters.UTM, tiled=True, blockxsize=512, blockysize=512,
        sparse_ok=True, **profile,
    ):  # fmt: skip
        return path


def test_of_a_huge_raster_few_blocks_all_over_it_are_read(tmp_path: Path) -> None:
    side = 36_000
    path = _huge(tmp_path / "huge.tif", side)
    with rasterio.open(path, "r+") as dataset:
        # Values that differ, in the middle: a sample of one value would be followed by another.
        middle = Window(17_920, 17_920, 512, 512)
        dataset.write(rasters.rgb(512)[:1], window=middle)
    with rasterio.open(path) as dataset:
        counting = _Counting(dataset)
        sample = sampling.take(counting)
    windows = counting.windows
    assert not sample.whole
    assert sum(band.size for band in sample.bands) <= 2_000_000
    blocks = {
        (row // 512, column // 512)
        for w in windows
        for row in (w.row_off, w.row_off + w.height - 1)
        for column in (w.col_off, w.col_off + w.width - 1)
    }
    assert len(blocks) <= 25
    # A window in each of nine parts of the image.
    assert {(w.row_off * 3 // side, w.col_off * 3 // side) for w in windows} == {
        (row, column) for row in range(3) for column in range(3)
    }


def test_windows_lie_where_the_overview_shows_data(tmp_path: Path) -> None:
    path = _huge(tmp_path / "islands.tif", 20_000, nodata=0)
    with rasterio.open(path, "r+") as dataset:
        island = np.full((1, 512, 512), 7, np.uint8)
        island[:, ::2] = 8
        dataset.write(island, window=Window(15_360, 1_024, 512, 512))
        dataset.build_overviews([32], Resampling.nearest)
    band = _take(path).bands[0]
    assert band.values.size > 50_000
    assert set(band.values.tolist()) == {7, 8}


def test_data_missed_by_the_first_windows_is_looked_for_by_more(tmp_path: Path) -> None:
    path = _huge(tmp_path / "missed.tif", 20_000, nodata=0)
    with rasterio.open(path, "r+") as dataset:
        # Off the middles of 25 parts of the image, on those of 144.
        dataset.write(np.full((1, 1_300, 20_000), 9, np.uint8), window=Window(0, 0, 20_000, 1_300))
    assert 9 in _take(path).bands[0].values


def test_where_the_first_windows_meet_one_value_others_are_looked_for(tmp_path: Path) -> None:
    path = _huge(tmp_path / "nearly_constant.tif", 20_000)
    with rasterio.open(path, "r+") as dataset:
        dataset.write(np.full((1, 1_300, 20_000), 9, np.uint8), window=Window(0, 0, 20_000, 1_300))
    assert set(_take(path).bands[0].values.tolist()) == {0, 9}


def test_an_image_without_any_valid_pixel_gives_a_sample_of_none(tmp_path: Path) -> None:
    path = _huge(tmp_path / "empty.tif", 20_000, nodata=0)
    sample = _take(path)
    assert sample.bands[0].values.size == 0
    [statistics] = sampling.statistics(sample)
    assert statistics.minimum is None
    assert (statistics.valid_share, statistics.distinct) == (0.0, 0)


def test_nodata_and_what_is_not_finite_is_not_valid(tmp_path: Path) -> None:
    pixels = np.array([[1, -9999, np.nan], [np.inf, 2, 4]], np.float32)
    sample = _take(rasters.write(tmp_path / "a.tif", pixels, nodata=-9999))
    assert sample.bands[0].values.tolist() == [1, 2, 4]
    [statistics] = sampling.statistics(sample)
    assert (statistics.minimum, statistics.maximum, statistics.distinct) == (1, 4, 3)
    assert statistics.mean == pytest.approx(7 / 3)
    assert statistics.valid_share == pytest.approx(0.5)


def test_an_alpha_band_masks_nothing(tmp_path: Path) -> None:
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    sample = _take(rasters.write(tmp_path / "a.tif", rasters.rgba(64), colours=colours))
    assert all(band.values.size == 64 * 64 for band in sample.bands)


def test_a_mask_of_the_dataset_masks_all_bands(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "a.tif", rasters.rgb(64))
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "r+") as dataset,
    ):
        dataset.write_mask(np.arange(64 * 64).reshape(64, 64) < 640)
    assert [band.values.size for band in _take(path).bands] == [640] * 3


def test_complex_pixels_are_given_as_their_magnitude(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "a.tif", np.array([[3 + 4j, 0]], np.complex64))
    assert _take(path).bands[0].values.tolist() == [5, 0]


def test_a_palette_comes_with_the_sample(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "a.tif", rasters.landcover(32), palette=rasters.COLOURS)
    palette = _take(path).bands[0].palette
    assert palette is not None
    assert palette[2].tolist() == [255, 187, 34, 255]


@pytest.mark.parametrize("value", [1e308, -1e308])
def test_statistics_of_the_largest_numbers_say_what_is_finite(tmp_path: Path, value: float) -> None:
    pixels = np.array([[value, value / 2], [0, value / 3]])
    [statistics] = sampling.statistics(_take(rasters.write(tmp_path / "a.tif", pixels)))
    assert value in (statistics.minimum, statistics.maximum)
    assert statistics.stdev is None


def test_many_bands_of_a_large_raster_stay_within_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=2_000, height=2_000, count=40, dtype="uint8",
        crs="EPSG:32633", transform=rasters.UTM, sparse_ok=True, tiled=True,
    ):  # fmt: skip
        pass
    sample = _take(path)
    assert len(sample.bands) == 40
    assert sum(band.size for band in sample.bands) <= 2_000_000


@pytest.mark.parametrize("nodata", [None, 0])
def test_masks_of_many_bands_are_asked_for_once(tmp_path: Path, nodata: int | None) -> None:
    # rasterio finds out of all bands whenever it is asked.
    path = rasters.write(
        tmp_path / "many.tif",
        np.ones((60, 200, 200), "uint8") + np.arange(200, dtype="uint8"),
        nodata=nodata,
    )
    with rasterio.open(path) as dataset:
        counting = _Counting(dataset)
        sample = sampling.take(counting)
        assert len(counting.windows) > 1
        assert counting.flags_asked == 1
    assert len(sample.bands) == 60
