"""Whether floods get deeper with their return period, counted on all pixels.

A flood that comes once in 100 years is at least as deep as one that comes once in 50. Where the
maps say otherwise they are not refused, but it is told how often, and by how much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from services.fathom.model import BANDS, WATER, Shallower


class MonotonicCheck:
    """Counts the pixels in which a longer return period is shallower than the next shorter one
    that has a depth there, for each pair of such bands.

    `present` are the places (from 0) of bands that have depths; `nodata` is none. In a merged
    raster a band may be there for some of the tiles only: bands on both sides of the gap are held
    against each other, pixel by pixel.
    """

    def __init__(self, present: Sequence[int], nodata: int) -> None:
        self._no_depths = np.array([nodata, WATER], np.int16)
        self._present = sorted(present)
        self._pixels: Counter[tuple[int, int]] = Counter(dict.fromkeys(pairwise(self._present), 0))
        self._largest: Counter[tuple[int, int]] = Counter()

    def add(self, pixels: NDArray[np.int16]) -> None:
        """Take pixels (band, row, column)."""
        nothing = np.iinfo(np.int16).min
        last = np.full(pixels.shape[1:], nothing, np.int16)
        where = np.zeros(pixels.shape[1:], np.int8)
        for place in self._present:
            depths = pixels[place]
            valid = ~np.isin(depths, self._no_depths)
            # Where there was no depth yet nothing is less than `nothing`.
            less = valid & (depths < last)
            if less.any():
                self._count(place, where[less], last[less].astype(np.int32) - depths[less])
            last[valid] = depths[valid]
            where[valid] = place

    def result(self) -> tuple[Shallower, ...]:
        """What was counted, a pair after the other: those of neighbours also where there is
        nothing to count."""
        return tuple(
            Shallower(
                shorter=BANDS[pair[0]],
                longer=BANDS[pair[1]],
                pixels=self._pixels[pair],
                largest=self._largest[pair],
            )
            for pair in sorted(self._pixels)
        )

    def _count(self, longer: int, shorter: NDArray[np.int8], by: NDArray[np.int32]) -> None:
        for place in np.unique(shorter):
            pair = int(place), longer
            of_pair = by[shorter == place]
            self._pixels[pair] += of_pair.size
            self._largest[pair] = max(self._largest[pair], int(of_pair.max()))
