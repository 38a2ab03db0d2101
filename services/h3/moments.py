"""Counts, sums, means and deviations of the cells' values, which come in batches.

Batches are joined as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
computing sample variances" (1979): nothing is lost to means that are large beside deviations.
"""

from __future__ import annotations

import numpy as np

from services.h3.model import Indices, Numbers


class Moments:
    """Moments of each cell.

    Attributes:
        count: the sum of weights.
        sum: the sum of weight * value.
    """

    def __init__(self, cells: int) -> None:
        self.count: Numbers = np.zeros(cells)
        self.sum: Numbers = np.zeros(cells)
        self._mean: Numbers = np.zeros(cells)
        self._squares: Numbers = np.zeros(cells)

    def add(self, cell: Indices, value: Numbers, weight: Numbers | None) -> None:
        """Take pixels; without `weight` each counts as 1."""
        # A batch is of neighbouring cells: no more than those are touched.
        first = int(cell.min())
        cells = slice(first, int(cell.max()) + 1)
        near = cell - first
        count = np.bincount(near, weight).astype(np.float64)
        amount = np.bincount(near, value if weight is None else weight * value)
        mean = np.divide(amount, count, out=np.zeros_like(amount), where=count > 0.0)
        off = value - mean[near]
        squares = np.bincount(near, off * off if weight is None else weight * off * off)

        known, old = self.count[cells], self._mean[cells]
        total = known + count
        share = np.divide(count, total, out=np.zeros_like(total), where=total > 0.0)
        away = mean - old
        self._squares[cells] += squares + away * away * known * share
        self._mean[cells] += away * share
        self.count[cells] = total
        self.sum[cells] += amount

    @property
    def mean(self) -> Numbers:
        """sum / count; NaN where there is nothing."""
        return self._of_count(self.sum)

    @property
    def stdev(self) -> Numbers:
        """Of the population: the root of the mean square of what values are off their mean."""
        return np.sqrt(self._of_count(self._squares))

    def _of_count(self, amount: Numbers) -> Numbers:
        nothing = np.full_like(amount, np.nan)
        return np.divide(amount, self.count, out=nothing, where=self.count > 0.0)
