from __future__ import annotations

import numpy as np
import pytest

from core.errors import PermanentTaskError
from services.h3 import areas, boxes, cells, planning
from services.h3.model import Box, Grid, SourceRaster

WORLD = Box(west=-180, south=-90, east=180, north=90)


def raster(raster_type: str | None) -> SourceRaster:
    grid = Grid(crs="EPSG:4326", transform=(1, 0, 0, 0, -1, 0), width=1, height=1)
    return SourceRaster(
        name="a", container="c", path="a.tif", etag="e", size=1, grid=grid, band=1, dtype="uint8",
        raster_type=raster_type,
    )  # fmt: skip


def test_statistics_follow_what_the_rasters_are() -> None:
    assert "mean" in planning.statistics_for(None, [raster("dem")])
    assert "majority" in planning.statistics_for(None, [raster("categorical")])
    mixed = [raster("categorical"), raster(None)]
    assert "mean" in planning.statistics_for(None, mixed)
    assert planning.statistics_for(["p95"], [raster("categorical")]) == ("p95",)


def test_pixels_are_weighed_exactly_unless_told_otherwise() -> None:
    assert planning.weighting_for(None) == "exact"
    assert planning.weighting_for("centroid") == "centroid"


def test_what_few_pixels_do_to_a_cell_is_told() -> None:
    assert not list(planning.notes_on_density("exact", 1.5))
    assert not list(planning.notes_on_density("centroid", 100.0))
    (several_percent,) = planning.notes_on_density("centroid", 5.0)
    assert "centres" in several_percent
    (smaller,) = planning.notes_on_density("exact", 0.25)
    assert "0.25" in smaller


def test_pixels_per_cell_at_the_equator() -> None:
    # Cells of resolution 5 have 252.9 square kilometres on the average.
    assert planning.pixels_per_cell(5, 1000.0) == pytest.approx(252.9, rel=1e-3)


@pytest.mark.parametrize("resolution", [0, 5, 12])
@pytest.mark.parametrize("pixel_m", [1.0, 1000.0, 100_000.0])
def test_a_block_is_neither_smaller_than_its_cells_nor_full_of_them(
    resolution: int, pixel_m: float
) -> None:
    side = planning.block_side_m(resolution, pixel_m)
    assert side**2 >= cells.mean_area_m2(resolution)
    assert side**2 / cells.mean_area_m2(resolution) <= 250_001


def test_the_whole_world_has_all_cells() -> None:
    assert planning.estimated_cells([WORLD], 3) == pytest.approx(cells.count(3))
    assert planning.bounds(None, [WORLD], 3) == [WORLD]


def test_every_cell_that_reaches_into_a_raster_has_its_centre_in_the_bounds() -> None:
    raster_box = Box(west=179.0, south=60.0, east=180.0, north=61.0)
    found = planning.bounds(None, [raster_box], 3)
    everywhere = cells.in_box(WORLD, 3)
    inside = np.concatenate([cells.in_box(box, 3) for box in found])
    outlines = cells.outlines(everywhere, -180.0)
    west, east = outlines.x.min(axis=1), outlines.x.max(axis=1)
    south, north = outlines.y.min(axis=1), outlines.y.max(axis=1)
    reaching = (west < 180) & (east > 179) & (south < 61) & (north > 60)
    assert set(everywhere[outlines.cell[reaching]]) <= set(inside)
    assert any(box.west == -180 for box in found), "beyond the antimeridian there are some as well"


def test_bounds_in_an_area_are_those_of_the_area_near_a_raster() -> None:
    area = areas.of_bbox((10.0, 40.0, 30.0, 50.0))
    near = Box(west=25.0, south=45.0, east=60.0, north=70.0)
    (common,) = planning.bounds(area.boxes(), [near], 6)
    assert (common.east, common.north) == pytest.approx((30.0, 50.0))
    assert 24 < common.west < 25
    assert 44 < common.south < 45
    assert planning.bounds(area.boxes(), [Box(west=-50, south=0, east=-40, north=10)], 6) == []


def test_bounds_of_neighbouring_rasters_do_not_overlap() -> None:
    tiles = [Box(west=w, south=0.0, east=w + 1, north=1.0) for w in range(5)]
    found = planning.bounds(None, tiles, 4)
    assert found == boxes.disjoint(found)
    assert sum(planning.estimated_cells([box], 4) for box in found) == pytest.approx(
        planning.estimated_cells(found, 4)
    )


def test_pixels_of_different_sizes_are_told_of() -> None:
    assert not list(planning.notes_on_pixel_sizes([30.0]))
    assert not list(planning.notes_on_pixel_sizes([30.0, 30.4]))
    (told,) = planning.notes_on_pixel_sizes([90.0, 30.0, 31.0])
    assert "from 30 to 90 m" in told


def test_a_band_that_has_another_number_in_another_raster_is_refused() -> None:
    one = raster(None)
    assert planning.band_of([one, one]) == 1
    with pytest.raises(PermanentTaskError, match="number 1 of a, and number 3 of b") as refused:
        planning.band_of([one, one, one.model_copy(update={"name": "b", "band": 3})])
    assert refused.value.error_code == "band_numbers_differ"
