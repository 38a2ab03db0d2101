"""Ranges of cell numbers, held against the H3 library."""

from __future__ import annotations

import h3
import pytest

from core.h3_index import all_cells, descendants, joined, resolution_of


def number(cell: str) -> int:
    return int(h3.str_to_int(cell))


# The first and the last base cell, one near a pole, a pentagon, and one in the middle of nowhere.
PARENTS = [
    *(h3.latlng_to_cell(lat, lng, 3) for lat, lng in ((10.0, 20.0), (89.9, 0.0), (-45.0, -179.99))),
    sorted(h3.get_pentagons(2))[-1],
    sorted(h3.get_res0_cells())[0],
    sorted(h3.get_res0_cells())[-1],
]


@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("finer", [0, 1, 3])
def test_a_range_is_exactly_the_cells_within_a_parent(parent: str, finer: int) -> None:
    resolution = h3.get_resolution(parent) + finer
    low, high = descendants(number(parent), resolution)
    children = sorted(number(cell) for cell in h3.cell_to_children(parent, resolution))
    assert low <= children[0]
    assert children[-1] < high
    # Children of the neighbours are outside of it.
    for neighbour in h3.grid_disk(parent, 1):
        if neighbour != parent:
            others = map(number, h3.cell_to_children(neighbour, resolution))
            assert not any(low <= other < high for other in others)


@pytest.mark.parametrize("resolution", [0, 5, 15])
def test_all_cells_of_a_resolution(resolution: int) -> None:
    low, high = all_cells(resolution)
    for latitude, longitude in ((0.0, 0.0), (90.0, 0.0), (-90.0, 0.0), (37.0, -179.9)):
        cell = number(h3.latlng_to_cell(latitude, longitude, resolution))
        assert low <= cell < high
        assert resolution_of(cell) == resolution
    for other in {0, 5, 15} - {resolution}:
        assert not low <= number(h3.latlng_to_cell(0, 0, other)) < high


@pytest.mark.parametrize("resolution", [2, 16])
def test_a_cell_holds_none_that_is_coarser_or_finer_than_all(resolution: int) -> None:
    with pytest.raises(ValueError, match="has no cells"):
        descendants(number(h3.latlng_to_cell(0, 0, 3)), resolution)


def test_ranges_that_no_cell_lies_between_are_one() -> None:
    first, second, third = sorted(map(number, h3.cell_to_children(PARENTS[0], 5)))[:3]
    one, two = (first, first + 1), (second, second + 1)
    assert joined([two, one, (5, 5)]) == [(first, second + 1)]
    assert joined([(first, third), two]) == [(first, third)]
    apart = [one, (third, third + 1)]
    assert joined(apart) == apart
    # A range that ends before a cell, and one that begins behind it.
    around = [(first, second), (second + 1, third)]
    assert joined(around) == around
