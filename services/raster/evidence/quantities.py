"""Ranges of values that only some quantities have."""

from __future__ import annotations

from collections.abc import Iterator

from services.raster.evidence.finding import Finding, weigh
from services.raster.evidence.measures import Measures
from services.raster.evidence.subject import Subject
from services.raster.model import Subtype

_MODIS_FILL, _MODIS_LEAST = -3000.0, -2000.0


def find(subject: Subject) -> Iterator[Finding]:
    if not subject.measured or subject.complex or subject.data_bands != 1:
        return
    m = subject.measured[0]
    value = [m.minimum, m.maximum]
    if not m.whole and m.minimum >= -1.001 and m.maximum <= 1.001 and m.distinct > 20:
        if m.minimum < 0 and m.high > 0.1:
            yield Finding(
                "index",
                "Values lie between -1 and 1, on both sides of 0, as those of a normalized "
                "difference do.",
                weigh(vegetation_index=3.6),
                value,
            )
        else:
            yield Finding(
                "share",
                "Values lie between 0 and 1, as shares and probabilities do.",
                weigh(continuous=1.0, vegetation_index=0.6),
                value,
                {Subtype.PROBABILITY: 1.0},
            )
    elif subject.dtype == "int16" and m.distinct > 200:
        yield from _scaled_index(subject, m)
    elif subject.floating and m.minimum >= 180 and m.maximum <= 345 and m.distinct > 20:
        yield Finding(
            "kelvin",
            "All values are temperatures that the Earth has, in kelvin.",
            weigh(continuous=0.8),
            value,
            {Subtype.TEMPERATURE: 0.5},
        )
    if m.minimum >= 0 and m.zeros > 0.3 and m.distinct > 100 and m.mean > 3 * m.median:
        yield Finding(
            "amounts",
            "Most pixels are 0 and few are large, as with rain or people.",
            weigh(continuous=0.8),
            round(m.zeros, 3),
        )
    if m.correlation is not None and m.correlation < 0.85 and m.distinct > 100:
        yield Finding(
            "roughness",
            "Neighbours differ much, as in pictures and radar.",
            weigh(continuous=0.5),
            round(m.correlation, 3),
        )


def _scaled_index(subject: Subject, m: Measures) -> Iterator[Finding]:
    """Vegetation indices are kept times 10000. MODIS gives them from -2000, and -3000 where there
    is none (user guide of MOD13)."""
    value = [m.minimum, m.maximum]
    fill = _MODIS_FILL in (subject.facts.bands[0].nodata, subject.undeclared[0])
    if fill or (m.minimum == _MODIS_LEAST and m.maximum <= 10_000):
        yield Finding(
            "index",
            "Missing pixels are -3000, or the least value is -2000, as in MODIS vegetation "
            "indices.",
            weigh(vegetation_index=3.5, dem=-1.0),
            value,
        )
    elif not (m.high > 4000 and m.maximum <= 10_500 and m.minimum >= -10_100):
        return
    elif m.minimum < 0:
        yield Finding(
            "index",
            "Values reach from below 0 up to 10000, as those of an index times 10000 do, and many "
            "are higher than land is.",
            weigh(vegetation_index=2.6, dem=-2.0),
            value,
        )
    elif m.mean < m.median:
        yield Finding(
            "index",
            "Most values are high, up to 10000, and few are low, as those of an index times 10000 "
            "over land with plants.",
            weigh(vegetation_index=1.5, dem=-0.8),
            value,
        )
