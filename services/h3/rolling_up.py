"""Statistics of large cells out of those of the small cells below them.

What is exact: count, sum, min and max; mean, stdev and the shares of classes too, since every cell
keeps how many pixels (`pixel_count`) it is of. What needs the pixels themselves, as a median does,
cannot be had so.

The children of an H3 cell do not tile it: they reach a little beyond its edge, and leave out a
little within. A large cell here is what its small cells are together, which differs from what the
raster's pixels in the large cell would give.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from infrastructure.h3_repository import Batch
from services.h3 import cells
from services.h3.model import Indices, Numbers

FRACTION: Final = "fraction_"

# Sums of cells that can be added up, of one statistic, each an array with a number for each cell.
_Sums = tuple[Numbers, ...]


def can_roll_up(name: str, stored: Collection[str]) -> bool:
    """Whether a statistic of large cells follows from what is stored of small ones."""
    if name == "stdev":
        return "stdev" in stored and "mean" in stored
    return name in stored and (name in _KINDS or name.startswith(FRACTION))


def rolled_up(batches: Iterable[Batch], resolution: int, names: Sequence[str]) -> Iterator[Batch]:
    """Batches of small cells, in the order of their cells, as batches of the cells of this
    resolution that they lie in, with the statistics of these names.

    They must have those statistics, and the mean where stdev is one. A cell without a value of a
    statistic does not count in it.
    """
    begun: _Parents | None = None
    for batch in batches:
        parents = _Parents.of(batch, resolution, names)
        if begun is not None:
            parents = begun.followed_by(parents)
        # The last one may go on in the next batch.
        done, begun = parents.part(slice(-1)), parents.part(slice(-1, None))
        if len(done.cells):
            yield done.finished()
    if begun is not None:
        yield begun.finished()


@dataclass(frozen=True, slots=True)
class _Parents:
    """Large cells of which not all small ones need have been seen yet, in their order."""

    cells: Indices
    counts: _Sums
    sums: dict[str, _Sums]

    @classmethod
    def of(cls, batch: Batch, resolution: int, names: Sequence[str]) -> _Parents:
        parents = cells.parents(batch.cells.astype(np.uint64), resolution).astype(np.int64)
        return cls(
            parents,
            (batch.pixel_count, batch.nodata_count),
            {name: _kind(name).begin(batch, name) for name in names},
        )._together()

    def followed_by(self, other: _Parents) -> _Parents:
        """These and those of the next batch, whose first may be the last of these."""
        return _Parents(
            np.concatenate([self.cells, other.cells]),
            _joined(self.counts, other.counts),
            {name: _joined(sums, other.sums[name]) for name, sums in self.sums.items()},
        )._together()

    def part(self, which: slice) -> _Parents:
        return _Parents(
            self.cells[which],
            tuple(each[which] for each in self.counts),
            {name: tuple(each[which] for each in sums) for name, sums in self.sums.items()},
        )

    def finished(self) -> Batch:
        pixels, nodata = self.counts
        return Batch(
            cells=self.cells,
            pixel_count=pixels,
            nodata_count=nodata,
            values={name: _kind(name).end(sums) for name, sums in self.sums.items()},
        )

    def _together(self) -> _Parents:
        """What follows each other of the same cell, as one."""
        starts = np.flatnonzero(np.diff(self.cells, prepend=-1))
        return _Parents(
            self.cells[starts],
            _added(self.counts, starts),
            {name: _kind(name).merge(sums, starts) for name, sums in self.sums.items()},
        )


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a statistic is rolled up: what is kept of each small cell, how that of several becomes
    one (the places at which the several begin are given), and what it comes to."""

    begin: Callable[[Batch, str], _Sums]
    merge: Callable[[_Sums, Indices], _Sums]
    end: Callable[[_Sums], Numbers]


def _joined(sums: _Sums, others: _Sums) -> _Sums:
    return tuple(np.concatenate(pair) for pair in zip(sums, others, strict=True))


def _added(sums: _Sums, starts: Indices) -> _Sums:
    return tuple(np.add.reduceat(each, starts) for each in sums)


def _weights(batch: Batch, name: str) -> Numbers:
    """The pixels of the cells that have a value."""
    return np.where(np.isnan(batch.values[name]), 0.0, batch.pixel_count)


def _begin_total(batch: Batch, name: str) -> _Sums:
    return _weights(batch, name), np.nan_to_num(batch.values[name], posinf=np.inf, neginf=-np.inf)


def _end_total(sums: _Sums) -> Numbers:
    weights, totals = sums
    return np.where(weights > 0, totals, np.nan)


def _begin_mean(batch: Batch, name: str) -> _Sums:
    weights, values = _begin_total(batch, name)
    return weights, weights * values


def _end_mean(sums: _Sums) -> Numbers:
    weights, totals = sums
    return _share(totals, weights)


def _begin_deviation(batch: Batch, name: str) -> _Sums:
    weights, deviations = _begin_total(batch, name)
    return weights, weights * np.nan_to_num(batch.values["mean"]), weights * deviations**2


def _merge_deviation(sums: _Sums, starts: Indices) -> _Sums:
    """By Chan's formula: the squares around each mean, and those of the means around theirs."""
    weights, totals, squares = sums
    all_weights, all_totals = _added((weights, totals), starts)
    mean = np.repeat(_share(all_totals, all_weights), np.diff(starts, append=len(weights)))
    apart = np.where(weights > 0, _share(totals, weights) - mean, 0.0)
    return all_weights, all_totals, np.add.reduceat(squares + weights * apart**2, starts)


def _end_deviation(sums: _Sums) -> Numbers:
    weights, _, squares = sums
    return np.sqrt(_share(squares, weights))


def _share(totals: Numbers, weights: Numbers) -> Numbers:
    share: Numbers = np.divide(totals, weights, out=np.full(len(totals), np.nan), where=weights > 0)
    return share


def _begin_extreme(batch: Batch, name: str) -> _Sums:
    return (batch.values[name],)


def _end_extreme(sums: _Sums) -> Numbers:
    return sums[0]


_MEAN: Final = _Kind(_begin_mean, _added, _end_mean)
_TOTAL: Final = _Kind(_begin_total, _added, _end_total)
_KINDS: Final = {
    "mean": _MEAN,
    "sum": _TOTAL,
    "count": _TOTAL,
    "min": _Kind(_begin_extreme, lambda sums, at: (np.fmin.reduceat(sums[0], at),), _end_extreme),
    "max": _Kind(_begin_extreme, lambda sums, at: (np.fmax.reduceat(sums[0], at),), _end_extreme),
    "stdev": _Kind(_begin_deviation, _merge_deviation, _end_deviation),
}


def _kind(name: str) -> _Kind:
    # The share of a class is the mean of a value that is 1 in its pixels.
    return _KINDS.get(name, _MEAN)
