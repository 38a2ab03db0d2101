"""How cells of the H3 grid are numbered, as far as ranges of numbers go.

A cell index is a 64-bit number (https://h3geo.org/docs/core-library/h3Indexing/): from the top a
reserved bit, the mode (4 bits; 1 is a cell), 3 reserved bits, the resolution (4 bits), the base
cell (7 bits), and a digit of 3 bits for each of 15 resolutions, 7 where the cell has none. So the
cells of one resolution are one range of numbers, and in it so are those within one parent.
"""

from __future__ import annotations

from typing import Final

MAX_RESOLUTION: Final = 15

# Numbers from low up to, and without, high: low <= cell < high.
Range = tuple[int, int]

_MODE: Final = 1 << 59
_RESOLUTION_SHIFT: Final = 52
_DIGIT_BITS: Final = 3


def resolution_of(cell: int) -> int:
    """The resolution of a cell, 0 to 15."""
    return cell >> _RESOLUTION_SHIFT & 0xF


def all_cells(resolution: int) -> Range:
    """The range of all cells of a resolution."""
    return _MODE | resolution << _RESOLUTION_SHIFT, _MODE | (resolution + 1) << _RESOLUTION_SHIFT


def descendants(cell: int, resolution: int) -> Range:
    """The range of all cells of a resolution within a cell of that resolution or a coarser one.

    It holds no cell of another parent. Raises ValueError for a resolution coarser than the cell's.
    """
    own = resolution_of(cell)
    if not own <= resolution <= MAX_RESOLUTION:
        raise ValueError(f"a cell of resolution {own} has no cells of {resolution} in it")
    # Digits of resolutions that are finer than wanted are 7 in both numbers.
    free = (resolution - own) * _DIGIT_BITS
    unused = (MAX_RESOLUTION - resolution) * _DIGIT_BITS
    rest = (1 << free + unused) - 1
    low = cell & ~rest & ~(0xF << _RESOLUTION_SHIFT) | resolution << _RESOLUTION_SHIFT
    return low | (1 << unused) - 1, (low | rest) + 1
