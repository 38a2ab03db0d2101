"""Blocks and rasters of a plan find each other, however many there are."""

from __future__ import annotations

import numpy as np
import pytest

from services.h3 import grids, plans
from services.h3.model import Block, Box, Grid, Plan, SourceRaster
from services.h3.nearby import Nearby


class Stopped(Exception):
    pass


def stop() -> None:
    raise Stopped


def go_on() -> None:
    pass


def raster(west: float, north: float, size: float = 0.1, crs: str = "EPSG:4326") -> SourceRaster:
    """Of ten pixels a side."""
    where = Grid(crs=crs, transform=(size, 0, west, 0, -size, north), width=10, height=10)
    return SourceRaster(
        name="r", container="c", path="r.tif", etag="e", size=1, grid=where, band=1, dtype="uint8"
    )


def plan(rasters: list[SourceRaster], boxes: list[Box]) -> Plan:
    nearby = Nearby([each.grid for each in rasters], 0.01, go_on)
    return Plan(
        resolution=6,
        weighting="exact",
        statistics=("mean",),
        rasters=tuple(rasters),
        mosaics=grids.mosaics(rasters),
        area=None,
        blocks=tuple(
            Block(index=number, box=box, cells=7, rasters=nearby.to(box))
            for number, box in enumerate(boxes)
        ),
        cells=7 * len(boxes),
        pixels_per_cell=1.0,
    )


def test_rasters_near_a_box_are_those_that_reach_it_within_the_distance() -> None:
    rasters = [raster(0, 1), raster(1, 1), raster(-180, 1), raster(179, 1)]
    nearby = Nearby([each.grid for each in rasters], 0.05, go_on)
    assert nearby.to(Box(west=0.2, south=0.2, east=0.8, north=0.8)) == (0,)
    assert nearby.to(Box(west=0.2, south=0.2, east=0.96, north=0.8)) == (0, 1)
    assert nearby.to(Box(west=0.2, south=1.1, east=0.9, north=1.2)) == ()
    # Over the antimeridian.
    assert nearby.to(Box(west=-179.99, south=0, east=-179.98, north=1)) == (2, 3)


def test_each_page_has_its_blocks_and_what_is_near_them() -> None:
    rasters = [raster(x, 1) for x in range(150)] + [raster(x + 0.05, 5) for x in range(150)]
    boxes = [
        Box(west=x + 0.3, south=y, east=x + 0.6, north=y + 0.5)
        for y in (0.2, 4.2)
        for x in range(150)
    ]
    whole = plan(rasters, boxes)
    assert len(whole.mosaics) == 2
    pages = list(plans.pages(whole))
    assert [block for page in pages for block in page.blocks] == list(whole.blocks)
    for page in pages:
        assert len(page.rasters) <= len(page.blocks) == min(64, 300 - page.blocks[0].index)
        assert page.blocks_total == 300
        for block in page.blocks:
            assert page.block(block.index) == block
            assert block.rasters == (block.index,)
            assert page.rasters[block.index] == rasters[block.index]
        members = [member for mosaic in page.mosaics for member in mosaic.members]
        assert [member.raster for member in members] == sorted(page.rasters)
        for mosaic in page.mosaics:
            (of,) = (each for each in whole.mosaics if each.grid == mosaic.grid)
            assert set(mosaic.members) <= set(of.members)


def test_rasters_that_begin_anywhere_in_a_pixel_are_put_on_the_grids_that_they_are_on() -> None:
    """On the first grid that they fit, as if each were held against all."""
    chance = np.random.default_rng(5)
    rasters = []
    for number in range(200):
        # Near the edges of pixels, and of the squares in which grids are looked up.
        part = chance.choice([0.0, 0.01, 0.019, 0.02, 0.031, 0.5, 0.981, 0.989, 0.9995, 0.2])
        row = chance.choice([0.0, 0.4999, 0.5, 0.992])
        size = float(chance.choice([10.0, 10.0 + 1e-8]))
        x, y = 10 * (number * 12 + part), 5e6 - 10 * (row + chance.integers(0, 1000))
        rasters.append(raster(4e5 + x, y, size, "EPSG:32633"))
    groups: list[list[int]] = []
    for number, each in enumerate(rasters):
        for group in groups:
            if len(grids.mosaics([rasters[group[0]], each])) == 1:
                group.append(number)
                break
        else:
            groups.append([number])
    found = [[member.raster for member in mosaic.members] for mosaic in grids.mosaics(rasters)]
    assert found == groups
    assert 10 < len(found) < 100


def test_what_takes_long_can_be_stopped() -> None:
    rasters = [raster(0, 1), raster(0.05, 1)]
    mosaics = grids.mosaics(rasters)
    with pytest.raises(Stopped):
        grids.mosaics(rasters, stop)
    with pytest.raises(Stopped):
        grids.overlapping(rasters, mosaics, stop)
    with pytest.raises(Stopped):
        Nearby([each.grid for each in rasters], 0.1, stop)
