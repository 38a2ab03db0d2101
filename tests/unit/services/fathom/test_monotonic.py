"""Floods that get shallower with their return period are counted, and nothing else is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from services.fathom.model import BANDS, NODATA, WATER, Shallower
from services.fathom.monotonic import MonotonicCheck

_DEPTHS = st.sampled_from([NODATA, WATER, 0, 5, 6, 300])
_STACKS = arrays.arrays(np.int16, (len(BANDS), 2, 3), elements=_DEPTHS)


def counted(present: list[int], *stacks: NDArray[np.int16]) -> tuple[Shallower, ...]:
    check = MonotonicCheck(present, NODATA)
    for stack in stacks:
        check.add(stack)
    return check.result()


def stack_of(*depths: int) -> NDArray[np.int16]:
    """A stack of one pixel; bands without a depth have no data."""
    filled = [*depths, *[NODATA] * (len(BANDS) - len(depths))]
    return np.array(filled, np.int16).reshape(-1, 1, 1)


def test_each_pair_of_neighbours_is_told_of() -> None:
    found = counted([0, 1, 2], stack_of(10, 4, 7))
    assert found == (
        Shallower(shorter="1in5", longer="1in10", pixels=1, largest=6),
        Shallower(shorter="1in10", longer="1in20", pixels=0, largest=0),
    )


def test_a_missing_band_is_passed_over() -> None:
    (found,) = counted([0, 2], stack_of(10, NODATA, 7))
    assert (found.shorter, found.longer, found.pixels) == ("1in5", "1in20", 1)


def test_nothing_is_shallower_than_water_or_no_data() -> None:
    for other in (NODATA, WATER):
        assert counted([0, 1], stack_of(10, other))[0].pixels == 0
        assert counted([0, 1], stack_of(other, 10))[0].pixels == 0


def test_of_one_band_there_is_no_pair() -> None:
    assert counted([4], stack_of(1, 2)) == ()


def test_bands_on_both_sides_of_a_gap_in_a_pixel_are_compared() -> None:
    """A tile of a merged raster may lack a band that others have."""
    found = counted([0, 1, 2], np.concatenate([stack_of(10, NODATA, 7), stack_of(1, 2, 3)], axis=2))
    assert found == (
        Shallower(shorter="1in5", longer="1in10", pixels=0, largest=0),
        Shallower(shorter="1in5", longer="1in20", pixels=1, largest=3),
        Shallower(shorter="1in10", longer="1in20", pixels=0, largest=0),
    )


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_STACKS, min_size=1, max_size=3))
def test_as_one_pixel_after_the_other(stacks: list[NDArray[np.int16]]) -> None:
    found = counted(list(range(len(BANDS))), *stacks)
    falls: dict[tuple[str, str], list[int]] = {}
    for stack in stacks:
        for pixel in stack.reshape(len(BANDS), -1).T:
            depths = [(name, int(d)) for name, d in zip(BANDS, pixel, strict=True) if d >= 0]
            for (shorter, before), (longer, after) in pairwise(depths):
                if after < before:
                    falls.setdefault((shorter, longer), []).append(before - after)
    counts = {(each.shorter, each.longer): (each.pixels, each.largest) for each in found}
    assert {pair: each for pair, each in counts.items() if each[0]} == {
        pair: (len(by), max(by)) for pair, by in falls.items()
    }
    assert set(pairwise(BANDS)) <= set(counts)
