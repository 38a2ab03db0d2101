"""What can be measured of one band's pixels: values for themselves, and beside their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.raster.sampling import BandSample

# Pairs of pixels are compared up to so many: more do not make the averages better.
_PAIRS = 300_000
_FEW_PAIRS = 20
# Squares of larger deviations are not finite.
_LARGEST = 1e150


@dataclass(frozen=True)
class Measures:
    """Of the valid pixels of one band. Shares are between 0 and 1.

    `median`, `low` and `high` are the percentiles 50, 2 and 98. `whole` says that all values are
    whole numbers; `step` is then the greatest number that divides all their differences.
    `zeros` is the share of the value 0, `commonest` that of the most frequent value,
    `lone` that of the valid pixels whose value is met less than 3 times.

    The others compare neighbours, and are None where there are too few:
    `equal`: share of neighbouring pixels with the same value.
    `clumped`: how far that exceeds what chance would give, 0 for none, 1 for all that is possible.
    `jump`: how far apart unequal neighbours lie in the order of the values, as a share of what it
    is for unequal pixels of anywhere: near 0 for a surface, near 1 for codes and for noise.
    `correlation`: of neighbouring pixels.
    `growth`: mean square difference of pixels two apart as a multiple of that of neighbours:
    1 for noise, 2 for a random walk, 4 for a smooth surface; the Earth's relief has 2.4 to 3.7.
    """

    count: int
    distinct: int
    minimum: float
    maximum: float
    median: float
    low: float
    high: float
    mean: float
    stdev: float
    whole: bool
    step: float
    zeros: float
    commonest: float
    lone: float
    equal: float | None = None
    clumped: float | None = None
    jump: float | None = None
    correlation: float | None = None
    growth: float | None = None

    @property
    def dense(self) -> float:
        """Share of the whole numbers between the least and the greatest value that are met."""
        return self.distinct / ((self.maximum - self.minimum) / self.step + 1)


def measure(band: BandSample) -> Measures | None:
    """The measures of a band, None where no sampled pixel is valid."""
    if not band.values.size:
        return None
    values, counts = band.counted
    exact = values.astype(np.float64)
    share = counts / counts.sum()
    whole = bool((exact == np.floor(exact)).all()) and bool((np.abs(exact) < 2**53).all())
    with np.errstate(over="ignore", invalid="ignore"):
        low, median, high = np.percentile(band.values.astype(np.float64), (2, 50, 98))
        mean = float((exact * share).sum())
        stdev = float(np.sqrt(((exact - mean) ** 2 * share).sum()))
    return Measures(
        count=int(counts.sum()),
        distinct=len(values),
        minimum=float(exact[0]),
        maximum=float(exact[-1]),
        median=float(median),
        low=float(low),
        high=float(high),
        mean=mean,
        stdev=stdev,
        whole=whole,
        step=_step(exact) if whole else 1.0,
        zeros=float(share[exact == 0].sum()),
        commonest=float(share.max()),
        lone=float(counts[counts < 3].sum() / counts.sum()),
        **_beside(band, exact, share, stdev),
    )


def _step(exact: NDArray[np.float64]) -> float:
    if len(exact) < 2:
        return 1.0
    return float(np.gcd.reduce(np.diff(exact).astype(np.int64)))


def _beside(
    band: BandSample, values: NDArray[np.float64], share: NDArray[np.float64], stdev: float
) -> dict[str, float | None]:
    near = _pairs(band, 1)
    if len(near) < _FEW_PAIRS:
        return {}
    differs = near[:, 0] != near[:, 1]
    equal = 1 - float(differs.mean())
    by_chance = float((share**2).sum())
    found: dict[str, float | None] = {"equal": equal}
    if by_chance < 1:
        found["clumped"] = max(0.0, (equal - by_chance) / (1 - by_chance))
    if differs.any():
        found["jump"] = _jump(np.searchsorted(values, near[differs]), share)
    if not (0 < stdev < _LARGEST):
        return found
    # In deviations, so that large values far from 0 lose no digits when squared.
    squares = float((((near[:, 0] - near[:, 1]) / stdev) ** 2).mean())
    found["correlation"] = max(-1.0, 1 - squares / 2)
    far = _pairs(band, 2)
    if len(far) >= _FEW_PAIRS and squares > 0:
        found["growth"] = float((((far[:, 0] - far[:, 1]) / stdev) ** 2).mean()) / squares
    return found


def _pairs(band: BandSample, apart: int) -> NDArray[np.float64]:
    """Values of valid pixels so many pixels apart, below and beside each other: (pairs, 2)."""
    found = []
    for window, valid in zip(band.windows, band.valid, strict=True):
        for turned, sound in ((window, valid), (window.T, valid.T)):
            first, second = turned[:-apart], turned[apart:]
            both = sound[:-apart] & sound[apart:]
            found.append(np.stack((first[both], second[both]), axis=1))
    pairs = np.concatenate(found)
    return pairs[:: len(pairs) // _PAIRS + 1].astype(np.float64)


def _jump(unequal: NDArray[np.intp], share: NDArray[np.float64]) -> float:
    """How far apart unequal neighbours lie in the order of values, beside unequal pixels chosen
    by chance."""
    # The mean distance of two draws, by the shares below and above each step of the order.
    below = np.cumsum(share)[:-1]
    distance = 2 * float((below * (1 - below)).sum())
    unlike = 1 - float((share**2).sum())
    neighbours = float(np.abs(unequal[:, 0] - unequal[:, 1]).mean())
    return neighbours / (distance / unlike) if distance > 0 else 0.0
