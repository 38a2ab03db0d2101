"""What neighbouring pixels have to do with each other."""

from __future__ import annotations

import numpy as np
import pytest

from services.raster.evidence import neighbours
from tests.support import rasters
from tests.support.raster_subjects import sample


def _pairs(pixels: np.ndarray) -> np.ndarray:
    return neighbours.pairs(sample(pixels).bands[0], 1)


def _ranks(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of all neighbours, and the share of each value."""
    values, counts = np.unique(pixels, return_counts=True)
    return np.searchsorted(values, _pairs(pixels)), counts / counts.sum()


def _jump(pixels: np.ndarray) -> float:
    ranks, share = _ranks(pixels)
    return neighbours.jump(ranks[ranks[:, 0] != ranks[:, 1]], len(share))


def test_pairs_lie_below_and_beside_each_other() -> None:
    pixels = np.array([[1, 2], [3, 4]])
    assert sorted(map(tuple, _pairs(pixels))) == [(1, 2), (1, 3), (2, 4), (3, 4)]
    valid = np.array([[True, True], [True, False]])
    assert len(neighbours.pairs(sample(pixels, valid).bands[0], 1)) == 2


def test_pairs_of_large_samples_are_bounded() -> None:
    assert len(_pairs(rasters.surface(640))) <= 300_000


def test_codes_jump_as_by_chance_and_surfaces_do_not() -> None:
    noise = np.random.default_rng(5).integers(0, 30, (128, 128))
    assert _jump(noise) == pytest.approx(1, abs=0.03)
    assert _jump(rasters.landcover(codes=range(1, 21))) > 0.8
    assert _jump(rasters.dem().astype(np.int16)) < 0.1


def test_insides_of_areas_do_not_count_for_jumps() -> None:
    classes = rasters.landcover(codes=range(1, 13))
    framed = np.pad(classes, 300, constant_values=1)
    assert _jump(framed) == pytest.approx(_jump(classes), abs=0.05)


@pytest.mark.parametrize("levels", [16, 23, 64])
def test_values_of_pictures_flow_and_those_of_classes_stay(levels: int) -> None:
    picture = neighbours.peak(*_ranks(rasters.shades(levels=levels, step=256 / levels)))
    classes = neighbours.peak(*_ranks(rasters.landcover(codes=range(levels))))
    assert picture is not None
    assert classes is not None
    assert picture < 1.4
    assert classes > 8


def test_one_large_area_does_not_make_a_peak() -> None:
    picture = rasters.shades(levels=64, step=4)
    picture[:80] = 0
    peak = neighbours.peak(*_ranks(picture))
    assert peak is not None
    assert peak < 1.6


def test_two_values_have_no_peak() -> None:
    assert neighbours.peak(*_ranks(rasters.mask())) is None


def test_neighbours_neither_alike_nor_next_have_no_peak() -> None:
    ranks = np.array([[0, 2], [2, 0], [0, 2]])
    assert neighbours.peak(ranks, np.array([0.4, 0.2, 0.4])) is None


def test_bits_flip_one_by_one_and_amounts_do_not() -> None:
    days = neighbours.flips(_pairs(rasters.days()))
    picture = neighbours.flips(_pairs(rasters.sar()))
    assert days is not None
    assert picture is not None
    assert days > 0.5
    assert picture < 0.2


@pytest.mark.parametrize(
    "pixels", [rasters.dem(low=-300).astype("int16"), rasters.dem().astype("int16"),
               np.arange(64.0).reshape(8, 8) * 2**50],
)  # fmt: skip
def test_negative_smooth_and_largest_values_have_no_bits_that_flip(pixels: np.ndarray) -> None:
    assert neighbours.flips(_pairs(pixels)) is None
