"""Values that stand for missing data though the file does not say so."""

from __future__ import annotations

import numpy as np

from services.raster.sampling import BandSample

# What software writes where it has nothing: powers of ten less one, ends of the integer types, and
# the lowest float32 in the roundings in which it is met.
_CUSTOMARY = frozenset(
    (-9999.0, -99999.0, -999.0, -9999999.0, -32768.0, -32767.0, -2147483648.0, -2147483647.0,
     -3000.0, -28672.0, -99.0, 9999.0, 32767.0, 65535.0, -1e30, 1e20, 9.969209968386869e36)
)  # fmt: skip
_BEYOND = 1e36
# How far it lies from all other values, as a multiple of their range.
_APART = 0.5


def find(band: BandSample) -> float | None:
    """A customary value at the end of a band's values that lies well apart from all others."""
    values, counts = band.counted
    if len(values) < 3:
        return None
    for end, neighbour, far in ((0, 1, -1), (-1, -2, 0)):
        # A few of them may be data: several are a habit.
        if not _customary(float(values[end])) or counts[end] < 2:
            continue
        span = abs(float(values[far]) - float(values[neighbour]))
        gap = abs(float(values[neighbour]) - float(values[end]))
        if gap > max(_APART * span, 20.0):
            return float(values[end])
    return None


def _customary(value: float) -> bool:
    return value in _CUSTOMARY or bool(np.abs(value) > _BEYOND)
