"""The smallest box around cells."""

from __future__ import annotations

import h3
import numpy as np
import pytest

from services.h3.extents import Extent
from services.h3.model import Cells


def around(latitude: float, longitude: float, resolution: int = 4, rings: int = 1) -> Cells:
    found = h3.grid_disk(h3.latlng_to_cell(latitude, longitude, resolution), rings)
    return np.array([h3.str_to_int(cell) for cell in found], np.uint64)


def extent(*groups: Cells) -> Extent:
    found = Extent()
    for cells in groups:
        found.add_cells(cells)
    return found


def test_of_nothing_there_is_none() -> None:
    assert Extent().bounds() is None
    assert extent(np.empty(0, np.uint64)).bounds() is None


def test_it_holds_the_corners_of_all_cells_and_nothing_else() -> None:
    cells = around(47, 11)
    corners = np.array(
        [corner for cell in cells for corner in h3.cell_to_boundary(h3.int_to_str(int(cell)))]
    )
    south, west = corners.min(axis=0)
    north, east = corners.max(axis=0)
    assert extent(cells).bounds() == pytest.approx((west, south, east, north), abs=1e-9)


def test_cells_on_both_sides_of_the_antimeridian() -> None:
    west, south, east, north = extent(around(-17, 179.9), around(-17, -178)).bounds() or ()
    assert 178 < west < 180
    assert -180 < east < -176
    assert south < -17 < north


def test_one_cell_across_the_antimeridian() -> None:
    west, _, east, _ = extent(around(0, 180, resolution=2, rings=0)).bounds() or ()
    assert 170 < west < 180
    assert -180 < east < -170


def test_far_apart_is_around_the_shorter_way() -> None:
    hawaii, guam, lisbon = around(20, -156), around(13, 145), around(39, -9)
    west, _, east, _ = extent(hawaii, guam).bounds() or ()
    assert (round(west), round(east)) == (145, -155)
    west, _, east, _ = extent(hawaii, lisbon).bounds() or ()
    assert (round(west), round(east)) == (-157, -8)


@pytest.mark.parametrize(("latitude", "edge"), [(90, 3), (-90, 1)])
def test_around_a_pole_are_all_longitudes(latitude: int, edge: int) -> None:
    bounds = extent(around(latitude, 0, rings=0)).bounds()
    assert bounds is not None
    assert (bounds[0], bounds[2]) == (-180, 180)
    assert bounds[edge] == latitude


def test_all_cells_are_the_whole_earth() -> None:
    cells = np.array([h3.str_to_int(cell) for cell in h3.get_res0_cells()], np.uint64)
    assert extent(cells).bounds() == (-180, -90, 180, 90)


@pytest.mark.parametrize("place", [(47, 11), (-17, 179.9), (90, 0)])
def test_bounds_of_before_are_taken_in(place: tuple[float, float]) -> None:
    cells, others = around(*place), around(-30, 150)
    known = extent(cells).bounds()
    assert known is not None
    found = extent(others)
    found.add_bounds(known)
    assert found.bounds() == extent(cells, others).bounds()
    alone = Extent()
    alone.add_bounds(known)
    assert alone.bounds() == known
