"""Pixels of an overview are the means of depths, and water or nothing where there is no depth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from services.fathom.child.overviews import SIDE, halved, windows
from services.fathom.model import NODATA, WATER

_VALUES = st.sampled_from([NODATA, WATER, 0, 5, 6, 301, 32767])
_SHAPES = arrays.array_shapes(min_dims=3, max_dims=3, max_side=5)
_PIXELS = arrays.arrays(np.int16, _SHAPES, elements=_VALUES)


def expected(four: list[int]) -> int:
    depths = [each for each in four if each not in (NODATA, WATER)]
    if four.count(WATER) > len(depths):
        return WATER
    if not depths:
        return NODATA
    return math.floor(sum(depths) / len(depths) + 0.5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_PIXELS)
def test_each_pixel_is_made_of_the_four_that_it_covers(pixels: NDArray[np.int16]) -> None:
    found = halved(pixels, NODATA)
    bands, rows, columns = pixels.shape
    assert found.shape == (bands, math.ceil(rows / 2), math.ceil(columns / 2))
    for (band, row, column), value in np.ndenumerate(found):
        covered = pixels[band, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert value == expected([int(each) for each in covered.flat])


@pytest.mark.parametrize(("width", "height"), [(1, 1), (SIDE, SIDE + 1), (2 * SIDE + 5, 3)])
def test_windows_cover_each_pixel_once(width: int, height: int) -> None:
    seen = np.zeros((height, width), np.int8)
    for window in windows(width, height):
        assert window.col_off % SIDE == window.row_off % SIDE == 0
        seen[window.toslices()] += 1
    assert (seen == 1).all()
