"""A source described as its COG shall be: no pixel is copied, and none depends on who asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window

from core.errors import PermanentTaskError
from services.raster.child.wrapping import wrapped
from services.raster.model import RasterType
from tests.support.cog_making import made_cog, plan_of
from tests.support.raster_files import relief, write_raster


def test_a_raster_that_nothing_changes_is_read_as_it_is(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", nodata=-1)
    with wrapped(str(source), plan_of(source)) as dataset, rasterio.open(source) as original:
        assert dataset.driver == "VRT"
        assert dataset.transform == original.transform
        assert (dataset.crs, dataset.nodata) == (original.crs, -1)
        assert np.array_equal(dataset.read(), original.read())


def test_a_crs_is_declared_where_the_file_has_none_or_another(tmp_path: Path) -> None:
    for number, crs in enumerate([None, "EPSG:4326"]):
        source = write_raster(tmp_path / f"{number}.tif", crs=crs)
        with wrapped(str(source), plan_of(source, source_crs="EPSG:32617")) as dataset:
            assert dataset.crs == CRS.from_epsg(32617)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic", "average", "mode"])
@pytest.mark.parametrize("masked", ["nothing", "nodata", "mask", "alpha"])
def test_a_warped_pixel_does_not_depend_on_the_window(
    tmp_path: Path, resampling: str, masked: str
) -> None:
    pixels = np.repeat(relief(260, 310), 2, axis=0).astype("uint16")
    options: dict[str, Any] = {"nodata": int(pixels.min())} if masked == "nodata" else {}
    source = write_raster(tmp_path / "source.tif", pixels, **options)
    with rasterio.open(source, "r+") as dataset:
        if masked == "mask":
            dataset.write_mask(pixels[0] > pixels.mean())
        elif masked == "alpha":
            dataset.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
    plan = plan_of(source, target_crs="EPSG:4326", resampling=resampling)
    with wrapped(str(source), plan) as dataset:
        whole, mask = dataset.read(), dataset.dataset_mask()
        shape = dataset.shape
    pieces, masks = np.zeros_like(whole), np.zeros_like(mask)
    for top in range(0, shape[0], 97):
        window = Window(0, top, shape[1], min(97, shape[0] - top))
        with wrapped(str(source), plan) as dataset:
            pieces[:, top : top + 97] = dataset.read(window=window)
            masks[top : top + 97] = dataset.dataset_mask(window=window)
    assert np.array_equal(pieces, whole)
    assert np.array_equal(masks != 0, mask != 0)


def test_what_warping_leaves_empty_is_hidden(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", relief(300, 300) + 5000, crs="EPSG:3035",
                          transform=Affine(900, 0, 3_000_000, 0, -900, 4_000_000))  # fmt: skip
    with wrapped(str(source), plan_of(source, target_crs="EPSG:4326")) as dataset:
        assert dataset.count == 1
        assert dataset.nodata is None
        assert dataset.mask_flag_enums[0] == [MaskFlags.per_dataset]
        valid = dataset.dataset_mask() != 0
        assert 0.5 < valid.mean() < 0.99
        assert (dataset.read(1)[valid] > 4000).all()


def test_names_units_and_palette_survive_a_warp(tmp_path: Path) -> None:
    classes = (relief(200, 200) > 400).astype("uint8")
    source = write_raster(tmp_path / "source.tif", classes, photometric="palette", nodata=9)
    with rasterio.open(source, "r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3, 255), 1: (4, 5, 6, 255)})
        dataset.set_band_description(1, "cover")
        dataset.update_tags(1, legend="yes")
    made = made_cog(source, RasterType.CATEGORICAL, target_crs="EPSG:3857")
    with rasterio.open(made.path) as cog:
        assert cog.crs == CRS.from_epsg(3857)
        assert cog.colormap(1)[1] == (4, 5, 6, 255)
        assert (cog.descriptions, cog.nodata) == (("cover",), 9)
        assert cog.tags(1)["legend"] == "yes"
        assert {0, 1} <= set(np.unique(cog.read())) <= {0, 1, 9}


def test_control_points_are_warped(tmp_path: Path) -> None:
    points = [
        GroundControlPoint(row, column, 10 + column / 100, 50 - row / 100)
        for row in (0, 64) for column in (0, 80)
    ]  # fmt: skip
    source = write_raster(tmp_path / "source.tif", crs=None, transform=Affine.identity())
    with rasterio.open(source, "r+") as dataset:
        dataset.gcps = (points, CRS.from_epsg(4326))
    made = made_cog(source, target_crs="EPSG:4326")
    with rasterio.open(made.path) as cog:
        assert cog.bounds == pytest.approx((10, 49.36, 10.8, 50), abs=0.02)
        assert cog.gcps[0] == []
        assert cog.read(1, masked=True).mean() == pytest.approx(relief().mean(), abs=3)


@pytest.mark.parametrize("crs", [None, "EPSG:4326"])
def test_a_warp_that_cannot_be_is_refused(tmp_path: Path, crs: str | None) -> None:
    source = write_raster(tmp_path / "source.tif", crs=crs)  # which is no place in degrees
    plan = plan_of(write_raster(tmp_path / "other.tif"), target_crs="EPSG:4326")
    plan = plan.model_copy(update={"warp_to": "EPSG:32633"})
    with (
        pytest.raises(PermanentTaskError, match="EPSG:32633") as refused,
        wrapped(str(source), plan),
    ):
        pass
    assert refused.value.error_code == "warp_failed"
