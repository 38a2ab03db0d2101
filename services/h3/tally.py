"""How much of each cell has which value: what quantiles and classes are told from.

Pixels of one cell and one value are kept as one group, so a raster of classes takes little
however many pixels it has; one of measurements takes a group for nearly every pixel.

Weights are added up as whole numbers, which come to the same in whatever order: a median does not
depend on how the pixels were cut into batches, not even in its last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.errors import PermanentTaskError
from services.h3.model import Indices, Numbers

# A group takes 40 bytes, and three times as many while they are sorted.
DEFAULT_LIMIT = 4_000_000

# A weight is coarse / 2^31 + fine / 2^62: exact to 2e-19, for sums of up to 2^32 pixels.
_UNIT = 2.0**31


class Groups(NamedTuple):
    """Pixels by cell and value: arrays of one length, ascending by cell, then by value.

    Attributes:
        cell: the cell's number.
        value: what the pixels have in common.
        pixels: how many there are.
        coarse: their weight, in units of 2^-31, rounded down for each pixel.
        fine: what that leaves of it, in units of 2^-62.
    """

    cell: Indices
    value: Numbers
    pixels: Indices
    coarse: Indices
    fine: Indices

    @property
    def weight(self) -> Numbers:
        """The weight of each group, in pixels."""
        return in_pixels(self.coarse, self.fine)

    @property
    def starts(self) -> Indices:
        """Where each cell begins that is among them."""
        return _changes(self.cell)


class Tally:
    """The values of cells, as they come in."""

    def __init__(self, statistics: Sequence[str], limit: int = DEFAULT_LIMIT) -> None:
        """Begin with nothing.

        Args:
            statistics: those that it is kept for; an error names them.
            limit: the most groups that it may keep.
        """
        self._statistics = statistics
        self._limit = limit
        self._kept: list[Groups] = []
        self._size = 0
        self._room = limit // 4

    def add(self, cell: Indices, value: Numbers, weight: Numbers | None) -> None:
        """Take pixels; without `weight` each counts as 1.

        Raises:
            PermanentTaskError: `too_many_values`.
        """
        if weight is None:
            coarse = np.full(len(cell), int(_UNIT))
            fine = np.zeros(len(cell), dtype=np.int64)
        else:
            units = weight * _UNIT
            floor = np.floor(units)
            coarse = floor.astype(np.int64)
            fine = np.rint((units - floor) * _UNIT).astype(np.int64)
        pixels = np.ones(len(cell), dtype=np.int64)
        groups = _joined(Groups(cell, value, pixels, coarse, fine))
        self._kept.append(groups)
        self._size += len(groups.cell)
        if self._size > self._room:
            self._join()

    def groups(self) -> Groups:
        """All that has come in so far."""
        self._join()
        return self._kept[0]

    def _join(self) -> None:
        kept, self._kept = self._kept, []
        groups = kept[0] if len(kept) == 1 else _joined(_stacked(kept))
        self._kept = [groups]
        self._size = len(groups.cell)
        if self._size > self._limit:
            raise PermanentTaskError(
                f"{' and '.join(self._statistics)} cannot be told for so many pixels at once: "
                f"the cells of one block have more than {self._limit:,} different values. Choose "
                "a finer resolution, whose cells have fewer pixels, or leave out "
                f"{'it' if len(self._statistics) == 1 else 'them'}.",
                code="too_many_values",
                statistics=list(self._statistics),
                limit=self._limit,
            )
        # Joining again before much has come would take more time than it saves.
        self._room = min(max(self._limit // 4, 2 * self._size), self._limit + self._limit // 4)


def in_pixels(coarse: Indices, fine: Indices) -> Numbers:
    """A weight in pixels, from its two whole numbers."""
    weight: Numbers = (coarse + fine / _UNIT) / _UNIT
    return weight


def _stacked(kept: Sequence[Groups]) -> Groups:
    none = np.zeros(0, dtype=np.int64)
    empty = Groups(none, np.zeros(0), none, none, none)
    return Groups(*(np.concatenate(column) for column in zip(empty, *kept, strict=True)))


def _joined(groups: Groups) -> Groups:
    """Sorted, and all of one cell and value joined."""
    values, code = np.unique(groups.value, return_inverse=True)
    key = groups.cell * max(len(values), 1) + code
    order = np.argsort(key)
    key = key[order]
    starts = _changes(key)
    if not len(starts):
        return groups
    first = order[starts]
    return Groups(
        groups.cell[first],
        values[code[first]],
        *(
            np.add.reduceat(column[order], starts)
            for column in (groups.pixels, groups.coarse, groups.fine)
        ),
    )


def _changes(keys: Indices) -> Indices:
    """Where another key begins among sorted ones."""
    differs = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=differs[1:])
    return np.flatnonzero(differs)
