"""What depths come to is what numpy makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from services.fathom.child.tally import Tally
from services.fathom.model import NODATA, WATER

_VALUES = st.one_of(st.sampled_from([NODATA, WATER, 0, 32767, -1]), st.integers(-32768, 32767))
_PIXELS = arrays.arrays(np.int16, arrays.array_shapes(min_dims=2, max_dims=2), elements=_VALUES)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_PIXELS, min_size=1, max_size=3))
def test_statistics_are_those_of_the_depths(pieces: list[NDArray[np.int16]]) -> None:
    tally = Tally(NODATA)
    for piece in pieces:
        tally.add(piece)
    every = np.concatenate([piece.reshape(-1) for piece in pieces])
    depths = every[(every != NODATA) & (every != WATER)].astype(np.float64)
    found = tally.statistics()
    assert tally.water == np.count_nonzero(every == WATER)
    assert found.valid_share == pytest.approx(depths.size / every.size)
    if not depths.size:
        assert (found.minimum, found.maximum, found.mean, found.stdev) == (None,) * 4
        return
    assert (found.minimum, found.maximum) == (depths.min(), depths.max())
    assert found.mean == pytest.approx(depths.mean(), abs=1e-9)
    assert found.stdev == pytest.approx(depths.std(), abs=1e-9)
    assert found.distinct == np.unique(depths).size


def test_another_nodata_is_left_out_and_the_usual_one_is_a_value() -> None:
    tally = Tally(-1)
    tally.add(np.array([[-1, NODATA, 7]], np.int16))
    found = tally.statistics()
    assert (found.minimum, found.maximum, found.distinct) == (NODATA, 7, 2)


def test_water_that_is_nodata_is_not_counted_twice() -> None:
    tally = Tally(WATER)
    tally.add(np.array([[WATER, 7]], np.int16))
    assert tally.water == 0
    assert tally.statistics().valid_share == 0.5
