"""Geometries without a flaw, from nested lists of numbers, thousands at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from services.vector.batch import Geometries

# How deep the lists in "coordinates" go for a type: a position is a list of depth 1.
DEPTHS: Final = {
    "Point": 1,
    "MultiPoint": 2,
    "LineString": 2,
    "MultiLineString": 3,
    "Polygon": 3,
    "MultiPolygon": 4,
}
RING_POINTS: Final = 4
LINE_POINTS: Final = 2


def group(raw: Mapping[str, Any]) -> tuple[str, int] | None:
    """The type and the number of ordinates, where the first position looks as it should."""
    try:
        kind = raw["type"]
        first = raw["coordinates"]
        for _ in range(DEPTHS[kind] - 1):
            first = first[0]
        ordinates = len(first)
    except (KeyError, IndexError, TypeError):
        return None
    return (kind, ordinates) if ordinates in (2, 3) else None


def build_alike(
    kind: str, ordinates: int, values: list[Any]
) -> tuple[Geometries, npt.NDArray[np.bool_]]:
    """Build those that have no flaw; the mask says which of the values they are."""
    depth = DEPTHS[kind]
    good = np.ones(len(values), dtype=bool)
    ragged = _Ragged.of(values, depth)
    if ragged is None:
        good[:] = [_Ragged.of([value], depth) is not None for value in values]
        ragged = _Ragged.of(_chosen(values, good), depth)
    while ragged is not None:
        flawless = ragged.flawless(kind, ordinates)
        if flawless.all():
            return ragged.build(kind, ordinates), good
        good[good] = flawless
        ragged = _Ragged.of(_chosen(values, good), depth)
    return np.empty(0, dtype=object), np.zeros(len(values), dtype=bool)


def _chosen(values: list[Any], mask: npt.NDArray[np.bool_]) -> list[Any]:
    return [value for value, good in zip(values, mask.tolist(), strict=True) if good]


@dataclass(slots=True)
class _Ragged:
    """Nested lists of one depth, laid flat: the lengths of the lists of each level, outermost
    first (the innermost are the positions), and all numbers in a row."""

    lengths: list[npt.NDArray[np.int64]]
    numbers: npt.NDArray[np.float64]

    @classmethod
    def of(cls, values: list[Any], depth: int) -> _Ragged | None:
        """None where a level holds something else than lists, or the last one than numbers."""
        lengths = []
        level = values
        for _ in range(depth):
            if not set(map(type, level)) <= {list, tuple}:
                return None
            lengths.append(np.fromiter(map(len, level), np.int64, len(level)))
            level = list(chain.from_iterable(level))
        if not set(map(type, level)) <= {int, float}:
            return None
        try:
            return cls(lengths, np.asarray(level, dtype=np.float64))
        except OverflowError:  # an integer beyond what a double holds
            return None

    def flawless(self, kind: str, ordinates: int) -> npt.NDArray[np.bool_]:
        """Which values are well-formed geometries of the type, in tuples of that size."""
        good = np.ones(len(self.lengths[0]), dtype=bool)
        for level, lengths in enumerate(self.lengths[:-1]):
            good[self._owners(level)[lengths == 0]] = False
        odd = self.lengths[-1] != ordinates
        if odd.any():
            good[self._owners(len(self.lengths) - 1)[odd]] = False
        if not good.all():
            return good
        coordinates = self.numbers.reshape(-1, ordinates)
        broken = ~np.isfinite(coordinates).all(axis=1)
        if broken.any():
            good[self._owners(len(self.lengths) - 1)[broken]] = False
        if "Point" in kind:
            return good
        points = self.lengths[-2]
        closed = "Polygon" in kind
        unfit = points < (RING_POINTS if closed else LINE_POINTS)
        if closed:
            ends = np.cumsum(points)
            unfit |= (coordinates[ends - points] != coordinates[ends - 1]).any(axis=1)
        good[self._owners(len(self.lengths) - 2)[unfit]] = False
        return good

    def _owners(self, level: int) -> npt.NDArray[np.int64]:
        """The value that each list of a level belongs to."""
        owners = np.arange(len(self.lengths[0]))
        for lengths in self.lengths[:level]:
            owners = np.repeat(owners, lengths)
        return owners

    def build(self, kind: str, ordinates: int) -> Geometries:
        offsets = tuple(
            np.concatenate(([0], np.cumsum(lengths))) for lengths in reversed(self.lengths[:-1])
        )
        geometries: Geometries = shapely.from_ragged_array(
            shapely.GeometryType[kind.upper()],
            self.numbers.reshape(-1, ordinates),
            offsets or None,
        )
        return geometries
