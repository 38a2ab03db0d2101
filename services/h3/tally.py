"""How much of each cell has which value: what quantiles and classes are told from.

Pixels of one cell and one value become one group, so a raster of classes takes little however
many pixels it has; one of measurements takes a group for nearly every pixel.

Weights are added up as whole numbers, which come to the same in whatever order: a median does not
depend on how the pixels were cut into batches, not even in its last digit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from core.errors import PermanentTaskError
from services.h3.model import Indices, Numbers

# A group takes 16 to 40 bytes, and as many again while all are joined; the rest of the memory is
# for pixels.
_VALUES_A_MEGABYTE = 6_000
DEFAULT_LIMIT = 1024 * _VALUES_A_MEGABYTE

# A weight is coarse / 2^31 + fine / 2^62: exact to 2e-19, for sums of up to 2^32 pixels.
_UNIT = 2.0**31
# So many groups are sorted at a time.
_RUN = 1 << 20

_LOW = np.int64(0xFFFFFFFF)
_SIGN = np.uint32(0x80000000)


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


def limit_of(memory_mb: int) -> int:
    """The most groups that go into the memory of a task of so many megabytes."""
    return memory_mb * _VALUES_A_MEGABYTE


class Tally:
    """The values of cells, as they come in."""

    def __init__(self, cells: int, statistics: Sequence[str], limit: int = DEFAULT_LIMIT) -> None:
        """Begin with nothing.

        Args:
            cells: how many cells there are.
            statistics: those that it is kept for; an error names them.
            limit: the most groups that it may keep.
        """
        self._cells = cells
        self._statistics = statistics
        self._limit = limit
        # Each of these ascends by cell; what has just come may have a value several times.
        self._kept: list[Groups] = []
        self._size = 0
        self._room = limit

    def add(self, cell: Indices, value: Numbers, weight: Numbers | None) -> None:
        """Take pixels; without `weight` each counts as 1.

        Raises:
            PermanentTaskError: `too_many_values`.
        """
        if not len(cell):
            return
        groups = _each_for_itself(cell, value, weight)
        if (cell[1:] < cell[:-1]).any():
            groups = _joined(groups)
        self._kept.append(groups)
        self._size += len(groups.cell)
        if self._size > self._room:
            self._join()

    def groups(self) -> Iterator[Groups]:
        """All that has come in so far, in runs of whole cells."""
        sizes = np.zeros(self._cells, dtype=np.int64)
        for each in self._kept:
            begin = int(each.cell[0])
            counts = np.bincount(each.cell - begin)
            sizes[begin : begin + len(counts)] += counts
        run = (np.cumsum(sizes) - sizes) // _RUN
        for first, stop in itertools.pairwise([*_changes(run), self._cells]):
            parts = [_cut(each, first, stop) for each in self._kept]
            if any(len(part.cell) for part in parts):
                yield _joined(_together(parts))

    def _join(self) -> None:
        kept: list[Groups] = []
        size = 0
        for groups in self.groups():
            kept.append(groups)
            size += len(groups.cell)
            if size > self._limit:
                raise self._too_many()
        self._kept, self._size = kept, size
        # Joining again before much has come would take more time than it saves memory.
        self._room = max(self._limit, size + self._limit // 4)

    def _too_many(self) -> PermanentTaskError:
        them = "it" if len(self._statistics) == 1 else "them"
        return PermanentTaskError(
            f"{' and '.join(self._statistics)} cannot be told of so many pixels at once: the "
            f"cells of one block have more than {self._limit:,} different values. Choose a "
            f"finer resolution, whose cells have fewer pixels, give more memory_mb, or leave "
            f"{them} out.",
            code="too_many_values",
            statistics=list(self._statistics),
            limit=self._limit,
        )


def in_pixels(coarse: Indices, fine: Indices) -> Numbers:
    """A weight in pixels, from its two whole numbers."""
    weight: Numbers = (coarse + fine / _UNIT) / _UNIT
    return weight


def _each_for_itself(cell: Indices, value: Numbers, weight: Numbers | None) -> Groups:
    """A group of each pixel. What is the same for all takes no memory."""
    size = len(cell)
    one = np.broadcast_to(np.int64(1), size)
    if weight is None:
        whole, nothing = np.broadcast_to(np.int64(_UNIT), size), np.broadcast_to(np.int64(0), size)
        return Groups(cell, value, one, whole, nothing)
    units = weight * _UNIT
    coarse = np.floor(units)
    fine = np.rint((units - coarse) * _UNIT)
    return Groups(cell, value, one, coarse.astype(np.int64), fine.astype(np.int64))


def _cut(groups: Groups, first: int, stop: int) -> Groups:
    """Those of the cells from `first` up to `stop`."""
    begin, end = np.searchsorted(groups.cell, [first, stop])
    return Groups._make(column[begin:end] for column in groups)


def _together(several: Sequence[Groups]) -> Groups:
    return Groups._make(np.concatenate(columns) for columns in zip(*several, strict=True))


def _joined(groups: Groups) -> Groups:
    """Sorted, and all of one cell and value made one group."""
    code, values = _codes(groups.value)
    key = (groups.cell << 32) | code
    order = np.argsort(key)
    key = key[order]
    starts = _changes(key)
    pixels, coarse, fine = (
        np.add.reduceat(column[order], starts)
        for column in (groups.pixels, groups.coarse, groups.fine)
    )
    key = key[starts]
    return Groups(key >> 32, _values(key & _LOW, values), pixels, coarse, fine)


def _codes(values: Numbers) -> tuple[Indices, Numbers | None]:
    """Whole numbers of 32 bits in the order of the values, and what they are places in.

    Where float32 holds the values, as it does those of nearly all rasters, codes are made of its
    bits: positive ones ascend as whole numbers, negative ones descend.
    """
    with np.errstate(over="ignore"):
        # Adding zero makes -0 the same as 0.
        narrow = values.astype(np.float32) + np.float32(0)
    if not np.array_equal(narrow, values):
        distinct, code = np.unique(values, return_inverse=True)
        return code, distinct
    bits = narrow.view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.int64), None


def _values(codes: Indices, values: Numbers | None) -> Numbers:
    if values is not None:
        return values[codes]
    bits = codes.astype(np.uint32)
    return np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float32).astype(np.float64)


def _changes(keys: Indices) -> Indices:
    """Where another key begins among sorted ones."""
    differs = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=differs[1:])
    return np.flatnonzero(differs)
