"""How bands go together: pictures of one scene correlate, and near infrared stands apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from services.raster.evidence.finding import Finding
from services.raster.evidence.subject import Subject
from services.raster.model import RasterType as T
from services.raster.model import Subtype

_FEW_PIXELS = 50


def find(subject: Subject) -> Iterator[Finding]:
    if subject.data_bands < 2 or subject.complex:
        return
    pixels = subject.together
    if pixels is None or pixels.shape[1] < _FEW_PIXELS:
        return
    deviations = pixels.std(axis=1)
    if not np.isfinite(deviations).all() or (deviations == 0).any():
        return
    correlation = np.corrcoef(pixels)
    if subject.data_bands == 2:
        yield from _two(subject, pixels)
        return
    yield from _scales(subject, pixels)
    if subject.data_bands == 3:
        yield _three(correlation)
    elif subject.data_bands == 4:
        yield _four(correlation)


def _two(
    subject: Subject, pixels: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> Iterator[Finding]:
    signs = [(row < 0).mean() for row in pixels]
    extent = np.abs(pixels).mean(axis=1)
    if all(0.02 < share < 0.98 for share in signs) and max(extent) < 20 * min(extent):
        yield Finding(
            "two bands",
            "Both bands have values on both sides of 0 and of like size: two components of a "
            "vector.",
            {T.CONTINUOUS: 1.5},
            None,
            {Subtype.VECTOR_FIELD: 2.0},
        )


def _scales(
    subject: Subject, pixels: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> Iterator[Finding]:
    medians = np.abs(np.median(pixels, axis=1))
    low, high = float(medians.min()), float(medians.max())
    if high > 50 * max(low, 1e-12) and subject.floating:
        yield Finding(
            "scales",
            "The bands' values are of very different size: not the channels of one sensor.",
            {T.RGB: -2, T.NIR: -2, T.MULTISPECTRAL: -1, T.CONTINUOUS: 1, T.UNKNOWN: 1},
            [low, high],
        )


def _three(correlation: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Finding:
    least = float(min(correlation[0, 1], correlation[0, 2], correlation[1, 2]))
    value = round(least, 3)
    if least > 0.8:
        return Finding(
            "correlation",
            "The three bands go together as red, green and blue do.",
            {T.RGB: 1.2, T.RGBA: 1.0},
            value,
        )
    if least < 0.45:
        return Finding(
            "correlation",
            "The bands do not go together as red, green and blue do.",
            {T.RGB: -1.2, T.RGBA: -0.5, T.MULTISPECTRAL: 0.5},
            value,
        )
    return Finding("correlation", "The bands go together moderately.", {T.RGB: 0.2}, value)


def _four(correlation: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Finding:
    """Of four bands near infrared is the last one."""
    visible = float(min(correlation[0, 1], correlation[0, 2], correlation[1, 2]))
    infrared = float(correlation[3, :3].mean())
    value = [round(visible, 3), round(infrared, 3)]
    if visible > 0.75 and infrared < visible - 0.05:
        return Finding(
            "correlation",
            "Three bands go together as red, green and blue do; the fourth stands apart, as near "
            "infrared does.",
            {T.NIR: 1.5},
            value,
        )
    if visible < 0.5:
        return Finding(
            "correlation",
            "The first three bands do not go together as red, green and blue do.",
            {T.NIR: -1.2, T.MULTISPECTRAL: 0.5},
            value,
        )
    return Finding("correlation", "All bands go together moderately.", {}, value)
