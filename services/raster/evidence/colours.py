"""Colour interpretations and palettes: what a file says of how its bands are to be seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.raster.evidence.finding import Finding, weigh
from services.raster.evidence.subject import Subject
from services.raster.model import Subtype

_VISIBLE = ("red", "green", "blue")
# Palettes of classes differ from entry to entry; in those of ramps and pictures of few steps the
# next colour is near (distance in 0-255 RGB).
_NEAR_COLOUR = 12.0


def find(subject: Subject) -> Iterator[Finding]:
    colours = [band.colour for band in subject.facts.bands]
    visible = all(colours.count(colour) == 1 for colour in _VISIBLE)
    if visible:
        yield _visible(subject)
    if any(colour in ("nir", "nearinfrared", "near_infrared") for colour in colours):
        yield Finding(
            "colours",
            "A band is declared as near infrared.",
            weigh(nir=2.5, multispectral=1.0),
            colours,
        )
    if colours[-1] == "alpha" and len(colours) > 1:
        yield _alpha(subject)
    elif subject.alpha is not None:
        yield Finding(
            "alpha",
            "The last band is not tagged as alpha, but is fully opaque or transparent everywhere.",
            weigh(rgba=0.5),
        )
    if colours[0] == "palette":
        yield from _palette(subject)
    if any(band.categories for band in subject.facts.bands):
        yield Finding("category names", "Its values have names.", weigh(categorical=5))


def _visible(subject: Subject) -> Finding:
    if subject.data_bands == 4:
        return Finding(
            "colours",
            "Red, green and blue are declared, beside a band more.",
            weigh(nir=1.2, multispectral=-0.5),
        )
    if subject.data_bands > 4:
        return Finding(
            "colours", "Red, green and blue are declared among the bands.", weigh(multispectral=1.0)
        )
    return Finding(
        "colours",
        "Red, green and blue are declared.",
        weigh(rgb=2.5, rgba=2.5 if subject.alpha is not None else 0.0),
    )


def _alpha(subject: Subject) -> Finding:
    if subject.alpha is None:
        return Finding(
            "alpha",
            "The last band is tagged as alpha, but holds what no alpha holds: half-transparent "
            "pixels everywhere. It is taken for near infrared or another band of data.",
            weigh(rgba=-3.0, nir=1.0),
        )
    return Finding("alpha", "The last band is alpha, by its tag and its pixels.", weigh(rgba=1.0))


def _palette(subject: Subject) -> Iterator[Finding]:
    palette = subject.sample.bands[0].palette
    if palette is None:
        yield Finding(
            "palette", "It is tagged as paletted, but has no palette.", weigh(categorical=1.0)
        )
        return
    m = subject.measured[0] if subject.measured else None
    used = _used(palette, subject)
    paletted = {Subtype.PALETTED: 1.0}
    if m is None or m.distinct <= 2:
        yield Finding(
            "palette", "It has a palette.", weigh(categorical=3.0), len(palette), paletted
        )
    elif _is_grey_ramp(used) and m.distinct > 16:
        yield Finding(
            "palette",
            "Its palette is a ramp of greys: the values are shades.",
            weigh(continuous=3.0),
            len(palette),
            {Subtype.PANCHROMATIC: 1.0},
        )
    elif subject.dtype != "uint8" and _is_ramp(used) and m.jump is not None and m.jump < 0.3:
        yield Finding(
            "palette",
            "Its palette is a ramp of colours for amounts.",
            weigh(continuous=1.0, dem=1.0, categorical=1.0),
            len(palette),
        )
    else:
        yield Finding(
            "palette", "It has a palette of single colours.", weigh(categorical=4.5), len(palette),
            paletted,
        )  # fmt: skip


def _used(palette: NDArray[np.uint8], subject: Subject) -> NDArray[np.float64]:
    """The colours of the values met, (values, 3), in the order of the values."""
    values = subject.sample.bands[0].counted[0]
    inside = values[(values >= 0) & (values < len(palette))].astype(np.intp)
    return palette[inside, :3].astype(np.float64)


def _is_grey_ramp(used: NDArray[np.float64]) -> bool:
    steps = np.diff(used[:, 0])
    return bool((np.ptp(used, axis=1) <= 2).all() and ((steps >= 0).all() or (steps <= 0).all()))


def _is_ramp(used: NDArray[np.float64]) -> bool:
    return bool(np.median(np.linalg.norm(np.diff(used, axis=0), axis=1)) <= _NEAR_COLOUR)
