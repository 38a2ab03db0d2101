"""Numbers that look random and follow from a record's number alone.

So a record is the same whichever part of a file it is made in, in whatever order, and next to
whichever others; and a release of 300,000 is made in slices that know nothing of each other.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]
Mask = npt.NDArray[np.bool_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Dice:
    """What is thrown for each of some records; another name of a throw gives another one.

    The numbers are mixed by SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
    Generators, 2014).
    """

    def __init__(self, seed: int, numbers: Integers) -> None:
        self._seed = seed
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def of_parts(self, owners: Integers, parts: Integers) -> Dice:
        """Dice for parts of the records, such as the vertices of their outlines.

        `owners` are places among the records, `parts` numbers below 1,024 within each.
        """
        return Dice(self._seed, self.numbers[owners] * 1024 + parts)

    def uniform(self, throw: str, low: float = 0.0, high: float = 1.0) -> Reals:
        """From `low` to below `high`, evenly."""
        # The 53 bits that a double holds.
        units: Reals = (self._mixed(throw) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + (high - low) * units

    def normal(self, throw: str, mean: float = 0.0, deviation: float = 1.0) -> Reals:
        """Normally distributed, by the method of Box and Muller."""
        radius = np.sqrt(-2 * np.log(1 - self.uniform(f"{throw}, radius")))
        angle = 2 * np.pi * self.uniform(f"{throw}, angle")
        values: Reals = mean + deviation * radius * np.cos(angle)
        return values

    def below(self, throw: str, limit: int | Integers) -> Integers:
        """Whole numbers from 0 to below a limit."""
        values: Integers = (self.uniform(throw) * limit).astype(np.int64)
        return values

    def happens(self, throw: str, share: float) -> Mask:
        """True for about that share of the records."""
        return self.uniform(throw) < share

    def pick(
        self, throw: str, values: Sequence[str | None], weights: Sequence[float] | None = None
    ) -> Texts:
        """One of some values, by weight."""
        shares = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
        bounds = np.cumsum(shares / shares.sum())
        chosen = np.searchsorted(bounds[:-1], self.uniform(throw), side="right")
        picked: Texts = np.array(values, dtype=object)[chosen]
        return picked

    def _mixed(self, throw: str) -> npt.NDArray[np.uint64]:
        start = np.uint64((self._seed << 32 ^ zlib.crc32(throw.encode())) & 0xFFFF_FFFF_FFFF_FFFF)
        with np.errstate(over="ignore"):
            # Twice, so that neighbours and throws of like names have nothing in common.
            return _mix(_mix(self.numbers.astype(np.uint64) * _GOLDEN + start) + start)


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = values + _GOLDEN
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    mixed: npt.NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return mixed
