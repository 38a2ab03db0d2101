"""A file over ranges: what is read is right, and little of it is fetched."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.range_file import PART_BYTES, RangeFile, TooMuchWanted
from tests.support.ranges import Fetched

CONTENT = bytes(range(256)) * 2048  # four parts of 128 KiB
WHOLE = 1 << 30


@settings(deadline=None)
@given(
    size=st.integers(0, len(CONTENT)),
    reads=st.lists(st.tuples(st.integers(0, len(CONTENT) + 9), st.integers(-1, 3 * PART_BYTES))),
)
def test_it_reads_what_is_there(size: int, reads: list[tuple[int, int]]) -> None:
    content = CONTENT[:size]
    source = Fetched(content)
    file = RangeFile(source, limit_bytes=WHOLE)
    for position, length in reads:
        assert file.seek(position) == file.tell() == position
        expected = content[position:] if length < 0 else content[position : position + length]
        assert file.read(length) == expected
    assert len(source.fetched) == len(set(source.fetched)), "nothing is fetched twice"
    assert sum(length for _, length in source.fetched) <= size


def test_parts_are_counted_from_the_end() -> None:
    source = Fetched(CONTENT[:-100])
    file = RangeFile(source, limit_bytes=WHOLE)
    file.seek(-22, os.SEEK_END)
    file.read()
    file.seek(-PART_BYTES, os.SEEK_END)
    file.read(100)
    assert source.fetched == [(source.size - PART_BYTES, PART_BYTES)]
    file.seek(0)
    file.read(1)
    assert source.fetched[1:] == [(0, PART_BYTES - 100)]


def test_places_are_reached_from_the_beginning_from_here_and_from_the_end() -> None:
    file = RangeFile(Fetched(b"0123456789"), limit_bytes=WHOLE)
    assert (file.seek(4), file.seek(2, os.SEEK_CUR), file.seek(-1, os.SEEK_END)) == (4, 6, 9)
    assert file.read() == b"9"
    assert file.read() == b""
    with pytest.raises(ValueError, match="no place -1"):
        file.seek(-1)
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)


def test_of_what_is_too_much_nothing_is_fetched() -> None:
    source = Fetched(CONTENT)
    file = RangeFile(source, limit_bytes=2 * PART_BYTES)
    with pytest.raises(TooMuchWanted):
        file.read(3 * PART_BYTES)
    assert source.fetched == []
    assert file.read(2 * PART_BYTES) == CONTENT[: 2 * PART_BYTES]
    with pytest.raises(TooMuchWanted):
        file.read(1)
    assert len(source.fetched) == 2
