"""64-bit hashes of records, by which equal ones find each other.

Records that are equal have equal hashes, in any process and at any time; others differ nearly
always, and PostgreSQL compares those that do not. Nothing here is a secret. Whole columns are
hashed at once: numbers by their bits, short texts as the sum of their bytes, each times a number
of its place (multilinear hashing), geometries by their points, in whatever order these are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.vector.binary import layout

Hashes = npt.NDArray[np.uint64]

# Odd numbers with no pattern to their bits: of SplitMix64 (Steele, Lea, Flood 2014).
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_HALF: Final = np.uint64(32)
_NULL: Final = np.uint64(0x6E756C6C)
_SHORT_BYTES: Final = 64


def of_records(columns: Sequence[pa.Array[Any]], shapes: Hashes) -> npt.NDArray[np.int64]:
    """A hash of each record: its attributes, and its geometry by the hash of that."""
    found = shapes.copy()
    for column in columns:
        found *= _STEP
        found += _of_column(column)
        _mix(found)
    return found.view(np.int64)


def of_points(points: npt.NDArray[np.float64], owners: npt.NDArray[np.int64], count: int) -> Hashes:
    """Hashes of so many geometries from their x and y; `owners` says whose each point is.

    Points of one geometry follow each other. One without any has the hash 0.
    """
    bits = np.ascontiguousarray(points).view(np.uint64)
    # Round numbers have zeros in their low bits, and products would too.
    bits = bits ^ (bits >> _HALF)
    mixed = bits[:, 0] * _STEP
    mixed += bits[:, 1] * _FIRST
    _mix(mixed)
    found = np.zeros(count, dtype=np.uint64)
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    if len(starts):
        found[owners[starts]] = np.add.reduceat(mixed, starts)
    return found


def _mix(values: Hashes) -> None:
    """Let the high bits, which depend on all others, bear on the low ones, in place."""
    values ^= values >> _HALF
    values *= _SECOND


def _of_column(array: pa.Array[Any]) -> Hashes:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    found = _of_numbers(array) if pa.types.is_primitive(array.type) else _of_bytes(array)
    if array.null_count:
        found[np.asarray(array.is_null())] = _NULL
    _mix(found)
    return found


def _of_numbers(array: pa.Array[Any]) -> Hashes:
    if pa.types.is_temporal(array.type):
        array = array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    if pa.types.is_floating(array.type):
        numbers = np.asarray(array.fill_null(0.0), dtype=np.float64)
        # PostgreSQL takes -0 for 0, and every NaN for the same.
        whole = np.where(np.isnan(numbers), np.nan, numbers + 0.0).view(np.uint64)
    else:
        whole = np.asarray(array.fill_null(0)).astype(np.int64).view(np.uint64)
    return whole * _FIRST


def _of_bytes(array: pa.Array[Any]) -> Hashes:
    array = array.cast(pa.large_binary())
    starts, lengths, data = layout(array)
    found = lengths.astype(np.uint64) * _FIRST
    short = np.flatnonzero((lengths > 0) & (lengths <= _SHORT_BYTES))
    if len(short):
        ends = np.cumsum(lengths[short])
        begins = ends - lengths[short]
        place = np.arange(ends[-1]) - np.repeat(begins, lengths[short])
        values = data[np.repeat(starts[short], lengths[short]) + place].astype(np.uint64)
        found[short] += np.add.reduceat(values * _OF_PLACE[place], begins)
    for row in np.flatnonzero(lengths > _SHORT_BYTES).tolist():
        value = data[starts[row] : starts[row] + lengths[row]].data
        digest = hashlib.blake2b(value, digest_size=8, usedforsecurity=False).digest()
        found[row] = int.from_bytes(digest, "little")
    return found


def _numbers_of_places() -> Hashes:
    numbers = np.arange(1, _SHORT_BYTES + 1, dtype=np.uint64) * _STEP
    numbers ^= numbers >> np.uint64(30)
    numbers *= _FIRST
    numbers ^= numbers >> np.uint64(27)
    numbers *= _SECOND
    return numbers


_OF_PLACE: Final = _numbers_of_places()
