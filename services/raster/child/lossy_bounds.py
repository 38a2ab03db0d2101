"""How much a picture may change by a compression with loss, and still be the same picture.

A JPEG stores 8 x 8 pixels as 64 coefficients of an orthonormal cosine transform, each rounded
to a multiple of its step. So no coefficient is off by more than half its step, and, as such a
transform keeps the sum of squares (Parseval), the brightness of a block is off by no more than
half the root mean square of the steps: 10 levels of 255 at quality 85, and half of it in most
pictures. Colours have no such bound, as they are stored at half the resolution; but their means
stay. What is compared is therefore the brightness of each pixel and the mean of each band. Bands
in another order, a shift, a band of other values: all of them break one or the other.

WEBP has no such tables; at the same quality it is nearer to the source than JPEG is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Steps of brightness at quality 50: ITU-T T.81 (1992), table K.1.
_STEPS = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip

# Brightness by ITU-R BT.601, as JFIF defines it.
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class LossyBounds:
    """Greatest differences, in levels of 255: the mean and the 99th percentile of brightness,
    and the mean of a band."""

    mean: float
    percentile_99: float
    band_mean: float


def lossy_bounds(quality: int) -> LossyBounds:
    """The bounds at a quality of 1 to 100.

    A level is added for the rounding to whole numbers. One pixel in a hundred may be off by
    four times as much as all together: the error of a block is not spread evenly.
    """
    # How the IJG's library, which GDAL uses, scales the steps (jcparam.c).
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = [min(255, max(1, math.floor((step * scale + 50) / 100))) for step in _STEPS]
    worst = math.sqrt(sum(step**2 for step in steps) / len(steps)) / 2
    return LossyBounds(mean=worst + 1, percentile_99=4 * worst + 4, band_mean=worst / 4 + 2)


def brightness(bands: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Brightness of (band, row, column): of red, green and blue, or of the one band."""
    total: NDArray[np.float32] = np.zeros(bands.shape[1:], np.float32)
    for band, weight in zip(bands[:3], _LUMA if len(bands) >= 3 else (1.0,), strict=False):
        total += band * np.float32(weight)
    return total
