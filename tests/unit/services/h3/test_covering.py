"""Ranges of indexes hold all cells of an area, and few others."""

from __future__ import annotations

import numpy as np
import pytest

from services.h3 import areas, cells, covering
from services.h3.model import Box, Cells

BOXES = {
    "country": (28.8, -2.9, 30.9, -1.0),
    "continent": (-20.0, -35.0, 52.0, 38.0),
    "antimeridian": (170.0, -20.0, -170.0, 10.0),
    "pole": (-180.0, 80.0, 180.0, 90.0),
    "both": (150.0, -90.0, -120.0, -60.0),
    "small": (5.0, 45.0, 5.5, 45.2),
    "world": (-180.0, -90.0, 180.0, 90.0),
}


def all_of(resolution: int) -> Cells:
    return cells.in_box(Box(west=-180, south=-90, east=180, north=90), resolution)


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("resolution", [0, 2, 4])
def test_every_cell_with_its_centre_in_the_area_is_in_a_range(name: str, resolution: int) -> None:
    area = areas.of_bbox(BOXES[name])
    found = all_of(resolution)
    wanted = found[area.contains(*cells.centres(found))]
    ranges = covering.ranges(covering.cover(area, resolution), resolution)
    assert len(ranges) <= 122
    lows, highs = np.array(ranges).T
    assert (lows[1:] >= highs[:-1]).all()
    indexes = wanted.astype(np.int64)
    at = np.searchsorted(lows, indexes, side="right") - 1
    assert (at >= 0).all()
    assert (indexes < highs[at]).all()


def test_a_cover_is_not_much_larger_than_its_area() -> None:
    area = areas.of_bbox(BOXES["continent"])
    found = all_of(4)
    indexes = found.astype(np.int64)
    covered = sum(
        int(((indexes >= low) & (indexes < high)).sum())
        for low, high in covering.ranges(covering.cover(area, 4), 4)
    )
    wanted = int(area.contains(*cells.centres(found)).sum())
    assert wanted <= covered < 2 * wanted


def test_more_cells_than_allowed_are_not_made() -> None:
    area = areas.of_bbox(BOXES["continent"])
    assert len(covering.cover(area, 9, most=50)) <= 122
    assert len(covering.cover(area, 9, most=500)) <= 500


def test_neighbouring_ranges_are_one() -> None:
    everything = covering.cover(areas.of_bbox(BOXES["world"]), 5)
    assert len(everything) == 122
    assert len(covering.ranges(everything, 5)) == 1
