"""What can be measured of one band's pixels: values for themselves, and beside their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.raster.evidence import neighbours
from services.raster.sampling import BandSample

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
    `borders`: number of the compared neighbours with different values.
    `difference`: mean absolute difference of neighbours.
    `clumped`: how far that exceeds what chance would give, 0 for none, 1 for all that is possible.
    `jump`: how far apart unequal neighbours lie in the order of the values, as a share of what it
    would be by chance: near 0 for a surface, near 1 for codes and for noise.
    `peak`: how many times as often a neighbour has the same value as the next one in the order:
    near 1 for pictures, where values flow, many times for codes and for flat surfaces.
    `flips`: share of neighbours well apart that differ in one high bit only; of whole numbers.
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
    borders: int | None = None
    difference: float | None = None
    clumped: float | None = None
    jump: float | None = None
    peak: float | None = None
    flips: float | None = None
    correlation: float | None = None
    growth: float | None = None

    @property
    def bits(self) -> int:
        """How many bits the greatest value takes; 0 where values are negative or have fractions."""
        return int(self.maximum).bit_length() if self.whole and self.minimum >= 0 else 0

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
        **_beside(band, exact, share, stdev, whole),
    )


def _step(exact: NDArray[np.float64]) -> float:
    if len(exact) < 2:
        return 1.0
    return float(np.gcd.reduce(np.diff(exact).astype(np.int64)))


def _beside(
    band: BandSample, values: NDArray[np.float64], share: NDArray[np.float64], stdev: float,
    whole: bool,
) -> dict[str, Any]:  # fmt: skip
    near = neighbours.pairs(band, 1)
    if len(near) < neighbours.FEW_PAIRS:
        return {}
    differs = near[:, 0] != near[:, 1]
    equal = 1 - float(differs.mean())
    by_chance = float((share**2).sum())
    found: dict[str, Any] = {"equal": equal, "borders": int(differs.sum())}
    if by_chance < 1:
        found["clumped"] = max(0.0, (equal - by_chance) / (1 - by_chance))
    ranks = np.searchsorted(values, near)
    if differs.any():
        found["jump"] = neighbours.jump(ranks[differs], len(values))
    found["peak"] = neighbours.peak(ranks, share)
    if whole:
        found["flips"] = neighbours.flips(near)
    if not (0 < stdev < _LARGEST):
        return found
    found["difference"] = float(np.abs(near[:, 0] - near[:, 1]).mean())
    # In deviations, so that large values far from 0 lose no digits when squared.
    squares = float((((near[:, 0] - near[:, 1]) / stdev) ** 2).mean())
    found["correlation"] = max(-1.0, 1 - squares / 2)
    far = neighbours.pairs(band, 2)
    if len(far) >= neighbours.FEW_PAIRS and squares > 0:
        found["growth"] = float((((far[:, 0] - far[:, 1]) / stdev) ** 2).mean()) / squares
    return found
