"""Minimum, maximum, mean and standard deviation of values that come in pieces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.raster.model import BandStatistics

# A piece is taken in runs of about so many values, whose arrays stay in the processor's cache.
_RUN = 1 << 16


class BandMoments:
    """The moments of one band's valid values.

    Runs are joined as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
    for computing sample variances" (1979): nothing is lost to large means.
    """

    def __init__(self) -> None:
        self._pixels = 0
        self._count = 0
        self._minimum = math.inf
        self._maximum = -math.inf
        self._mean = 0.0
        self._squares = 0.0

    def add(
        self, values: NDArray[Any], mask: NDArray[np.uint8] | None, nodata: float | None
    ) -> None:
        """Take values that are valid by the mask, are not nodata, and are finite."""
        self._pixels += values.size
        flat = values.reshape(-1)
        shown = None if mask is None else mask.reshape(-1)
        for start in range(0, flat.size, _RUN):
            part = flat[start : start + _RUN]
            valid = None if shown is None else shown[start : start + _RUN] != 0
            if nodata is not None and not math.isnan(nodata):
                differs = part != nodata
                valid = differs if valid is None else valid & differs
            if part.dtype.kind == "f":
                finite = np.isfinite(part)
                valid = finite if valid is None else valid & finite
            self._join(part if valid is None or valid.all() else part[valid])

    def _join(self, part: NDArray[Any]) -> None:
        count = part.size
        if not count:
            return
        self._minimum = min(self._minimum, part.min().item())
        self._maximum = max(self._maximum, part.max().item())
        mean = float(part.mean(dtype=np.float64))
        off = part - mean
        squares = float(off @ off)
        total = self._count + count
        away = mean - self._mean
        self._mean += away * count / total
        self._squares += squares + away * away * self._count * count / total
        self._count = total

    def statistics(self) -> BandStatistics:
        """What the values come to; `percentiles` and `distinct` are not counted here."""
        if not self._count:
            return BandStatistics(minimum=None, maximum=None, mean=None, stdev=None,
                                  percentiles=None, valid_share=0.0, distinct=0)  # fmt: skip
        return BandStatistics(
            minimum=self._minimum,
            maximum=self._maximum,
            mean=self._mean,
            stdev=math.sqrt(self._squares / self._count),
            percentiles=None,
            valid_share=self._count / self._pixels,
            distinct=0,
        )
