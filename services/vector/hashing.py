"""64-bit hashes of records, by which equal ones find each other.

Records that are equal have equal hashes, in any process and at any time; others differ nearly
always, and PostgreSQL compares those that do not. Nothing here is a secret. Whole columns are
hashed at once: numbers by their bits, texts by their words, each mixed with its place, and
geometries by their points, in whatever order these are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from services.vector.binary import layout

Hashes = npt.NDArray[np.uint64]

# Odd numbers with no pattern to their bits: of SplitMix64 (Steele, Lea, Flood 2014).
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_HALF: Final = np.uint64(32)
_NULL: Final = np.uint64(0x6E756C6C)
_WORD: Final = 8
_LONG_BYTES: Final = 4096
_BETWEEN_ITEMS: Final = "\x1f"


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
    if pa.types.is_list(array.type):
        array = pc.binary_join(array, _BETWEEN_ITEMS)
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
    """Values by their words of eight bytes, the last one filled up with zeros."""
    starts, lengths, data = layout(array.cast(pa.large_binary()))
    found = lengths.astype(np.uint64) * _FIRST
    usual = np.flatnonzero((lengths > 0) & (lengths <= _LONG_BYTES))
    if len(usual):
        found[usual] += _of_words(data, starts[usual], lengths[usual])
    for row in np.flatnonzero(lengths > _LONG_BYTES).tolist():
        value = data[starts[row] : starts[row] + lengths[row]].data
        digest = hashlib.sha1(value, usedforsecurity=False).digest()
        found[row] = int.from_bytes(digest[:_WORD], "little")
    return found


def _of_words(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> Hashes:
    counts = -(-lengths // _WORD)
    ends = np.cumsum(counts)
    begins = ends - counts
    place = np.arange(ends[-1]) - np.repeat(begins, counts)
    first, last = int(starts[0]), int(starts[-1] + lengths[-1])
    padded = np.concatenate([data[first:last], np.zeros(_WORD, dtype=np.uint8)])
    # A word can begin at any byte.
    words = np.ndarray(last - first + 1, dtype="<u8", buffer=padded.data, strides=(1,))
    mixed = words[np.repeat(starts - first, counts) + place * _WORD]
    missing = (counts * _WORD - lengths).astype(np.uint64) * np.uint64(_WORD)
    mixed[ends - 1] &= np.uint64(0xFFFFFFFFFFFFFFFF) >> missing
    mixed += place.astype(np.uint64) * _STEP
    mixed *= _FIRST
    _mix(mixed)
    return np.add.reduceat(mixed, begins)
