"""What the pixels of a band of depths come to, counted value by value.

There are only 65,536 values: the counts of each say all that is asked for, exactly, and cost two
nanoseconds a pixel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.fathom.model import WATER
from services.raster.model import BandStatistics

_VALUES = np.arange(-(1 << 15), 1 << 15, dtype=np.int64)
# Pixels that are counted at a time: numpy makes eight bytes of each.
_RUN = 1 << 20


class Tally:
    """The values of one band, `nodata` being none of them."""

    def __init__(self, nodata: int) -> None:
        self._nodata = nodata
        # By the bits of a value, taken for an unsigned number.
        self._counts = np.zeros(1 << 16, np.int64)

    def add(self, pixels: NDArray[np.int16]) -> None:
        """Take pixels of the band, in an array without gaps."""
        bits = pixels.reshape(-1).view(np.uint16)
        for start in range(0, bits.size, _RUN):
            self._counts += np.bincount(bits[start : start + _RUN], minlength=1 << 16)

    @property
    def water(self) -> int:
        """How many pixels are marked as water."""
        return self._count_of(WATER)

    def statistics(self) -> BandStatistics:
        """Of all that is a depth; population standard deviation, and no percentiles."""
        counts = np.roll(self._counts, 1 << 15)
        pixels = int(counts.sum())
        for value in (self._nodata, WATER):
            counts[value - _VALUES[0]] = 0
        seen = np.flatnonzero(counts)
        if not seen.size:
            return BandStatistics(minimum=None, maximum=None, mean=None, stdev=None,
                                  percentiles=None, valid_share=0.0, distinct=0)  # fmt: skip
        values, weights = _VALUES[seen], counts[seen]
        count = int(weights.sum())
        mean = int(weights @ values) / count
        off: NDArray[Any] = values - mean
        return BandStatistics(
            minimum=float(values[0]),
            maximum=float(values[-1]),
            mean=mean,
            stdev=math.sqrt(float(weights @ (off * off)) / count),
            percentiles=None,
            valid_share=count / pixels,
            distinct=int(seen.size),
        )

    def _count_of(self, value: int) -> int:
        return 0 if value == self._nodata else int(self._counts[value % (1 << 16)])
