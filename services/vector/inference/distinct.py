"""How many different values a column has: exactly, while that is cheap."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_Hashes = npt.NDArray[np.uint64]

# A column that repeats itself is followed up to so many values, one that may be a key (each
# value once) up to the second number: 8 bytes each.
_REPEATING = 1 << 16
_UNIQUE = 1 << 21
_MERGE_AT_LEAST = 1 << 14
_WEIGHTS = np.random.default_rng(20_240_229).integers(
    1, np.iinfo(np.int64).max, size=1 << 16, dtype=np.uint64
) | np.uint64(1)


class DistinctCounter:
    """Counts different values by 64-bit hashes; `add` takes each batch's different ones."""

    def __init__(self) -> None:
        self._seen: _Hashes = np.empty(0, dtype=np.uint64)
        self._waiting: list[_Hashes] = []
        self._values = 0
        self._given_up: tuple[int, int] | None = None

    def add(self, values: pa.Array[Any], total: int) -> None:
        """`values` are a batch's different strings, without null; `total` counts them all."""
        if self._given_up is None and len(values):
            self.add_hashes(hashes(values), total)
        else:
            self._values += total

    def add_hashes(self, different: _Hashes, total: int) -> None:
        """As `add`, of what is already 64 bits for each of a batch's different values."""
        self._values += total
        if self._given_up is not None:
            return
        self._waiting.append(different)
        if sum(map(len, self._waiting)) >= max(_MERGE_AT_LEAST, len(self._seen)):
            self._merge()
            count = len(self._seen)
            if count > (_UNIQUE if count == self._values else _REPEATING):
                self._given_up = (count, self._values)
                self._seen = np.empty(0, dtype=np.uint64)

    @property
    def exact(self) -> bool:
        """Whether `count` is exact."""
        return self._given_up is None

    @property
    def count(self) -> int:
        """How many there are; where they became too many, an estimate in proportion."""
        if self._given_up is not None:
            seen, of = self._given_up
            return round(self._values * seen / of)
        self._merge()
        return len(self._seen)

    def _merge(self) -> None:
        if self._waiting:
            merged = np.concatenate((self._seen, *self._waiting))
            merged.sort()
            first = np.ones(len(merged), dtype=bool)
            np.not_equal(merged[1:], merged[:-1], out=first[1:])
            self._seen = merged[first]
            self._waiting = []


def hashes(texts: pa.Array[Any]) -> _Hashes:
    """A 64-bit hash of each string, none of them null.

    The bytes, weighted by random odd numbers, summed modulo 2^64: two different texts of a
    column collide with a probability of about 2^-56.
    """
    _, offsets_buffer, data_buffer = texts.cast(pa.large_binary()).buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[
        texts.offset : texts.offset + len(texts) + 1
    ]
    lengths = np.diff(offsets)
    result: _Hashes = lengths.astype(np.uint64) * _WEIGHTS[-1]
    filled = np.flatnonzero(lengths)
    if data_buffer is None or not len(filled):
        return result
    data = np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
    starts = offsets[:-1] - offsets[0]
    within = np.arange(len(data)) - np.repeat(starts, lengths)
    weighted = (data.astype(np.uint64) + np.uint64(1)) * _WEIGHTS[within % (len(_WEIGHTS) - 1)]
    result[filled] += np.add.reduceat(weighted, starts[filled])
    mixed: _Hashes = result ^ (result >> np.uint64(29))
    return mixed
