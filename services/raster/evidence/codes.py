"""Whether values are codes, each for a class of its own, or amounts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.raster.evidence import bits
from services.raster.evidence.finding import Finding, weigh
from services.raster.evidence.measures import Measures
from services.raster.evidence.subject import Subject
from services.raster.model import Subtype

# Odds for a class map by the number of different values: class lists are short.
_DISTINCT = ((12, 1.8), (40, 1.0), (100, 0.0), (256, -0.9), (1000, -2.0))
_TOO_MANY = -4.0
# In class maps a neighbour that differs may be of any class, and areas hang together.
_JUMP_OF_CODES, _JUMP_OF_CODES_ONLY = 0.62, 0.8
_JUMP_OF_AMOUNTS = 0.35
_CLUMPED, _IN_AREAS = 0.3, 0.5
# Where values flow, a neighbour is of the next value as often as of the same.
_PEAK_OF_SHADES = 1.6
# Fewer values are no shades: of a handful of codes two may often border on each other.
_SHADES = 8
# Zones of an amount (of height, of distance) border on the next one; a few such areas may be
# classes as well.
_ZONES, _PEAK_OF_ZONES = 12, 8.0
# Log-odds for classes where areas of them border on any other, and where amounts never do so.
_CODES, _SURELY_CODES = 2.5, 3.2
# Codes leave gaps between them: so many of the whole numbers in their range are met.
_SPARSE = 0.35
# So many borders to each value tell what borders on what.
_BORDERS = 5
# So much of the gaps of a stretched picture have one of two lengths.
_REGULAR = 0.9


def find(subject: Subject) -> Iterator[Finding]:
    if not subject.measured or subject.complex:
        return
    if subject.data_bands == 1:
        yield from _one_band(subject, subject.measured[0])
    elif all(_are_codes(m) for m in subject.measured):
        yield Finding(
            "classes in all bands",
            "Every band has few values, and they change like codes do.",
            weigh(categorical=5),
            [m.distinct for m in subject.measured],
            {Subtype.LAND_COVER: 1.0},
        )


def _are_codes(m: Measures) -> bool:
    return m.whole and 1 < m.distinct <= 100 and _neighbours(m) >= _CODES


def _one_band(subject: Subject, m: Measures) -> Iterator[Finding]:
    if m.distinct == 1:
        yield Finding(
            "distinct values",
            "All sampled pixels have the same value: nothing tells what it stands for.",
            weigh(unknown=4),
            1,
        )
        return
    if not m.whole:
        few = m.distinct <= 12 and m.count > 1000
        yield Finding(
            "fractions",
            "Values have fractions; codes of classes have none.",
            weigh(categorical=-1.0 if few else -5.0),
            m.distinct,
        )
        return
    if bits.are_of_many(m):
        yield Finding(
            "single bits",
            "Neighbouring pixels that are far apart in value differ in one bit, as those of "
            "quality flags and of a bit for each day do.",
            weigh(categorical=4.5),
            _round(m.flips),
            {Subtype.BIT_FLAGS: 3.0},
        )
        return
    yield _distinct(m)
    stretched = _stretched(subject.data[0].counted[0])
    if stretched:
        yield Finding(
            "even gaps",
            "The gaps between values are as even as whole numbers allow, as those of a picture "
            "whose contrast was stretched.",
            weigh(categorical=-1.5, continuous=0.5),
            round(m.dense, 4),
        )
    if m.equal is not None and m.distinct > 2:
        weight = _neighbours(m)
        says = (
            "Areas of one value border on any other value, as those of classes do."
            if weight > 0
            else "Neighbouring pixels have near values, as amounts and shades do."
            if weight < -1
            else "Areas of one value border on the next one, as zones and classes do."
            if weight == 0
            else "How neighbours differ fits amounts rather than classes."
        )
        yield Finding(
            "neighbours", says, weigh(categorical=weight),
            [_round(m.clumped), _round(m.jump), _round(m.peak)],
        )  # fmt: skip
    sparse = m.dense < _SPARSE and m.count > 10 * m.distinct
    if 3 <= m.distinct <= 600 and sparse and not stretched:
        yield Finding(
            "gaps",
            "Few of the whole numbers between the least and the greatest are met, as with codes.",
            weigh(categorical=1.5 if m.distinct <= 100 and _neighbours(m) >= 0 else 0.4),
            round(m.dense, 4),
        )
    if m.distinct > 40 and m.dense > 0.8 and m.minimum >= 0 and 70 <= m.maximum <= 101:
        yield Finding(
            "percent",
            "Nearly all whole numbers up to 100 are met, as with percent.",
            weigh(continuous=1.5, categorical=-1.0),
            [m.minimum, m.maximum],
            {Subtype.PROBABILITY: 0.5},
        )
    elif m.distinct >= 25 and m.dense > 0.9 and 0 <= m.minimum <= 1 and _neighbours(m) <= _CODES:
        yield Finding(
            "no gaps",
            "From 0 or 1 on, all whole numbers are met, as with counts and shades.",
            weigh(categorical=-1.2, continuous=0.5),
            [m.minimum, m.maximum],
        )
    if m.lone > 0.02 and m.count > 2000:
        yield Finding(
            "lone values",
            "Many values are met once or twice only; classes have more pixels.",
            weigh(categorical=-1.5),
            round(m.lone, 3),
        )
    if bits.are_few(subject, m):
        yield Finding(
            "bit flags",
            "The values are sums of few bits, as those of quality flags.",
            weigh(categorical=2.5),
            [int(m.minimum), int(m.maximum)],
            {Subtype.BIT_FLAGS: 3.0},
        )


def _distinct(m: Measures) -> Finding:
    if m.distinct == 2:
        return Finding(
            "distinct values",
            "There are two values, as in a mask.",
            weigh(categorical=3.5),
            2,
            {Subtype.MASK: 3.0},
        )
    weight = next((w for most, w in _DISTINCT if m.distinct <= most), _TOO_MANY)
    if m.count < 5 * m.distinct:
        weight = min(weight, -0.5)
    few = "few" if weight > 0 else "many"
    return Finding(
        "distinct values",
        f"There are {m.distinct:,} different whole numbers: {few}.",
        weigh(categorical=weight),
        m.distinct,
    )


def _neighbours(m: Measures) -> float:
    """Log-odds for classes by what borders on what."""
    if m.jump is None or m.clumped is None:
        return 0.0
    peak = math.inf if m.peak is None else m.peak
    in_areas = m.clumped >= _IN_AREAS
    if m.jump < _JUMP_OF_CODES and in_areas and m.distinct <= _ZONES and peak > _PEAK_OF_ZONES:
        return 0.0
    if m.jump < _JUMP_OF_AMOUNTS:
        return -2.5
    if peak <= _PEAK_OF_SHADES and m.distinct >= _SHADES:
        return -1.8
    if m.jump < _JUMP_OF_CODES:
        return -0.8
    if m.clumped < _CLUMPED:
        return 0.3 if m.distinct <= 40 else -0.5
    if (m.borders or 0) < _BORDERS * m.distinct:
        return 1.0
    return _SURELY_CODES if in_areas and m.jump >= _JUMP_OF_CODES_ONLY else _CODES


def _stretched(values: NDArray[Any]) -> bool:
    """Whether the steps between the values are of two lengths, one more than the other.

    That is what stretching the contrast of a picture, or cutting its levels, makes of whole
    numbers. Those of one length may be codes: 10, 20, 30.
    """
    steps = np.diff(values.astype(np.float64))
    if len(steps) < _SHADES:
        return False
    short = float(np.floor(np.median(steps)))
    if (steps == short + 1).sum() < (steps == short - 1).sum():
        short -= 1
    both = [float((steps == length).mean()) for length in (short, short + 1)]
    return short >= 2 and sum(both) >= _REGULAR and min(both) > 0


def _round(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
