"""What a compression promises is held against each pixel."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from rasterio.windows import Window

from services.raster.child.comparisons import comparison
from services.raster.child.lossy_bounds import brightness, lossy_bounds
from services.raster.model import CogPlan

_WINDOW = Window(512, 1024, 8, 8)


def _plan(**changes: Any) -> CogPlan:
    given = {
        "type": "continuous", "tier": "analysis", "compression": "DEFLATE",
        "overview_resampling": "average", "resampling": "bilinear", "lossless": True, **changes,
    }  # fmt: skip
    return CogPlan.model_validate(given)


_LERC = _plan(compression="LERC_DEFLATE", max_z_error=0.5, lossless=False)
_JPEG = _plan(compression="JPEG", quality=85, lossless=False)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64", "complex64"])
def test_exact_takes_no_other_value_and_says_where_it_is(dtype: str) -> None:
    wanted = np.arange(128).reshape(2, 8, 8).astype(dtype)
    found = wanted.copy()
    exact = comparison(_plan())
    assert exact.add(wanted, found, None, _WINDOW) is None
    found[1, 2, 3] += 1
    said = exact.add(wanted, found, None, _WINDOW)
    assert said is not None
    assert said.startswith("band 2 at column 515, row 1026: ")


def test_exact_takes_nan_for_nan_and_nothing_else() -> None:
    wanted = np.full((1, 8, 8), np.nan, np.float32)
    exact = comparison(_plan())
    other_nan = -wanted
    assert exact.add(wanted, other_nan, None, _WINDOW) is None
    found = wanted.copy()
    found[0, 0, 0] = 0
    assert exact.add(wanted, found, None, _WINDOW) is not None


def test_exact_looks_at_hidden_pixels_as_well() -> None:
    wanted = np.zeros((1, 8, 8), np.uint8)
    hidden = np.zeros((8, 8), np.uint8)
    assert comparison(_plan()).add(wanted, wanted + 1, hidden, _WINDOW) is not None


def test_a_bound_holds_for_every_valid_pixel() -> None:
    wanted = np.linspace(0, 4000, 64, dtype=np.float32).reshape(1, 8, 8)
    bounded = comparison(_LERC)
    assert bounded.add(wanted, wanted + np.float32(0.5), None, _WINDOW) is None
    assert bounded.largest == pytest.approx(0.5, abs=1e-3)
    found = wanted.copy()
    found[0, 7, 7] += 0.6
    said = bounded.add(wanted, found, None, _WINDOW)
    assert said is not None
    assert "column 519, row 1031" in said
    hidden = np.full((8, 8), 255, np.uint8)
    hidden[7, 7] = 0
    assert bounded.add(wanted, found, hidden, _WINDOW) is None


def test_a_bound_takes_nan_for_nan_only() -> None:
    wanted = np.zeros((1, 8, 8), np.float32)
    wanted[0, 0, 0] = np.nan
    assert comparison(_LERC).add(wanted, wanted.copy(), None, _WINDOW) is None
    assert comparison(_LERC).add(wanted, np.zeros_like(wanted), None, _WINDOW) is not None
    assert comparison(_LERC).add(np.zeros_like(wanted), wanted, None, _WINDOW) is not None


_TINT = np.array([8, 0, -8]).reshape(3, 1, 1)


def _picture(seed: int = 3) -> np.ndarray:
    y, x = np.mgrid[0:64, 0:64]
    waves = [120 + 60 * np.sin(x / 5 + band) + 50 * np.cos(y / (7 + band)) for band in range(3)]
    noise = np.random.default_rng(seed).normal(0, 3, (3, 64, 64))
    picture: np.ndarray = np.clip(np.array(waves) + noise, 0, 255).astype(np.uint8)
    return picture


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda picture: 255 - picture, "brightness is off"),
        (lambda picture: np.roll(picture, 16, axis=2), "brightness is off"),
        (lambda picture: np.clip(picture + _TINT, 0, 255), "mean of band 1"),
    ],
)
def test_another_picture_is_not_taken_for_the_same(spoil: Any, says: str) -> None:
    wanted = _picture()
    found = spoil(wanted).astype(np.uint8)
    lossy = comparison(_JPEG)
    assert lossy.add(wanted, found, None, Window(0, 0, 64, 64)) is None
    assert says in (lossy.verdict() or "")


def test_a_few_pixels_that_are_far_off_are_seen() -> None:
    wanted = _picture()
    found = wanted.copy()
    found[:, :8, :16] = 255 - found[:, :8, :16] // 8
    found[:, 8:16, :16] //= 8
    lossy = comparison(_JPEG)
    lossy.add(wanted, found, None, Window(0, 0, 64, 64))
    assert "one pixel in a hundred" in (lossy.verdict() or "")


def test_an_alpha_band_is_the_same_or_another() -> None:
    alpha = np.full((1, 64, 64), 255, np.uint8)
    wanted = np.concatenate([_picture(), alpha])
    found = wanted.copy()
    found[3, 5, 6] = 254
    said = comparison(_plan(compression="WEBP", quality=85, lossless=False)).add(
        wanted, found, None, Window(0, 0, 64, 64)
    )
    assert said is not None
    assert said.startswith("band 4 at column 6, row 5: ")


def test_the_better_the_quality_the_tighter_the_bounds() -> None:
    bounds = [lossy_bounds(quality) for quality in (1, 25, 50, 75, 85, 95, 100)]
    for one, better in pairwise(bounds):
        assert better.mean < one.mean
        assert better.percentile_99 < one.percentile_99
        assert better.band_mean < one.band_mean
    assert 10 < lossy_bounds(85).mean < 12


def test_brightness_of_one_band_is_the_band() -> None:
    band = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    assert np.array_equal(brightness(band), band[0])
    assert np.allclose(brightness(np.repeat(band, 3, axis=0)), band[0], atol=1e-3)
