"""Whether values are sets of bits, each of which says something of its own."""

from __future__ import annotations

from services.raster.evidence.measures import Measures
from services.raster.evidence.subject import Subject

# Of neighbours well apart, the share that differs in one bit only: of amounts and of pictures it
# is a sixth at most.
_FLIPS = 0.35
# Of few values or few bits most differ in one bit only.
_DISTINCT, _BITS = 40, 6


def are_few(subject: Subject, m: Measures) -> bool:
    """Few values far apart, up to a large one, that use more than the lowest bits."""
    if m.minimum < 0 or m.distinct > 300 or m.maximum < 256 or subject.floating:
        return False
    values = subject.data[0].counted[0].astype("int64")
    bits = sum(int(value).bit_count() for value in values) / len(values)
    low = sum(1 for value in values if value % 2 == 0)
    return m.dense < 0.1 and bits <= 7 and low >= len(values) / 4


def are_of_many(m: Measures) -> bool:
    """A bit for each of many days or sources: any value may be met, and from one pixel to the next
    one bit is another."""
    return m.distinct > _DISTINCT and m.bits >= _BITS and (m.flips or 0.0) >= _FLIPS
