"""Whether floods get deeper with their return period, counted on all pixels.

A flood that comes once in 100 years is at least as deep as one that comes once in 50. Where the
maps say otherwise they are not refused, but it is told how often, and by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from services.fathom.model import BANDS, WATER, Shallower


class MonotonicCheck:
    """Counts, for each pair of neighbouring bands among those `present` (their places, from 0),
    the pixels in which the longer return period is shallower. `nodata` is no depth."""

    def __init__(self, present: Sequence[int], nodata: int) -> None:
        self._no_depths = np.array([nodata, WATER], np.int16)
        self._pairs = list(pairwise(sorted(present)))
        self._pixels = [0] * len(self._pairs)
        self._largest = [0] * len(self._pairs)

    def add(self, pixels: NDArray[np.int16]) -> None:
        """Take pixels (band, row, column)."""
        for place, (shorter, longer) in enumerate(self._pairs):
            less = pixels[longer] < pixels[shorter]
            if not less.any():
                continue
            before, after = pixels[shorter][less], pixels[longer][less]
            # Values that are no depths are no deeper or shallower ones either.
            depths = ~np.isin(before, self._no_depths) & ~np.isin(after, self._no_depths)
            by = before[depths].astype(np.int32) - after[depths]
            self._pixels[place] += by.size
            self._largest[place] = max(self._largest[place], int(by.max(initial=0)))

    def result(self) -> tuple[Shallower, ...]:
        """What was counted, a pair after the other."""
        return tuple(
            Shallower(shorter=BANDS[shorter], longer=BANDS[longer], pixels=pixels, largest=largest)
            for (shorter, longer), pixels, largest in zip(
                self._pairs, self._pixels, self._largest, strict=True
            )
        )
