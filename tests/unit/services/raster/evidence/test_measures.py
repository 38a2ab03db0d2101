"""What is measured of a band: values for themselves, and beside their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from services.raster.evidence.measures import Measures, measure
from tests.support import rasters
from tests.support.raster_subjects import sample


def _measure(pixels: np.ndarray) -> Measures:
    measures = measure(sample(pixels).bands[0])
    assert measures is not None
    return measures


def test_values_for_themselves() -> None:
    m = _measure(np.array([[0, 10, 10], [0, 30, 0]], np.int16))
    assert (m.count, m.distinct, m.minimum, m.maximum, m.median) == (6, 3, 0, 30, 5)
    assert (m.zeros, m.commonest) == (0.5, 0.5)
    assert (m.whole, m.step) == (True, 10)
    assert m.mean == pytest.approx(50 / 6)
    assert m.stdev == pytest.approx(np.array([0, 10, 10, 0, 30, 0]).std())
    assert m.dense == pytest.approx(3 / 4)


def test_nothing_is_measured_without_valid_pixels() -> None:
    assert measure(sample(np.full((4, 4), np.nan)).bands[0]) is None


def test_fractions_are_told_from_whole_numbers() -> None:
    assert _measure(np.array([[1.0, 2.0]])).whole
    assert not _measure(np.array([[1.0, 2.5]])).whole


def test_a_class_map_clumps_and_jumps() -> None:
    m = _measure(rasters.landcover(codes=range(1, 13)))
    assert m.clumped is not None
    assert m.jump is not None
    assert m.clumped > 0.7
    assert m.jump > 0.6


def test_a_surface_does_not_jump() -> None:
    m = _measure(rasters.dem().astype(np.int16))
    assert m.jump is not None
    assert m.correlation is not None
    assert m.jump < 0.05
    assert m.correlation > 0.99


@pytest.mark.parametrize(
    ("exponent", "least", "most"), [(0.0, 0.95, 1.05), (2.0, 2.4, 3.7), (4.0, 3.85, 4.05)]
)
def test_growth_tells_noise_relief_and_smooth_fields(
    exponent: float, least: float, most: float
) -> None:
    growth = _measure(rasters.surface(exponent=exponent)).growth
    assert growth is not None
    assert least < growth < most


def test_neighbours_are_compared_only_where_both_are_valid() -> None:
    pixels = np.tile(np.array([5.0, np.nan], np.float32), (40, 20))
    m = _measure(pixels)
    # Only neighbours below each other are left, and these are all alike.
    assert m.equal == 1
    pixels[::2] = np.nan
    assert _measure(pixels).equal is None


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_the_largest_numbers_break_nothing(dtype: type) -> None:
    largest = 1e308 if dtype is np.float64 else 2**62
    pixels = (np.linspace(-1, 1, 400) * largest).astype(dtype).reshape(20, 20)
    m = _measure(pixels)
    assert m.minimum == pytest.approx(-largest)
    assert m.maximum == pytest.approx(largest)
