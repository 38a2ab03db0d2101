"""Whether values are codes, each for a class of its own, or amounts."""

from __future__ import annotations

from collections.abc import Iterator

from services.raster.evidence.finding import Finding, weigh
from services.raster.evidence.measures import Measures
from services.raster.evidence.subject import Subject
from services.raster.model import Subtype

# Odds for a class map by the number of different values: class lists are short.
_DISTINCT = ((12, 1.8), (40, 1.0), (100, 0.0), (256, -0.9), (1000, -2.0))
_TOO_MANY = -4.0
# In class maps a neighbour that differs may be of any class, and areas hang together.
_JUMP_OF_CODES = 0.45
_JUMP_OF_AMOUNTS = 0.15
_CLUMPED = 0.3
# Codes leave gaps between them: so many of the whole numbers in their range are met.
_SPARSE = 0.35


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
    return m.whole and 1 < m.distinct <= 100 and _neighbours(m) >= 2.0


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
    yield _distinct(m)
    if m.equal is not None and m.distinct > 2:
        weight = _neighbours(m)
        says = (
            "Areas of one value border on any other value, as those of classes do."
            if weight > 0
            else "Neighbouring pixels have near values, as amounts do."
            if weight < -1
            else "How neighbours differ fits amounts rather than classes."
        )
        yield Finding(
            "neighbours", says, weigh(categorical=weight), [_round(m.clumped), _round(m.jump)]
        )
    if 3 <= m.distinct <= 600 and m.dense < _SPARSE and m.count > 10 * m.distinct:
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
    elif m.distinct >= 25 and m.dense > 0.9 and 0 <= m.minimum <= 1:
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
    if _are_flags(subject, m):
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
    if m.jump is None or m.clumped is None:
        return 0.0
    if m.jump >= _JUMP_OF_CODES:
        return 2.5 if m.clumped >= _CLUMPED else 0.3 if m.distinct <= 40 else -0.5
    return -2.5 if m.jump < _JUMP_OF_AMOUNTS else -0.5


def _are_flags(subject: Subject, m: Measures) -> bool:
    """Few values far apart, up to a large one, that use more than the lowest bits."""
    if m.minimum < 0 or m.distinct > 300 or m.maximum < 256 or subject.floating:
        return False
    values = subject.data[0].counted[0].astype("int64")
    bits = sum(int(value).bit_count() for value in values) / len(values)
    low = sum(1 for value in values if value % 2 == 0)
    return m.dense < 0.1 and bits <= 7 and low >= len(values) / 4


def _round(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
