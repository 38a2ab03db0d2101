"""Statistics of cells, from the values of their pixels and the weight that each has in its cell.

A pixel's weight in a cell is the share of the pixel that lies in the cell.

========== ====================================================================================
count      sum of the weights
sum        sum of weight * value
mean       sum / count
stdev      of the population: the root of the weighted mean of (value - mean)^2
min, max   over the pixels
median, pN weighted quantiles: services.h3.quantiles
majority   the value with the most weight; the smallest of several that have the same
fractions  a column `fraction_<class>` for each class: its share of the count
========== ====================================================================================

A weight below `SMALLEST_WEIGHT` is what rounding makes of a cell's edge that runs along the edge
of a pixel. It counts in sums, where it changes nothing, but makes no minimum, maximum, quantile
or majority, and no class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from core.errors import PermanentTaskError
from services.h3 import quantiles
from services.h3.model import Indices, Numbers
from services.h3.moments import Moments
from services.h3.tally import DEFAULT_LIMIT, Groups, Tally

SMALLEST_WEIGHT = 1e-9

# Classes whose weights differ by less than this share of them have the same: sums of weights
# along different edges of equal length are rounded differently.
_SAME = 1e-9
# Each class is a column of its own in the result.
_MOST_CLASSES = 256


class Accumulator:
    """The statistics of some cells, whose pixels come in batches, in any order.

    What comes out does not depend on the batches: minima, maxima, quantiles and majorities to
    the last digit, sums but for rounding.
    """

    def __init__(
        self, cells: int, names: Sequence[str], *, most_values: int = DEFAULT_LIMIT
    ) -> None:
        """Begin with nothing.

        Args:
            cells: how many cells there are; they are numbered from 0.
            names: the statistics that are wanted, as in `services.h3.parameters.STATISTICS`, or
                pN for a percentile.
            most_values: how many different values all cells together may have where a
                statistic is told from all of them.
        """
        self._cells = cells
        self._names = names
        self._moments = Moments(cells)
        self._nodata: Numbers = np.zeros(cells)
        self._min = np.full(cells, np.inf) if "min" in names else None
        self._max = np.full(cells, -np.inf) if "max" in names else None
        told = [name for name in names if name in _OF_CLASSES or _quantile(name) is not None]
        self._tally = Tally(told, most_values) if told else None

    def add(self, cell: Indices, values: npt.ArrayLike, weights: Numbers | None = None) -> None:
        """Take valid pixels; one that lies in several cells is given for each of them.

        Args:
            cell: number of the cell.
            values: what the pixel says, finite.
            weights: the share of the pixel that lies in the cell; None: all of it.

        Raises:
            ValueError: a value is not finite: what is not valid is given to `add_nodata`.
            PermanentTaskError: `too_many_values`.
        """
        if not len(cell):
            return
        value: Numbers = np.asarray(values, dtype=np.float64)
        if not np.isfinite(value).all():
            raise ValueError("A value is not finite: such pixels are not valid.")
        self._moments.add(cell, value, weights)
        if self._min is None and self._max is None and self._tally is None:
            return
        if weights is not None and weights.min() < SMALLEST_WEIGHT:
            enough = weights >= SMALLEST_WEIGHT
            cell, value, weights = cell[enough], value[enough], weights[enough]
        if self._min is not None:
            np.minimum.at(self._min, cell, value)
        if self._max is not None:
            np.maximum.at(self._max, cell, value)
        if self._tally is not None:
            self._tally.add(cell, value, weights)

    def add_nodata(self, cell: Indices, weights: Numbers | None = None) -> None:
        """Take pixels that are there and say nothing: nodata, masked, NaN."""
        if len(cell):
            first = int(cell.min())
            amount = np.bincount(cell - first, weights)
            self._nodata[first : first + len(amount)] += amount

    def result(self) -> dict[str, Numbers]:
        """Columns with a number for each cell: pixel_count, nodata_count, and the statistics.

        Statistics are NaN where a cell has no valid pixel. Fractions are a column for each class
        that any of the cells has, ascending, and NaN where a cell does not have the class.

        Raises:
            PermanentTaskError: `too_many_values`, or `fractions_need_classes`.
        """
        columns = {"pixel_count": self._moments.count, "nodata_count": self._nodata}
        groups = None if self._tally is None else self._tally.groups()
        for name in self._names:
            columns.update(self._columns(name, groups))
        return columns

    def _columns(self, name: str, groups: Groups | None) -> Iterator[tuple[str, Numbers]]:
        moments = self._moments
        nothing = moments.count == 0.0
        if name == "count":
            yield name, np.where(nothing, np.nan, moments.count)
        elif name == "sum":
            yield name, np.where(nothing, np.nan, moments.sum)
        elif name == "mean":
            yield name, moments.mean
        elif name == "stdev":
            yield name, moments.stdev
        elif name == "min" and self._min is not None:
            yield name, np.where(np.isfinite(self._min), self._min, np.nan)
        elif name == "max" and self._max is not None:
            yield name, np.where(np.isfinite(self._max), self._max, np.nan)
        elif groups is None:
            raise ValueError(f"There is no statistic {name!r}.")
        elif name == "majority":
            yield name, _majority(groups, self._cells)
        elif name == "fractions":
            yield from _fractions(groups, self._cells)
        else:
            quantile = _quantile(name)
            assert quantile is not None
            [column] = quantiles.weighted(groups, self._cells, [quantile])
            yield name, column


_OF_CLASSES = ("majority", "fractions")


def _quantile(name: str) -> float | None:
    """The quantile that a name stands for: 0.95 for p95."""
    if name == "median":
        return 0.5
    if name.startswith("p"):
        return float(name[1:]) / 100.0
    return None


def _majority(groups: Groups, cells: int) -> Numbers:
    column = np.full(cells, np.nan)
    starts = groups.starts
    if len(starts):
        weight = groups.weight
        most = np.maximum.reduceat(weight, starts)
        sizes = np.diff(starts, append=len(weight))
        top = np.flatnonzero(weight >= np.repeat(most, sizes) * (1.0 - _SAME))
        first = top[np.searchsorted(top, starts)]
        column[groups.cell[first]] = groups.value[first]
    return column


def _fractions(groups: Groups, cells: int) -> Iterator[tuple[str, Numbers]]:
    classes, code = np.unique(groups.value, return_inverse=True)
    if len(classes) > _MOST_CLASSES or (classes != np.rint(classes)).any():
        raise PermanentTaskError(
            "fractions are for rasters of classes: whole numbers, "
            f"{_MOST_CLASSES} different ones at most. Leave them out for this raster.",
            code="fractions_need_classes",
        )
    weight = groups.weight
    total = np.bincount(groups.cell, weight, minlength=cells)
    for number, value in enumerate(classes):
        of_class = code == number
        cell = groups.cell[of_class]
        column = np.full(cells, np.nan)
        column[cell] = weight[of_class] / total[cell]
        yield f"fraction_{int(value)}", column
