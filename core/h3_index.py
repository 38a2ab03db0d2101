"""How cells of the H3 grid are numbered, and which of them are ranges of numbers.

A cell index is a 64-bit number (https://h3geo.org/docs/core-library/h3Indexing/): from the top a
reserved bit, the mode (4 bits; 1 is a cell), 3 reserved bits, the resolution (4 bits), the base
cell (7 bits), and a digit of 3 bits for each of 15 resolutions, 7 where the cell has none. So the
cells of one resolution are one range of numbers, and in it so are those within one parent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_RESOLUTION: Final = 15

# Numbers from low up to, and without, high: low <= cell < high.
Range = tuple[int, int]

CELL_MODE: Final = 1 << 59
# The lowest bits of the resolution and of the base cell.
RESOLUTION_AT: Final = 52
BASE_CELL_AT: Final = 45
DIGIT_BITS: Final = 3


def resolution_of(cell: int) -> int:
    """The resolution of a cell, 0 to 15."""
    return cell >> RESOLUTION_AT & 0xF


def unused_digits(resolution: int) -> int:
    """The bits of the digits that cells of a resolution do not have, all of which are set."""
    return (1 << (MAX_RESOLUTION - resolution) * DIGIT_BITS) - 1


def all_cells(resolution: int) -> Range:
    """The range of all cells of a resolution."""
    return CELL_MODE | resolution << RESOLUTION_AT, CELL_MODE | (resolution + 1) << RESOLUTION_AT


def descendants(cell: int, resolution: int) -> Range:
    """The range of all cells of a resolution within a cell of that resolution or a coarser one.

    It holds no cell of another parent. Raises ValueError for a resolution coarser than the cell's.
    """
    own = resolution_of(cell)
    if not own <= resolution <= MAX_RESOLUTION:
        raise ValueError(f"a cell of resolution {own} has no cells of {resolution} in it")
    # Digits of resolutions that are finer than wanted are 7 in both numbers.
    rest = unused_digits(own)
    low = cell & ~rest & ~(0xF << RESOLUTION_AT) | resolution << RESOLUTION_AT
    return low | unused_digits(resolution), (low | rest) + 1


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Ranges of cells of one resolution in order: those that overlap, or that no cell lies
    between, as one, and empty ones left out."""
    found: list[Range] = []
    for low, high in sorted(ranges):
        if low >= high:
            continue
        # The number of the next cell: its unused digits are set.
        if found and low <= found[-1][1] | unused_digits(resolution_of(low)):
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found
