"""What is read of a raster without its pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from services.raster.child.facts import read_facts
from services.raster.child.opening import open_raster
from services.raster.model import Facts
from tests.support.raster_files import UTM, relief, write_raster


def facts_of(path: Path) -> Facts:
    with open_raster(str(path)) as dataset:
        return read_facts(dataset, path.stat().st_size)


def test_of_a_plain_elevation(tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "dem.tif", nodata=-9999, tiled=True, blockxsize=32, blockysize=16,
        compress="deflate",
    )  # fmt: skip
    found = facts_of(path)

    assert (found.driver, found.width, found.height) == ("GTiff", 80, 64)
    assert (found.crs, found.transform) == (UTM, (10, 0, 500_000, 0, -10, 5_400_000))
    assert (found.block, found.compression, found.interleave) == ((16, 32), "DEFLATE", "BAND")
    assert (found.mask, found.bands[0].nodata, found.bands[0].dtype) == ("nodata", -9999, "float32")
    assert found.file_bytes == path.stat().st_size
    assert found.decoded_bytes == 80 * 64 * 4


def test_of_all_that_a_band_can_say(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.repeat(relief(), 2, axis=0))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("height", None)
        dataset.units = ("m", None)
        dataset.scales, dataset.offsets = (0.1, 1.0), (5.0, 0.0)
        dataset.update_tags(1, source="lidar", STATISTICS_MEAN="4")
        dataset.update_tags(TIFFTAG_DATETIME="2024:06:17 10:00:00", AREA_OR_POINT="Point")
        dataset.update_tags(ns="IMAGERY", CLOUDCOVER="12")
    found = facts_of(path)

    first, second = found.bands
    assert (first.number, first.description, first.unit) == (1, "height", "m")
    assert (first.scale, first.offset, first.tags) == (0.1, 5.0, {"source": "lidar"})
    assert (second.number, second.description, second.unit) == (2, None, None)
    assert (second.scale, second.offset, second.tags) == (1.0, 0.0, {})
    assert found.area_or_point == "Point"
    assert found.tags["TIFFTAG_DATETIME"] == "2024:06:17 10:00:00"
    assert found.tags["CLOUDCOVER"] == "12"


def test_of_a_palette_and_the_names_of_classes(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "classes.tif", np.ones((1, 8, 8), "uint8"))
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (0, 0, 0, 255), 1: (20, 120, 20, 255)})
    (tmp_path / "classes.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category>none</Category>'
        "<Category>forest &amp; bush</Category></CategoryNames></PAMRasterBand></PAMDataset>"
    )
    [band] = facts_of(path).bands

    assert (band.colour, band.palette_entries) == ("palette", 256)
    assert band.categories == ("none", "forest & bush")


def test_where_validity_comes_from(tmp_path: Path) -> None:
    pixels = np.ones((4, 8, 8), "uint8")
    alpha = write_raster(tmp_path / "alpha.tif", pixels, photometric="rgb", alpha="yes")
    masked = write_raster(tmp_path / "masked.tif", pixels[:3])
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as dataset:
        dataset.write_mask(np.ones((8, 8), "uint8") * 255)

    assert facts_of(alpha).mask == "alpha"
    assert facts_of(alpha).bands[3].colour == ColorInterp.alpha.name
    assert facts_of(masked).mask == "dataset"
    assert facts_of(write_raster(tmp_path / "plain.tif", pixels[:3])).mask == "none"


def test_of_control_points_in_place_of_a_transform(tmp_path: Path) -> None:
    points = [GroundControlPoint(row, column, 10 + column, 50 - row, 0)
              for row, column in ((0, 0), (0, 80), (64, 0), (64, 80))]  # fmt: skip
    path = write_raster(tmp_path / "a.tif", crs="EPSG:4326", transform=None, gcps=points)
    found = facts_of(path)

    assert (found.transform, found.crs) == (None, None)
    assert (found.gcps, found.gcps_crs, found.rpcs) == (4, "EPSG:4326", False)


def test_of_a_world_file_and_overviews_beside(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", crs=None, transform=None)
    (tmp_path / "a.tfw").write_text("2\n0\n0\n-2\n1001\n1999\n")
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    found = facts_of(path)

    assert found.transform == tuple(Affine(2, 0, 1000, 0, -2, 2000))[:6]
    assert (found.crs, found.overviews) == (None, (2, 4))


def test_texts_are_bounded(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**{f"TAG_{number}": "x" * 5000 for number in range(500)})
        dataset.update_tags(1, **{f"TAG_{number}": "x" * 5000 for number in range(500)})
    found = facts_of(path)

    assert len(found.tags) == len(found.bands[0].tags) == 200
    assert max(map(len, found.tags.values())) == 1000


def test_facts_travel_as_json(tmp_path: Path) -> None:
    found = facts_of(write_raster(tmp_path / "a.tif", nodata=float("nan")))
    again = Facts.model_validate_json(found.model_dump_json())
    assert again.model_dump_json() == found.model_dump_json()
    assert np.isnan(again.bands[0].nodata or 0)
