"""A COG holds what its source does: pixels, and all that is said of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp, MaskFlags

from core.errors import PermanentTaskError
from services.raster.model import Nodata, RasterType
from tests.support.cog_making import encoded_cog, made_cog, plan_of
from tests.support.raster_files import relief, write_raster

_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64", "float32",
           "float64", "complex64")  # fmt: skip
_PALETTE = {number: (number * 3 % 256, number, 255 - number, 255) for number in range(256)}


def _picture(bands: int = 3, rows: int = 300, columns: int = 400) -> np.ndarray:
    heights = relief(rows, columns)[0]
    level = (heights - heights.min()) / np.ptp(heights) * 255
    return np.array([np.roll(level, 9 * band, axis=0) for band in range(bands)]).astype("uint8")


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    dtype=st.sampled_from(_DTYPES),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 700), st.integers(1, 700)),
    empty=st.sampled_from(["nothing", "nodata", "nan", "mask"]),
    compression=st.sampled_from([None, "NONE", "LZW", "ZSTD"]),
    tier=st.sampled_from(["analysis", "archive"]),
    kind=st.sampled_from([RasterType.CONTINUOUS, RasterType.CATEGORICAL, RasterType.DEM]),
    tiled=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_pixel_survives(
    tmp_path: Path,
    dtype: str,
    shape: tuple[int, int, int],
    empty: str,
    compression: str | None,
    tier: str,
    kind: RasterType,
    tiled: bool,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 100, shape).astype(dtype)
    options: dict[str, Any] = {"tiled": True, "blockxsize": 64, "blockysize": 64} if tiled else {}
    if empty == "nan" and dtype.startswith("float"):
        pixels[random.random(shape) < 0.2] = math.nan
        options["nodata"] = math.nan
    elif empty == "nodata":
        options["nodata"] = 7
    source = write_raster(tmp_path / "source.tif", pixels, **options)
    if empty == "mask":
        with rasterio.open(source, "r+") as dataset:
            dataset.write_mask(random.random(shape[1:]) < 0.7)
    made = made_cog(source, kind, compression=compression, output_tier=tier)
    with rasterio.open(made.path) as cog:
        assert cog.dtypes == (dtype,) * shape[0]
        assert np.array_equal(cog.read(), pixels, equal_nan=dtype.startswith(("f", "c")))
        with rasterio.open(source) as original:
            assert np.array_equal(cog.read_masks(), original.read_masks())
    assert made.verification.valid_cog
    assert made.verification.compared == shape[1] * shape[2]
    assert made.verification.largest_difference == made.verification.bound == 0


def test_what_is_said_of_the_pixels_is_kept(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", np.repeat(relief(), 2, axis=0), nodata=-9999)
    with rasterio.open(source, "r+") as dataset:
        dataset.descriptions = ("height", "error")
        dataset.units = ("metre", "centimetre")
        dataset.scales, dataset.offsets = (0.1, 2.0), (5.0, -1.0)
        dataset.update_tags(TIFFTAG_DATETIME="2024:06:17 10:00:00", AREA_OR_POINT="Point", own="1")
        dataset.update_tags(2, method="laser", STATISTICS_MAXIMUM="12345")
    with rasterio.open(made_cog(source).path) as cog:
        assert cog.descriptions == ("height", "error")
        assert cog.units == ("metre", "centimetre")
        assert (cog.scales, cog.offsets) == ((0.1, 2.0), (5.0, -1.0))
        assert cog.nodatavals == (-9999, -9999)
        assert cog.tags()["TIFFTAG_DATETIME"] == "2024:06:17 10:00:00"
        assert (cog.tags()["AREA_OR_POINT"], cog.tags()["own"]) == ("Point", "1")
        assert cog.tags(2)["method"] == "laser"
        assert float(cog.tags(2)["STATISTICS_MAXIMUM"]) == relief().max()


def test_a_palette_is_kept_and_overviews_invent_no_class(tmp_path: Path) -> None:
    classes = np.random.default_rng(1).choice([3, 90, 200], (1, 900, 900)).astype("uint8")
    source = write_raster(tmp_path / "classes.tif", classes, photometric="palette")
    with rasterio.open(source, "r+") as dataset:
        dataset.write_colormap(1, _PALETTE)
    with rasterio.open(made_cog(source, RasterType.CATEGORICAL).path) as cog:
        assert cog.colorinterp == (ColorInterp.palette,)
        palette = cog.colormap(1)
        assert [palette[number] for number in _PALETTE] == list(_PALETTE.values())
        assert cog.overviews(1) == [2]
        assert set(np.unique(cog.read(out_shape=(1, 450, 450)))) <= {3, 90, 200}


@pytest.mark.parametrize(
    "transform",
    [
        Affine(10, 0, 5e5, 0, 10, 5e6),
        Affine(7.07, 7.07, 5e5, 7.07, -7.07, 5e6),
        Affine(1 / 3, 0, 1e5 + 1 / 7, 0, -1 / 3, 5e6),
    ],
    ids=["south-up", "rotated", "thirds"],
)
def test_the_grid_is_kept(tmp_path: Path, transform: Affine) -> None:
    source = write_raster(tmp_path / "source.tif", transform=transform)
    with rasterio.open(made_cog(source).path) as cog:
        assert cog.transform.almost_equals(transform, precision=1e-9)
        assert np.array_equal(cog.read(), relief())


def test_without_data_becomes_a_mask_where_jpeg_would_change_it(tmp_path: Path) -> None:
    picture = _picture()
    picture[:, :100] = 0
    picture[0, 200] = 0  # which is black in one band only: a pixel with data
    source = write_raster(tmp_path / "source.tif", picture, nodata=0, photometric="rgb")
    made = made_cog(source, RasterType.RGB)
    assert (made.plan.compression, made.plan.nodata) == ("JPEG", Nodata.MASK)
    with rasterio.open(made.path) as cog:
        assert cog.nodata is None
        assert cog.mask_flag_enums[0] == [MaskFlags.per_dataset]
        assert np.array_equal(cog.dataset_mask() != 0, (picture != 0).any(axis=0))
    assert 0 < made.verification.mean_difference < made.verification.bound


def test_webp_keeps_alpha_as_it_is(tmp_path: Path) -> None:
    picture = _picture(4)
    picture[3, :50] = 0
    source = write_raster(tmp_path / "source.tif", picture, photometric="rgb", alpha="yes")
    made = made_cog(source, RasterType.RGBA)
    assert made.plan.compression == "WEBP"
    with rasterio.open(made.path) as cog:
        assert np.array_equal(cog.read(4), picture[3])
        assert cog.colorinterp[3] is ColorInterp.alpha


def test_near_infrared_declared_as_alpha_is_a_band_of_values(tmp_path: Path) -> None:
    pixels = _picture(4, 600, 600)
    pixels[3, :, :300] = 0
    source = write_raster(tmp_path / "naip.tif", pixels, photometric="rgb", alpha="yes")
    with rasterio.open(made_cog(source, RasterType.NIR).path) as cog:
        assert ColorInterp.alpha not in cog.colorinterp
        assert np.array_equal(cog.read(), pixels)
        assert cog.mask_flag_enums[0] == [MaskFlags.all_valid]
        # Red is in the overview even where near infrared is 0.
        assert cog.read(1, out_shape=(300, 300))[:, :140].mean() > 20


def test_lerc_changes_no_value_by_more_than_it_may(tmp_path: Path) -> None:
    heights = relief(600, 700)
    heights[:, 40:90] = -9999
    source = write_raster(tmp_path / "source.tif", heights, nodata=-9999)
    made = made_cog(source, RasterType.DEM, max_z_error=0.25)
    assert 0 < made.verification.largest_difference <= 0.25
    exact = made_cog(source, RasterType.DEM)
    assert exact.plan.compression == "LERC_DEFLATE"
    assert made.encoded.bytes < exact.encoded.bytes
    with rasterio.open(made.path) as cog, rasterio.open(exact.path) as kept:
        assert np.array_equal(cog.read_masks(1) != 0, heights[0] != -9999)
        assert kept.nodata == -9999
        assert np.array_equal(kept.read(), heights)


def test_a_value_without_data_is_declared_and_no_pixel_changed(tmp_path: Path) -> None:
    heights = relief()
    heights[:, 3] = -9999
    source = write_raster(tmp_path / "source.tif", heights)
    with rasterio.open(made_cog(source, nodata=-9999).path) as cog:
        assert cog.nodata == -9999
        assert np.array_equal(cog.read(), heights)
        assert float(cog.tags(1)["STATISTICS_MINIMUM"]) == heights[heights > -9999].min()


def test_the_statistics_are_those_of_all_valid_pixels(tmp_path: Path) -> None:
    heights = relief(700, 600).astype("float64")
    heights[0, :70] = -9999
    source = write_raster(tmp_path / "source.tif", heights, nodata=-9999)
    valid = heights[heights != -9999]
    with rasterio.open(made_cog(source).path) as cog:
        tags = {key: float(value) for key, value in cog.tags(1).items()}
    expected = {
        "STATISTICS_MINIMUM": valid.min(), "STATISTICS_MAXIMUM": valid.max(),
        "STATISTICS_MEAN": valid.mean(), "STATISTICS_STDDEV": valid.std(),
        "STATISTICS_VALID_PERCENT": 90.0,
    }  # fmt: skip
    assert tags == pytest.approx(expected)


def test_a_band_without_a_valid_pixel_has_no_statistics(tmp_path: Path) -> None:
    empty = np.full((1, 40, 40), -9999, np.float32)
    source = write_raster(tmp_path / "source.tif", empty, nodata=-9999)
    with rasterio.open(made_cog(source).path) as cog:
        assert cog.tags(1) == {}


@pytest.mark.parametrize("block", [256, 512, 1024])
@pytest.mark.parametrize("side", [255, 512, 513, 1024, 1025])
def test_any_size_in_any_tiles_is_a_valid_cog(tmp_path: Path, block: int, side: int) -> None:
    source = write_raster(tmp_path / "source.tif", relief(side, side))
    made = made_cog(source, block_size=block)
    assert made.verification.valid_cog
    assert made.verification.warnings == ()
    with rasterio.open(made.path) as cog:
        assert cog.block_shapes == [(made.plan.block_size,) * 2]
        assert tuple(cog.overviews(1)) == made.encoded.overviews


def test_nothing_is_left_beside_the_cog(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", relief(600, 600))
    made = made_cog(source, target_crs="EPSG:4326")
    assert sorted(tmp_path.iterdir()) == sorted([source, made.path])


def test_a_damaged_source_is_told_from_gdals_failing(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", relief(900, 900))
    whole = source.read_bytes()
    plan = plan_of(source)
    source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PermanentTaskError, match="damaged or cut off") as refused:
        encoded_cog(source, tmp_path / "cog.tif", plan)
    assert refused.value.error_code == "cog_failed"
    assert "/vsimem" not in refused.value.message
    assert str(tmp_path) not in refused.value.message
