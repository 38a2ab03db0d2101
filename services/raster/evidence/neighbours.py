"""What neighbouring pixels of a band have to do with each other.

Pairs of pixels that lie below or beside each other are told by the ranks of their values: their
places in the rising order of all different values that the band has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.raster.sampling import BandSample

# Pairs of pixels are compared up to so many: more do not make the averages better.
_PAIRS = 300_000
FEW_PAIRS = 20
# Only the highest bits tell: amounts that are near each other differ in a low one often enough.
_HIGH_BITS = 3
# So much of all pairs have to differ in one of them.
_LEAST_APART = 0.01

Ranks = NDArray[np.intp]


def pairs(band: BandSample, apart: int) -> NDArray[np.float64]:
    """Values of valid pixels so many pixels apart, below and beside each other: (pairs, 2)."""
    found = []
    for window, valid in zip(band.windows, band.valid, strict=True):
        for turned, sound in ((window, valid), (window.T, valid.T)):
            first, second = turned[:-apart], turned[apart:]
            both = sound[:-apart] & sound[apart:]
            found.append(np.stack((first[both], second[both]), axis=1))
    together = np.concatenate(found)
    return together[:: len(together) // _PAIRS + 1].astype(np.float64)


def jump(unequal: Ranks, distinct: int) -> float:
    """How many ranks unequal neighbours, (pairs, 2), lie apart, as a share of what it would be
    if the same pixels met each other by chance.

    Only pixels that have an unequal neighbour count: the insides of large areas say nothing of
    what borders on what.
    """
    share = np.bincount(unequal.ravel(), minlength=distinct) / unequal.size
    # The mean distance of two draws, by the shares below and above each step of the order.
    below = np.cumsum(share)[:-1]
    distance = 2 * float((below * (1 - below)).sum())
    unlike = 1 - float((share**2).sum())
    met = float(np.abs(unequal[:, 0] - unequal[:, 1]).mean())
    return met * unlike / distance if distance > 0 else 0.0


def peak(ranks: Ranks, share: NDArray[np.float64]) -> float | None:
    """How many times as often a neighbour has the same value as it has the next one: the median
    of all pixels, so that large areas of one value, as of nothing or of cloud, do not decide.

    None where there are fewer than three values, or neither kind of neighbour is met.
    """
    if len(share) < 3:
        return None
    lower = ranks.min(axis=1)
    steps = np.abs(ranks[:, 0] - ranks[:, 1])
    same = 2.0 * np.bincount(lower[steps == 0], minlength=len(share))
    upward = np.bincount(lower[steps == 1], minlength=len(share))[:-1].astype(np.float64)
    # The first and the last value have a next one on one side only.
    next_ = (np.append(upward, upward[-1]) + np.insert(upward, 0, upward[0])) / 2
    known = (same > 0) | (next_ > 0)
    if not known.any():
        return None
    times = same[known] / np.maximum(next_[known], 0.5)
    order = np.argsort(times)
    below = np.cumsum(share[known][order])
    return float(times[order][np.searchsorted(below, below[-1] / 2)])


def flips(values: NDArray[np.float64]) -> float | None:
    """Of neighbours so far apart that one of the highest bits is another, (pairs, 2) of whole
    numbers, the share that differs in this bit only. None where values are negative, too large
    to have bits, or hardly any are so far apart."""
    if values.min() < 0 or values.max() >= 2**53:
        return None
    apart = 2 ** max(0, int(values.max()).bit_length() - _HIGH_BITS)
    far = values[np.abs(values[:, 0] - values[:, 1]) >= apart].astype(np.int64)
    if len(far) < max(FEW_PAIRS, _LEAST_APART * len(values)):
        return None
    differing = far[:, 0] ^ far[:, 1]
    return float((differing & (differing - 1) == 0).mean())
