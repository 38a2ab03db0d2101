"""How much of each pixel polygons cover: exact areas of intersection with the pixel grid.

A polygon's area in a row of pixels is an integral along its edges (Green's theorem): a piece of
an edge that rises by `dy` at a mean distance `f` from the left side of its pixel takes
`dy * (1 - f)` of that pixel and `dy` of every pixel to the right of it; edges that go down give it
back. So each edge is cut at the lines of the grid, leaves two numbers where each piece of it
lies, and the running sum along a row is the share of each pixel that the polygon covers. This is
the signed-area accumulation of font rasterisers (https://medium.com/@raphlinus/inside-the-fastest-font-renderer-in-the-world-75ae5270c445),
here for many polygons at once, in float64.

Pieces of edges are computed from the lower end of the edge upward, in coordinates that begin at
that end's pixel. So an edge that two neighbours share gives both the very same numbers, and what
the one takes of a pixel the other does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.h3.model import Indices, Numbers

# Shares below this are what is left of rounding, outside the polygon or where it only touches a
# pixel. Rounding itself is of the order of 1e-16 for each pixel that an edge crosses.
SMALLEST_SHARE = 1e-13

# Pixels of all windows of a batch, and edges of a batch: its arrays stay in the processor's cache
# where the polygons are small, and take some ten megabytes where they are large.
_PIXELS = 1 << 16
_EDGES = 1 << 12
# Pixels of a batch where one polygon alone has more than _PIXELS.
_STRIP_PIXELS = 1 << 20


class Window(NamedTuple):
    """A rectangle of whole pixels."""

    row: int
    column: int
    rows: int
    columns: int


class Shares(NamedTuple):
    """Pixels that polygons cover, wholly or in part; arrays of one length.

    Attributes:
        piece: number of the polygon, ascending.
        row: of the pixel; ascending within a piece.
        column: of the pixel; ascending within a row.
        weight: the share of the pixel that the polygon covers, above 0 up to 1.
    """

    piece: Indices
    row: Indices
    column: Indices
    weight: Numbers


class _Pieces(NamedTuple):
    """Polygons, and the part of the window that each may cover. Whole numbers, as float64."""

    number: Indices
    x: Numbers
    y: Numbers
    row: Numbers
    column: Numbers
    rows: Numbers
    columns: Numbers

    def take(self, chosen: slice | npt.NDArray[np.bool_]) -> _Pieces:
        return _Pieces._make(each[chosen] for each in self)


def shares(
    x: Numbers, y: Numbers, vertices: Indices, window: tuple[int, int, int, int]
) -> Iterator[Shares]:
    """The share of each pixel of the window that each polygon covers.

    Args:
        x: columns of the vertices in pixels, (polygons, most vertices); pixel (c, r) covers
            [c, c+1] x [r, r+1]. Polygons are simple, turn either way, and end where they began
            or a vertex before.
        y: their rows.
        vertices: how many vertices each polygon has; what stands behind them is not looked at.
        window: first row, first column, rows and columns of what is asked for.

    Yields:
        The shares of some polygons, or of some rows of a large one: a million pixels at most.
        Those below `SMALLEST_SHARE` are left out. All shares of a pixel, over polygons that
        cover the plane without overlap, add up to 1 within 1e-12.

    Raises:
        ValueError: a coordinate is not finite.
    """
    inside = _inside(x, y, vertices, Window(*window))
    sizes = inside.rows * (inside.columns + 1)
    for batch in _batches(sizes, inside.x.shape[1]):
        pieces = inside.take(batch)
        if sizes[batch.start] <= _PIXELS:
            yield _scan(pieces)
            continue
        rows = max(1, int(_STRIP_PIXELS // (pieces.columns[0] + 1)))
        for first in range(0, int(pieces.rows[0]), rows):
            yield _scan(
                pieces._replace(row=pieces.row + first, rows=np.minimum(rows, pieces.rows - first))
            )


def _inside(x: Numbers, y: Numbers, vertices: Indices, window: Window) -> _Pieces:
    """The polygons that reach into the window, closed, and where in it each lies."""
    there = np.arange(x.shape[1]) < vertices[:, np.newaxis]
    x, y = np.where(there, x, x[:, :1]), np.where(there, y, y[:, :1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("A coordinate of a polygon is not finite.")
    left = np.maximum(np.floor(x.min(axis=1)), window.column)
    right = np.minimum(np.ceil(x.max(axis=1)), window.column + window.columns)
    top = np.maximum(np.floor(y.min(axis=1)), window.row)
    bottom = np.minimum(np.ceil(y.max(axis=1)), window.row + window.rows)
    number = np.arange(len(x))
    pieces = _Pieces(number, x, y, top, left, bottom - top, right - left)
    reaching = (pieces.rows > 0) & (pieces.columns > 0)
    return pieces if reaching.all() else pieces.take(reaching)


def _batches(sizes: Numbers, edges: int) -> Iterator[slice]:
    """Runs of polygons within the bounds of a batch, or one polygon that is beyond them."""
    most = max(1, _EDGES // max(edges, 1))
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = ends[start - 1] if start else 0.0
        stop = int(np.searchsorted(ends, before + _PIXELS, side="right"))
        stop = min(max(stop, start + 1), start + most)
        yield slice(start, stop)
        start = stop


def _scan(pieces: _Pieces) -> Shares:
    """The shares of polygons, by running sums along the rows of their windows.

    Each row has a place more than pixels, for what lies to the right of them.
    """
    rows = pieces.rows.astype(np.int64)
    piece = np.repeat(np.arange(len(rows)), rows)
    widths = (pieces.columns.astype(np.int64) + 1)[piece]
    ends = np.cumsum(widths)
    starts = ends - widths
    first_lines = np.cumsum(rows) - rows
    place, amount = _amounts(pieces, starts[first_lines])
    total = int(ends[-1])
    running = np.cumsum(np.bincount(place, weights=amount, minlength=total + 1)[:total])
    # Every row ends at zero but for rounding, which would add up from row to row.
    before = np.concatenate(([0.0], running[ends[:-1] - 1]))
    running -= np.repeat(before, widths)
    weight = np.abs(running, out=running)
    weight[ends - 1] = 0.0
    is_covered = weight > SMALLEST_SHARE
    covered = np.flatnonzero(is_covered)
    counts = np.add.reduceat(is_covered, starts, dtype=np.int64)
    row = np.arange(len(piece)) + (pieces.row.astype(np.int64) - first_lines)[piece]
    to_column = pieces.column.astype(np.int64)[piece] - starts
    return Shares(
        np.repeat(pieces.number[piece], counts),
        np.repeat(row, counts),
        covered + np.repeat(to_column, counts),
        weight[covered],
    )


def _amounts(pieces: _Pieces, starts: Indices) -> tuple[Indices, Numbers]:
    """What the pieces of all edges leave where: places in the rows' running sums, amounts.

    Args:
        pieces: the polygons.
        starts: the place of each one's first pixel.
    """
    x, y = pieces.x, pieces.y
    next_x, next_y = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)
    piece, vertex = np.nonzero(y != next_y)
    x0, y0 = x[piece, vertex], y[piece, vertex]
    x1, y1 = next_x[piece, vertex], next_y[piece, vertex]
    falls = y1 < y0
    x0, x1 = np.where(falls, x1, x0), np.where(falls, x0, x1)
    y0, y1 = np.where(falls, y1, y0), np.where(falls, y0, y1)
    # From here on in coordinates that begin at the pixel of the edge's lower end.
    column, row = np.floor(x0), np.floor(y0)
    x0, x1, y0, y1 = x0 - column, x1 - column, y0 - row, y1 - row
    slope = (x1 - x0) / (y1 - y0)
    west, east = np.minimum(x0, x1), np.maximum(x0, x1)
    left, top = pieces.column[piece] - column, pieces.row[piece] - row
    right = left + pieces.columns[piece]
    stride = pieces.columns[piece] + 1.0
    sign = np.where(falls, -1.0, 1.0)

    # Cut at the rows.
    bottom = np.minimum(np.ceil(y1), top + pieces.rows[piece])
    edge, line = _ranges(np.maximum(top, 0.0), bottom - 1.0)
    from_y, low, high = y0[edge], np.maximum(y0[edge], line), np.minimum(y1[edge], line + 1.0)
    from_x, lean, west, east = x0[edge], slope[edge], west[edge], east[edge]
    begin = np.clip(from_x + (low - from_y) * lean, west, east)
    end = np.clip(from_x + (high - from_y) * lean, west, east)
    near, far = np.minimum(begin, end), np.maximum(begin, end)
    rise = (high - low) * sign[edge]
    left, right = left[edge], right[edge]
    place = starts[piece][edge] + (line - top[edge]) * stride[edge] - left

    # Cut at the columns; what lies left or right of the window is one piece each.
    first = np.clip(np.floor(near), left - 1.0, right)
    last = np.clip(np.ceil(far) - 1.0, first, right)
    alone = first == last
    climb = np.divide(rise, far - near, out=np.zeros_like(rise), where=~alone)
    part, pixel = _ranges(first, last)
    left, right, near, far = left[part], right[part], near[part], far[part]
    begin = np.where(pixel < left, near, np.maximum(near, pixel))
    end = np.minimum(far, pixel + 1.0)
    dy = np.where(alone[part], rise[part], (end - begin) * climb[part])
    within = (pixel >= left) & (pixel < right)
    away = np.where(within, dy * (0.5 * (begin + end) - pixel), 0.0)
    places = (place[part] + np.maximum(pixel, left)).astype(np.int64)
    return np.concatenate((places, places + 1)), np.concatenate((dy - away, away))


def _ranges(first: Numbers, last: Numbers) -> tuple[Indices, Numbers]:
    """All whole numbers from each first to each last, with the index that they belong to."""
    counts = np.maximum(last - first + 1.0, 0.0).astype(np.int64)
    index = np.repeat(np.arange(len(counts)), counts)
    offsets = first - (np.cumsum(counts) - counts)
    numbers: Numbers = np.arange(len(index), dtype=np.float64) + offsets[index]
    return index, numbers
