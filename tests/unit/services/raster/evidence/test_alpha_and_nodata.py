"""Alpha bands that are one or only named so, and values that stand for missing data."""

from __future__ import annotations

import numpy as np
import pytest

from services.raster.evidence import undeclared
from tests.support import rasters
from tests.support.raster_subjects import sample, subject

_TAGGED = [{}, {}, {}, {"colour": "alpha"}]


def test_alpha_is_what_is_opaque_or_transparent() -> None:
    assert subject(rasters.rgba(), bands=_TAGGED).alpha == 3
    assert subject(rasters.rgba()).alpha == 3


def test_near_infrared_tagged_as_alpha_is_not_alpha() -> None:
    assert subject(rasters.nir(), bands=_TAGGED).alpha is None


def test_a_fourth_band_with_much_255_is_alpha_only_if_it_is_said_to_be() -> None:
    pixels = rasters.rgba()
    pixels[3, :10] = 128
    assert subject(pixels, bands=_TAGGED).alpha == 3
    assert subject(pixels).alpha is None


def test_a_fourth_band_that_is_nowhere_opaque_is_data() -> None:
    pixels = rasters.nir()
    pixels[3] = 0
    assert subject(pixels).alpha is None


def test_elevations_may_have_alpha_too() -> None:
    relief = rasters.dem(64)
    opacity = np.full_like(relief, 255)
    opacity[:10] = 0
    looked_at = subject(np.stack((relief, opacity)), bands=[{}, {"colour": "alpha"}])
    assert looked_at.alpha == 1
    assert looked_at.data_bands == 1
    assert looked_at.measured[0].count == 54 * 64


def test_transparent_pixels_are_not_measured() -> None:
    looked_at = subject(rasters.rgba(64), bands=_TAGGED)
    assert [m.count for m in looked_at.measured] == [48 * 64] * 3


@pytest.mark.parametrize("value", [-9999, -32768])
def test_a_customary_value_apart_from_all_others_is_missing_data(value: int) -> None:
    pixels = rasters.dem(64).astype(np.int16)
    pixels[:5] = value
    assert undeclared.find(sample(pixels).bands[0]) == value
    looked_at = subject(pixels)
    assert looked_at.measured[0].minimum >= 0


def test_the_lowest_float_is_missing_data() -> None:
    pixels = rasters.ndvi(64)
    pixels[:5] = np.float32(-3.4028235e38)
    assert undeclared.find(sample(pixels).bands[0]) == pytest.approx(-3.4028235e38)


@pytest.mark.parametrize(
    "pixels",
    [
        np.arange(-10_050, -9_950, dtype=np.int16).reshape(10, 10),
        np.array([[-9999, 100, 200, 300]], np.int16),
        np.array([[-9999, -9999, 100]], np.int16),
        rasters.dem(32),
    ],
    ids=["amid others", "met once", "too few values", "none"],
)
def test_values_that_may_be_data_are_left(pixels: np.ndarray) -> None:
    assert undeclared.find(sample(pixels).bands[0]) is None
