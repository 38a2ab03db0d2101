"""How bands go together: channels of one picture correlate, and near infrared stands apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.raster.evidence.finding import Finding, weigh
from services.raster.evidence.subject import Subject
from services.raster.model import Subtype

_FEW_PIXELS = 50
# Correlations of the visible channels of land: nearly always above the first, hardly ever below
# the second.
_TOGETHER, _NOT_TOGETHER = 0.8, 0.45
# How much less near infrared correlates with them than they do with each other.
_APART = 0.05
# Medians of channels of one sensor differ by less than this factor.
_SCALES = 50.0


def find(subject: Subject) -> Iterator[Finding]:
    """Look at the pixels that are valid in all bands, of rasters with two bands and more."""
    pixels = subject.together
    if subject.data_bands < 2 or subject.complex or pixels is None:
        return
    if pixels.shape[1] < _FEW_PIXELS:
        return
    if subject.data_bands == 2:
        yield from _two(pixels)
        return
    yield from _scales(subject, pixels)
    yield from _fields(subject)
    yield from _shares(pixels)
    deviations = pixels.std(axis=1)
    if len(pixels) <= 4 and (deviations > 0).all() and np.isfinite(deviations).all():
        correlation = np.asarray(np.corrcoef(pixels))
        yield _three(correlation) if len(pixels) == 3 else _four(correlation)
        if len(pixels) == 3 and subject.floating and correlation.min() > _TOGETHER:
            yield from _floating_picture(pixels)


def _two(pixels: NDArray[np.float64]) -> Iterator[Finding]:
    negative = (pixels < 0).mean(axis=1)
    size = np.abs(pixels).mean(axis=1)
    if ((negative > 0.02) & (negative < 0.98)).all() and size.max() < 20 * size.min():
        yield Finding(
            "components",
            "Both bands have values on both sides of 0 and of like size, as the components of a "
            "vector do.",
            weigh(continuous=1.5),
            subtypes={Subtype.VECTOR_FIELD: 2.0},
        )


def _scales(subject: Subject, pixels: NDArray[np.float64]) -> Iterator[Finding]:
    medians = np.abs(np.median(pixels, axis=1))
    low, high = float(medians.min()), float(medians.max())
    if subject.floating and high > _SCALES * low > 0:
        yield Finding(
            "scales",
            "The bands' values are of very different size: not the channels of one sensor.",
            weigh(rgb=-2, nir=-2, multispectral=-1, continuous=1, unknown=1),
            [low, high],
        )


def _fields(subject: Subject) -> Iterator[Finding]:
    """Grids of models and of interpolated measurements are smoother than any picture of land."""
    growths = [m.growth for m in subject.measured if m.growth is not None]
    correlations = [m.correlation for m in subject.measured if m.correlation is not None]
    if not growths or not subject.floating:
        return
    growth, correlation = float(np.median(growths)), float(np.median(correlations))
    if growth > 2.9 and correlation > 0.97:
        yield Finding(
            "fields",
            "All bands are smoother than pictures are.",
            weigh(continuous=1.5, multispectral=-0.5, rgb=-1, nir=-1),
            [round(correlation, 3), round(growth, 2)],
        )


def _shares(pixels: NDArray[np.float64]) -> Iterator[Finding]:
    """Probabilities of classes, and shares of what a pixel holds, have one sum everywhere."""
    total = pixels.sum(axis=0)
    mean = float(total.mean())
    varies = float(pixels.std(axis=1).max())
    if mean > 0 and (pixels >= 0).all() and total.std() < 0.01 * mean and varies > 0.05 * mean:
        yield Finding(
            "shares",
            "At every pixel the bands have the same sum, as shares of a whole do.",
            weigh(continuous=4, unknown=0.5),
            round(mean, 3),
            {Subtype.PROBABILITY: 2.0},
        )


def _three(correlation: NDArray[np.float64]) -> Finding:
    least = float(min(correlation[0, 1], correlation[0, 2], correlation[1, 2]))
    value = round(least, 3)
    if least > _TOGETHER:
        says = "The three bands go together as red, green and blue do."
        return Finding("correlation", says, weigh(rgb=1.2, rgba=1.0), value)
    if least < _NOT_TOGETHER:
        says = "The bands do not go together as red, green and blue do."
        return Finding("correlation", says, weigh(rgb=-1.2, rgba=-0.5, multispectral=0.5), value)
    return Finding("correlation", "The bands go together moderately.", weigh(rgb=0.2), value)


def _floating_picture(pixels: NDArray[np.float64]) -> Iterator[Finding]:
    """Software that computes with pictures keeps them as shares of full brightness."""
    if pixels.min() >= 0 and pixels.max() <= 1.001:
        yield Finding(
            "brightness",
            "All three bands lie between 0 and 1, as those of a picture in floating point.",
            weigh(rgb=2.0),
            [float(pixels.min()), float(pixels.max())],
        )


def _four(correlation: NDArray[np.float64]) -> Finding:
    """Where three of the four are visible, near infrared is the last one."""
    visible = float(min(correlation[0, 1], correlation[0, 2], correlation[1, 2]))
    fourth = float(correlation[3, :3].mean())
    value = [round(visible, 3), round(fourth, 3)]
    if visible > _TOGETHER - _APART and fourth < visible - _APART:
        says = (
            "Three bands go together as red, green and blue do; the fourth stands apart, as near "
            "infrared does."
        )
        return Finding("correlation", says, weigh(nir=1.5), value)
    if visible < _NOT_TOGETHER:
        says = "The first three bands do not go together as red, green and blue do."
        return Finding("correlation", says, weigh(nir=-1.2, multispectral=0.5), value)
    return Finding("correlation", "The four bands go together moderately.", weigh(), value)
