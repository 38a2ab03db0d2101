"""Compare the pixels of a COG with those of its source, as its compression promises them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from services.raster.child.lossy_bounds import brightness, lossy_bounds
from services.raster.model import CogPlan

Pixels = NDArray[Any]
Mask = NDArray[np.uint8] | None


class Comparison(Protocol):
    """What comes out of comparing: `compared` pixels of each band, the `largest` and the `mean`
    difference of a valid value, and the `bound` that the compression promises."""

    compared: int
    largest: float
    bound: float

    @property
    def mean(self) -> float: ...

    def add(self, wanted: Pixels, found: Pixels, mask: Mask, window: Window) -> str | None:
        """Take a window of (band, row, column); what is wrong with it in words, or None."""
        ...

    def verdict(self) -> str | None:
        """What is wrong with all windows together, or None."""
        ...


def comparison(plan: CogPlan) -> Comparison:
    """The comparison that a plan's compression asks for."""
    if plan.lossless:
        return ExactComparison()
    if plan.max_z_error:
        return BoundedComparison(plan.max_z_error)
    return PictureComparison(plan.compression, plan.quality or 100)


class ExactComparison:
    """Every pixel is the same, NaN being the same as NaN."""

    bound = 0.0
    largest = 0.0
    mean = 0.0

    def __init__(self) -> None:
        self.compared = 0

    def add(self, wanted: Pixels, found: Pixels, mask: Mask, window: Window) -> str | None:
        del mask  # What is hidden is kept as well.
        self.compared += wanted[0].size
        if np.array_equal(_bits(wanted), _bits(found)):
            return None
        # The bits of a NaN, and the sign of a zero, are no values.
        differs = (wanted != found) & ~((wanted != wanted) & (found != found))
        return _first(differs, wanted, found, window) if differs.any() else None

    def verdict(self) -> str | None:
        return None


class BoundedComparison:
    """No valid pixel is off by more than a bound, but for the rounding of its type."""

    def __init__(self, bound: float) -> None:
        self.bound = bound
        self.compared = 0
        self.largest = 0.0
        self._sum = 0.0
        self._count = 0

    @property
    def mean(self) -> float:
        return self._sum / self._count if self._count else 0.0

    def add(self, wanted: Pixels, found: Pixels, mask: Mask, window: Window) -> str | None:
        self.compared += wanted[0].size
        shown = np.broadcast_to(True if mask is None else mask != 0, wanted.shape)
        rounding: Pixels | float = 0.0
        if wanted.dtype.kind == "f":
            shown = shown & ~(np.isnan(wanted) & np.isnan(found))
            rounding = np.finfo(wanted.dtype).eps * np.abs(wanted.astype(np.float64))
        difference = np.abs(wanted.astype(np.float64) - found)
        differs = shown & ~(difference <= self.bound + rounding)
        if differs.any():
            return _first(differs, wanted, found, window)
        self.largest = max(self.largest, float(difference.max(initial=0, where=shown)))
        self._sum += float(difference.sum(where=shown))
        self._count += int(np.count_nonzero(shown))
        return None

    def verdict(self) -> str | None:
        return None


class PictureComparison:
    """The brightness of valid pixels and the means of bands stay within `lossy_bounds`; an
    alpha band is the same."""

    def __init__(self, compression: str, quality: int) -> None:
        self._name = f"{compression} at quality {quality}"
        self._bounds = lossy_bounds(quality)
        self.bound = self._bounds.mean
        self.compared = 0
        self.largest = 0.0
        self._histogram = np.zeros(256, np.int64)
        self._signed = np.zeros(0)

    @property
    def mean(self) -> float:
        count = self._histogram.sum()
        return float(self._histogram @ np.arange(256) / count) if count else 0.0

    def add(self, wanted: Pixels, found: Pixels, mask: Mask, window: Window) -> str | None:
        self.compared += wanted[0].size
        if len(wanted) in (2, 4):
            differs = np.zeros(wanted.shape, bool)
            differs[-1] = wanted[-1] != found[-1]
            if differs.any():
                return _first(differs, wanted, found, window)
            wanted, found = wanted[:-1], found[:-1]
        if not len(self._signed):
            self._signed = np.zeros(len(wanted))
        signed = found.astype(np.int16) - wanted
        level = np.rint(np.abs(brightness(found) - brightness(wanted))).astype(np.uint8)
        if mask is not None:
            signed, level = signed[:, mask != 0], level[mask != 0]
        self._signed += signed.reshape(len(signed), -1).sum(axis=1, dtype=np.int64)
        self._histogram += np.bincount(level.ravel(), minlength=256)
        self.largest = max(self.largest, float(np.abs(signed).max(initial=0)))
        return None

    def verdict(self) -> str | None:
        count = int(self._histogram.sum())
        if not count:
            return None
        advice = (
            f"{self._name} changes this picture too much: raise the quality, or set "
            "output_tier to analysis"
        )
        if self.mean > self._bounds.mean:
            return (
                f"brightness is off by {self.mean:.1f} of 255 on average, "
                f"and {self._bounds.mean:.1f} was allowed. {advice}"
            )
        percentile = int(np.searchsorted(self._histogram.cumsum(), 0.99 * count))
        if percentile > self._bounds.percentile_99:
            return (
                f"the brightness of one pixel in a hundred is off by {percentile} of 255, "
                f"and {self._bounds.percentile_99:.0f} was allowed. {advice}"
            )
        for band, total in enumerate(self._signed, start=1):
            if abs(total) / count > self._bounds.band_mean:
                return (
                    f"the mean of band {band} is off by {total / count:.1f} of 255, "
                    f"and {self._bounds.band_mean:.1f} was allowed. {advice}"
                )
        return None


def _bits(pixels: Pixels) -> Pixels:
    """The same memory as integers, so that NaN equals NaN."""
    if pixels.dtype.kind not in "fc":
        return pixels
    width = pixels.dtype.itemsize // (2 if pixels.dtype.kind == "c" else 1)
    return pixels.view(f"u{width}")


def _first(differs: NDArray[np.bool_], wanted: Pixels, found: Pixels, window: Window) -> str:
    """The first pixel that differs, in words."""
    band, row, column = (int(each) for each in np.unravel_index(differs.argmax(), differs.shape))
    return (
        f"band {band + 1} at column {window.col_off + column}, row {window.row_off + row}: "
        f"{wanted[band, row, column]} became {found[band, row, column]}"
    )
