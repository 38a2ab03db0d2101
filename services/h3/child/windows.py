"""In the child: in which windows a mosaic is read, so that little is read that nobody needs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from services.h3.child.reading import Blocks
from services.h3.coverage import Window
from services.h3.model import Indices

# Rectangles: one row each of first row, first column, and the row and column behind the last.
Rectangles = npt.NDArray[np.int64]

# Columns that nobody needs, between others, which are read with them.
_GAP = 64


def over(rectangles: Rectangles, blocks: Blocks, most_pixels: int) -> Iterator[Window]:
    """Windows without overlaps that hold all rectangles, of at most so many pixels each.

    They begin and end at the edges of the file's blocks where that lets each block be decoded
    once; so they do not depend on which other rectangles there are, but for their width.
    """
    for left, right in _stretches(rectangles):
        within = rectangles[(rectangles[:, 1] < right) & (rectangles[:, 3] > left)]
        rows, columns = _shape(blocks, right - left, most_pixels)
        for top, bottom in _steps(
            int(within[:, 0].min()), int(within[:, 2].max()), rows, blocks.first_row
        ):
            strip = within[(within[:, 0] < bottom) & (within[:, 2] > top)]
            for west, east in _stretches(strip):
                for first, last in _steps(west, east, columns, blocks.first_column):
                    yield Window(top, first, bottom - top, last - first)


def _shape(blocks: Blocks, width: int, most_pixels: int) -> tuple[int, int]:
    """Rows and columns of windows: whole blocks, where these are not too large."""
    if blocks.rows * width <= most_pixels:
        return most_pixels // (blocks.rows * width) * blocks.rows, width + blocks.columns
    if blocks.rows * blocks.columns <= most_pixels:
        return blocks.rows, most_pixels // (blocks.rows * blocks.columns) * blocks.columns
    columns = min(width, most_pixels)
    return max(1, most_pixels // columns), columns


def _stretches(rectangles: Rectangles) -> Iterator[tuple[int, int]]:
    """Columns that rectangles take, from west to east: from one up to, but without, another."""
    if not len(rectangles):
        return
    order = np.argsort(rectangles[:, 1], kind="stable")
    left, right = rectangles[order, 1], np.maximum.accumulate(rectangles[order, 3])
    breaks = np.flatnonzero(left[1:] > right[:-1] + _GAP)
    begins: Indices = np.concatenate(([0], breaks + 1))
    ends: Indices = np.concatenate((breaks, [len(left) - 1]))
    for begin, end in zip(begins, ends, strict=True):
        yield int(left[begin]), int(right[end])


def _steps(first: int, last: int, step: int, origin: int) -> Iterator[tuple[int, int]]:
    """From first to last in steps that begin at whole steps from the origin."""
    begin = first
    while begin < last:
        end = min(last, begin + step - (begin - origin) % step)
        yield begin, end
        begin = end
