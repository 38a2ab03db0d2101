"""The outlines of cells on the plane: they tile it, whatever meridian it begins at."""

from __future__ import annotations

import h3
import h3ronpy
import numpy as np
import numpy.typing as npt
import pytest
import shapely

from services.h3 import cells
from services.h3.model import Box, Cells
from services.h3.outlines import Outlines, outlines

WORLD = Box(west=-180, south=-90, east=180, north=90)
SEAMS = [-180.0, 0.0, -33.3, 11.25, 179.99, 180.0]


def every_cell(resolution: int) -> Cells:
    return cells.in_box(WORLD, resolution)


def numbered(names: list[str]) -> Cells:
    return np.sort(np.array([h3.str_to_int(each) for each in names], np.uint64))


def around(longitude: float, latitude: float, resolution: int, rings: int = 3) -> Cells:
    return numbered(h3.grid_disk(h3.latlng_to_cell(latitude, longitude, resolution), rings))


def shapes(found: Outlines) -> npt.NDArray[np.object_]:
    """The pieces as polygons, each of no more than its own vertices."""
    return np.array(
        [
            shapely.Polygon(np.column_stack([x[:n], y[:n]]))
            for x, y, n in zip(found.x, found.y, found.vertices.tolist(), strict=True)
        ]
    )


def planar_area(found: Outlines) -> float:
    """The sum of the pieces' areas, by their rows as they are filled up."""
    return float(shapely.area(shapely.polygons(np.stack([found.x, found.y], axis=2))).sum())


@pytest.mark.parametrize("seam", SEAMS)
@pytest.mark.parametrize("resolution", [0, 1, 2])
def test_the_outlines_of_all_cells_tile_the_plane(resolution: int, seam: float) -> None:
    every = every_cell(resolution)
    found = outlines(every, seam)
    assert (found.x.min(), found.x.max()) == (seam, seam + 360)
    assert (found.y.min(), found.y.max()) == (-90, 90)
    assert planar_area(found) == pytest.approx(360 * 180, rel=1e-12)
    assert (np.unique(found.cell) == np.arange(len(every))).all()
    assert (np.diff(found.cell) >= 0).all()


@pytest.mark.parametrize("seam", [-180.0, 11.25])
def test_no_two_outlines_overlap(seam: float) -> None:
    found = shapes(outlines(every_cell(1), seam))
    assert shapely.is_valid(found).all()
    one, other = shapely.STRtree(found).query(found, predicate="intersects")
    pairs = one < other
    common = shapely.area(shapely.intersection(found[one[pairs]], found[other[pairs]]))
    assert pairs.sum() > len(found)
    assert common.max() < 1e-12
    assert shapely.union_all(found, grid_size=1e-9).equals(
        shapely.set_precision(shapely.box(seam, -90, seam + 360, 90), 1e-9).normalize()
    )


@pytest.mark.parametrize("place", [(0.0, 90.0), (0.0, -90.0), (180.0, 16.7), (-180.0, -64.0)])
@pytest.mark.parametrize("resolution", [3, 6, 9, 12])
def test_fine_outlines_meet_without_gaps_at_the_poles_and_the_antimeridian(
    place: tuple[float, float], resolution: int
) -> None:
    disk = around(*place, resolution)
    for seam in (-180.0, 0.0, place[0] + 1e-3):
        found = shapes(outlines(disk, seam))
        assert shapely.is_valid(found).all()
        together = shapely.union_all(found)
        area = shapely.area(found).sum()
        assert together.area == pytest.approx(area, rel=1e-11)
        assert not any(part.interiors for part in shapely.get_parts(together))
        assert area == pytest.approx(planar_area(outlines(disk, 77.7)), rel=1e-9)


def test_a_pole_belongs_to_one_cell_which_goes_all_around_it() -> None:
    for resolution in (0, 1, 5, 11):
        for pole in (90.0, -90.0):
            disk = around(0.0, pole, resolution, rings=1)
            found = outlines(disk, -20.0)
            at_pole = np.unique(found.cell[(found.y == pole).any(axis=1)])
            expected = h3.str_to_int(h3.latlng_to_cell(pole, 0.0, resolution))
            assert disk[at_pole].tolist() == [expected]
            pieces = found.cell == at_pole[0]
            along = shapely.intersection(
                shapes(found)[pieces], shapely.LineString([(-20, pole), (340, pole)])
            )
            assert shapely.length(along).sum() == pytest.approx(360)


def test_a_cell_on_the_seam_comes_in_pieces_that_end_there() -> None:
    disk = around(10.0, 45.0, 6, rings=2)
    whole = outlines(disk, -180.0)
    assert (whole.cell == np.arange(len(disk))).all()
    cut = outlines(disk, 10.0)
    assert len(cut.cell) > len(disk)
    assert planar_area(cut) == pytest.approx(planar_area(whole), rel=1e-11)
    at_west, at_east = (cut.x == 10.0).any(axis=1), (cut.x == 370.0).any(axis=1)
    assert at_west.sum() == at_east.sum() == len(cut.cell) - len(disk)
    assert not ((cut.x > 15) & (cut.x < 365)).any()
    two = np.flatnonzero(np.bincount(cut.cell) == 2)
    assert len(two) > 2
    for cell in two:
        pieces = shapes(cut)[cut.cell == cell]
        assert shapely.area(pieces).sum() == pytest.approx(shapes(whole)[cell].area, rel=1e-9)


def test_no_cells_have_no_outlines() -> None:
    found = outlines(np.empty(0, np.uint64), -180.0)
    assert (len(found.cell), len(found.x), len(found.y), len(found.vertices)) == (0, 0, 0, 0)


def test_order_and_repeats_are_kept() -> None:
    some = np.asarray(h3ronpy.change_resolution(every_cell(0)[10:12], 2).to_numpy())[::-1].copy()
    some = np.concatenate([some, some[:3]])
    found = outlines(some, -180.0)
    x, y = cells.centres(some)
    for cell, shape in zip(found.cell, shapes(found), strict=True):
        if (found.cell == cell).sum() == 1:
            assert shape.contains(shapely.Point(x[cell], y[cell]))
