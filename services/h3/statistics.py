"""Statistics of cells, from the values of their pixels and the weight that each has in its cell.

A pixel's weight in a cell is the share of the pixel that lies in the cell.

========== ====================================================================================
count      sum of the weights
sum        sum of weight * value
mean       sum / count
stdev      of the population: the root of the weighted mean of (value - mean)^2
min, max   over the pixels
median, pN weighted quantiles: services.h3.quantiles
majority   the class with the most weight; the smallest of several that have the same
fractions  a column `fraction_<class>` for each class: its share of the weight
========== ====================================================================================

A weight below `SMALLEST_WEIGHT` is what rounding makes of a cell's edge that runs along the edge
of a pixel. It counts in sums, where it changes nothing, but makes no minimum, maximum, quantile
or majority, and no class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.errors import PermanentTaskError
from services.h3 import quantiles
from services.h3.classes import FRACTIONS, MAJORITY, Fractions, check_classes, majority
from services.h3.model import Indices, Numbers
from services.h3.moments import Moments
from services.h3.tally import DEFAULT_LIMIT, Tally

SMALLEST_WEIGHT = 1e-9

# The squares of larger values would not add up to a number.
_LARGEST = 1e140


def needs_values(name: str) -> bool:
    """Whether a statistic is told from all values of a cell together, which takes memory."""
    return name in (MAJORITY, FRACTIONS) or _is_quantile(name)


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
                statistic is told from all of them: quantiles, majority, fractions.
        """
        self._cells = cells
        self._names = names
        self._quantiles = {name: _quantile(name) for name in names if _is_quantile(name)}
        self._moments = Moments(cells)
        self._nodata: Numbers = np.zeros(cells)
        self._min = np.full(cells, np.inf) if "min" in names else None
        self._max = np.full(cells, -np.inf) if "max" in names else None
        self._of_classes = [name for name in (FRACTIONS, MAJORITY) if name in names]
        told = [name for name in names if needs_values(name)]
        self._tally = Tally(cells, told, most_values) if told else None

    def add(self, cell: Indices, values: npt.ArrayLike, weights: Numbers | None = None) -> None:
        """Take valid pixels; one that lies in several cells is given for each of them.

        Args:
            cell: number of the cell.
            values: what the pixel says, finite.
            weights: the share of the pixel that lies in the cell; None: all of it.

        Raises:
            ValueError: a value is not finite: what is not valid is given to `add_nodata`.
            PermanentTaskError: `values_too_large`, `too_many_values`,
                `fractions_need_classes`, or `majority_needs_classes`.
        """
        if not len(cell):
            return
        value: Numbers = np.asarray(values, dtype=np.float64)
        _check_size(value)
        for name in self._of_classes:
            check_classes(value, name)
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
        found = self._of_sums() | self._of_values()
        columns = {"pixel_count": self._moments.count, "nodata_count": self._nodata}
        for name in self._names:
            columns |= found[name]
        return columns

    def _of_sums(self) -> dict[str, dict[str, Numbers]]:
        """What is known without looking at all values together, by name."""
        moments = self._moments
        nothing = moments.count == 0.0
        columns = {
            "count": np.where(nothing, np.nan, moments.count),
            "sum": np.where(nothing, np.nan, moments.sum),
            "mean": moments.mean,
            "stdev": moments.stdev,
        }
        for name, extreme in (("min", self._min), ("max", self._max)):
            if extreme is not None:
                columns[name] = np.where(np.isinf(extreme), np.nan, extreme)
        return {name: {name: column} for name, column in columns.items()}

    def _of_values(self) -> dict[str, dict[str, Numbers]]:
        """What is told from all values of a cell, by name."""
        if self._tally is None:
            return {}
        columns = {name: np.full(self._cells, np.nan) for name in (*self._quantiles, MAJORITY)}
        fractions = Fractions(self._cells)
        for groups in self._tally.groups():
            cell = groups.cell[groups.starts]
            told = quantiles.weighted(groups, list(self._quantiles.values()))
            for name, numbers in zip(self._quantiles, told, strict=True):
                columns[name][cell] = numbers
            if MAJORITY in self._names:
                columns[MAJORITY][cell] = majority(groups)
            if FRACTIONS in self._names:
                fractions.add(groups)
        found = {name: {name: column} for name, column in columns.items()}
        return found | {FRACTIONS: fractions.columns()}


def _check_size(values: Numbers) -> None:
    largest = np.abs(values).max()
    if not np.isfinite(largest):
        raise ValueError("A value is not finite: such pixels are not valid.")
    if largest > _LARGEST:
        extreme = values[np.abs(values).argmax()]
        raise PermanentTaskError(
            f"The raster has a value of {extreme:g}, too large to calculate with. It may stand "
            "for nodata that the file does not declare: then give it as `nodata`.",
            code="values_too_large",
            value=float(extreme),
        )


def _is_quantile(name: str) -> bool:
    return name == "median" or name.startswith("p")


def _quantile(name: str) -> float:
    """0.95 for p95."""
    return 0.5 if name == "median" else float(name[1:]) / 100.0
