"""Which cells lie in a box and an area, against all cells of the world and against h3."""

from __future__ import annotations

import math
from functools import cache

import h3
import h3ronpy
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from shapely.geometry import mapping

from services.h3 import areas, boxes, cells, indexes
from services.h3.areas import Area
from services.h3.model import Box, Cells, Numbers

WORLD = Box(west=-180, south=-90, east=180, north=90)


def box(west: float, south: float, east: float, north: float) -> Box:
    return Box(west=west, south=south, east=east, north=north)


@cache
def every_cell(resolution: int) -> Cells:
    """All cells of the world, by way of h3's own base cells."""
    base = np.array([h3.str_to_int(each) for each in h3.get_res0_cells()], np.uint64)
    return np.sort(np.asarray(h3ronpy.change_resolution(base, resolution).to_numpy()))


@cache
def their_centres(resolution: int) -> tuple[Numbers, Numbers]:
    places = [h3.cell_to_latlng(h3.int_to_str(each)) for each in every_cell(resolution).tolist()]
    latitudes, longitudes = np.array(places).T
    return longitudes, latitudes


def by_hand(one: Box, resolution: int, area: Area | None = None) -> Cells:
    """The rule, for each cell of the world."""
    x, y = their_centres(resolution)
    inside = (x >= one.west) & (x < one.east) & (y >= one.south)
    inside &= (y < one.north) | (one.north == 90)
    if area is not None:
        inside[inside] = shapely.intersects(area.geometry, shapely.points(x[inside], y[inside]))
    return every_cell(resolution)[inside]


def vectors(x: Numbers, y: Numbers) -> npt.NDArray[np.float64]:
    x, y = np.radians(x), np.radians(y)
    return np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


def angles(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> Numbers:
    """Degrees between unit vectors."""
    chord = np.linalg.norm(one - other, axis=1)
    return np.degrees(2 * np.arcsin(chord / 2))


@pytest.mark.parametrize("resolution", [0, 1, 2, 3])
@pytest.mark.parametrize("side_m", [1_500_000.0, 5_000_000.0])
def test_boxes_that_cover_the_world_have_every_cell_once(resolution: int, side_m: float) -> None:
    parts = boxes.partition([WORLD], resolution, side_m)
    found = np.concatenate([cells.in_box(part, resolution) for part in parts])
    assert len(found) == h3.get_num_cells(resolution) == cells.count(resolution)
    assert (np.sort(found) == every_cell(resolution)).all()


def test_odd_cuts_of_the_world_have_every_cell_once() -> None:
    random = np.random.default_rng(7)
    x = [-180.0, *np.sort(random.uniform(-180, 180, 9)).tolist(), 180.0]
    y = [-90.0, *np.sort(random.uniform(-90, 90, 7)).tolist(), 90.0]
    parts = [box(x[i], y[j], x[i + 1], y[j + 1]) for i in range(10) for j in range(8)]
    found = np.concatenate([cells.in_box(part, 3) for part in parts])
    assert (np.sort(found) == every_cell(3)).all()


@pytest.mark.parametrize(
    "one",
    [
        box(20, -10, 40, 10),
        box(-180, 60, 180, 90),
        box(-180, -90, 180, -88),
        box(-30, 85, 100, 90),
        box(170, -20, 180, 5),
        box(-180, -20, -179.9, 5),
        box(-180, -90, -120, 90),
        box(11.999, 3, 12.001, 3.001),
    ],
)
def test_a_box_has_the_cells_whose_centre_is_in_it(one: Box) -> None:
    for resolution in (0, 2, 4):
        found = cells.in_box(one, resolution)
        assert found.dtype == np.uint64
        assert found.tolist() == by_hand(one, resolution).tolist()
        assert cells.count_in_box(one, resolution) == len(found)


def test_random_boxes_have_the_cells_whose_centre_is_in_them() -> None:
    random = np.random.default_rng(1)
    for _ in range(150):
        west, east = np.sort(random.uniform(-180, 180, 2))
        south, north = np.sort(random.uniform(-90, 90, 2))
        if random.random() < 0.5:
            east, north = west + (east - west) / 20, south + (north - south) / 20
        one = box(west, south, east, north)
        for resolution in (1, 3):
            assert (cells.in_box(one, resolution) == by_hand(one, resolution)).all()


def test_west_and_south_belong_to_a_box_and_east_and_north_do_not() -> None:
    cell = cells.in_box(box(10, 40, 12, 42), 5)[:1]
    (x,), (y,) = cells.centres(cell)
    assert cell in cells.in_box(box(x, y, x + 1, y + 1), 5)
    assert cell not in cells.in_box(box(x - 1, y - 1, x, y + 1), 5)
    assert cell not in cells.in_box(box(x - 1, y - 1, x + 1, y), 5)


@pytest.mark.parametrize("place", [(0.0, 90.0), (0.0, -90.0), (180.0, 0.0), (31.8, -64.7)])
@pytest.mark.parametrize("resolution", [7, 12])
def test_fine_cells_are_those_that_h3_finds_for_places_all_over_the_box(
    place: tuple[float, float], resolution: int
) -> None:
    reach = 3 * cells.circumradius(resolution)
    x, y = place
    one = boxes.grown([box(x - 1e-9, max(y - 1e-9, -90), x, min(y, 90))], reach)
    found = set(np.concatenate([cells.in_box(each, resolution) for each in one]).tolist())
    assert sum(cells.count_in_box(each, resolution) for each in one) == len(found)
    wanted = set()
    for each in one:
        for longitude in np.linspace(each.west, each.east, 60):
            for latitude in np.linspace(each.south, each.north, 60):
                wanted.add(h3.latlng_to_cell(latitude, longitude, resolution))
    for name in wanted:
        latitude, longitude = h3.cell_to_latlng(name)
        inside = any(
            each.west <= longitude < each.east and each.south <= latitude <= each.north
            for each in one
        )
        assert inside == (h3.str_to_int(name) in found)
    assert len(found) > 5


def test_areas_have_the_cells_whose_centre_is_in_them() -> None:
    random = np.random.default_rng(3)
    for _ in range(12):
        middle = random.uniform([-150, -70], [150, 70])
        turns = np.sort(random.uniform(0, 2 * math.pi, 9))
        radii = random.uniform(0.5, 15, 9)
        ring = middle + radii[:, None] * np.column_stack([np.cos(turns), np.sin(turns)])
        area = areas.of_polygon(mapping(shapely.Polygon(ring.clip([-180, -90], [180, 90]))))
        for one in (WORLD, box(*(middle - 3), *(middle + 9))):
            found = cells.in_box(one, 3, area)
            assert found.tolist() == by_hand(one, 3, area).tolist()
            assert cells.count_in_box(one, 3, area) == len(found)


def test_ordinary_polygons_have_the_cells_that_h3_gives_them() -> None:
    rwanda = [(28.9, -2.7), (29.6, -1.4), (30.5, -1.1), (30.9, -2.3), (29.9, -2.4), (29.1, -2.8)]
    area = areas.of_polygon({"type": "Polygon", "coordinates": [[*rwanda, rwanda[0]]]})
    shape = h3.LatLngPoly([(y, x) for x, y in rwanda])
    for resolution in (5, 7, 8):
        expected = {h3.str_to_int(each) for each in h3.polygon_to_cells(shape, resolution)}
        [bounds] = area.boxes()
        assert set(cells.in_box(bounds, resolution, area).tolist()) == expected
        assert cells.count_in_box(WORLD, resolution, area) == len(expected)


def test_an_area_in_which_no_centre_lies_has_no_cells() -> None:
    area = areas.of_bbox((10.0, 45.0, 10.0001, 45.0001))
    for resolution in (0, 6):
        found = cells.in_box(WORLD, resolution, area)
        assert (len(found), found.dtype) == (0, np.uint64)
        assert cells.count_in_box(WORLD, resolution, area) == 0
    assert len(cells.in_box(box(50, 0, 60, 10), 4, area)) == 0


@pytest.mark.parametrize("place", [(0.0, 90.0), (180.0, -15.0), (12.3, 52.1), (2.3, -5.2)])
def test_a_box_grown_by_the_circumradius_has_all_cells_that_overlap_it(
    place: tuple[float, float],
) -> None:
    x, y = place
    one = box(x - 3, max(y - 2, -90), min(x + 0.5, 180), min(y + 1, 90))
    for resolution in (2, 4):
        around = boxes.grown([one], cells.circumradius(resolution))
        found = np.concatenate([cells.in_box(each, resolution) for each in around])
        assert len(np.unique(found)) == len(found)
        assert np.isin(overlapping(one, resolution), found).all()


def overlapping(one: Box, resolution: int) -> Cells:
    """The cells that h3 finds for places all over a box, its corners included."""
    names = {
        h3.latlng_to_cell(y, x, resolution)
        for x in np.linspace(one.west, one.east, 40)
        for y in np.linspace(one.south, one.north, 40)
    }
    return np.array([h3.str_to_int(each) for each in names], np.uint64)


def test_whole_descents_are_counted_with_those_of_pentagons() -> None:
    for name in h3.get_pentagons(1):
        latitude, longitude = h3.cell_to_latlng(name)
        one = box(max(longitude - 25, -180), latitude - 18, min(longitude + 25, 180), latitude + 18)
        assert cells.count_in_box(one, 5) == len(cells.in_box(one, 5))
    assert cells.count_in_box(WORLD, 15) == h3.get_num_cells(15)


def test_centres_are_those_of_h3() -> None:
    for resolution in (0, 1, 2, 3):
        x, y = cells.centres(every_cell(resolution))
        longitudes, latitudes = their_centres(resolution)
        assert np.abs(y - latitudes).max() < 1e-11
        assert np.abs((x - longitudes + 180) % 360 - 180).max() < 1e-11
    assert -180 <= x.min() <= x.max() < 180
    empty = np.empty(0, np.uint64)
    assert [len(each) for each in cells.centres(empty)] == [0, 0]


def test_parents_are_those_of_h3() -> None:
    names = h3.grid_disk(h3.latlng_to_cell(-1.9, 30.1, 9), 5) + list(h3.get_pentagons(9))
    fine = np.array([h3.str_to_int(each) for each in names], np.uint64)
    for resolution in (0, 5, 9):
        expected = [h3.str_to_int(h3.cell_to_parent(each, resolution)) for each in names]
        assert cells.parents(fine, resolution).tolist() == expected


def test_the_mean_area_is_that_of_the_earth_by_the_number_of_cells() -> None:
    areas_m2 = [h3.cell_area(h3.int_to_str(each), "m^2") for each in every_cell(1).tolist()]
    assert cells.mean_area_m2(1) == pytest.approx(sum(areas_m2) / len(areas_m2), rel=1e-9)
    assert cells.mean_area_m2(9) == pytest.approx(h3.average_hexagon_area(9, "m^2"), rel=1e-3)


@pytest.mark.parametrize("resolution", [0, 1, 2, 3, 4, 9, 14])
def test_no_vertex_and_no_descendant_is_further_away_than_is_said(resolution: int) -> None:
    parents = every_cell(resolution) if resolution < 4 else some_cells(resolution)
    middle = vectors(*cells.centres(parents))
    outlines = cells.outlines(parents, -180.0)
    whole = np.isin(outlines.cell, in_one_piece(outlines.cell))
    for vertex in range(outlines.x.shape[1]):
        place = vectors(outlines.x[whole, vertex], outlines.y[whole, vertex])
        away = angles(place, middle[outlines.cell[whole]])
        assert away.max() < cells.circumradius(resolution)
    pairs = h3ronpy.change_resolution_paired(parents, resolution + 1)
    before, after = (np.asarray(pairs.column(name).to_numpy()) for name in pairs.schema.names)
    step = angles(vectors(*cells.centres(before)), vectors(*cells.centres(after))).max()
    # What holds for each step holds for all descendants, by adding up.
    assert step < indexes.descent_radius(resolution, resolution + 1)


def in_one_piece(owners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    found, number = np.unique(owners, return_counts=True)
    return found[number == 1]


def some_cells(resolution: int) -> Cells:
    """Cells from all over the world, those at pentagons and at the edges of faces among them."""
    random = np.random.default_rng(resolution)
    places = random.normal(size=(2000, 3))
    places /= np.linalg.norm(places, axis=1)[:, None]
    latitudes, longitudes = np.degrees([np.arcsin(places[:, 2]), np.arctan2(*places.T[1::-1])])
    names = [
        h3.latlng_to_cell(y, x, resolution) for x, y in zip(longitudes, latitudes, strict=True)
    ]
    names += [near for each in h3.get_pentagons(resolution) for near in h3.grid_disk(each, 2)]
    return np.unique(np.array([h3.str_to_int(each) for each in names], np.uint64))
