"""Moments of values that come in pieces are those of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.raster.child.moments import BandMoments


@given(
    st.lists(
        st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30), min_size=1, max_size=6
    ),
    st.sampled_from([0.0, 1e9]),
)
def test_pieces_have_the_moments_of_the_whole(pieces: list[list[float]], offset: float) -> None:
    moments = BandMoments()
    for piece in pieces:
        moments.add(np.array(piece) + offset, None, None)
    whole = np.concatenate([np.array(piece) for piece in pieces]) + offset
    found = moments.statistics()
    assert (found.minimum, found.maximum, found.valid_share) == (whole.min(), whole.max(), 1.0)
    assert found.mean == pytest.approx(whole.mean(), abs=1e-6)
    assert found.stdev == pytest.approx(whole.std(), abs=1e-3)


def test_only_valid_values_count() -> None:
    values = np.array([[1, 5, -9999], [7, math.nan, math.inf]], np.float32)
    mask = np.array([[255, 0, 255], [255, 255, 255]], np.uint8)
    moments = BandMoments()
    moments.add(values, mask, -9999)
    found = moments.statistics()
    assert (found.minimum, found.maximum, found.mean, found.stdev) == (1, 7, 4, 3)
    assert found.valid_share == pytest.approx(2 / 6)


def test_integers_stay_integers_where_floats_would_round() -> None:
    moments = BandMoments()
    moments.add(np.array([[255, 0], [255, 254]], np.uint8), None, 255)
    found = moments.statistics()
    assert (found.minimum, found.maximum, found.mean) == (0, 254, 127)


def test_nothing_valid_has_no_moments() -> None:
    moments = BandMoments()
    moments.add(np.zeros((3, 3), np.int16), None, 0)
    found = moments.statistics()
    assert (found.minimum, found.mean, found.stdev, found.valid_share) == (None, None, None, 0.0)
