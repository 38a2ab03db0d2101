"""Whether a band may be elevations: a surface as rough as land is, in metres or feet."""

from __future__ import annotations

from collections.abc import Iterator

from services.raster.evidence.finding import Finding, weigh
from services.raster.evidence.measures import Measures
from services.raster.evidence.subject import Subject
from services.raster.model import Subtype

# Metres from the deepest trench to the highest summit; feet reach further up.
_LOWEST, _HIGHEST, _HIGHEST_FEET = -11_100.0, 9_000.0, 29_100.0

# Mountains of the Earth in a grid of a degree, where they are averaged.
_HIGHEST_OF_COARSE = 4_000.0
# Growth (see `Measures`) of interpolated fields; relief that was enlarged comes near it.
_SMOOTHEST = 3.8
# Correlation of neighbours of surfaces, and that below which relief of usual resolutions
# seldom lies.
_SURFACE, _ROUGH = 0.93, 0.965
# Mean slopes (rise over run, in metres): of hills and mountains, and those that neither plains nor
# walls reach, with some room for elevations in feet.
_HILLY = (0.01, 1.5)
_FLATTEST, _STEEPEST = 0.002, 3.0
# In metres: pixels above are so wide that slopes and roughness are averaged away.
_COARSE = 5_000.0


def find(subject: Subject) -> Iterator[Finding]:
    if subject.data_bands != 1 or not subject.measured or subject.complex:
        return
    m = subject.measured[0]
    yield from _surface(m)
    yield from _range(subject, m)
    yield from _steepness(subject, m)
    yield from _derived(m)
    yield from _tail(m)


def _surface(m: Measures) -> Iterator[Finding]:
    if m.correlation is None or m.growth is None or m.distinct < 8:
        return
    value = [round(m.correlation, 3), round(m.growth, 2)]
    # Rounding to whole metres roughens gentle relief.
    rounded = m.whole and m.equal is not None and m.equal > 0.1
    least_growth = 1.9 if rounded else 2.1
    if m.correlation >= _SURFACE and m.growth >= least_growth and (m.jump is None or m.jump < 0.35):
        if m.growth > _SMOOTHEST:
            says, weight = "It is a surface, and smoother than most relief is.", 0.6
        elif m.growth >= 2.4:
            says, weight = "It is a surface, as smooth as relief is.", 1.5
        else:
            says, weight = "It is a surface.", 1.0
        if m.correlation < _ROUGH:
            weight -= 0.6
        yield Finding("surface", says, weigh(dem=weight), value)
    elif m.correlation < 0.85 or m.growth < 1.6:
        yield Finding("surface", "It is rougher than relief is.", weigh(dem=-2.5), value)
    else:
        yield Finding("surface", "It is rougher than most relief.", weigh(dem=-1.0), value)


def _range(subject: Subject, m: Measures) -> Iterator[Finding]:
    value = [m.minimum, m.maximum]
    if m.minimum < _LOWEST or m.high > _HIGHEST_FEET:
        yield Finding("range", "The Earth has no such elevations.", weigh(dem=-5), value)
    elif m.maximum > _HIGHEST:
        weight = -3 if m.high > _HIGHEST else -2
        yield Finding(
            "range", "In metres the Earth has no such elevations.", weigh(dem=weight), value
        )
    elif subject.whole_earth and m.maximum < _HIGHEST_OF_COARSE:
        yield Finding(
            "range",
            "It shows the whole Earth, and nothing as high as its mountains.",
            weigh(dem=-4, continuous=0.5),
            value,
        )
    elif -90 <= m.minimum < -15 and m.maximum <= 60 and not m.whole:
        yield Finding(
            "range",
            "The values are those of temperatures in degrees Celsius; the sea is deeper, and land "
            "hardly lies below it.",
            weigh(dem=-0.8, continuous=1.2),
            value,
            {Subtype.TEMPERATURE: 0.5},
        )
    elif max(abs(m.low), abs(m.high)) <= 2:
        yield Finding("range", "The values are too small for relief.", weigh(dem=-4), value)
    elif m.high - m.low <= 3:
        yield Finding("range", "The values differ little for relief.", weigh(dem=-1.5), value)
    elif m.minimum < 0 and m.maximum - m.minimum <= 10:
        yield Finding(
            "range",
            "The values lie close around 0, which relief seldom does.",
            weigh(dem=-1),
            value,
        )
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
    else:
        yield Finding("range", "The values are in the range of elevations.", weigh(dem=0.3), value)


def _steepness(subject: Subject, m: Measures) -> Iterator[Finding]:
    """How steep it would be, were its values metres."""
    if not subject.pixel_metres or m.difference is None:
        return
    slope = m.difference / subject.pixel_metres
    value = float(f"{slope:.3g}")
    if slope > _STEEPEST:
        yield Finding(
            "steepness", "As elevations it would be steeper than land is.", weigh(dem=-2.5), value
        )
    elif slope < _FLATTEST and subject.pixel_metres < _COARSE:
        yield Finding(
            "steepness", "As elevations it would be flatter than land is.", weigh(dem=-1.2), value
        )
    elif _HILLY[0] <= slope <= _HILLY[1] and (m.correlation or 0) >= _SURFACE:
        yield Finding(
            "steepness", "As elevations it would be as steep as land is.", weigh(dem=0.4), value
        )


def _derived(m: Measures) -> Iterator[Finding]:
    """What is computed of elevations, by the range that it has."""
    value = [m.minimum, m.maximum]
    if m.minimum < 0 or m.distinct <= 40:
        return
    if not m.whole and 355 <= m.maximum <= 360 and m.minimum < 5:
        yield Finding(
            "directions",
            "Values go round from 0 to 360, as directions of slopes do.",
            weigh(dem=-2, continuous=1.0),
            value,
            {Subtype.SLOPE: 0.5},
        )
    elif 235 <= m.maximum <= 255:
        yield Finding(
            "shades",
            "Values end where bytes do, as shades of grey.",
            weigh(dem=-1.2, continuous=0.5),
            value,
            {Subtype.HILLSHADE: 0.5},
        )
    elif not m.whole and m.minimum < 5 and m.maximum <= 90 and (m.correlation or 1) < 0.97:
        yield Finding(
            "angles",
            "Values lie between 0 and 90 and change fast, as slopes do.",
            weigh(dem=-0.8, continuous=0.5),
            value,
            {Subtype.SLOPE: 0.5},
        )


def _tail(m: Measures) -> Iterator[Finding]:
    """Pictures have few pixels far brighter than the rest; mountains have broad bases."""
    spread = m.high - m.low
    if m.correlation is not None and m.correlation < 0.98 and m.maximum - m.high > spread > 0:
        yield Finding(
            "tail",
            "Few values are far greater than the rest, as in pictures.",
            weigh(dem=-0.8),
            [m.high, m.maximum],
        )
