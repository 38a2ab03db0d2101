"""A raster of the world, and one with a mask, are what they were once they are warped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine
from rasterio.enums import MaskFlags

from core.errors import PermanentTaskError
from services.raster.child.wrapping import warped_grid, wrapped
from services.raster.model import Nodata
from services.raster.windows import split
from tests.support.cog_making import made_cog, plan_of, survey_of
from tests.support.raster_files import relief, write_raster

_DEGREE = Affine(1, 0, -180, 0, -1, 90)


def _world(path: Path, transform: Affine = _DEGREE) -> Path:
    """Each pixel, of a degree, is its longitude, from -180 to 180."""
    longitudes = transform.c + 0.5 + np.arange(360)
    longitudes = np.where(longitudes > 180, longitudes - 360, longitudes)
    pixels = np.tile(longitudes.astype("float32"), (1, 180, 1))
    return write_raster(path, pixels, crs="EPSG:4326", transform=transform)


@pytest.mark.parametrize("west", [-180, 0])
def test_the_world_in_web_mercator_ends_where_that_does(tmp_path: Path, west: int) -> None:
    source = _world(tmp_path / "source.tif", Affine(1, 0, west, 0, -1, 90))
    made = made_cog(source, target_crs="EPSG:3857")
    with rasterio.open(made.path) as cog:
        left, bottom, right, top = cog.bounds
        pixel = cog.transform.a
        assert 50_000 < pixel < 150_000
        assert (left, right) == pytest.approx((-20_037_508, 20_037_508), abs=pixel)
        assert (bottom, top) == pytest.approx((-20_048_966, 20_048_966), abs=pixel)
        found = cog.read(1, masked=True)
        assert found.mask.mean() < 0.01
        x = left + (np.arange(cog.width) + 0.5) * pixel
        inner = slice(4, -4)  # what lies beside the antimeridian is blended across it
        wanted = np.tile(np.degrees(x / 6_378_137), (cog.height, 1))
        away = np.abs(found[:, inner] - wanted[:, inner])
        away = away[:, np.abs(wanted[0, inner]) > 3]  # where longitudes from 0 to 360 begin
        assert away.max() < 1
    assert any("clipped" in note and "EPSG:3857" in note for note in made.plan.notes)


def test_the_world_in_a_national_grid_is_its_country(tmp_path: Path) -> None:
    made = made_cog(_world(tmp_path / "source.tif"), target_crs="EPSG:2154")
    with rasterio.open(made.path) as cog:
        assert 20_000 < cog.transform.a < 200_000
        assert cog.bounds.left < 700_000 < cog.bounds.right
        # 3 degrees east, the meridian that the grid is built on.
        assert next(cog.sample([(700_000, 6_600_000)]))[0] == pytest.approx(3, abs=0.6)


def test_a_raster_beside_its_zone_is_warped_whole(tmp_path: Path) -> None:
    pixels = relief(100, 100)
    source = write_raster(tmp_path / "source.tif", pixels,
                          transform=Affine(3_000, 0, 400_000, 0, -3_000, 5_400_000))  # fmt: skip
    plan = plan_of(source, target_crs="EPSG:32632")
    assert plan.warp_bounds is None
    with wrapped(str(source), plan) as dataset:
        valid = dataset.dataset_mask() != 0
        area = valid.sum() * abs(dataset.transform.determinant)
        assert area == pytest.approx(100 * 100 * 3_000**2, rel=0.05)


@pytest.mark.parametrize(
    ("west", "north"), [(120, -10), (-60, 10)], ids=["in Australia", "in South America"]
)
def test_what_has_no_place_in_the_crs_is_refused(tmp_path: Path, west: int, north: int) -> None:
    source = write_raster(tmp_path / "source.tif", crs="EPSG:4326",
                          transform=Affine(0.1, 0, west, 0, -0.1, north))  # fmt: skip
    with pytest.raises(PermanentTaskError, match=r"target_crs: .*EPSG:2154") as refused:
        plan_of(source, target_crs="EPSG:2154")
    assert refused.value.error_code == "warp_out_of_range"


def test_a_warped_raster_is_no_larger_than_rasters_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _world(tmp_path / "source.tif")
    plan = plan_of(source, target_crs="EPSG:3857").model_dump(mode="json")
    width, height = warped_grid(str(source), plan)
    monkeypatch.setenv("GEOFORGE_MAX_RASTER_PIXELS", str(width * height))
    assert warped_grid(str(source), plan) == (width, height)
    monkeypatch.setenv("GEOFORGE_MAX_RASTER_PIXELS", str(width * height - 1))
    with pytest.raises(PermanentTaskError, match=r"target_crs: .*GEOFORGE_MAX_RASTER") as refused:
        warped_grid(str(source), plan)
    assert refused.value.error_code == "raster_too_large"


@pytest.mark.parametrize("nodata", [None, -9999.0])
@pytest.mark.parametrize("options", [{}, {"nodata": -1}], ids=["", "a value given"])
def test_a_mask_is_warped_with_its_raster(
    tmp_path: Path, nodata: float | None, options: dict[str, Any]
) -> None:
    pixels = relief(300, 300)
    hidden = np.zeros((300, 300), dtype=bool)
    hidden[60:180, 90:240] = True
    pixels[0, hidden] = 50_000
    source = write_raster(tmp_path / "source.tif", pixels, nodata=nodata)
    with rasterio.open(source, "r+") as dataset:
        dataset.write_mask(~hidden)
        west, south, east, north = dataset.bounds
        whole = abs(dataset.transform.determinant) * 300 * 300
    made = made_cog(source, target_crs="EPSG:32634", **options)
    assert (made.plan.nodata, made.plan.nodata_value) == (Nodata.MASK, None)
    with rasterio.open(made.path) as cog:
        assert cog.nodata is None
        assert cog.mask_flag_enums[0] == [MaskFlags.per_dataset]
        found = cog.read(1, masked=True)
        # Of the ground that the source covers as much is hidden as in the source, and no value
        # of a hidden pixel shows.
        shown = (~found.mask).sum() * abs(cog.transform.determinant)
        scale = _area_scale(west, south, east, north)
        assert shown / (whole * scale) == pytest.approx(1 - hidden.mean(), abs=0.02)
        assert found.max() < 1000
    facts = survey_of(source, made.plan.type).facts
    assert split(facts, made.plan, 1e-9, (made.encoded.width, made.encoded.height)) == []


def _area_scale(west: float, south: float, east: float, north: float) -> float:
    """How much larger an area of zone 33 is in zone 34."""
    x, y = rasterio.warp.transform(
        "EPSG:32633", "EPSG:32634", [west, east, east, west], [north, north, south, south]
    )
    twice = sum(x[i] * y[(i + 1) % 4] - x[(i + 1) % 4] * y[i] for i in range(4))
    return float(abs(twice) / 2 / ((east - west) * (north - south)))
