"""Which class a cell is of most, and the share of each."""

from __future__ import annotations

import numpy as np

from core.errors import PermanentTaskError
from services.h3.model import Numbers
from services.h3.tally import Groups

MAJORITY, FRACTIONS = "majority", "fractions"

# Classes whose weights differ by less than this share of them have the same: sums of weights
# along different edges of equal length are rounded differently.
_SAME = 1e-9
# The share of each class is a column of its own.
MOST_CLASSES = 256


def majority(groups: Groups) -> Numbers:
    """The value with the most weight in each cell that is in the groups; the smallest of several
    that have the same."""
    starts, weight = groups.starts, groups.weight
    most = np.maximum.reduceat(weight, starts)
    sizes = np.diff(starts, append=len(weight))
    among = np.flatnonzero(weight >= np.repeat(most, sizes) * (1.0 - _SAME))
    first: Numbers = groups.value[among[np.searchsorted(among, starts)]]
    return first


class Fractions:
    """The share that each class has of each cell's weight."""

    def __init__(self, cells: int) -> None:
        """Begin without classes."""
        self._cells = cells
        self._columns: dict[int, Numbers] = {}

    def add(self, groups: Groups) -> None:
        """Take all values of some cells, which `check_classes` has seen.

        Raises:
            PermanentTaskError: `fractions_need_classes`.
        """
        starts, weight = groups.starts, groups.weight
        sizes = np.diff(starts, append=len(weight))
        share = weight / np.repeat(np.add.reduceat(weight, starts), sizes)
        for value in np.unique(groups.value):
            column = self._columns.setdefault(int(value), np.full(self._cells, np.nan))
            here = groups.value == value
            column[groups.cell[here]] = share[here]
            if len(self._columns) > MOST_CLASSES:
                raise _no_fractions()

    def columns(self) -> dict[str, Numbers]:
        """`fraction_<class>` by class, ascending; NaN where a cell has nothing of a class."""
        return {f"fraction_{value}": self._columns[value] for value in sorted(self._columns)}


def check_classes(values: Numbers, statistic: str) -> None:
    """Refuse values that are no classes: other than whole numbers.

    Raises:
        PermanentTaskError: `fractions_need_classes` or `majority_needs_classes`, by the
            statistic that is told from the values.
    """
    if (values == np.rint(values)).all():
        return
    if statistic == FRACTIONS:
        raise _no_fractions()
    raise PermanentTaskError(
        "majority is for rasters of classes: whole numbers. Leave it out for this raster; the "
        "median is the middle of measurements.",
        code="majority_needs_classes",
    )


def _no_fractions() -> PermanentTaskError:
    return PermanentTaskError(
        f"fractions are for rasters of classes: whole numbers, and {MOST_CLASSES} different ones "
        "at most. Leave them out for this raster.",
        code="fractions_need_classes",
    )
