"""The .prj beside a raster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS

from services.raster.child.prj import heed
from tests.support.raster_files import write_raster

ESRI = (
    'PROJCS["WGS_1984_UTM_Zone_33N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",'
    '6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",15.0],'
    'PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


def crs_of(path: Path) -> CRS | None:
    with rasterio.open(path) as dataset:
        return dataset.crs


@pytest.mark.parametrize(("name", "driver"), [("a.tif", "GTiff"), ("a.png", "PNG")])
def test_it_says_the_crs_of_a_raster_that_has_none(tmp_path: Path, name: str, driver: str) -> None:
    path = write_raster(tmp_path / name, np.ones((1, 8, 8), "uint8"), driver=driver, crs=None)
    (tmp_path / "a.prj").write_text("\ufeff" + ESRI + "\n", encoding="utf-8")

    assert heed(str(path)) is True
    assert crs_of(path) == CRS.from_epsg(32633)
    assert heed(str(path)) is False


def test_what_else_is_known_of_the_raster_stays(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", crs=None)
    (tmp_path / "a.prj").write_text(ESRI)
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><Metadata><MDI key="sensor">OLI</MDI></Metadata></PAMDataset>'
    )
    assert heed(str(path)) is True
    with rasterio.open(path) as dataset:
        assert (dataset.tags()["sensor"], dataset.crs.to_epsg()) == ("OLI", 32633)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.prj", "a.tif", "a.tif.aux.xml"]


def test_a_raster_that_has_a_crs_keeps_it(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", crs="EPSG:32618")
    (tmp_path / "a.prj").write_text(ESRI)
    assert heed(str(path)) is False
    assert crs_of(path) == CRS.from_epsg(32618)


@pytest.mark.parametrize("text", ["", "Projection UTM\nZone 33\n", "http://example.org/crs", "\0"])
def test_one_that_is_no_wkt_says_nothing(tmp_path: Path, text: str) -> None:
    path = write_raster(tmp_path / "a.tif", crs=None)
    (tmp_path / "a.prj").write_text(text)
    assert heed(str(path)) is False
    assert crs_of(path) is None
