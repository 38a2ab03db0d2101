"""Cells of the H3 grid as arrays of their 64-bit indexes: ancestors, descendants, centres, sizes.

What the bits of an index are, `core.h3_index` says.
"""

from __future__ import annotations

import math

import h3ronpy
import h3ronpy.vector
import numpy as np
import pyarrow as pa

from core.h3_index import (
    BASE_CELL_AT,
    CELL_MODE,
    MAX_RESOLUTION,
    RESOLUTION_AT,
    unused_digits,
)
from services.h3.boxes import EARTH_RADIUS_M
from services.h3.model import Cells, Indices, Numbers

_HALF = 180.0

_BASE_CELLS = 122
_PENTAGONS = (4, 14, 24, 38, 49, 58, 63, 72, 83, 97, 107, 117)

# Degrees between a cell's centre and its vertices, and between it and its children's centres, at
# most; both at resolution 0, and smaller by the square root of 7 with each finer one. Over all
# cells of resolutions 0 to 6 they come to 12.6354 and 21.8851 (of the child's resolution), and
# grow by less than a hundred thousandth from one resolution to the next.
_CIRCUMRADIUS = 12.65
_STEP = 21.9


def count(resolution: int) -> int:
    """The number of all cells of a resolution."""
    return 2 + 120 * int(7**resolution)


def mean_area_m2(resolution: int) -> float:
    """The area of the Earth by the number of cells, in square metres."""
    return 4 * math.pi * EARTH_RADIUS_M**2 / count(resolution)


def circumradius(resolution: int) -> float:
    """Degrees of a great circle within which all of a cell lies around its centre."""
    return float(_CIRCUMRADIUS / math.sqrt(7) ** resolution)


def descent_radius(level: int, resolution: int) -> float:
    """Degrees within which the centres of a cell's descendants lie around its own: of a cell of
    resolution `level` those of `resolution`."""
    return sum(_STEP / math.sqrt(7) ** finer for finer in range(level + 1, resolution + 1))


def centres(cells: Cells) -> tuple[Numbers, Numbers]:
    """Longitudes (-180 up to, but without, 180) and latitudes of the cells' centres."""
    table = pa.record_batch(h3ronpy.vector.cells_to_coordinates(cells))
    longitudes, latitudes = (table.column(name).to_numpy() for name in ("lng", "lat"))
    return np.where(longitudes >= _HALF, -_HALF, longitudes), latitudes


def resolutions(cells: Cells) -> Indices:
    """The resolution of each cell."""
    return ((cells >> np.uint64(RESOLUTION_AT)) & np.uint64(0xF)).astype(np.int64)


def parents(cells: Cells, resolution: int) -> Cells:
    """The ancestor of each cell at a resolution that is not finer than its own."""
    own = np.uint64(0xF << RESOLUTION_AT)
    kept = cells & ~own | np.uint64(resolution << RESOLUTION_AT)
    return kept | np.uint64(unused_digits(resolution))


def base_cells() -> Cells:
    """The cells of resolution 0."""
    numbers = np.arange(_BASE_CELLS, dtype=np.uint64) << np.uint64(BASE_CELL_AT)
    return numbers | np.uint64(CELL_MODE | unused_digits(0))


def pentagons() -> Cells:
    """Those of the base cells that have five sides: the corners of H3's icosahedron."""
    return base_cells()[list(_PENTAGONS)]


def descendants(cells: Cells, resolution: int) -> Cells:
    """All cells of a resolution below cells of that one or coarser ones."""
    return np.asarray(h3ronpy.change_resolution(cells, resolution).to_numpy())


def count_descendants(cells: Cells, resolution: int) -> int:
    """How many `descendants` there are."""
    own = resolutions(cells)
    base = (cells >> np.uint64(BASE_CELL_AT)) & np.uint64(0x7F)
    digits = cells & np.uint64((1 << BASE_CELL_AT) - 1)
    unused = np.array([unused_digits(each) for each in range(MAX_RESOLUTION + 1)], np.uint64)[own]
    is_pentagon = np.isin(base, _PENTAGONS) & (digits == unused)
    of_hexagon = 7 ** (resolution - own)
    return int(np.where(is_pentagon, 1 + 5 * (of_hexagon - 1) // 6, of_hexagon).sum())
