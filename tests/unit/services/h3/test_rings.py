"""The vertices of cells: those of h3, and the same digits in all cells that share one."""

from __future__ import annotations

import itertools

import h3
import numpy as np
import numpy.typing as npt
import pytest

from services.h3 import cells
from services.h3.model import Box, Cells, Numbers
from services.h3.rings import rings

WORLD = Box(west=-180, south=-90, east=180, north=90)


def numbered(names: list[str]) -> Cells:
    return np.sort(np.array([h3.str_to_int(each) for each in names], np.uint64))


def unit(longitude: float, latitude: float) -> Numbers:
    x, y = np.radians([longitude, latitude])
    return np.array([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


def along_the_edges_of_faces(resolution: int) -> list[Cells]:
    """A disk of cells around a place on each of the icosahedron's edges. Its corners are
    pentagons."""
    corners = [unit(*h3.cell_to_latlng(each)[::-1]) for each in h3.get_pentagons(0)]
    random = np.random.default_rng(resolution)
    disks = []
    for one, other in itertools.combinations(corners, 2):
        if one @ other > 0:
            share = random.uniform()
            x, y, z = share * one + (1 - share) * other
            place = np.degrees([np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)])
            names = h3.grid_disk(h3.latlng_to_cell(*place, resolution), 4)
            disks.append(numbered(names))
    return disks


def vertices_of(some: Cells) -> npt.NDArray[np.float64]:
    """The vertices of each cell, those that several share once for each."""
    x, y, numbers = rings(some)
    counted = np.arange(x.shape[1]) < numbers[:, None]
    x = np.where(x <= -180, x + 360, x)
    return np.column_stack([x[counted], y[counted]])


@pytest.mark.parametrize("resolution", [0, 1, 2])
def test_each_vertex_of_the_world_has_the_same_digits_in_all_its_cells(resolution: int) -> None:
    vertices = vertices_of(cells.in_box(WORLD, resolution))
    distinct = np.unique(vertices, axis=0)
    assert len(distinct) == len(np.unique(vertices.round(8), axis=0))
    # Euler: as many as there are edges less cells, and two more.
    edges = len(vertices) / 2
    assert len(distinct) == edges - cells.count(resolution) + 2


@pytest.mark.parametrize("resolution", [5, 8, 9, 12, 15])
def test_where_two_faces_meet_vertices_are_the_same_whichever_cells_are_asked_for(
    resolution: int,
) -> None:
    for disk in along_the_edges_of_faces(resolution):
        together = np.unique(vertices_of(disk), axis=0)
        digits = 12 if resolution > 9 else 10
        assert len(together) == len(np.unique(together.round(digits), axis=0))
        halves = [np.unique(vertices_of(half), axis=0) for half in (disk[::2], disk[1::2])]
        assert (np.unique(np.concatenate(halves), axis=0) == together).all()


@pytest.mark.parametrize("resolution", [0, 1, 2, 6, 7, 15])
def test_vertices_are_those_of_h3(resolution: int) -> None:
    random = np.random.default_rng(5)
    places = random.uniform([-180, -89], [180, 89], (60, 2)).tolist()
    names = [h3.latlng_to_cell(y, x, resolution) for x, y in places]
    # With an edge of the icosahedron through them, cells may have more vertices than six.
    names += [near for each in h3.get_pentagons(resolution) for near in h3.grid_disk(each, 1)]
    some = numbered(list(dict.fromkeys(names)))
    x, y, numbers = rings(some)
    for place, number in enumerate(numbers.tolist()):
        boundary = np.array(h3.cell_to_boundary(h3.int_to_str(int(some[place]))))
        assert len(boundary) == number
        assert np.abs(y[place, :number] - boundary[:, 0]).max() < 1e-11
        beside = (x[place, :number] - boundary[:, 1] + 180) % 360 - 180
        assert np.abs(beside * np.cos(np.radians(boundary[:, 0]))).max() < 1e-11
        # The rest of the row is its last vertex again.
        assert (x[place, number:] == x[place, number - 1]).all()
        assert (y[place, number:] == y[place, number - 1]).all()


def test_cells_have_as_many_vertices_as_h3_gives_them() -> None:
    for resolution in (0, 1, 2, 3):
        _, _, numbers = rings(cells.in_box(WORLD, resolution))
        pentagons = 5 if resolution % 2 == 0 else 10
        assert (numbers == pentagons).sum() == 12
        hexagons = numbers[numbers != pentagons]
        expected = {6} if resolution % 2 == 0 else {6, 7, 8}
        assert set(hexagons.tolist()) <= expected


def test_no_cells_have_no_vertices() -> None:
    x, y, numbers = rings(np.empty(0, np.uint64))
    assert (len(x), len(y), len(numbers)) == (0, 0, 0)
