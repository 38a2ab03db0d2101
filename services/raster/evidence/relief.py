"""Whether a band may be elevations: a surface as rough as land is, in metres or feet."""

from __future__ import annotations

from collections.abc import Iterator

from services.raster.evidence.finding import Finding, weigh
from services.raster.evidence.measures import Measures
from services.raster.evidence.subject import Subject

# Metres from the deepest trench to the highest summit; feet reach further up.
_LOWEST, _HIGHEST, _HIGHEST_FEET = -11_100.0, 9_000.0, 29_100.0

# Growth (see `Measures`) of interpolated fields; relief that was enlarged comes near it.
_SMOOTHEST = 3.8


def find(subject: Subject) -> Iterator[Finding]:
    if subject.data_bands != 1 or not subject.measured or subject.complex:
        return
    m = subject.measured[0]
    yield from _surface(m)
    yield from _range(subject, m)


def _surface(m: Measures) -> Iterator[Finding]:
    if m.correlation is None or m.growth is None or m.distinct < 8:
        return
    value = [round(m.correlation, 3), round(m.growth, 2)]
    # Rounding to whole metres roughens gentle relief.
    rounded = m.whole and m.equal is not None and m.equal > 0.1
    least_growth = 1.9 if rounded else 2.1
    if m.correlation >= 0.93 and m.growth >= least_growth and (m.jump is None or m.jump < 0.35):
        if m.growth > _SMOOTHEST:
            says, weight = "It is a surface, and smoother than most relief is.", 0.6
        elif m.growth >= 2.4:
            says, weight = "It is a surface, as smooth as relief is.", 1.8
        else:
            says, weight = "It is a surface.", 1.2
        yield Finding("surface", says, weigh(dem=weight), value)
    elif m.correlation < 0.85 or m.growth < 1.6:
        yield Finding("surface", "It is rougher than relief is.", weigh(dem=-2.5), value)
    else:
        yield Finding("surface", "It is rougher than most relief.", weigh(dem=-0.7), value)


def _range(subject: Subject, m: Measures) -> Iterator[Finding]:
    value = [m.minimum, m.maximum]
    if m.minimum < _LOWEST or m.high > _HIGHEST_FEET:
        yield Finding("range", "The Earth has no such elevations.", weigh(dem=-5), value)
    elif m.high > _HIGHEST:
        yield Finding("range", "In metres the Earth has no such elevations.", weigh(dem=-3), value)
    elif max(abs(m.low), abs(m.high)) <= 2:
        yield Finding("range", "The values are too small for relief.", weigh(dem=-4), value)
    elif m.high - m.low <= 3:
        yield Finding("range", "The values differ little for relief.", weigh(dem=-1.5), value)
    elif m.minimum >= 0 and m.zeros > 0.3:
        yield Finding(
            "range",
            "Many pixels are exactly 0 and none is less: an amount of something.",
            weigh(dem=-1.5, continuous=0.8),
            value,
        )
    elif m.minimum == 0 and m.zeros > 0.01 and m.maximum <= 200:
        yield Finding(
            "range",
            "Values begin at exactly 0 and stay small: an amount rather than elevations.",
            weigh(dem=-0.7, continuous=0.5),
            value,
        )
    elif subject.dtype == "int16" and m.whole and m.distinct > 50:
        yield Finding(
            "range", "Whole numbers in the range of elevations in metres.", weigh(dem=0.5), value
        )
    else:
        yield Finding("range", "The values are in the range of elevations.", weigh(dem=0.3), value)
