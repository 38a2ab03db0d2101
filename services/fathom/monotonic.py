"""Whether floods get deeper with their return period, counted on all pixels.

A flood that comes once in 100 years is at least as deep as one that comes once in 50. Where the
maps say otherwise they are not refused, but it is told how often, and by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from services.fathom.model import BANDS, Shallower


class MonotonicCheck:
    """Counts, for each pair of neighbouring bands among those `present` (their places, from 0),
    the pixels in which the longer return period is shallower."""

    def __init__(self, present: Sequence[int]) -> None:
        self._pairs = list(pairwise(sorted(present)))
        self._pixels = [0] * len(self._pairs)
        self._largest = [0] * len(self._pairs)

    def add(self, depths: NDArray[np.int16], valid: NDArray[np.bool_]) -> None:
        """Take pixels (band, row, column), and which of them hold a depth."""
        for place, (shorter, longer) in enumerate(self._pairs):
            both = valid[shorter] & valid[longer]
            less = both & (depths[longer] < depths[shorter])
            count = int(np.count_nonzero(less))
            if count:
                by = depths[shorter][less].astype(np.int32) - depths[longer][less]
                self._pixels[place] += count
                self._largest[place] = max(self._largest[place], int(by.max()))

    def result(self) -> tuple[Shallower, ...]:
        """What was counted, a pair after the other."""
        return tuple(
            Shallower(shorter=BANDS[shorter], longer=BANDS[longer], pixels=pixels, largest=largest)
            for (shorter, longer), pixels, largest in zip(
                self._pairs, self._pixels, self._largest, strict=True
            )
        )
