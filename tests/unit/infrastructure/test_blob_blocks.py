"""Parts of blobs that are kept in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.blob_blocks import BLOCK_BYTES, BlockCache, CachedBlob
from infrastructure.blob_lookup import BlobVersion

CONTENT = bytes(range(251)) * 4000
ASKED: list[tuple[int, int]] = []


class _Blob(CachedBlob):
    """One that is read from memory in place of storage."""

    __slots__ = ()

    def _download(self, offset: int, length: int) -> bytes:
        ASKED.append((offset, length))
        return CONTENT[offset : offset + length]


def blob(cache: BlockCache, etag: str = "1") -> _Blob:
    return _Blob(BlobVersion("silver", "a.tif", len(CONTENT), etag), cache)


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    ASKED.clear()


@given(
    st.lists(
        st.tuples(st.integers(0, len(CONTENT) + 10), st.integers(0, 3 * BLOCK_BYTES)), min_size=1
    ),
    st.sampled_from([BLOCK_BYTES, 3 * BLOCK_BYTES, 100 * BLOCK_BYTES]),
)
def test_ranges_are_those_of_the_blob(ranges: list[tuple[int, int]], budget: int) -> None:
    cache = BlockCache(budget)
    source = blob(cache)
    for offset, length in ranges:
        assert source.read(offset, length) == CONTENT[offset : offset + length]
        assert cache.held_bytes <= max(budget, BLOCK_BYTES)


def test_what_was_read_is_not_asked_for_again() -> None:
    source = blob(BlockCache())
    source.read(10, 20)
    source.read(30, BLOCK_BYTES - 30)
    assert ASKED == [(0, BLOCK_BYTES)]


def test_neighbours_come_in_one_request() -> None:
    source = blob(BlockCache())
    source.read(BLOCK_BYTES, 1)
    source.read(0, 4 * BLOCK_BYTES)
    assert ASKED == [
        (BLOCK_BYTES, BLOCK_BYTES),
        (0, BLOCK_BYTES),
        (2 * BLOCK_BYTES, 2 * BLOCK_BYTES),
    ]


def test_another_version_shares_nothing() -> None:
    cache = BlockCache()
    blob(cache, "1").read(0, 10)
    blob(cache, "2").read(0, 10)
    assert len(ASKED) == 2


def test_what_was_used_longest_ago_makes_room() -> None:
    source = blob(BlockCache(2 * BLOCK_BYTES))
    for number in (0, 1, 0, 2, 0, 1):
        source.read(number * BLOCK_BYTES, 1)
    assert [offset // BLOCK_BYTES for offset, _ in ASKED] == [0, 1, 2, 1]
