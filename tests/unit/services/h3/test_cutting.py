"""Blocks have no more pixels than a task can take, wherever they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from core.errors import PermanentTaskError
from services.h3 import boxes, cutting, grids, planning, tally
from services.h3.model import Box, Grid, Mosaic, SourceRaster
from tests.support import h3_rasters
from tests.support.rasters import write

# At its northern edge a cell has more than twice as many pixels as at its southern one.
NORTHERN = Affine(0.04, 0, 20, 0, -0.04, 86)
COLUMNS, ROWS = 200, 250
RESOLUTION = 5
FEW_VALUES = 1_400


@pytest.fixture(scope="module")
def strip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measurements from 76 to 86 degrees north."""
    values = np.random.default_rng(12).normal(0, 1, (ROWS, COLUMNS)).astype(np.float32)
    return write(
        tmp_path_factory.mktemp("strip") / "strip.tif", values, crs="EPSG:4326", transform=NORTHERN
    )


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of few pixels, and as little memory."""
    monkeypatch.setattr(planning, "_BLOCK_PIXELS", 30.0)
    monkeypatch.setattr(tally, "_VALUES_A_MEGABYTE", FEW_VALUES / 512)


def cut(
    rasters: list[SourceRaster],
    statistics: tuple[str, ...],
    most_values: int,
    resolution: int = RESOLUTION,
) -> tuple[list[Box], list[Box]]:
    """The bounds of rasters, and the blocks of them."""
    mosaics = grids.mosaics(rasters)
    bounds = planning.bounds(None, [box for m in mosaics for box in grids.bounds(m.grid)], 5)
    found = cutting.blocks(
        bounds,
        resolution,
        rasters,
        mosaics,
        pixel_m=min(grids.pixel_size_m(each.grid) for each in mosaics),
        statistics=statistics,
        most_values=most_values,
    )
    return bounds, list(found)


def square_degrees(found: list[Box]) -> float:
    return sum((box.east - box.west) * (box.north - box.south) for box in found)


def raster(grid: Grid, dtype: str = "float32") -> SourceRaster:
    return SourceRaster(
        name="a", container="c", path="a.tif", etag="e", size=1, grid=grid, band=1, dtype=dtype
    )


@pytest.mark.usefixtures("small_blocks")
def test_a_median_is_told_near_the_pole_as_it_is_further_south(strip: Path) -> None:
    source = h3_rasters.source(strip)
    bounds, found = cut([source], ("mean", "median"), FEW_VALUES)
    assert square_degrees(found) == pytest.approx(square_degrees(bounds))
    assert found != boxes.disjoint(found), "there are several"
    told = h3_rasters.statistics([strip], RESOLUTION, ("median",), boxes=found)
    assert np.isfinite(told.column("median")).sum() > 200

    side = planning.block_side_m(RESOLUTION, grids.pixel_size_m(source.grid))
    of_one_size = boxes.partition(bounds, RESOLUTION, side)
    assert len(found) < 5 * len(of_one_size)
    northern = [box for box in of_one_size if box.north > 84]
    with pytest.raises(PermanentTaskError) as raised:
        h3_rasters.statistics([strip], RESOLUTION, ("median",), boxes=northern)
    assert raised.value.error_code == "too_many_values"


# From pole to pole, in 30 metres.
SLICE = Grid(
    crs="EPSG:4326", transform=(1 / 1200, 0, 20, 0, -1 / 1200, 90), width=2_400, height=216_000
)


def test_blocks_hold_no_more_pixels_than_twice_the_mean_ones() -> None:
    bounds, found = cut([raster(SLICE)], ("mean",), 6_000_000, resolution=5)
    assert square_degrees(found) == pytest.approx(square_degrees(bounds))
    for box in found:
        part = boxes.common(box, Box(west=20, south=-90, east=22, north=90))
        pixels = 0.0 if part is None else 1200**2 * square_degrees([part])
        assert pixels <= 2.02 * 2048**2 or planning.estimated_cells([box], 5) <= 32


@pytest.mark.parametrize(("dtype", "are_fewer"), [("uint8", True), ("int16", False)])
def test_few_classes_take_no_smaller_blocks(dtype: str, are_fewer: bool) -> None:
    """Of bytes there are 256 in a cell at most, however many pixels it has."""
    mean = cut([raster(SLICE, dtype)], ("mean",), 6_000_000, resolution=4)[1]
    majority = cut([raster(SLICE, dtype)], ("majority",), 6_000_000, resolution=4)[1]
    assert (len(majority) == len(mean)) is are_fewer
    assert len(majority) >= len(mean)


def pixels_in(grid: Grid, box: Box) -> float:
    mosaic = Mosaic(grid=grid, members=())
    return cutting._Density([mosaic]).pixels(box)


def test_pixels_of_a_projected_grid_are_those_of_its_part_in_the_box() -> None:
    """UTM 33N, 100 m, whose central meridian is 15 E."""
    grid = Grid(
        crs="EPSG:32633", transform=(100, 0, 500_000, 0, -100, 5_600_000), width=1000, height=1000
    )
    one = Box(west=15.2, south=50.0, east=15.3, north=50.1)
    square_km = 11.12 * 11.12 * np.cos(np.radians(50.05))
    assert pixels_in(grid, one) == pytest.approx(100 * square_km, rel=0.01)
    (around,) = grids.bounds(grid)
    assert pixels_in(grid, around) == pytest.approx(1000 * 1000, rel=0.05)
    assert pixels_in(grid, Box(west=40, south=50, east=41, north=51)) == 0


@pytest.mark.parametrize("west", [-180.0, -10.0, 0.0, 170.0])
def test_pixels_of_a_world_are_counted_on_either_side_of_its_seam(west: float) -> None:
    grid = Grid(crs="EPSG:4326", transform=(0.5, 0, west, 0, -0.5, 90), width=720, height=360)
    for box in (
        Box(west=-180, south=-90, east=180, north=90),
        Box(west=-20, south=60, east=20, north=70),
        Box(west=160, south=-90, east=180, north=-85),
    ):
        expected = 4 * (box.east - box.west) * (box.north - box.south)
        assert pixels_in(grid, box) == pytest.approx(expected, rel=1e-6)
