"""Windows hold all that is wanted, each pixel once, and are no larger than they may be."""

from __future__ import annotations

import numpy as np
import pytest

from services.h3.child import windows
from services.h3.child.reading import Blocks

SHAPE = 400, 700
STORED = {
    "tiles": Blocks(64, 64, 0, 0),
    "tiles that begin elsewhere": Blocks(64, 64, 37, 21),
    "strips": Blocks(3, 700, 0, 0),
    "one block": Blocks(400, 700, 0, 0),
}


def some(count: int, size: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    first = np.stack([random.integers(0, side - size, count) for side in SHAPE], axis=1)
    return np.concatenate((first, first + random.integers(1, size, (count, 2))), axis=1)


@pytest.mark.parametrize("most", [100, 5_000, 100_000, 10_000_000])
@pytest.mark.parametrize("blocks", STORED.values(), ids=STORED)
@pytest.mark.parametrize("count", [1, 5, 300])
def test_rectangles_are_held_once(count: int, blocks: Blocks, most: int) -> None:
    wanted, read = np.zeros(SHAPE, bool), np.zeros(SHAPE, int)
    rectangles = some(count, 20)
    for top, left, bottom, right in rectangles:
        wanted[top:bottom, left:right] = True
    for window in windows.over(rectangles, blocks, most):
        assert window.rows * window.columns <= most + window.rows * blocks.columns
        down = slice(window.row, window.row + window.rows)
        read[down, window.column : window.column + window.columns] += 1
    assert read.max() == 1
    assert read[wanted].all()


def test_nothing_is_read_of_nothing() -> None:
    none = np.empty((0, 4), np.int64)
    assert list(windows.over(none, STORED["tiles"], 1000)) == []


def test_both_edges_are_two_windows() -> None:
    edges = np.array([[10, 0, 20, 5], [10, 690, 20, 700]])
    found = list(windows.over(edges, STORED["strips"], 100_000))
    assert sum(window.rows * window.columns for window in found) == 10 * 15


def test_windows_end_where_blocks_end() -> None:
    blocks = STORED["tiles that begin elsewhere"]
    whole = np.array([[0, 0, *SHAPE]])
    ends = {window.row + window.rows for window in windows.over(whole, blocks, 64 * 700)}
    assert {(end - 37) % 64 for end in ends if end < SHAPE[0]} == {0}
